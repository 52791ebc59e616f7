/* compare.c - see compare.h. */
#include "vmm/compare/compare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "vmm/base/util.h"
#include "vmm/compare/cold.h"
#include "vmm/compare/crowd.h"
#include "vmm/compare/disk.h"
#include "vmm/compare/fio.h"
#include "vmm/compare/host.h"
#include "vmm/compare/measure.h"
#include "vmm/compare/network.h"
#include "vmm/compare/place.h"
#include "vmm/compare/progress.h"
#include "vmm/compare/quota_end.h"
#include "vmm/compare/statistics.h"
#include "vmm/compare/strength.h"
#include "vmm/compare/suite.h"
#include "vmm/compare/surface_calls.h"
#include "vmm/compare/surface_functions.h"
#include "vmm/compare/surface_trace.h"
#include "vmm/compare/wall_command.h"
#include "vmm/compare/work.h"

#define RUN_LIMIT_NS (120 * NS_PER_S)
#define QUICK_RUNS   10
#define FULL_RUNS    30

struct campaign {
	const struct compare_config *cfg;
	struct comparison *c;
	struct wall_setup setup;
	struct wall_disk disk, fio_disk;
	char fio[PATH_MAX]; /* its program, in the user's root directory; "" */
	struct network network;
	char no_disk[COMPARE_WHY], no_fio[COMPARE_WHY],
		no_network[COMPARE_WHY]; /* why there is none */
	struct work work[WORKS];
	size_t nwork;
	bool full;
	struct measured *got;
	int status[COMPARE_WALLS]; /* the command's, when each wall was tried */
	unsigned int serial;
	int signal_fd;
	struct progress progress;
};

/* --- what a run gives --- */

static int keep(struct campaign *k, const char *workload, const struct suite_quantity *q,
		size_t wall, double value)
{
	struct compare_row *row = comparison_row(k->c, workload, q->name, q->unit, q->higher);

	return row ? compare_series_add(&row->wall[wall], value) : -ENOMEM;
}

static int keep_outside(struct campaign *k, const struct work *w, size_t wall)
{
	const char *name = work_name(w);
	const double ms = (double)NS_PER_MS;
	int r = 0;

	if (w->memory)
		return k->got->pss_bytes && !k->got->memory_hidden
			       ? keep(k, name, &suite_memory, wall,
				      (double)k->got->pss_bytes / (double)MIB)
			       : 0;
	if (k->got->first_byte_ns)
		r = keep(k, name, w->cold ? &suite_cold_first_byte : &suite_first_byte, wall,
			 (double)k->got->first_byte_ns / ms);
	if (r == 0)
		r = keep(k, name, w->cold ? &suite_cold_exit : &suite_exit, wall,
			 (double)k->got->exit_ns / ms);
	return r < 0 || w->cold ? r : keep(k, name, &suite_cpu, wall, (double)k->got->cpu_ns / ms);
}

/* The lines that a workload printed behind a wall that may be broken: only
 * known names count, and only plain positive numbers. */
static int keep_lines(struct campaign *k, const struct work *w, size_t wall, size_t *ret_n)
{
	char *save = NULL;
	int r = 0;

	*ret_n = 0;
	for (char *line = strtok_r(k->got->out, "\r\n", &save); line && r == 0;
	     line = strtok_r(NULL, "\r\n", &save)) {
		const struct suite_quantity *q;
		char name[COMPARE_NAME];
		double value;

		if (sscanf(line, "%47s %lf", name, &value) != 2 || !(value > 0 && value < 1e15))
			continue;
		q = suite_find(w->workload->name, name);
		if (!q)
			continue;
		r = keep(k, w->workload->name, q, wall, value);
		(*ret_n)++;
	}
	return r;
}

/* The last line that it wrote to standard error, or what is known instead. */
static void describe_failure(const struct campaign *k, char *out, size_t size)
{
	const struct measured *got = k->got;
	char text[MEASURE_ERRORS], line[COMPARE_TEXT];
	const char *last = text;

	snprintf(text, sizeof(text), "%s", got->errors);
	for (size_t n = strlen(text); n && text[n - 1] == '\n'; n--)
		text[n - 1] = '\0';
	if (strrchr(text, '\n'))
		last = strrchr(text, '\n') + 1;
	printable(line, sizeof(line), strncmp(last, "bulkhead: ", 10) == 0 ? last + 10 : last);
	if (got->timed_out)
		snprintf(out, size, "it took more than %d s", (int)(RUN_LIMIT_NS / NS_PER_S));
	else if (line[0])
		snprintf(out, size, "status %d: %.250s", got->status, line);
	else
		snprintf(out, size, "status %d, and it said nothing", got->status);
}

/* --- one run --- */

/* Is it what was asked for?  A user's command may end with a status of its own,
 * the same each time; 125 to 127 are the wall's. */
static bool failed(const struct campaign *k, const struct work *w)
{
	const struct measured *got = k->got;

	if (got->timed_out)
		return true;
	return w->workload ? got->status != 0 : got->status >= 125 && got->status <= 127;
}

static int make_command(struct campaign *k, const struct work *w, size_t wall,
			const char *const *command, size_t n, struct wall_command *ret,
			struct err *e)
{
	int r;

	k->setup.limits = w->quota ? &w->quota->limits : NULL;
	k->setup.disk = w->fio ? &k->fio_disk : w->disk ? &k->disk : NULL;
	k->setup.network = w->network;
	r = wall_command_make(&k->setup, k->c->wall[wall].name, command, n, k->serial++, ret, e);
	k->setup.limits = NULL;
	k->setup.disk = NULL;
	k->setup.network = false;
	return r;
}

/* The victim's `request` beside its neighbour. */
static int run_pair(struct campaign *k, const struct work *w, size_t wall,
		    const struct measure_request *request, struct err *e)
{
	const char *const burn[] = { PLACE_WORKLOAD, suite_pairs[w->pair].burn };
	_cleanup_free_ struct wall_command *neighbour = calloc(1, sizeof(*neighbour));
	int r = neighbour ? make_command(k, w, wall, burn, 2, neighbour, e)
			  : err_set(e, ENOMEM, "no memory");

	return r < 0 ? r : crowd_beside(k->signal_fd, neighbour, RUN_LIMIT_NS, request, k->got, e);
}

/* Something with the host's side of the network beside it, both where that is. */
static int run_around(struct campaign *k, int (*inside)(void *ctx, struct err *e), void *ctx,
		      bool *ret_interrupted, struct err *e)
{
	_cleanup_free_ struct wall_command *server = calloc(1, sizeof(*server));
	int r = server ? network_enter(&k->network, e) : err_set(e, ENOMEM, "no memory");
	struct err left = { "" };

	if (r < 0)
		return r;
	network_server(&k->setup, server);
	r = crowd_around(k->signal_fd, server, RUN_LIMIT_NS, inside, ctx, ret_interrupted, e);
	if (network_leave(&k->network, &left) < 0)
		return err_set(e, ENOTRECOVERABLE, "%s", left.text);
	return r;
}

struct networked {
	struct campaign *k;
	struct measure_request request;
};

static int measure_networked(void *ctx, struct err *e)
{
	struct networked *n = ctx;

	return measure_run(n->k->signal_fd, &n->request, n->k->got, e);
}

static int run_networked(struct campaign *k, const struct measure_request *request, struct err *e)
{
	struct networked n = { k, *request };

	n.request.beside = true;
	return run_around(k, measure_networked, &n, &k->got->interrupted, e);
}

static int start_once(struct campaign *k, const struct work *w, size_t wall, struct err *e)
{
	struct measure_request request = { .limit_ns = RUN_LIMIT_NS, .memory = w->memory };
	_cleanup_free_ struct wall_command *command = calloc(1, sizeof(*command));
	int r = command ? make_command(k, w, wall, w->command, w->n, command, e)
			: err_set(e, ENOMEM, "no memory");

	if (r < 0)
		return r;
	request.argv = command->argv;
	if (w->cold)
		r = cold_drop(&k->setup, k->c->wall[wall].name, w->command[0], command, e);
	if (r < 0)
		return r;
	if (w->pair >= 0 && suite_pairs[w->pair].burn)
		return run_pair(k, w, wall, &request, e);
	if (w->network)
		return run_networked(k, &request, e);
	return measure_run(k->signal_fd, &request, k->got, e);
}

static int run_once(struct campaign *k, const struct work *w, size_t wall, struct err *e)
{
	int r = start_once(k, w, wall, e);

	k->got->status = wall_command_status(k->c->wall[wall].name, k->got->status, k->got->errors);
	return r;
}

static struct compare_row *row_of(struct campaign *k, const struct work *w,
				  const struct suite_quantity *q)
{
	return comparison_row(k->c, work_name(w), q->name, q->unit, q->higher);
}

/* Why the rows of that work have no value behind that wall, should they have none. */
static void explain(struct campaign *k, const struct work *w, size_t wall, const char *why)
{
	const struct suite_quantity *q[WORK_QUANTITIES];
	size_t n = work_quantities(w, q);

	for (size_t i = 0; i < n; i++) {
		struct compare_row *row = row_of(k, w, q[i]);

		if (row)
			snprintf(row->wall[wall].why, sizeof(row->wall[wall].why), "%s", why);
	}
}

static void note_failure(struct campaign *k, const struct work *w, size_t wall, const char *text)
{
	struct compare_wall *at = &k->c->wall[wall];

	if (at->failures++ == 0)
		snprintf(at->failure, sizeof(at->failure), "%s", text);
	explain(k, w, wall, text);
}

/* Several at once. */
static int run_crowd(struct campaign *k, const struct work *w, size_t wall, struct err *e)
{
	const struct suite_quantity *q = &suite_crowd[w->crowd];
	size_t n = suite_crowd_size[w->crowd];
	_cleanup_free_ struct wall_command *commands = calloc(n, sizeof(*commands));
	uint64_t bytes = 0;
	int r = commands ? 0 : err_set(e, ENOMEM, "no memory");

	for (size_t i = 0; r == 0 && i < n; i++)
		r = make_command(k, w, wall, w->command, w->n, &commands[i], e);
	if (r == 0)
		r = crowd_measure(k->signal_fd, commands, n, RUN_LIMIT_NS, &bytes,
				  &k->got->interrupted, e);
	if (r < 0 || bytes == 0)
		return r;
	return keep(k, work_name(w), q, wall, (double)bytes / (double)MIB);
}

/* *ret_n: how many there were. */
static int keep_figures(struct campaign *k, const struct work *w, size_t wall, size_t *ret_n)
{
	double figure;

	*ret_n = 1;
	if (w->quota && w->quota->share)
		return keep(k, work_name(w), &suite_share, wall,
			    100 * (double)k->got->cpu_ns / (double)k->got->exit_ns);
	if (w->fio) {
		figure = fio_field(k->got->out, w->fio->field) * w->fio->scale;
		*ret_n = figure > 0 && figure < 1e15;
		return *ret_n ? keep(k, work_name(w), &w->fio->quantity, wall, figure) : 0;
	}
	if (work_is_outside(w))
		return keep_outside(k, w, wall);
	return keep_lines(k, w, wall, ret_n);
}

/* Of a memory limit: who died.  Before its lines are taken apart. */
static void keep_end(struct campaign *k, size_t wall, uint64_t kills_before)
{
	uint64_t kills = 0;
	bool known = quota_end_kills(QUOTA_END_COUNTERS, &kills);
	struct quota_end_run run = { .out = k->got->out,
				     .status = k->got->status,
				     .machine = wall_command_is_machine(k->c->wall[wall].name),
				     .host_kills = known && kills > kills_before };
	char text[COMPARE_END];

	if (!k->got->timed_out && quota_end_tell(&run, text))
		comparison_end(&k->c->wall[wall], text);
}

static int run_and_keep(struct campaign *k, const struct work *w, size_t wall, struct err *e)
{
	char text[COMPARE_TEXT];
	uint64_t kills = UINT64_MAX; /* of the host's kernel, before */
	size_t n = 0;
	int r;

	if (w->crowd >= 0) {
		r = run_crowd(k, w, wall, e);
		if (r == 0 || r == -ENOTRECOVERABLE)
			return r;
		note_failure(k, w, wall, e->text); /* that many may be too many: a row less */
		return 0;
	}
	if (w->quota)
		quota_end_kills(QUOTA_END_COUNTERS, &kills);
	r = run_once(k, w, wall, e);
	if (r < 0 && w->cold) { /* of the host's files, nothing that the wall does */
		explain(k, w, wall, e->text);
		return 0;
	}
	if (r < 0 && r != -ENOTRECOVERABLE &&
	    (w->pair >= 0 || w->network)) { /* most likely the neighbour's: a row less */
		note_failure(k, w, wall, e->text);
		return 0;
	}
	if (r < 0 || k->got->interrupted)
		return r;
	if (w->quota && w->quota->limits.memory_mib)
		keep_end(k, wall, kills);
	if (failed(k, w) || k->got->status != k->status[wall]) {
		describe_failure(k, text, sizeof(text));
		note_failure(k, w, wall, text);
		return 0;
	}
	r = keep_figures(k, w, wall, &n);
	if (r < 0)
		return err_code(e, r, "keep a value");
	if (n == 0)
		note_failure(k, w, wall, "the workload printed no figure");
	return 0;
}

/* --- before: which walls can, and warm caches --- */

static void try_wall(struct campaign *k, size_t i)
{
	struct compare_wall *wall = &k->c->wall[i];
	struct err why = { "" };

	progress_text(&k->progress, "trying", wall->name);
	/* QEMU would stand still at the first instruction that this KVM lacks. */
	if (wall_command_is_machine(wall->name) && !wall_command_is_ours(wall->name) &&
	    k->c->host.no_linux)
		snprintf(wall->problem, sizeof(wall->problem),
			 "no guest runs Linux on this host: 'bulkhead doctor' says why");
	else if (run_once(k, &k->work[0], i, &why) < 0)
		snprintf(wall->problem, sizeof(wall->problem), "%.300s", why.text);
	else if (failed(k, &k->work[0]))
		describe_failure(k, wall->problem, sizeof(wall->problem));
	k->status[i] = k->got->status;
}

/* A command that succeeds behind one wall and fails behind another does not do
 * the same work there: its times are not to be compared. */
static void compare_statuses(struct campaign *k)
{
	bool succeeds = false;

	for (size_t i = 0; i < k->c->nwalls; i++)
		succeeds |= !k->c->wall[i].problem[0] && k->status[i] == 0;
	for (size_t i = 0; succeeds && i < k->c->nwalls; i++)
		if (!k->c->wall[i].problem[0] && k->status[i] != 0)
			snprintf(k->c->wall[i].problem, COMPARE_TEXT,
				 "the command fails behind this wall, and not behind another: "
				 "status %d",
				 k->status[i]);
}

static int try_walls(struct campaign *k, struct err *e)
{
	for (size_t i = 0; i < k->c->nwalls; i++) {
		if (!k->c->wall[i].problem[0])
			try_wall(k, i);
		if (k->got->interrupted)
			return err_set(e, EINTR, "interrupted before anything was measured");
	}
	compare_statuses(k);
	for (size_t i = 0; i < k->c->nwalls; i++)
		if (!k->c->wall[i].problem[0])
			return 0;
	return err_set(e, ENOTSUP, "none of the walls can run this: %s", k->c->wall[0].problem);
}

/* --- the campaign --- */

/* Why that work is not run behind that wall, or NULL. */
static const char *unfit(const struct campaign *k, const struct work *w, size_t wall)
{
	if (w->disk && k->no_disk[0])
		return k->no_disk;
	if (w->fio && k->no_fio[0])
		return k->no_fio;
	if (w->network && k->no_network[0])
		return k->no_network;
	return work_unfit(w, k->c->wall[wall].name, &k->disk);
}

/* In an order for readers, not in the random one of the runs. */
static void make_rows(struct campaign *k)
{
	for (size_t i = 0; i < k->nwork; i++) {
		const struct suite_quantity *q[WORK_QUANTITIES];
		size_t n = work_quantities(&k->work[i], q);

		for (size_t j = 0; j < n; j++)
			row_of(k, &k->work[i], q[j]);
		for (size_t w = 0; w < k->c->nwalls; w++) {
			const char *why = unfit(k, &k->work[i], w);

			if (why)
				explain(k, &k->work[i], w, why);
		}
	}
}

static int run_all(struct campaign *k, struct err *e)
{
	size_t walls = k->c->nwalls, n = k->nwork * walls, order[WORKS * COMPARE_WALLS];
	struct stats_random random = { k->c->seed };
	int r = 0;

	make_rows(k);
	progress_begin(&k->progress, k->c->runs * n);
	for (uint32_t round = 0; round < k->c->runs && r == 0; round++) {
		for (size_t i = 0; i < n; i++)
			order[i] = i;
		stats_shuffle(&random, order, n);
		for (size_t i = 0; i < n && r == 0; i++) {
			const struct work *w = &k->work[order[i] / walls];
			size_t wall = order[i] % walls;

			progress_step(&k->progress, k->c->wall[wall].name);
			if (k->c->wall[wall].problem[0] || unfit(k, w, wall) ||
			    round >= work_most_runs(w, k->full))
				continue;
			r = run_and_keep(k, w, wall, e);
			if (k->got->interrupted)
				return r;
		}
	}
	k->c->complete = r == 0;
	return r;
}

/* --- what of the host's kernel is within reach (surface.h) --- */

/* Is it run once more for that, traced?  Not what is only about times; of the
 * quick suite only what is about calls, because a traced machine starts slowly. */
static bool has_surface(const struct campaign *k, const struct work *w)
{
	static const char *const callers[] = { "calls", "disk", "network" };

	if (w->crowd >= 0 || w->pair >= 0 || w->quota || w->fio || w->cold ||
	    (!w->workload && w->memory))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		if (strcmp(work_name(w), callers[i]) == 0)
			return true;
	return k->full || !w->workload;
}

struct traced {
	struct surface_order order;
	struct compare_surface *surface;
};

static int trace(void *ctx, struct err *e)
{
	struct traced *t = ctx;

	return surface_trace(&t->order, t->surface, e);
}

/* -EINTR: a signal came. */
static int trace_once(struct campaign *k, const struct work *w, size_t wall,
		      struct surface_functions *functions, struct err *e)
{
	bool machine = wall_command_is_machine(k->c->wall[wall].name), interrupted = false;
	_cleanup_free_ struct wall_command *command = calloc(1, sizeof(*command));
	/* With a report the monitor keeps KVM's statistics. */
	const char *const reported[] = { "--report", "/dev/null", NULL };
	struct traced t = {
		.order = { .command = w->command,
			   .n = w->n,
			   .machine = machine,
			   .alone = machine && !wall_command_is_ours(k->c->wall[wall].name),
			   .functions = functions,
			   .limit_ns = RUN_LIMIT_NS },
		.surface = &k->c->surface[wall],
	};
	int r;

	if (!command)
		return err_set(e, ENOMEM, "no memory");
	k->setup.options = machine ? reported : NULL; /* Bulkhead's own take them */
	r = make_command(k, w, wall, w->command, w->n, command, e);
	k->setup.options = NULL;
	if (r < 0)
		return r;
	t.order.argv = command->argv;
	r = w->network ? run_around(k, trace, &t, &interrupted, e) : trace(&t, e);
	return interrupted ? -EINTR : r;
}

/* With `functions` these only, of what could be traced before. */
static int trace_wall(struct campaign *k, size_t wall, struct surface_functions *functions,
		      struct err *e)
{
	struct compare_surface *s = &k->c->surface[wall];
	char *problem = functions ? s->functions_problem : s->used_problem;

	for (size_t i = 0; i < k->nwork && k->c->complete; i++) {
		const struct work *w = &k->work[i];
		struct err why = { "" };
		int r;

		if (!has_surface(k, w))
			continue;
		progress_step(&k->progress, k->c->wall[wall].name);
		if (k->c->wall[wall].problem[0] || unfit(k, w, wall) || s->used_problem[0])
			continue;
		r = trace_once(k, w, wall, functions, &why);
		if (r == -ENOTRECOVERABLE)
			return err_set(e, ENOTRECOVERABLE, "%s", why.text);
		if (r == -EINTR)
			k->c->complete = false;
		else if (r < 0)
			snprintf(problem, SURFACE_TEXT, "%s: %.130s", work_name(w), why.text);
	}
	return 0;
}

static int trace_all(struct campaign *k, struct surface_functions *functions, struct err *e)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < k->nwork; i++)
		n += has_surface(k, &k->work[i]);
	progress_begin(&k->progress, n * k->c->nwalls);
	for (size_t wall = 0; r == 0 && wall < k->c->nwalls && k->c->complete; wall++)
		r = trace_wall(k, wall, functions, e);
	return r;
}

/* Once for calls, and once more for functions where the host shows them. */
static int trace_walls(struct campaign *k, struct err *e)
{
	struct surface_functions *functions = NULL;
	struct err why = { "" };
	int r;

	k->c->calls_known = surface_calls_known();
	r = trace_all(k, NULL, e);
	if (r < 0 || !k->c->complete)
		return r;
	/* The tracer slows all of the host, and takes minutes on an emulated one. */
	if (k->full || k->cfg->command)
		functions = surface_functions_open(&why);
	else
		err_set(&why, ENOTSUP, "counted in --suite full, and of a command of one's own");
	for (size_t w = 0; !functions && w < k->c->nwalls; w++)
		if (k->c->surface[w].measured)
			snprintf(k->c->surface[w].functions_problem, SURFACE_TEXT, "%.150s",
				 why.text);
	if (functions)
		r = trace_all(k, functions, e);
	surface_functions_close(functions);
	return r;
}

static int choose_walls(struct campaign *k, struct err *e)
{
	char list[256] = "", *save = NULL;

	if (k->cfg->walls && snprintf(list, sizeof(list), "%s", k->cfg->walls) >= (int)sizeof(list))
		return err_set(e, EINVAL, "the list of walls is too long");
	for (size_t i = 0; !k->cfg->walls && wall_command_names[i]; i++)
		if (wall_command_find(wall_command_names[i], NULL) == 0)
			snprintf(k->c->wall[k->c->nwalls++].name, COMPARE_NAME, "%s",
				 wall_command_names[i]);
	for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		struct compare_wall *wall = &k->c->wall[k->c->nwalls];
		struct err why = { "" };
		size_t known = 0;

		while (wall_command_names[known] && strcmp(wall_command_names[known], name) != 0)
			known++;
		if (!wall_command_names[known])
			return err_set(
				e, EINVAL,
				"there is no wall '%.32s': none, process, vm, crun, runc, bwrap, "
				"qemu",
				name);
		if (comparison_wall(k->c, name) >= 0)
			return err_set(e, EINVAL, "the wall %s is named twice", name);
		snprintf(wall->name, sizeof(wall->name), "%s", name);
		k->c->nwalls++;
		if (wall_command_find(name, &why) < 0)
			snprintf(wall->problem, sizeof(wall->problem), "%.300s", why.text);
	}
	return k->c->nwalls ? 0 : err_set(e, EINVAL, "no wall is named");
}

static int choose_work(struct campaign *k, struct err *e)
{
	const char *suite = k->cfg->suite;
	bool full = suite && strcmp(suite, "full") == 0;
	int r;

	if (suite && !full && strcmp(suite, "quick") != 0)
		return err_set(e, EINVAL, "there is no suite '%.32s': quick or full", suite);
	k->full = full;
	k->c->runs = k->cfg->runs ? k->cfg->runs : full ? FULL_RUNS : QUICK_RUNS;
	if (k->cfg->command) {
		for (size_t i = 0; i < k->cfg->ncommand; i++) {
			size_t n = strlen(k->c->command);
			char shown[100]; /* anybody's bytes, and JSON takes UTF-8 only */

			snprintf(k->c->command + n, sizeof(k->c->command) - n, "%s%s", i ? " " : "",
				 printable(shown, sizeof(shown), k->cfg->command[i]));
		}
		k->nwork = work_of_command(k->cfg->command, k->cfg->ncommand, k->work);
		return 0;
	}
	snprintf(k->c->suite, sizeof(k->c->suite), "%s", full ? "full" : "quick");
	k->nwork = work_of_suite(full, k->work);
	if (!k->cfg->rootfs)
		return 0;
	r = fio_find(k->cfg->rootfs, k->fio, e);
	k->nwork = work_of_fio(k->fio, k->work, k->nwork);
	return r;
}

/* What some works need and others do not: their rows say what is missing. */
static int prepare(struct campaign *k, struct err *e)
{
	struct err why = { "" };
	int r;

	if (k->cfg->command)
		return 0;
	if (disk_make(&k->setup, &k->disk, k->c->host.disk, &why) < 0)
		snprintf(k->no_disk, sizeof(k->no_disk), "there is no disk: %.130s", why.text);
	snprintf(k->no_fio, sizeof(k->no_fio), "%s", k->no_disk);
	if (k->fio[0] && !k->no_disk[0]) {
		r = fio_make(&k->setup, k->cfg->rootfs, &k->disk, k->signal_fd, k->got,
			     &k->fio_disk, &why);
		if (r == -EINTR)
			return err_set(e, EINTR, "%s", why.text);
		if (r < 0)
			snprintf(k->no_fio, sizeof(k->no_fio), "%.150s", why.text);
	}
	r = network_make(&k->network, &why);
	if (r == -ENOTRECOVERABLE)
		return err_set(e, ENOTRECOVERABLE, "%s", why.text);
	if (r < 0)
		snprintf(k->no_network, sizeof(k->no_network), "there is no network: %.130s",
			 why.text);
	k->setup.peers = k->network.peers_path;
	return 0;
}

static void stamp(struct comparison *c, uint64_t seed)
{
	time_t now = time(NULL);
	struct tm tm;

	snprintf(c->version, sizeof(c->version), "%s", BULKHEAD_VERSION);
	strftime(c->started, sizeof(c->started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	c->seed = seed ? seed : now_ns() % 1000000 + 1;
}

int compare_run(const struct compare_config *cfg, struct comparison *ret, struct err *e)
{
	_cleanup_free_ struct campaign *k = calloc(1, sizeof(*k));
	_cleanup_free_ struct measured *got = calloc(1, sizeof(*got));
	_cleanup_free_ struct canaries *canaries = calloc(1, sizeof(*canaries));
	struct err no_canaries = { "" };
	int r;

	if (!k || !got || !canaries)
		return err_set(e, ENOMEM, "no memory");
	k->cfg = cfg;
	k->c = ret;
	k->got = got;
	k->network = NETWORK_NONE;
	stamp(ret, cfg->seed);
	r = choose_walls(k, e);
	if (r == 0)
		r = choose_work(k, e);
	if (r < 0)
		return r;
	if (!cfg->command && canaries_make(canaries, &no_canaries) < 0)
		canaries_remove(canaries);
	k->signal_fd = measure_begin(e);
	if (k->signal_fd < 0) {
		canaries_remove(canaries);
		return k->signal_fd;
	}
	r = place_make(cfg->program, cfg->rootfs, cfg->command == NULL, &k->setup, e);
	if (r == 0) {
		host_describe(k->setup.program, k->signal_fd, &ret->host);
		r = prepare(k, e);
		if (r == 0)
			r = try_walls(k, e);
		if (r == 0)
			r = run_all(k, e);
		if (r == 0 && ret->complete)
			r = trace_walls(k, e);
		if (r == 0 && ret->complete && canaries->made)
			r = strength_run(&k->setup, canaries, k->signal_fd, &k->progress, got, ret,
					 e);
		else if (r == 0 && ret->complete && !cfg->command)
			r = strength_skip(ret, no_canaries.text, e);
		progress_end(&k->progress);
	}
	network_release(&k->network);
	place_remove(&k->setup);
	close_fd(&k->signal_fd);
	canaries_remove(canaries);
	return r;
}
