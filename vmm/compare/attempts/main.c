/* main.c - bulkhead-attempt: see attempts.h. */
#include "vmm/compare/attempts/attempts.h"

#include <errno.h>
#include <stdbool.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVERY_SECONDS 20 /* for one of many */

#define ENTRY(function, name, kind, space, gives) attempt_##function,
static attempt_fn *const functions[] = { ATTEMPTS(ENTRY) };

void attempt_evidence(const struct canaries *c, const char *secret)
{
	size_t n = 0;

	for (; n < ATTEMPT_SECRET && secret[n] > ' ' && secret[n] < 127; n++)
		c->evidence[n] = secret[n];
	c->evidence[n] = '\0';
	if (n == 0)
		strcpy(c->evidence, "-");
}

int attempt_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	bool masked;

	if (fd < 0)
		return -errno;
	masked = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
	close(fd);
	return masked ? -ENODATA : 0;
}

int attempt_read(const struct canaries *c, int fd)
{
	char secret[ATTEMPT_SECRET + 1] = "";
	int r = 0;

	if (fd < 0)
		return -errno;
	if (pread(fd, secret, ATTEMPT_SECRET, 0) < 0)
		r = -errno;
	else
		attempt_evidence(c, secret);
	close(fd);
	return r;
}

int attempt_refused(long result, int refused)
{
	if (result >= 0 || errno == refused)
		return 0;
	return -errno;
}

/* One word; "-" when it cannot be read. */
static void boot_id(char out[64])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 63);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n ")] = '\0';
	if (!out[0])
		strcpy(out, "-");
	if (fd >= 0)
		close(fd);
}

static void namespace_of(const char *space, char out[64])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", space);
	n = space[0] ? readlink(path, out, 63) : -1;
	strcpy(n > 0 ? out + n : out, n > 0 ? "" : "-");
}

static const char *result_of(int r)
{
	if (r == 0)
		return "done";
	return r == -ENOENT || r == -ENOSYS || r == -ENODEV || r == -ENXIO || r == -ENOPROTOOPT ||
			       r == -ESRCH || r == -ECONNREFUSED || r == -ENODATA
		       ? "absent"
		       : "errno";
}

static const char *errno_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
		{ EPERM, "EPERM" },	{ ENOENT, "ENOENT" },
		{ ESRCH, "ESRCH" },	{ EIO, "EIO" },
		{ ENXIO, "ENXIO" },	{ EAGAIN, "EAGAIN" },
		{ ENOMEM, "ENOMEM" },	{ EACCES, "EACCES" },
		{ EBUSY, "EBUSY" },	{ ENODEV, "ENODEV" },
		{ EINVAL, "EINVAL" },	{ EMFILE, "EMFILE" },
		{ ENFILE, "ENFILE" },	{ ENOSPC, "ENOSPC" },
		{ EROFS, "EROFS" },	{ ENOSYS, "ENOSYS" },
		{ ENOTSUP, "ENOTSUP" }, { ECONNREFUSED, "ECONNREFUSED" },
		{ EDQUOT, "EDQUOT" },	{ ENETUNREACH, "ENETUNREACH" },
		{ EFBIG, "EFBIG" },	{ ENOPROTOOPT, "ENOPROTOOPT" },
		{ ESTALE, "ESTALE" },	{ EAFNOSUPPORT, "EAFNOSUPPORT" },
		{ ENODATA, "ENODATA" }, { ETIME, "ETIME" },
	};
	static char number[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	snprintf(number, sizeof(number), "%d", error);
	return number;
}

static int usage(void)
{
	fprintf(stderr, "usage: bulkhead-attempt NAME TOKEN DIR PID ADDRESS PORT "
			"HANDLE\nNAME: " ATTEMPT_EVERY);
	for (size_t i = 0; i < nattempts; i++)
		fprintf(stderr, " %s", attempts[i].name);
	fputc('\n', stderr);
	return 2;
}

/* `name` before it, or NULL. */
static int attempt(size_t i, const struct canaries *c, const char *name)
{
	char boot[64], space[64];
	int r;

	boot_id(boot);
	namespace_of(attempts[i].space, space);
	r = functions[i](c);
	printf("%s%s%s %s %s %s %s\n", name ? name : "", name ? " " : "", result_of(r),
	       r ? errno_name(-r) : "-", boot, space, c->evidence);
	return fflush(stdout) != 0;
}

/* All but the bombs, each in a process of its own.  What is ended by a signal has
 * no line. */
static int attempt_every(const struct canaries *c)
{
	for (size_t i = 0; i < nattempts; i++) {
		pid_t pid;

		if (attempts[i].kind == ATTEMPT_BOMB)
			continue;
		pid = fork();
		if (pid < 0) {
			perror("fork");
			return 1;
		}
		if (pid == 0) {
			alarm(EVERY_SECONDS);
			_exit(attempt(i, c, attempts[i].name));
		}
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return 0;
}

int main(int argc, char **argv)
{
	char evidence[ATTEMPT_EVIDENCE] = "-";
	bool every = argc > 1 && strcmp(argv[1], ATTEMPT_EVERY) == 0;
	struct canaries c;
	size_t i = 0;

	if (argc != 8)
		return usage();
	while (!every && i < nattempts && strcmp(attempts[i].name, argv[1]) != 0)
		i++;
	if (i == nattempts)
		return usage();
	c = (struct canaries){
		argv[2],
		argv[3],
		(pid_t)strtol(argv[4], NULL, 10),
		strtoull(argv[5], NULL, 16),
		(uint16_t)strtoul(argv[6], NULL, 10),
		argv[7],
		evidence,
	};
	/* Signals go to it, and 0 or less would mean whole groups. */
	if (c.pid <= 1)
		return usage();
	return every ? attempt_every(&c) : attempt(i, &c, NULL);
}
