/*
 * bombs.c - using up what others need, up to a bound in number, bytes and
 * seconds; then everything is given back.  The runner does not run them where
 * no limit would hold them.  The bounds are above the limits that it sets.  One
 * whose seconds are over on a slow host has met no limit, but has not shown
 * either that there is none: ETIME.
 */
#include "vmm/compare/attempts/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORKS	    256
#define SECONDS	    10
#define BYTES	    (192u << 20)
#define CHUNK	    (1u << 20)
#define DESCRIPTORS 20000
#define INODES	    100000

static time_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Children that do nothing, and end with this process or after a while. */
int attempt_fork_bomb(const struct canaries *c)
{
	static pid_t child[FORKS];
	time_t until = seconds() + SECONDS;
	int n = 0, r = 0;

	(void)c;
	for (; n < FORKS && r == 0; n++) {
		if (seconds() >= until) {
			r = -ETIME;
			break;
		}
		child[n] = fork();
		if (child[n] == 0) {
			sleep(SECONDS);
			_exit(0);
		}
		if (child[n] < 0)
			r = -errno;
	}
	for (int i = 0; i < n; i++)
		if (child[i] > 0) {
			kill(child[i], SIGKILL);
			waitpid(child[i], NULL, 0);
		}
	return r;
}

int attempt_memory_bomb(const struct canaries *c)
{
	time_t until = seconds() + SECONDS;
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at = 0;

	(void)c;
	if (p == MAP_FAILED)
		return -errno;
	for (; at < BYTES && seconds() < until; at += CHUNK)
		memset(p + at, 1, CHUNK);
	munmap(p, BYTES);
	return at < BYTES ? -ETIME : 0;
}

int attempt_disk_bomb(const struct canaries *c)
{
	char path[] = "/tmp/bulkhead-attempt.XXXXXX";
	time_t until = seconds() + SECONDS;
	char *chunk = calloc(1, CHUNK);
	int fd = chunk ? mkstemp(path) : -1, r = 0;

	(void)c;
	if (fd < 0)
		r = -errno;
	else
		unlink(path);
	for (size_t at = 0; r == 0 && at < BYTES; at += CHUNK) {
		ssize_t n = seconds() < until ? write(fd, chunk, CHUNK) : 0;

		r = n == CHUNK ? 0 : n < 0 ? -errno : n == 0 ? -ETIME : -ENOSPC;
	}
	if (fd >= 0)
		close(fd);
	free(chunk);
	return r;
}

int attempt_descriptor_bomb(const struct canaries *c)
{
	(void)c;
	for (int i = 0; i < DESCRIPTORS; i++)
		if (dup(0) < 0)
			return -errno;
	return 0;
}

int attempt_inode_bomb(const struct canaries *c)
{
	char dir[] = "/tmp/bulkhead-attempt.XXXXXX", path[64];
	time_t until = seconds() + SECONDS;
	int n = 0, r = 0;

	(void)c;
	if (!mkdtemp(dir))
		return -errno;
	for (; r == 0 && n < INODES; n++) {
		int fd;

		if (seconds() >= until) {
			r = -ETIME;
			break;
		}
		snprintf(path, sizeof(path), "%s/%d", dir, n);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			r = -errno;
		else
			close(fd);
	}
	while (n-- > 0) {
		snprintf(path, sizeof(path), "%s/%d", dir, n);
		unlink(path);
	}
	rmdir(dir);
	return r;
}
