/*
 * mkfs.c - see mkfs.h.
 *
 * The image is not compressed: packing takes the same time as with lz4, being
 * bound by reading files, and the guest reads it without the detour.
 */
#include "vmm/image/mkfs.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/image/pending.h"

#define PROGRAM	    "mkfs.erofs"
#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OUTPUT_MAX  2048	   /* of what the program says; later bytes are dropped */
#define SIGNALS_MS  100		   /* how often pending signals are looked for */
#define PATIENCE_NS (2 * NS_PER_S) /* of somebody who sits before it */
#define EXEC_FAILED 127

/* Look along `list`, skipping relative directories. */
static bool find_in(const char *list, char out[PATH_MAX])
{
	while (*list) {
		size_t n = strcspn(list, ":");
		int len = snprintf(out, PATH_MAX, "%.*s/" PROGRAM, (int)MIN(n, PATH_MAX), list);

		if (list[0] == '/' && len > 0 && len < PATH_MAX && access(out, X_OK) == 0)
			return true;
		list += n + (list[n] == ':');
	}
	return false;
}

static int find_program(char out[PATH_MAX], struct err *e)
{
	const char *path = getenv("PATH");

	/* Its place is a sbin, which ordinary users often do not search. */
	if ((path && find_in(path, out)) || find_in(SYSTEM_PATH, out))
		return 0;
	return err_set(e, ENOENT,
		       "a directory as --rootfs needs mkfs.erofs, which is not installed (package "
		       "erofs-utils)");
}

char *mkfs_below(const char *path)
{
	char *out = malloc(2 * strlen(path) + 3);
	char *p = out;

	if (!out)
		return NULL;
	*p++ = '^';
	for (; *path; path++) {
		if (strchr("\\^$.[]|()*+?{}", *path))
			*p++ = '\\';
		*p++ = *path;
	}
	*p++ = '/';
	*p = '\0';
	return out;
}

struct args {
	char **v; /* NULL-terminated */
	size_t n;
	bool failed; /* out of memory */
};

static void args_release(struct args *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
}

#define _cleanup_args_ __attribute__((cleanup(args_release)))

static void args_add(struct args *a, const char *front, const char *text)
{
	char **v = reallocarray(a->v, a->n + 2, sizeof(*v));
	char *arg;

	if (v)
		a->v = v;
	if (!v || !text || asprintf(&arg, "%s%s", front, text) < 0) {
		a->failed = true;
		return;
	}
	v[a->n++] = arg;
	v[a->n] = NULL;
}

static void args_fill(struct args *a, char *const *excluded, size_t nexcluded, const char *image)
{
	args_add(a, PROGRAM, "");
	args_add(a, "--quiet", "");
	args_add(a, "-d1", ""); /* errors only */
	for (size_t i = 0; i < nexcluded; i++) {
		_cleanup_free_ char *below = mkfs_below(excluded[i]);

		args_add(a, "--exclude-regex=", below);
	}
	args_add(a, "", image);
	args_add(a, "", ".");
}

/* In the child.  Nothing of ours is passed on but the three standard fds. */
static void __attribute__((noreturn))
exec_program(const char *program, char **argv, int dir_fd, int output, pid_t parent)
{
	char *const env[] = { (char[]){ "PATH=" SYSTEM_PATH }, (char[]){ "LC_ALL=C" }, NULL };
	sigset_t none;
	int null;

	/* A supervisor that is killed leaves no packer behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXEC_FAILED);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
	    fchdir(dir_fd) < 0)
		_exit(EXEC_FAILED);
	execve(program, argv, env);
	dprintf(2, "<E> execute %s: %s\n", program, strerror(errno));
	_exit(EXEC_FAILED);
}

/* What the child writes, until it has closed its end.  -EINTR as in mkfs.h. */
static int read_output(int fd, char out[OUTPUT_MAX])
{
	uint64_t told_at = now_ns() + PATIENCE_NS;
	char dropped[512];
	size_t n = 0;

	out[0] = '\0';
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		bool full = n == OUTPUT_MAX - 1;
		ssize_t got;

		if (poll(&p, 1, SIGNALS_MS) < 0 && errno != EINTR)
			return neg_errno();
		if (end_is_pending())
			return -EINTR;
		if (now_ns() > told_at && isatty(STDERR_FILENO)) {
			log_warn("packing the directory; it is done once, until something in it "
				 "changes");
			told_at = UINT64_MAX;
		}
		if (!p.revents)
			continue;
		got = full ? read(fd, dropped, sizeof(dropped))
			   : read(fd, out + n, OUTPUT_MAX - 1 - n);
		if (got == 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return neg_errno();
		if (got > 0 && !full) {
			n += (size_t)got;
			out[n] = '\0';
		}
	}
}

/* The first of its lines that says what is wrong, without its mark. */
static void explain(char line[256], const char *output)
{
	static const char mark[] = "<E> ";
	const char *p = strstr(output, mark);
	char raw[256];

	p = p ? p + strlen(mark) : output;
	snprintf(raw, sizeof(raw), "%.*s", (int)MIN(strcspn(p, "\n"), sizeof(raw) - 1), p);
	printable(line, sizeof(raw), raw);
}

static int judge(int status, const char *output, struct err *e)
{
	char line[256];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return err_set(e, EIO, PROGRAM " was ended by signal %d", WTERMSIG(status));
	/* It reports errno in brackets; 28 is ENOSPC everywhere. */
	if (strstr(output, "[Error 28]"))
		return err_set(e, ENOSPC, "no space left for the packed directory");
	explain(line, output);
	return err_set(e, EIO, PROGRAM " failed with status %d: %s", WEXITSTATUS(status),
		       line[0] ? line : "it did not say why");
}

static int run_child(const char *program, char **argv, int dir_fd, struct err *e)
{
	_cleanup_close_ int reader = -1;
	char output[OUTPUT_MAX];
	pid_t self = getpid(), pid;
	int pipe_fd[2], status, r;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return err_errno(e, "make a pipe");
	reader = pipe_fd[0];
	pid = fork();
	if (pid == 0)
		exec_program(program, argv, dir_fd, pipe_fd[1], self);
	close(pipe_fd[1]);
	if (pid < 0)
		return err_errno(e, "start " PROGRAM);
	r = read_output(reader, output);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, "wait for " PROGRAM);
	/* A Ctrl-C reaches the child too, which may be the first to die. */
	if (r == -EINTR || end_is_pending())
		return err_set(e, EINTR, "interrupted");
	if (r < 0)
		return err_code(e, r, "run " PROGRAM);
	return judge(status, output, e);
}

int mkfs_erofs(int dir_fd, char *const *excluded, size_t nexcluded, const char *image,
	       struct err *e)
{
	char program[PATH_MAX];
	_cleanup_args_ struct args args = { 0 };
	int r;

	r = find_program(program, e);
	if (r < 0)
		return r;
	args_fill(&args, excluded, nexcluded, image);
	if (args.failed)
		return err_set(e, ENOMEM, "out of memory");
	log_info("run %s for %s, %zu places left out", program, image, nexcluded);
	return run_child(program, args.v, dir_fd, e);
}
