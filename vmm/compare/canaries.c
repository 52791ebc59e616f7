/* canaries.c - see canaries.h. */
#include "vmm/compare/canaries.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "vmm/base/util.h"

#define FILE_NAME "canary"
#define ANSWER_MS 10000 /* for the process, on a host that is busy */
#define FILE_FD	  200	/* the same number as in the attempts */

static int random_word(char out[16], struct err *e)
{
	unsigned char bytes[7];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_errno(e, "getrandom");
	out[0] = 'b';
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 1 + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* --- the file --- */

static void describe_handle(const char *path, char *out, size_t size)
{
	_Alignas(struct file_handle) char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	struct file_handle *h = (void *)room;
	size_t n;
	int mount;

	snprintf(out, size, "-");
	h->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(AT_FDCWD, path, h, &mount, 0) < 0)
		return;
	n = (size_t)snprintf(out, size, "%d:", h->handle_type);
	for (unsigned int i = 0; i < h->handle_bytes && n + 3 <= size; i++)
		n += (size_t)snprintf(out + n, size - n, "%02x", h->f_handle[i]);
}

static int make_file(struct canaries *c, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX + 16], dir[PATH_MAX];

	if (snprintf(dir, sizeof(dir), "%s/bulkhead-canary.XXXXXX",
		     tmp && tmp[0] == '/' ? tmp : "/tmp") >= PATH_MAX ||
	    !mkdtemp(dir))
		return err_errno(e, "make a directory for the canary");
	memcpy(c->dir, dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
	/* For all to read, whatever the caller's umask: the wall is what is to
	 * keep it, not the file's mode.  For its owner alone to write: who
	 * changes it has his rights on the host, and is not just anybody. */
	c->file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c->file < 0 || fchmod(c->file, 0644) < 0 || chmod(dir, 0755) < 0 ||
	    write_all(c->file, c->secret, sizeof(c->secret)) < 0)
		return err_errno(e, "write the canary %s", path);
	c->size = sizeof(c->secret);
	describe_handle(path, c->handle, sizeof(c->handle));
	return 0;
}

/* --- the process --- */

/*
 * Say how many signals have come, each time when asked, until the other end of
 * `life` is closed.  Who was sent before the question is in the answer: kill(2)
 * returns when the signal is pending.
 */
static void answer_questions(int signals, int life)
{
	struct signalfd_siginfo info;
	uint64_t n = 0;
	char question;

	while (read(life, &question, 1) == 1) {
		while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
			n++;
		if (send(life, &n, sizeof(n), MSG_NOSIGNAL) < 0)
			break;
	}
}

static _Noreturn void be_canary(const struct canaries *c, int ready, int life)
{
	pid_t pid = getpid();
	sigset_t set;
	int signals;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	signals = sigprocmask(SIG_BLOCK, &set, NULL) < 0
			  ? -1
			  : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || prctl(PR_SET_NAME, c->token) < 0 || chdir(c->dir) < 0 ||
	    dup2(c->file, FILE_FD) < 0 || setsid() < 0 || write_all(ready, &pid, sizeof(pid)) < 0)
		_exit(1);
	close(ready);
	answer_questions(signals, life);
	_exit(0);
}

/* Nobody's child, so that no run waits for it. */
static int make_process(struct canaries *c, struct err *e)
{
	int ready[2] = { -1, -1 }, life[2] = { -1, -1 }, r = 0;
	pid_t between;

	if (pipe2(ready, O_CLOEXEC) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life) < 0)
		return err_errno(e, "pipe");
	between = fork();
	if (between == 0) {
		close(ready[0]);
		close(life[1]);
		if (fork() == 0)
			be_canary(c, ready[1], life[0]);
		_exit(0);
	}
	close_fd(&ready[1]);
	close_fd(&life[0]);
	c->life = life[1];
	while (between > 0 && waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	if (between < 0 || read(ready[0], &c->pid, sizeof(c->pid)) != (ssize_t)sizeof(c->pid))
		r = err_set(e, EAGAIN, "the canary's process did not start");
	close_fd(&ready[0]);
	snprintf(c->pid_text, sizeof(c->pid_text), "%d", (int)c->pid);
	snprintf(c->address, sizeof(c->address), "%lx", (unsigned long)(uintptr_t)c->secret);
	return r;
}

/* --- the sockets --- */

static int listening(int domain, const struct sockaddr *at, socklen_t size, struct err *e)
{
	int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, at, size) < 0 || listen(fd, 8) < 0) {
		err_errno(e, "a listening socket for the canary");
		close_fd(&fd);
		return -EIO;
	}
	return fd;
}

static int make_sockets(struct canaries *c, struct err *e)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t size = sizeof(here);

	memcpy(name.sun_path + 1, c->token, strlen(c->token));
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->abstract = listening(
		AF_UNIX, (const struct sockaddr *)&name,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(c->token)), e);
	c->loopback = c->abstract < 0 ? -1
				      : listening(AF_INET, (const struct sockaddr *)&here, size, e);
	if (c->loopback < 0)
		return -EIO;
	if (getsockname(c->loopback, (struct sockaddr *)&here, &size) < 0)
		return err_errno(e, "getsockname");
	snprintf(c->port, sizeof(c->port), "%u", ntohs(here.sin_port));
	return 0;
}

static void read_boot(char out[64])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 63);

	out[MAX(n, 0)] = '\0';
	out[strcspn(out, "\n")] = '\0';
	close_fd(&fd);
}

int canaries_make(struct canaries *c, struct err *e)
{
	int r;

	memset(c, 0, sizeof(*c));
	c->life = c->abstract = c->loopback = c->file = -1;
	c->made = true;
	read_boot(c->boot);
	r = random_word(c->secret, e);
	if (r == 0)
		r = random_word(c->token, e);
	if (r == 0)
		r = make_file(c, e);
	if (r == 0)
		r = make_process(c, e);
	return r < 0 ? r : make_sockets(c, e);
}

static bool was_connected(int listener)
{
	bool any = false;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		any = true;
		close(fd);
	}
	return any;
}

/* Was the process signalled?  One that does not answer is gone. */
static bool was_signalled(struct canaries *c)
{
	struct pollfd answer = { c->life, POLLIN, 0 };
	uint64_t before = c->signals;

	if (send(c->life, "?", 1, MSG_NOSIGNAL) != 1 || poll(&answer, 1, ANSWER_MS) != 1 ||
	    read(c->life, &c->signals, sizeof(c->signals)) != (ssize_t)sizeof(c->signals))
		return true;
	return c->signals != before;
}

bool canaries_noticed(struct canaries *c)
{
	bool any = was_signalled(c);
	struct stat st;

	if (fstat(c->file, &st) == 0 && st.st_size != c->size) {
		any = true;
		c->size = st.st_size;
	}
	any |= was_connected(c->abstract);
	return was_connected(c->loopback) || any;
}

void canaries_name(const struct canaries *c, const char *argv[CANARIES_ARGS])
{
	argv[0] = c->token;
	argv[1] = c->dir;
	argv[2] = c->pid_text;
	argv[3] = c->address;
	argv[4] = c->port;
	argv[5] = c->handle;
}

void canaries_space(const char *space, char out[64])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", space);
	n = space[0] ? readlink(path, out, 63) : -1;
	if (n > 0)
		out[n] = '\0';
	else
		strcpy(out, "-");
}

void canaries_remove(struct canaries *c)
{
	char path[PATH_MAX + 16];

	if (!c->made)
		return; /* none were made */
	close_fd(&c->life);
	close_fd(&c->abstract);
	close_fd(&c->loopback);
	close_fd(&c->file);
	if (c->dir[0]) {
		snprintf(path, sizeof(path), "%s/" FILE_NAME, c->dir);
		unlink(path);
		rmdir(c->dir);
	}
	c->dir[0] = '\0';
	c->made = false;
}
