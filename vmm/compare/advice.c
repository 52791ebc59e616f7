/* advice.c - see advice.h. */
#include "vmm/compare/advice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/suite.h"
#include "vmm/compare/trust.h"

bool advice_is_hardware(const struct comparison *c)
{
	return strncmp(c->host.label, "hardware", 8) == 0;
}

static int find_row(const struct comparison *c, const char *workload, const char *quantity)
{
	for (size_t i = 0; i < c->nrows; i++)
		if (strcmp(c->row[i].quantity, quantity) == 0 &&
		    (strcmp(c->row[i].workload, workload) == 0 ||
		     strcmp(c->row[i].workload, "command") == 0))
			return (int)i;
	return -1;
}

/* MiB of one more instance: the slope from one to the largest crowd; 0: unknown. */
static double further_instance(const struct comparison *c, const struct analysis *a, size_t wall)
{
	int one = find_row(c, "density", suite_crowd[0].name);
	int most = find_row(c, "density", suite_crowd[SUITE_CROWDS - 1].name);

	if (one < 0 || most < 0 || !a->row[one][wall].n || !a->row[most][wall].n)
		return 0;
	return (a->row[most][wall].median - a->row[one][wall].median) /
	       (double)(suite_crowd_size[SUITE_CROWDS - 1] - suite_crowd_size[0]);
}

/* "1.3 ms" more than the base, or nothing when it is the base. */
static size_t tell_start(const struct comparison *c, const struct analysis *a, size_t wall,
			 char *out, size_t size)
{
	int exit = find_row(c, "start", "exit"), memory = find_row(c, "idle", "memory");
	double further = further_instance(c, a, wall);
	size_t n = 0;

	if (exit >= 0 && a->row[exit][wall].n)
		n = (size_t)snprintf(out, size, " start to exit %.1f ms",
				     a->row[exit][wall].median);
	if (exit >= 0 && !isnan(a->row[exit][wall].ratio))
		n += (size_t)snprintf(out + n, size - n, " (x%.2f)", a->row[exit][wall].ratio);
	if (memory >= 0 && a->row[memory][wall].n)
		n += (size_t)snprintf(out + n, size - n, "%s %.1f MiB of memory", n ? "," : "",
				      a->row[memory][wall].median);
	if (further > 0)
		n += (size_t)snprintf(out + n, size - n,
				      " (each further one %.2f MiB, %.0f more in a GiB)", further,
				      1024 / further);
	return n;
}

/* Of the rows that are not about starting: how many are better, the same,
 * worse, and the worst one. */
static void tell_work(const struct comparison *c, const struct analysis *a, size_t wall, char *out,
		      size_t size)
{
	size_t count[FINDING_WORSE + 1] = { 0 };
	double worst = 1;
	int at = -1;
	size_t n = 0;

	for (size_t i = 0; i < c->nrows; i++) {
		const struct finding *f = &a->row[i][wall];
		double cost = c->row[i].higher ? 1 / f->ratio : f->ratio;

		if (strcmp(c->row[i].workload, "start") == 0 ||
		    strcmp(c->row[i].workload, "idle") == 0 ||
		    strcmp(c->row[i].workload, "density") == 0 ||
		    strcmp(c->row[i].workload, "command") == 0)
			continue;
		count[f->verdict]++;
		if (f->verdict == FINDING_WORSE && cost > worst) {
			worst = cost;
			at = (int)i;
		}
	}
	if (count[FINDING_SAME] + count[FINDING_BETTER] + count[FINDING_WORSE] +
		    count[FINDING_FEW] ==
	    0)
		return;
	n = (size_t)snprintf(out, size,
			     "; of the work inside %zu rows are slower, %zu faster, %zu the same",
			     count[FINDING_WORSE], count[FINDING_BETTER], count[FINDING_SAME]);
	if (count[FINDING_FEW] && n < size)
		n += (size_t)snprintf(out + n, size - n, ", %zu with too few runs to say",
				      count[FINDING_FEW]);
	if (at >= 0 && n < size)
		snprintf(out + n, size - n, "; the dearest is %s, %.2f times", c->row[at].quantity,
			 worst);
}

/* Of the attempts to get through that were made behind this wall. */
static void tell_strength(const struct comparison *c, size_t wall, char *out, size_t size)
{
	size_t made = 0, reached = 0;

	for (size_t i = 0; i < c->nattempts; i++) {
		made += c->attempt[i].wall[wall].verdict != COMPARE_NOT_RUN;
		reached += c->attempt[i].wall[wall].verdict == COMPARE_REACHED;
	}
	if (made)
		snprintf(out, size, "; %zu of %zu attempts reach the host", reached, made);
}

bool advice_sentence(const struct comparison *c, const struct analysis *a, size_t i,
		     char out[ADVICE_TEXT])
{
	char trust[TRUST_TEXT];
	size_t n, room = ADVICE_TEXT;

	if (i >= c->nwalls)
		return false;
	n = (size_t)snprintf(out, room, "%s:", c->wall[i].name);
	if (c->wall[i].problem[0]) {
		snprintf(out + n, room - n, " cannot run here.");
		return true;
	}
	n += tell_start(c, a, i, out + n, room - n);
	if ((int)i != a->base)
		tell_work(c, a, i, out + n, room - n);
	n = strlen(out);
	tell_strength(c, i, out + n, room - n);
	n = strlen(out);
	if (n < room && trust_tell(c, i, trust))
		snprintf(out + n, room - n, ". Trust: %s.", trust);
	return true;
}
