/* main.c - bulkhead-workload: which workload, and what they share. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/compare/workloads/workloads.h"

#define LONG_ENOUGH_NS 40000000

uint64_t workload_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void workload_tell(const char *quantity, double value)
{
	printf("%s %.6g\n", quantity, value);
}

static void leave(int signal)
{
	(void)signal;
	_exit(0);
}

void workload_leave_on_sigterm(void)
{
	signal(SIGTERM, leave);
}

int workload_fail(const char *what)
{
	perror(what);
	return 1;
}

double workload_rate(void (*work)(void *ctx, uint64_t n), void *ctx)
{
	for (uint64_t n = 1;; n *= 2) {
		uint64_t start = workload_now(), took;

		work(ctx, n);
		took = workload_now() - start;
		if (took >= LONG_ENOUGH_NS)
			return (double)took / (double)n;
	}
}

static const struct {
	const char *name;
	workload_fn *run;
} workloads[] = {
	{ "start", workload_start },
	{ "idle", workload_idle },
	{ "wait", workload_wait },
	{ "cpu", workload_cpu },
	{ "memory", workload_memory },
	{ "calls", workload_calls },
	{ "files", workload_files },
	{ "victim-alone", workload_victim_alone },
	{ "victim-processor", workload_victim_processor },
	{ "victim-memory", workload_victim_memory },
	{ "victim-forks", workload_victim_forks },
	{ "victim-files", workload_victim_files },
	{ "burn-processor", workload_burn_processor },
	{ "burn-memory", workload_burn_memory },
	{ "burn-forks", workload_burn_forks },
	{ "burn-files", workload_burn_files },
	{ "spin", workload_spin },
	{ "grow", workload_grow },
};

static const struct {
	const char *name;
	workload_on_fn *run;
} workloads_on[] = {
	{ "disk", workload_disk },
	{ "drain", workload_drain },
	{ "network", workload_network },
	{ "serve", workload_serve },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (strcmp(workloads[i].name, argv[1]) == 0)
			return workloads[i].run() || fflush(stdout) != 0;
	for (size_t i = 0; argc == 3 && i < sizeof(workloads_on) / sizeof(workloads_on[0]); i++)
		if (strcmp(workloads_on[i].name, argv[1]) == 0)
			return workloads_on[i].run(argv[2]) || fflush(stdout) != 0;
	fprintf(stderr, "usage: bulkhead-workload NAME; it is one of:");
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		fprintf(stderr, " %s", workloads[i].name);
	fprintf(stderr, "\n       bulkhead-workload NAME WHAT; it is one of:");
	for (size_t i = 0; i < sizeof(workloads_on) / sizeof(workloads_on[0]); i++)
		fprintf(stderr, " %s", workloads_on[i].name);
	fputc('\n', stderr);
	return 2;
}
