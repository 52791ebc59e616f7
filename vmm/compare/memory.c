/* memory.c - see memory.h; proc(5): stat, smaps_rollup. */
#include "vmm/compare/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"

struct process {
	pid_t pid, parent;
	bool ours;
};

/* The name of a command in parentheses may hold anything, ')' too. */
static pid_t parent_of(const char *pid)
{
	char path[64], text[512];
	const char *end;
	int parent = -1;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	end = strrchr(text, ')');
	return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : -1;
}

static size_t list_processes(struct process *all, size_t max)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return 0;
	while (n < max && (entry = readdir(dir)) != NULL) {
		uint64_t pid;

		if (parse_u64(entry->d_name, 1, INT32_MAX, &pid) == 0)
			all[n++] = (struct process){ (pid_t)pid, parent_of(entry->d_name), false };
	}
	closedir(dir);
	return n;
}

static void mark_descendants(struct process *all, size_t n, pid_t of)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++) {
			bool ours = all[i].parent == of;

			for (size_t j = 0; !ours && j < n; j++)
				ours = all[j].ours && all[j].pid == all[i].parent;
			more |= ours && !all[i].ours;
			all[i].ours = ours;
		}
	}
}

/* *hidden is set where this user may not know. */
static uint64_t pss_of(pid_t pid, bool *hidden)
{
	char path[64], line[256];
	uint64_t kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "re");
	if (!f) {
		*hidden |= errno == EACCES || errno == EPERM;
		return 0;
	}
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Pss: %lu", &kib) == 1)
			break;
	fclose(f);
	return kib * KIB;
}

uint64_t memory_of_descendants(pid_t of, bool *ret_hidden)
{
	_cleanup_free_ struct process *all = calloc(MEMORY_PROCESSES, sizeof(*all));
	uint64_t sum = 0;
	size_t n;

	if (!all)
		return 0;
	n = list_processes(all, MEMORY_PROCESSES);
	mark_descendants(all, n, of);
	for (size_t i = 0; i < n; i++)
		if (all[i].ours)
			sum += pss_of(all[i].pid, ret_hidden);
	return sum;
}
