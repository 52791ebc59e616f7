/*
 * launch.c - start a command once and measure it: time to its first byte of
 * output, time to its exit, and the CPU time of everything that it created,
 * by a cgroup, until the last process of it is gone.
 *
 * usage: launch CGROUP TIMEOUT_MS CMD ARG...
 * CGROUP: an empty cgroup's directory (v1 cpuacct or v2).
 * Prints: first_byte_ns exit_ns gone_ns cpu_ns status
 *
 * The clock starts in the child just before exec.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "launch: %s: %s\n", what, strerror(errno));
	exit(125);
}

static ssize_t read_file(const char *dir, const char *name, char *out, size_t size)
{
	char path[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, out, size - 1);
	close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n;
}

/* CPU time so far, ns. */
static uint64_t cpu_ns(const char *cgroup)
{
	char text[4096];
	char *p;

	if (read_file(cgroup, "cpuacct.usage", text, sizeof(text)) > 0)
		return strtoull(text, NULL, 10);
	if (read_file(cgroup, "cpu.stat", text, sizeof(text)) > 0) {
		p = strstr(text, "usage_usec ");
		if (p)
			return strtoull(p + 11, NULL, 10) * 1000;
	}
	die("no CPU accounting in the cgroup");
	return 0;
}

static void join_cgroup(const char *cgroup)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(126);
	close(fd);
}

static void wait_until_empty(const char *cgroup, uint64_t deadline)
{
	char text[64];

	while (read_file(cgroup, "cgroup.procs", text, sizeof(text)) > 0 && now() < deadline)
		usleep(200);
}

int main(int argc, char **argv)
{
	uint64_t *start = mmap(NULL, sizeof(*start), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t first = 0, end, gone, cpu, deadline;
	int out[2], status, timeout;
	char buf[4096];
	pid_t pid;

	if (argc < 4 || start == MAP_FAILED) {
		fprintf(stderr, "usage: launch CGROUP TIMEOUT_MS CMD ARG...\n");
		return 125;
	}
	timeout = atoi(argv[2]);
	if (pipe2(out, O_CLOEXEC) < 0)
		die("pipe");
	cpu = cpu_ns(argv[1]);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		join_cgroup(argv[1]);
		dup2(null, 0);
		dup2(out[1], 1);
		dup2(null, 2);
		*start = now();
		execv(argv[3], argv + 3);
		_exit(127);
	}
	close(out[1]);
	deadline = now() + (uint64_t)timeout * 1000000u;
	for (;;) {
		struct pollfd p = { .fd = out[0], .events = POLLIN };

		if (poll(&p, 1, timeout) <= 0) {
			kill(pid, SIGKILL);
			break;
		}
		if (!first)
			first = now();
		if (read(out[0], buf, sizeof(buf)) <= 0)
			break;
	}
	waitpid(pid, &status, 0);
	end = now();
	wait_until_empty(argv[1], deadline);
	gone = now();
	printf("%llu %llu %llu %llu %d\n", (unsigned long long)(first ? first - *start : 0),
	       (unsigned long long)(end - *start), (unsigned long long)(gone - *start),
	       (unsigned long long)(cpu_ns(argv[1]) - cpu),
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
