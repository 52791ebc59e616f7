/* files.c - ways to a file of the host. */
#include "vmm/compare/attempts/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_below(const struct canaries *c, const char *prefix, const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s/%s", prefix, dir, ATTEMPT_FILE);
	return attempt_read(c, open(path, O_RDONLY | O_CLOEXEC));
}

int attempt_file_path(const struct canaries *c)
{
	return read_below(c, "", c->dir);
}

int attempt_file_write(const struct canaries *c)
{
	char path[PATH_MAX];
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s", c->dir, ATTEMPT_FILE);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write(fd, "!", 1) == 1 ? 0 : -errno;
	close(fd);
	return r;
}

/* proc_pid_get_link(): whoever may ptrace process 1 may follow it. */
int attempt_file_init_root(const struct canaries *c)
{
	return read_below(c, "/proc/1/root", c->dir);
}

int attempt_file_pid_root(const struct canaries *c)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "/proc/%d/root", (int)c->pid);
	return read_below(c, prefix, c->dir);
}

int attempt_file_pid_cwd(const struct canaries *c)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "/proc/%d/cwd", (int)c->pid);
	return read_below(c, prefix, "");
}

/* The old way out of chroot(): a root below the directory that one stands in.
 * Without the right to it, plain "..". */
int attempt_file_up(const struct canaries *c)
{
	char below[] = "/tmp/bulkhead-attempt.XXXXXX";
	int r;

	if (chdir("/") == 0 && mkdtemp(below)) {
		r = chroot(below);
		for (int i = 0; i < 64; i++)
			if (chdir("..") < 0)
				break;
		r = read_below(c, "./", c->dir);
		rmdir(below + 1);
		return r;
	}
	return read_below(c, "../../../../../../../../..", c->dir);
}

/* TYPE:HEX, as the runner wrote it. */
static int parse_handle(const char *text, struct file_handle *h, size_t room)
{
	char *end;

	h->handle_type = (int)strtol(text, &end, 10);
	if (*end++ != ':')
		return -ENOTSUP;
	for (h->handle_bytes = 0; end[0] && end[1] && h->handle_bytes < room; end += 2) {
		char pair[3] = { end[0], end[1], '\0' };

		h->f_handle[h->handle_bytes++] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return 0;
}

/* On whichever file system that one can stand on. */
int attempt_file_handle(const struct canaries *c)
{
	static const char *const mounts[] = { "/", "/tmp", "/etc/hosts", "/etc/resolv.conf" };
	_Alignas(struct file_handle) char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	struct file_handle *h = (void *)room;
	int r = parse_handle(c->handle, h, MAX_HANDLE_SZ);

	for (size_t i = 0; r != -ENOTSUP && i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		int at = open(mounts[i], O_RDONLY | O_CLOEXEC), fd;

		if (at < 0)
			continue;
		fd = open_by_handle_at(at, h, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
		close(at);
		if (fd >= 0)
			return attempt_read(c, fd);
	}
	return r;
}

int attempt_file_leaked(const struct canaries *c)
{
	char path[PATH_MAX];
	int r = -ENOENT;

	snprintf(path, sizeof(path), "../../../../../../../../..%s/%s", c->dir, ATTEMPT_FILE);
	for (int fd = 3; fd < 1024; fd++) {
		int in = openat(fd, path, O_RDONLY | O_CLOEXEC);

		if (in >= 0)
			return attempt_read(c, in);
		if (fcntl(fd, F_GETFD) >= 0)
			r = -EACCES; /* one is open, and is no way out */
	}
	return r;
}

/* Not `trace`: opening that one holds the recording up on older kernels. */
int attempt_debugfs(const struct canaries *c)
{
	int r = attempt_open("/sys/kernel/debug/sched", O_RDONLY);

	(void)c;
	return r < 0 ? attempt_open("/sys/kernel/tracing/README", O_RDONLY) : 0;
}

int attempt_core_pattern(const struct canaries *c)
{
	(void)c;
	return attempt_open("/proc/sys/kernel/core_pattern", O_WRONLY);
}
