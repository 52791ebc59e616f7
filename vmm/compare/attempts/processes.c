/* processes.c - ways to a process of the host. */
#include "vmm/compare/attempts/attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int pid_open(const char *name, const char *what, int flags)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", name, what);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int attempt_process_see(const struct canaries *c)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	int r = -ESRCH;

	if (!d)
		return -errno;
	while (r < 0 && (entry = readdir(d)) != NULL) {
		char name[ATTEMPT_SECRET + 1] = "";
		int fd = entry->d_name[0] < '1' || entry->d_name[0] > '9'
				 ? -1
				 : pid_open(entry->d_name, "comm", O_RDONLY);

		if (fd >= 0 && read(fd, name, ATTEMPT_SECRET) > 0 &&
		    strncmp(name, c->token, strlen(c->token)) == 0) {
			attempt_evidence(c, name);
			r = 0;
		}
		if (fd >= 0)
			close(fd);
	}
	closedir(d);
	return r;
}

/* The canary counts it.  In a process namespace of one's own the number is
 * nobody's, or somebody's in there. */
int attempt_process_signal(const struct canaries *c)
{
	return kill(c->pid, SIGUSR1) < 0 ? -errno : 0;
}

int attempt_process_trace(const struct canaries *c)
{
	long secret[ATTEMPT_SECRET / sizeof(long) + 1] = { 0 };
	int r = 0;

	if (c->pid == getpid())
		return -ESRCH;
	if (ptrace(PTRACE_SEIZE, c->pid, NULL, NULL) < 0)
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, c->pid, NULL, NULL) < 0 || waitpid(c->pid, NULL, __WALL) < 0)
		r = -errno;
	for (size_t i = 0; r == 0 && i < ATTEMPT_SECRET / sizeof(long); i++) {
		errno = 0;
		secret[i] = ptrace(PTRACE_PEEKDATA, c->pid,
				   (void *)(uintptr_t)(c->address + i * sizeof(long)), NULL);
		r = -errno;
	}
	if (r == 0)
		attempt_evidence(c, (const char *)secret);
	ptrace(PTRACE_DETACH, c->pid, NULL, NULL);
	return r;
}

int attempt_process_memory(const struct canaries *c)
{
	char secret[ATTEMPT_SECRET + 1] = "", name[16];
	struct iovec here = { secret, ATTEMPT_SECRET },
		     there = { (void *)(uintptr_t)c->address, ATTEMPT_SECRET };
	int fd, r = 0;

	if (process_vm_readv(c->pid, &here, 1, &there, 1, 0) == ATTEMPT_SECRET) {
		attempt_evidence(c, secret);
		return 0;
	}
	snprintf(name, sizeof(name), "%d", (int)c->pid);
	fd = pid_open(name, "mem", O_RDONLY);
	if (fd < 0)
		return fd;
	if (pread(fd, secret, ATTEMPT_SECRET, (off_t)c->address) == ATTEMPT_SECRET)
		attempt_evidence(c, secret);
	else
		r = errno ? -errno : -EIO;
	close(fd);
	return r;
}

int attempt_process_file(const struct canaries *c)
{
	int pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0), fd;

	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, ATTEMPT_FD, 0);
	if (fd < 0) {
		fd = -errno;
		close(pidfd);
		return fd;
	}
	close(pidfd);
	return attempt_read(c, fd);
}

int attempt_process_space(const struct canaries *c)
{
	char name[16], path[4096];
	int fd, r;

	snprintf(name, sizeof(name), "%d", (int)c->pid);
	fd = pid_open(name, "ns/mnt", O_RDONLY);
	if (fd < 0)
		return fd;
	r = setns(fd, CLONE_NEWNS) < 0 ? -errno : 0;
	close(fd);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s", c->dir, ATTEMPT_FILE);
	return attempt_read(c, open(path, O_RDONLY | O_CLOEXEC));
}
