/* program.c - see program.h. */
#include "vmm/image/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/image/pending.h"

#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SIGNALS_MS  100		   /* how often pending signals are looked for */
#define PATIENCE_NS (2 * NS_PER_S) /* of somebody who sits before it */
#define EXEC_FAILED 127
#define IMAGE_FD    3

/* Look along `list`, skipping relative directories. */
static bool find_in(const char *name, const char *list, char out[PATH_MAX])
{
	while (*list) {
		size_t n = strcspn(list, ":");
		int len = snprintf(out, PATH_MAX, "%.*s/%s", (int)MIN(n, PATH_MAX), list, name);

		if (list[0] == '/' && len > 0 && len < PATH_MAX && access(out, X_OK) == 0)
			return true;
		list += n + (list[n] == ':');
	}
	return false;
}

int program_find(const struct program *p, char out[PATH_MAX], struct err *e)
{
	const char *path = getenv("PATH");

	/* Its place may be a sbin, which ordinary users often do not search. */
	if ((path && find_in(p->name, path, out)) || find_in(p->name, SYSTEM_PATH, out))
		return 0;
	return err_set(e, ENOENT, "%s needs %s, which is not installed (package %s)", p->purpose,
		       p->name, p->package);
}

/* --- in the child --- */

static int arrange_fds(const struct program *p, int output)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || fchdir(p->dir_fd) < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 ||
	    dup2(output, 2) < 0)
		return -1;
	/* All others are close-on-exec, the one in its way too. */
	if (p->image_fd == IMAGE_FD)
		return fcntl(IMAGE_FD, F_SETFD, 0);
	return p->image_fd > 0 ? dup2(p->image_fd, IMAGE_FD) : 0;
}

static void __attribute__((noreturn))
become(const struct program *p, const char *path, char *const *argv, int output, pid_t parent)
{
	char *const env[] = { (char[]){ "PATH=" SYSTEM_PATH }, (char[]){ "LC_ALL=C" }, NULL };
	struct err e = { 0 };
	sigset_t none;

	/* A supervisor that is killed leaves none behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXEC_FAILED);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (arrange_fds(p, output) < 0)
		_exit(EXEC_FAILED);
	if (p->confine && p->confine(p, path, &e) < 0) {
		dprintf(2, "%s\n", e.text);
		_exit(EXEC_FAILED);
	}
	execve(path, argv, env);
	dprintf(2, "execute %s: %s\n", path, strerror(errno));
	_exit(EXEC_FAILED);
}

/* --- what it says --- */

struct output {
	const struct program *p;
	char *text; /* PROGRAM_OUTPUT_MAX */
	size_t n;
	char line[512]; /* that is not complete yet; what is longer is cut */
	size_t nline;
};

static void end_line(struct output *o)
{
	size_t n = MIN(o->nline, PROGRAM_OUTPUT_MAX - 2 - MIN(o->n, PROGRAM_OUTPUT_MAX - 2));

	o->line[o->nline] = '\0';
	if (o->nline > 0 && n > 0 && !(o->p->is_usual && o->p->is_usual(o->line))) {
		memcpy(o->text + o->n, o->line, n);
		o->text[o->n + n] = '\n';
		o->n += n + 1;
		o->text[o->n] = '\0';
	}
	o->nline = 0;
}

static void add_output(struct output *o, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n')
			end_line(o);
		else if (o->nline < sizeof(o->line) - 1)
			o->line[o->nline++] = data[i];
	}
}

/* Until the child has closed its end.  -EINTR as in program.h. */
static int read_output(int fd, struct output *o)
{
	uint64_t told_at = now_ns() + PATIENCE_NS;
	char data[512];

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&pfd, 1, SIGNALS_MS) < 0 && errno != EINTR)
			return neg_errno();
		if (end_is_pending())
			return -EINTR;
		if (now_ns() > told_at && isatty(STDERR_FILENO)) {
			log_warn("%s", o->p->working);
			told_at = UINT64_MAX;
		}
		if (!pfd.revents)
			continue;
		got = read(fd, data, sizeof(data));
		if (got < 0 && errno != EINTR)
			return neg_errno();
		if (got > 0)
			add_output(o, data, (size_t)got);
		if (got == 0) {
			end_line(o);
			return 0;
		}
	}
}

int program_run(const struct program *p, const char *path, char *const *argv,
		char output[PROGRAM_OUTPUT_MAX], int *ret_status, struct err *e)
{
	struct output o = { .p = p, .text = output };
	_cleanup_close_ int reader = -1;
	pid_t self = getpid(), pid;
	int pipe_fd[2], status, r;

	output[0] = '\0';
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return err_errno(e, "make a pipe");
	reader = pipe_fd[0];
	pid = fork();
	if (pid == 0)
		become(p, path, argv, pipe_fd[1], self);
	close(pipe_fd[1]);
	if (pid < 0)
		return err_errno(e, "start %s", p->name);
	r = read_output(reader, &o);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, "wait for %s", p->name);
	/* A Ctrl-C reaches the child too, which may be the first to die. */
	if (r == -EINTR || end_is_pending())
		return err_set(e, EINTR, "interrupted");
	if (r < 0)
		return err_code(e, r, "run %s", p->name);
	if (WIFSIGNALED(status))
		return err_set(e, EIO, "%s was ended by signal %d", p->name, WTERMSIG(status));
	*ret_status = WEXITSTATUS(status);
	return 0;
}
