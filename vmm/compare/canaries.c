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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "vmm/base/util.h"

#define FILE_NAME "canary"
#define FILE_FD	  200 /* the same number as in the attempts */

struct canaries_shared {
	volatile uint64_t signals;
};

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
	/* The wall is what is to keep it, not the file's mode. */
	c->file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (c->file < 0 || chmod(dir, 0755) < 0 ||
	    write_all(c->file, c->secret, sizeof(c->secret)) < 0)
		return err_errno(e, "write the canary %s", path);
	c->size = sizeof(c->secret);
	describe_handle(path, c->handle, sizeof(c->handle));
	return 0;
}

/* --- the process --- */

/* Count signals until the other end of `life` is closed. */
static void count_signals(struct canaries_shared *shared, int signals, int life)
{
	struct signalfd_siginfo info;
	struct pollfd fds[2] = { { signals, POLLIN, 0 }, { life, 0, 0 } };

	while (!fds[1].revents)
		if (poll(fds, 2, -1) > 0 && fds[0].revents &&
		    read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
			shared->signals++;
}

static _Noreturn void be_canary(const struct canaries *c, int ready, int life)
{
	pid_t pid = getpid();
	sigset_t set;
	int signals;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	signals = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0 || prctl(PR_SET_NAME, c->token) < 0 || chdir(c->dir) < 0 ||
	    dup2(c->file, FILE_FD) < 0 || setsid() < 0 || write_all(ready, &pid, sizeof(pid)) < 0)
		_exit(1);
	close(ready);
	count_signals(c->shared, signals, life);
	_exit(0);
}

/* Nobody's child, so that no run waits for it. */
static int make_process(struct canaries *c, struct err *e)
{
	int ready[2] = { -1, -1 }, life[2] = { -1, -1 }, r = 0;
	pid_t between;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(life, O_CLOEXEC) < 0)
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
	void *shared = mmap(NULL, sizeof(*c->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	memset(c, 0, sizeof(*c));
	c->life = c->abstract = c->loopback = c->file = -1;
	if (shared == MAP_FAILED)
		return err_errno(e, "mmap");
	c->shared = shared;
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

bool canaries_noticed(struct canaries *c)
{
	uint64_t signals = c->shared->signals;
	bool any = signals != c->signals;
	struct stat st;

	c->signals = signals;
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

	if (!c->shared)
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
	munmap(c->shared, sizeof(*c->shared));
	c->shared = NULL;
}
