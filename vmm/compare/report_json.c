/* report_json.c - see report.h. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/util.h"
#include "vmm/compare/report.h"
#include "vmm/compare/report_parts.h"

/* --- writing --- */

static json_t *values_of(const struct compare_series *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(list, json_real(s->value[i]));
	return list;
}

static json_t *rows_of(const struct comparison *c)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < c->nrows; i++) {
		const struct compare_row *row = &c->row[i];
		json_t *walls = json_object(), *why = json_object();

		for (size_t w = 0; w < c->nwalls; w++) {
			if (row->wall[w].n)
				json_object_set_new(walls, c->wall[w].name,
						    values_of(&row->wall[w]));
			else if (row->wall[w].why[0])
				json_object_set_new(why, c->wall[w].name,
						    json_string(row->wall[w].why));
		}
		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "workload",
						row->workload, "quantity", row->quantity, "unit",
						row->unit, "higher_is_better", row->higher,
						"values", walls, "missing", why));
	}
	return rows;
}

static json_t *ends_of(const struct compare_wall *wall)
{
	json_t *ends = json_array();

	for (size_t i = 0; i < wall->nends; i++)
		json_array_append_new(ends, json_pack("{s:s, s:i}", "text", wall->end[i].text,
						      "times", (int)wall->end[i].times));
	return ends;
}

static json_t *walls_of(const struct comparison *c)
{
	json_t *walls = json_array();

	for (size_t w = 0; w < c->nwalls; w++)
		json_array_append_new(walls,
				      json_pack("{s:s, s:s, s:i, s:s, s:o}", "name",
						c->wall[w].name, "problem", c->wall[w].problem,
						"failures", (int)c->wall[w].failures, "failure",
						c->wall[w].failure, "ends", ends_of(&c->wall[w])));
	return walls;
}

static json_t *attempts_of(const struct comparison *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->nattempts; i++) {
		const struct compare_attempt *a = &c->attempt[i];
		json_t *walls = json_object();

		for (size_t w = 0; w < c->nwalls; w++)
			json_object_set_new(walls, c->wall[w].name,
					    json_pack("{s:s, s:s}", "verdict",
						      compare_verdict_name(a->wall[w].verdict),
						      "text", a->wall[w].text));
		json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", a->name, "gives",
						      a->gives, "walls", walls));
	}
	return list;
}

int report_write_json(const struct comparison *c, FILE *out, struct err *e)
{
	const struct compare_host *h = &c->host;
	json_t *host = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:s}", "cpu", h->cpu,
				 "kernel", h->kernel, "mitigations", h->mitigations, "kvm",
				 h->backend, "kvm_kind", h->label, "cores", (int)h->cores, "load",
				 h->load, "disk", h->disk);
	json_t *report = json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:i, s:b, s:o, s:o, s:o, s:o}",
				   "comparison", REPORT_VERSION, "bulkhead", c->version, "started",
				   c->started, "suite", c->suite, "command", c->command, "seed",
				   (json_int_t)c->seed, "runs", (int)c->runs, "complete",
				   c->complete, "host", host, "walls", walls_of(c), "rows",
				   rows_of(c), "attempts", attempts_of(c));
	int r = 0;

	if (!report)
		return err_set(e, ENOMEM, "no memory for the report");
	json_object_set_new(report, "surface", report_surface_json(c));
	if (json_dumpf(report, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0 ||
	    fputc('\n', out) == EOF || fflush(out) != 0)
		r = err_errno(e, "write the report");
	json_decref(report);
	return r;
}

/* --- reading --- */

/* A text field, made printable. */
static int text_field(json_t *of, const char *key, char *out, size_t size, struct err *e)
{
	const char *text = json_string_value(json_object_get(of, key));

	if (!text)
		return err_set(e, EINVAL, "'%s' is missing, or no text", key);
	printable(out, size, text);
	return 0;
}

static int number_field(json_t *of, const char *key, double max, double *ret, struct err *e)
{
	json_t *v = json_object_get(of, key);
	double value = json_number_value(v);

	if (!json_is_number(v) || !(value >= 0 && value <= max))
		return err_set(e, EINVAL, "'%s' is missing, or no number from 0 to %g", key, max);
	*ret = value;
	return 0;
}

/* What reports have had since later only: "" where it is missing. */
static int later_text_field(json_t *of, const char *key, char *out, size_t size, struct err *e)
{
	out[0] = '\0';
	return json_object_get(of, key) ? text_field(of, key, out, size, e) : 0;
}

static int read_host(json_t *host, struct compare_host *h, struct err *e)
{
	double cores = 0;
	int r = text_field(host, "cpu", h->cpu, sizeof(h->cpu), e);

	if (r == 0)
		r = text_field(host, "kernel", h->kernel, sizeof(h->kernel), e);
	if (r == 0)
		r = text_field(host, "mitigations", h->mitigations, sizeof(h->mitigations), e);
	if (r == 0)
		r = text_field(host, "kvm", h->backend, sizeof(h->backend), e);
	if (r == 0)
		r = text_field(host, "kvm_kind", h->label, sizeof(h->label), e);
	if (r == 0)
		r = number_field(host, "cores", 1e6, &cores, e);
	if (r == 0)
		r = number_field(host, "load", 1e6, &h->load, e);
	if (r == 0)
		r = later_text_field(host, "disk", h->disk, sizeof(h->disk), e);
	h->cores = (uint32_t)cores;
	return r;
}

/* Reports of before have none. */
static int read_ends(json_t *ends, struct compare_wall *wall, struct err *e)
{
	json_t *end;
	size_t i;

	if (ends && (!json_is_array(ends) || json_array_size(ends) > COMPARE_ENDS))
		return err_set(e, EINVAL, "'ends' is no list of at most %d", COMPARE_ENDS);
	json_array_foreach(ends, i, end)
	{
		double times = 0;
		int r = text_field(end, "text", wall->end[i].text, COMPARE_END, e);

		if (r == 0)
			r = number_field(end, "times", 1e9, &times, e);
		if (r < 0)
			return r;
		wall->end[i].times = (uint32_t)times;
		wall->nends++;
	}
	return 0;
}

static int read_walls(json_t *walls, struct comparison *c, struct err *e)
{
	json_t *wall;
	size_t i;

	if (json_array_size(walls) == 0 || json_array_size(walls) > COMPARE_WALLS)
		return err_set(e, EINVAL, "'walls' is no list of 1 to %d", COMPARE_WALLS);
	json_array_foreach(walls, i, wall)
	{
		struct compare_wall *w = &c->wall[i];
		double failures = 0;
		int r = text_field(wall, "name", w->name, sizeof(w->name), e);

		if (r == 0 && comparison_wall(c, w->name) >= 0)
			r = err_set(e, EINVAL, "two walls are called %s", w->name);
		if (r == 0)
			r = text_field(wall, "problem", w->problem, sizeof(w->problem), e);
		if (r == 0)
			r = text_field(wall, "failure", w->failure, sizeof(w->failure), e);
		if (r == 0)
			r = number_field(wall, "failures", 1e9, &failures, e);
		if (r == 0)
			r = read_ends(json_object_get(wall, "ends"), w, e);
		if (r < 0)
			return r;
		w->failures = (uint32_t)failures;
		c->nwalls++;
	}
	return 0;
}

static int read_values(json_t *values, struct compare_series *s, struct err *e)
{
	json_t *value;
	size_t i;

	if (!json_is_array(values))
		return err_set(e, EINVAL, "values that are no list");
	json_array_foreach(values, i, value)
	{
		double v = json_number_value(value);

		if (!json_is_number(value) || !isfinite(v) || !(v > 0))
			return err_set(e, EINVAL, "a value that is no positive number");
		if (compare_series_add(s, v) < 0)
			return err_set(e, EINVAL, "more than %d values", COMPARE_VALUES);
	}
	return 0;
}

/* Why a wall has none. */
static int read_missing(json_t *missing, const struct comparison *c, struct compare_row *row,
			struct err *e)
{
	const char *name;
	json_t *why;
	int r = 0;

	json_object_foreach(missing, name, why)
	{
		int w = comparison_wall(c, name);

		if (r == 0 && w < 0)
			r = err_set(e, EINVAL, "'missing' has a wall that is not in the list");
		if (r == 0)
			r = text_field(missing, name, row->wall[w].why, COMPARE_WHY, e);
	}
	return r;
}

static int read_row(json_t *from, struct comparison *c, struct err *e)
{
	char workload[COMPARE_NAME], quantity[COMPARE_NAME], unit[16];
	size_t before = c->nrows;
	struct compare_row *row;
	const char *name;
	json_t *values;
	int r = text_field(from, "workload", workload, sizeof(workload), e);

	if (r == 0)
		r = text_field(from, "quantity", quantity, sizeof(quantity), e);
	if (r == 0)
		r = text_field(from, "unit", unit, sizeof(unit), e);
	if (r < 0)
		return r;
	row = comparison_row(c, workload, quantity, unit,
			     json_is_true(json_object_get(from, "higher_is_better")));
	if (!row || c->nrows == before)
		return err_set(e, EINVAL, "a row twice, or more than %d", COMPARE_ROWS);
	json_object_foreach(json_object_get(from, "values"), name, values)
	{
		int w = comparison_wall(c, name);

		if (w < 0)
			return err_set(e, EINVAL, "values of a wall that is not in the list");
		r = read_values(values, &row->wall[w], e);
		if (r < 0)
			return r;
	}
	return read_missing(json_object_get(from, "missing"), c, row, e);
}

static int read_outcome(json_t *from, struct compare_outcome *o, struct err *e)
{
	char name[16];
	int r = text_field(from, "verdict", name, sizeof(name), e);

	if (r == 0)
		r = text_field(from, "text", o->text, sizeof(o->text), e);
	if (r < 0)
		return r;
	for (int v = COMPARE_NOT_RUN; v <= COMPARE_REACHED; v++)
		if (strcmp(name, compare_verdict_name((enum compare_verdict)v)) == 0) {
			o->verdict = (enum compare_verdict)v;
			return 0;
		}
	return err_set(e, EINVAL, "there is no verdict '%s'", name);
}

static int read_attempt(json_t *from, struct comparison *c, struct err *e)
{
	struct compare_attempt *a;
	char name[COMPARE_NAME];
	const char *wall;
	json_t *outcome;
	int r = text_field(from, "name", name, sizeof(name), e);

	if (r < 0)
		return r;
	a = comparison_attempt(c, name);
	if (!a)
		return err_set(e, EINVAL, "an attempt twice, or more than %d", COMPARE_ATTEMPTS);
	r = text_field(from, "gives", a->gives, sizeof(a->gives), e);
	json_object_foreach(json_object_get(from, "walls"), wall, outcome)
	{
		int w = comparison_wall(c, wall);

		if (r == 0 && w < 0)
			r = err_set(e, EINVAL, "an attempt on a wall that is not in the list");
		if (r == 0)
			r = read_outcome(outcome, &a->wall[w], e);
	}
	return r;
}

static int read_head(json_t *report, struct comparison *c, struct err *e)
{
	double version = 0, seed = 0, runs = 0;
	int r = number_field(report, "comparison", 1e6, &version, e);

	if (r < 0)
		return err_set(e, EINVAL, "it is no comparison's report");
	if (version != REPORT_VERSION)
		return err_set(e, EINVAL, "its version is %g, and this program reads %d", version,
			       REPORT_VERSION);
	r = text_field(report, "bulkhead", c->version, sizeof(c->version), e);
	if (r == 0)
		r = text_field(report, "started", c->started, sizeof(c->started), e);
	if (r == 0)
		r = text_field(report, "suite", c->suite, sizeof(c->suite), e);
	if (r == 0)
		r = text_field(report, "command", c->command, sizeof(c->command), e);
	if (r == 0)
		r = number_field(report, "seed", 9e15, &seed, e);
	if (r == 0)
		r = number_field(report, "runs", 1e9, &runs, e);
	c->seed = (uint64_t)seed;
	c->runs = (uint32_t)runs;
	c->complete = json_is_true(json_object_get(report, "complete"));
	return r;
}

static int read_report(json_t *report, struct comparison *c, struct err *e)
{
	json_t *rows = json_object_get(report, "rows"), *row;
	json_t *attempts = json_object_get(report, "attempts");
	size_t i;
	int r = read_head(report, c, e);

	if (r == 0)
		r = read_host(json_object_get(report, "host"), &c->host, e);
	if (r == 0)
		r = read_walls(json_object_get(report, "walls"), c, e);
	if (r == 0 && !json_is_array(rows))
		r = err_set(e, EINVAL, "'rows' is no list");
	if (r == 0 && attempts && !json_is_array(attempts))
		r = err_set(e, EINVAL, "'attempts' is no list");
	json_array_foreach(rows, i, row)
	{
		if (r == 0)
			r = read_row(row, c, e);
	}
	json_array_foreach(attempts, i, row)
	{
		if (r == 0)
			r = read_attempt(row, c, e);
	}
	/* Reports of before have none. */
	if (r == 0 && json_object_get(report, "surface"))
		r = report_surface_read(json_object_get(report, "surface"), c, e);
	return r;
}

int report_read_json(const char *path, struct comparison *ret, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	json_error_t error;
	struct stat st;
	json_t *report;
	int r;

	if (!f)
		return err_errno(e, "open %s", path);
	if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > REPORT_MAX) {
		fclose(f);
		return err_set(e, EFBIG, "%s is no file of at most %u MiB", path, REPORT_MAX >> 20);
	}
	report = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
	fclose(f);
	if (!report)
		return err_set(e, EINVAL, "%s, line %d: %s", path, error.line, error.text);
	r = read_report(report, ret, e);
	if (r < 0)
		err_context(e, "%s", path);
	json_decref(report);
	return r;
}
