/* work.c - see work.h. */
#include "vmm/compare/work.h"

#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/place.h"
#include "vmm/compare/wall_command.h"

/* Of what takes longer than the others: with as many, a difference can be told
 * among all of the full suite's rows.  The quick suite has minutes, and says of
 * its rows that there were too few. */
#define MOST_RUNS   12
#define QUICK_PAIRS 3

const char *work_name(const struct work *w)
{
	return w->workload ? w->workload->name : "command";
}

bool work_is_outside(const struct work *w)
{
	return !w->workload || w->workload->outside;
}

/* --- which --- */

static struct work *add(struct work *list, size_t *n, const struct suite_workload *workload,
			const char *name)
{
	struct work *w = &list[(*n)++];

	*w = (struct work){ .workload = workload, .crowd = -1, .pair = -1, .n = 2 };
	w->argv[0] = PLACE_WORKLOAD;
	w->argv[1] = name;
	w->command = w->argv;
	return w;
}

static void add_plain(struct work *list, size_t *n, const struct suite_workload *workload)
{
	struct work *w = add(list, n, workload, workload->name);

	if (strcmp(workload->name, "start") == 0)
		add(list, n, workload, workload->name)->cold = true;
	w->memory = strcmp(workload->name, "idle") == 0;
	w->disk = strcmp(workload->name, "disk") == 0;
	w->network = strcmp(workload->name, "network") == 0;
}

static void add_workload(struct work *list, size_t *n, const struct suite_workload *workload,
			 bool full)
{
	const char *name = workload->name;

	if (strcmp(name, "density") == 0)
		for (int i = 0; full && i < SUITE_CROWDS; i++)
			add(list, n, workload, "wait")->crowd = i;
	else if (strcmp(name, "neighbour") == 0)
		for (int i = 0; i < SUITE_PAIRS; i++) {
			if (full || suite_pairs[i].quick)
				add(list, n, workload, suite_pairs[i].victim)->pair = i;
		}
	else if (strcmp(name, "quota") == 0)
		for (int i = 0; i < SUITE_QUOTAS; i++) {
			struct work *w = add(list, n, workload, suite_quotas[i].workload);

			w->quota = &suite_quotas[i];
			w->disk = suite_quotas[i].disk;
		}
	else if (full || workload->quick)
		add_plain(list, n, workload);
}

size_t work_of_suite(bool full, struct work list[WORKS])
{
	size_t n = 0;

	for (size_t i = 0; i < suite_nworkloads; i++)
		add_workload(list, &n, &suite_workloads[i], full);
	return n;
}

size_t work_of_fio(const char *program, struct work list[WORKS], size_t n)
{
	static const char *const always[] = { "--minimal",    "--thread",	"--ioengine=psync",
					      "--direct=1",   "--offset=1m",	"--size=63m",
					      "--time_based", "--runtime=500ms" };

	for (size_t i = 0; i < SUITE_FIOS; i++) {
		struct work *w = add(list, &n, &suite_of_fio, NULL);

		w->fio = &suite_fios[i];
		w->argv[0] = program;
		w->n = 1;
		for (size_t j = 0; j < ARRAY_SIZE(always); j++)
			w->argv[w->n++] = always[j];
		for (const char *const *a = w->fio->argument; *a; a++)
			w->argv[w->n++] = *a;
		w->argv[w->n++] = "--name=bulkhead";
	}
	return n;
}

size_t work_of_command(const char *const *command, size_t n, struct work list[WORKS])
{
	for (int i = 0; i < 2; i++)
		list[i] = (struct work){
			.command = command, .n = n, .crowd = -1, .pair = -1, .memory = i == 1
		};
	return 2;
}

/* --- what each gives --- */

/* Of a pair only what its victim prints, and of a quota what is asked about it. */
static bool is_of(const struct work *w, const struct suite_quantity *q)
{
	const char *beside = w->pair >= 0 ? strchr(suite_pairs[w->pair].victim, '-') + 1
			     : w->quota	  ? w->quota->prints
					  : "";

	return strcmp(q->workload, work_name(w)) == 0 &&
	       strncmp(q->name, beside, strlen(beside)) == 0;
}

size_t work_quantities(const struct work *w, const struct suite_quantity *ret[WORK_QUANTITIES])
{
	static const struct suite_quantity *const outside[] = { &suite_first_byte, &suite_exit,
								&suite_cpu };
	size_t n = 0;

	if (w->cold) {
		ret[n++] = &suite_cold_first_byte;
		ret[n++] = &suite_cold_exit;
	} else if (w->crowd >= 0)
		ret[n++] = &suite_crowd[w->crowd];
	else if (w->memory)
		ret[n++] = &suite_memory;
	else if (w->fio)
		ret[n++] = &w->fio->quantity;
	else if (w->quota && w->quota->share)
		ret[n++] = &suite_share;
	else if (work_is_outside(w))
		for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
			ret[n++] = outside[i];
	else
		for (size_t i = 0; i < suite_nquantities && n < WORK_QUANTITIES; i++)
			if (is_of(w, &suite_quantities[i]))
				ret[n++] = &suite_quantities[i];
	return n;
}

uint32_t work_most_runs(const struct work *w, bool full)
{
	if (w->pair >= 0 || w->quota || w->cold)
		return full ? MOST_RUNS : QUICK_PAIRS;
	return w->memory || w->crowd >= 0 ? MOST_RUNS : UINT32_MAX;
}

const char *work_unfit(const struct work *w, const char *wall, const struct wall_disk *disk)
{
	bool runtime = strcmp(wall, "crun") == 0 || strcmp(wall, "runc") == 0;

	if (w->quota && strcmp(wall, "bwrap") == 0)
		return "it has no limits of its own";
	if (w->quota && w->quota->limits.cpu_percent && strcmp(wall, "qemu") == 0)
		return "it has no limit on processor time of its own";
	/* A limit that nothing reaches would be taken for one that does not hold. */
	if (w->quota && w->disk && !disk->direct)
		return "temporary files are on a file system without O_DIRECT";
	if (w->quota && w->disk && runtime && !disk->major && !disk->minor)
		return "it must be told the disk, and the file system has none of its own";
	return NULL;
}
