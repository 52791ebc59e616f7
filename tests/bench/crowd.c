/*
 * crowd.c - start a command many times at once and measure when each of them
 * says its first byte; then end them all.
 *
 * usage: crowd CGROUP N TIMEOUT_MS CMD ARG...
 * Each "{}" in an argument becomes the number of the copy, 0 to N - 1.
 * Prints: cpu_ns of the cgroup up to the last first byte, then the N times in
 * ns since the first fork, 0 for one that said nothing.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX 512

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(125);
}

static uint64_t cpu_ns(const char *cgroup)
{
	char path[512], text[4096] = "";
	FILE *f;
	char *p;

	snprintf(path, sizeof(path), "%s/cpuacct.usage", cgroup);
	f = fopen(path, "re");
	if (!f) {
		snprintf(path, sizeof(path), "%s/cpu.stat", cgroup);
		f = fopen(path, "re");
	}
	if (!f)
		die("no CPU accounting in the cgroup");
	(void)!fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	p = strstr(text, "usage_usec ");
	return p ? strtoull(p + 11, NULL, 10) * 1000 : strtoull(text, NULL, 10);
}

static char *replace(char *arg, unsigned int number)
{
	char *at = strstr(arg, "{}");
	char *text;

	if (!at)
		return arg;
	if (asprintf(&text, "%.*s%u%s", (int)(at - arg), arg, number, at + 2) < 0)
		die("no memory");
	return text;
}

static int start(char **argv, unsigned int number, pid_t *ret_pid)
{
	int out[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		die("pipe");
	*ret_pid = fork();
	if (*ret_pid < 0)
		die("fork");
	if (*ret_pid == 0) {
		int null = open("/dev/null", O_RDWR);

		for (char **a = argv; *a; a++)
			*a = replace(*a, number);
		dup2(null, 0);
		dup2(out[1], 1);
		dup2(null, 2);
		execv(argv[0], argv);
		_exit(127);
	}
	close(out[1]);
	return out[0];
}

/* Wait for the first byte of each. */
static void listen_to(struct pollfd *fds, unsigned int n, uint64_t *first, uint64_t deadline)
{
	unsigned int left = n;
	char byte[64];

	while (left && now() < deadline) {
		if (poll(fds, n, 100) <= 0)
			continue;
		for (unsigned int i = 0; i < n; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			if (read(fds[i].fd, byte, sizeof(byte)) > 0)
				first[i] = now();
			fds[i].fd = -1 - fds[i].fd; /* poll() skips it */
			left--;
		}
	}
}

int main(int argc, char **argv)
{
	static struct pollfd fds[MAX];
	static uint64_t first[MAX];
	static pid_t pids[MAX];
	uint64_t began, cpu, used;
	unsigned int n;
	char path[512];
	FILE *f;

	n = argc < 5 ? 0 : (unsigned int)atoi(argv[2]);
	if (n == 0 || n > MAX) {
		fprintf(stderr, "usage: crowd CGROUP N TIMEOUT_MS CMD ARG...\n");
		return 125;
	}
	cpu = cpu_ns(argv[1]);
	snprintf(path, sizeof(path), "%s/cgroup.procs", argv[1]);
	f = fopen(path, "we");
	if (!f || fputs("0", f) < 0 || fclose(f) != 0)
		die("join the cgroup");
	began = now();
	for (unsigned int i = 0; i < n; i++) {
		fds[i].fd = start(argv + 4, i, &pids[i]);
		fds[i].events = POLLIN;
	}
	listen_to(fds, n, first, began + (uint64_t)atoi(argv[3]) * 1000000u);
	used = cpu_ns(argv[1]) - cpu;
	for (unsigned int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (unsigned int i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
	printf("%llu", (unsigned long long)used);
	for (unsigned int i = 0; i < n; i++)
		printf(" %llu", (unsigned long long)(first[i] ? first[i] - began : 0));
	printf("\n");
	return 0;
}
