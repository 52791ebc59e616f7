/* tool.c - see tool.h. */
#include "vmm/net/tool.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/util.h"

/* Not the caller's PATH: these run as root. */
int tool_find(const char *name, char *out)
{
	static const char *const places[] = { "/usr/sbin", "/sbin",	      "/usr/bin",
					      "/bin",	   "/usr/local/sbin", "/usr/local/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(out, PATH_MAX, "%s/%s", places[i], name);
		if (access(out, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

/* What the tool reads, as a file: it may be longer than a pipe is. */
static int input_file(const char *text)
{
	_cleanup_close_ int fd = memfd_create("bulkhead-input", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return neg_errno();
	return take_fd(&fd);
}

static int enter_netns(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return neg_errno();
	return 0;
}

/* In the child. */
static void become(const char *path, const struct tool_call *call, int in, int out, int err)
{
	static const char *const env[] = { "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	sigset_t none;

	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		_exit(126);
	syscall(SYS_close_range, 3, UINT_MAX, 0);
	/* Keys of the terminal are for the supervisor, which needs this done. */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (call->netns_of && enter_netns(call->netns_of) < 0) {
		dprintf(STDERR_FILENO, "enter the network namespace: %s", strerror(errno));
		_exit(126);
	}
	execve(path, (char *const *)(uintptr_t)call->argv, (char *const *)(uintptr_t)env);
	dprintf(STDERR_FILENO, "execute %s: %s", path, strerror(errno));
	_exit(126);
}

/* A memory file as a string; what it said goes there, so nobody has to read
 * while it runs. */
static int read_back(int fd, char *out, size_t size)
{
	off_t len = lseek(fd, 0, SEEK_END);
	int r;

	if (len < 0 || (size_t)len >= size)
		return len < 0 ? neg_errno() : -E2BIG;
	r = pread_all(fd, out, (size_t)len, 0);
	out[r < 0 ? 0 : len] = '\0';
	return r;
}

/* The first line of what it complained, which may be long. */
static int complain(const struct tool_call *call, int fd, struct err *e)
{
	char text[400] = "", shown[300];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[MAX(n, 0)] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return err_set(e, EIO, "%s: %s", call->argv[0], printable(shown, sizeof(shown), text));
}

int tool_run(const struct tool_call *call, struct err *e)
{
	_cleanup_close_ int in = input_file(call->input);
	_cleanup_close_ int out = memfd_create("bulkhead-output", MFD_CLOEXEC);
	_cleanup_close_ int err = memfd_create("bulkhead-errors", MFD_CLOEXEC);
	char path[PATH_MAX];
	int status;
	pid_t pid;

	if (in < 0 || out < 0 || err < 0)
		return err_errno(e, "make files for %s", call->argv[0]);
	if (tool_find(call->argv[0], path) < 0)
		return err_set(e, ENOENT, "%s is not installed (package %s)", call->argv[0],
			       call->package);
	pid = fork();
	if (pid == 0)
		become(path, call, in, out, err);
	if (pid < 0)
		return err_errno(e, "start %s", call->argv[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, "wait for %s", call->argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return complain(call, err, e);
	if (!call->output)
		return 0;
	status = read_back(out, call->output, call->output_size);
	return status < 0 ? err_code(e, status, "read what %s said", call->argv[0]) : 0;
}
