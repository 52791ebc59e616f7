/* choice.c - see choice.h. */
#include "vmm/compare/choice.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/sentence.h"
#include "vmm/compare/surface.h"

#define NONE COMPARE_WALLS /* no wall */

/* --- what is known of a wall --- */

static const struct finding *find(const struct comparison *c, const struct analysis *a,
				  const char *quantity, size_t wall)
{
	for (size_t i = 0; i < c->nrows; i++)
		if (strcmp(c->row[i].quantity, quantity) == 0 &&
		    (strcmp(c->row[i].workload, "start") == 0 ||
		     strcmp(c->row[i].workload, "idle") == 0 ||
		     strcmp(c->row[i].workload, "command") == 0))
			return a->row[i][wall].n ? &a->row[i][wall] : NULL;
	return NULL;
}

static size_t reached(const struct comparison *c, size_t wall, size_t *ret_made)
{
	size_t n = 0;

	*ret_made = 0;
	for (size_t i = 0; i < c->nattempts; i++) {
		n += c->attempt[i].wall[wall].verdict == COMPARE_REACHED;
		*ret_made += c->attempt[i].wall[wall].verdict != COMPARE_NOT_RUN;
	}
	return n;
}

static bool holds(const struct comparison *c, size_t wall)
{
	size_t made, n = reached(c, wall, &made);

	return made && n == 0;
}

static bool is_any(const struct comparison *c, size_t wall)
{
	return !c->wall[wall].problem[0];
}

/* Calls of the host's kernel that it leaves; 0: not known. */
static size_t calls_left(const struct comparison *c, size_t wall)
{
	struct surface_sum sum;

	if (surface_sum(&c->surface[wall], &sum) < 0 || !sum.known)
		return 0;
	return sum.unlimited ? c->calls_known : sum.whole + sum.some;
}

typedef bool wall_test(const struct comparison *c, size_t wall);

/* The wall with the least of it among those that pass, or NONE. */
static size_t least(const struct comparison *c, const struct analysis *a, wall_test *passes,
		    const char *quantity)
{
	size_t best = NONE;

	for (size_t w = 0; w < c->nwalls; w++) {
		const struct finding *f = find(c, a, quantity, w);

		if (f && passes(c, w) &&
		    (best == NONE || f->median < find(c, a, quantity, best)->median))
			best = w;
	}
	return best;
}

/* --- code that is trusted, and code that is not --- */

/* "; X starts fastest (1.2 ms, x1.05) and takes the least memory (1.4 MiB)". */
static void tell_price(const struct comparison *c, const struct analysis *a, wall_test *passes,
		       struct sentence *s)
{
	size_t fast = least(c, a, passes, "exit"), lean = least(c, a, passes, "memory");

	if (fast != NONE) {
		const struct finding *f = find(c, a, "exit", fast);

		sentence_add(s, " %s is done fastest (%.1f ms", c->wall[fast].name, f->median);
		if (!isnan(f->ratio) && (int)fast != a->base)
			sentence_add(s, ", x%.2f of %s", f->ratio, c->wall[a->base].name);
		sentence_add(s, ")");
	}
	if (lean != NONE)
		sentence_add(s, "%s%s%s takes the least memory (%.1f MiB)",
			     fast == NONE ? " " : " and", fast == NONE || fast == lean ? "" : " ",
			     fast == lean ? "" : c->wall[lean].name,
			     find(c, a, "memory", lean)->median);
}

static bool of_trusted(const struct comparison *c, const struct analysis *a, struct sentence *s)
{
	sentence_add(s, "Code that is trusted:");
	tell_price(c, a, is_any, s);
	sentence_add(s, ".");
	return least(c, a, is_any, "exit") != NONE;
}

static void tell_who_holds(const struct comparison *c, struct sentence *s)
{
	size_t n = 0, all = 0;

	for (size_t w = 0; w < c->nwalls; w++)
		all += holds(c, w);
	for (size_t w = 0; w < c->nwalls; w++)
		if (holds(c, w))
			sentence_add(s, "%s%s",
				     n++ == 0  ? ""
				     : n < all ? ", "
					       : " and ",
				     c->wall[w].name);
}

static void tell_narrowest(const struct comparison *c, struct sentence *s)
{
	size_t best = NONE;

	for (size_t w = 0; w < c->nwalls; w++)
		if (holds(c, w) && calls_left(c, w) &&
		    (best == NONE || calls_left(c, w) < calls_left(c, best)))
			best = w;
	if (best == NONE)
		return;
	sentence_add(s, "; %s leaves the least of the host's kernel (%zu of %u system calls)",
		     c->wall[best].name, calls_left(c, best), c->calls_known);
}

/* What it costs is a part of the advice: one wall may be the fastest of those that
 * hold, and another one the narrowest. */
static bool of_untrusted(const struct comparison *c, const struct analysis *a, struct sentence *s)
{
	size_t made, any = 0, held = 0;

	for (size_t w = 0; w < c->nwalls; w++) {
		reached(c, w, &made);
		any += made != 0;
		held += holds(c, w);
	}
	if (!any)
		return false;
	sentence_add(s, "Code that may try to get out: ");
	if (!held) {
		sentence_add(s, "something got out of every wall that was tried.");
		return true;
	}
	sentence_add(s, "nothing got out of ");
	tell_who_holds(c, s);
	sentence_add(s, "; of %s", held > 1 ? "these" : "it");
	tell_price(c, a, holds, s);
	tell_narrowest(c, s);
	sentence_add(s, ".");
	return true;
}

/* --- what work costs --- */

static const struct {
	const char *what;
	const char *workloads[4]; /* ends in NULL */
} kinds[] = {
	{ "Work in the processor and in memory", { "cpu", "memory" } },
	{ "Work that asks the kernel", { "calls" } },
	{ "Disks and networks", { "disk", "network", "fio" } },
	{ "Beside a neighbour that wants the same", { "neighbour" } },
};

static bool is_of(const struct compare_row *row, size_t kind)
{
	for (const char *const *w = kinds[kind].workloads; *w; w++)
		if (strcmp(*w, row->workload) == 0)
			return true;
	return false;
}

/* Of a wall's rows of a kind; false: it has none. */
static bool tell_cost(const struct comparison *c, const struct analysis *a, size_t kind,
		      size_t wall, struct sentence *s)
{
	size_t count[FINDING_WORSE + 1] = { 0 }, all = 0;
	double worst = 0;
	const char *at = "";

	for (size_t i = 0; i < c->nrows; i++) {
		const struct finding *f = &a->row[i][wall];
		double cost = c->row[i].higher ? 1 / f->ratio : f->ratio;

		if (!is_of(&c->row[i], kind) || f->verdict == FINDING_NOTHING)
			continue;
		count[f->verdict]++;
		all++;
		if (f->verdict == FINDING_WORSE && cost > worst) {
			worst = cost;
			at = c->row[i].quantity;
		}
	}
	if (!all)
		return false;
	sentence_add(s, "%s ", c->wall[wall].name);
	if (count[FINDING_FEW] == all)
		sentence_add(s, "had too few runs to say");
	else if (count[FINDING_WORSE])
		sentence_add(s, "is slower in %zu of %zu rows (%s the most, %.2f times)",
			     count[FINDING_WORSE], all, at, worst);
	else
		sentence_add(s, "costs nothing that could be told");
	if (count[FINDING_BETTER])
		sentence_add(s, ", and is faster in %zu", count[FINDING_BETTER]);
	return true;
}

static bool of_kind(const struct comparison *c, const struct analysis *a, size_t kind,
		    struct sentence *s)
{
	size_t told = 0;

	sentence_add(s, "%s: ", kinds[kind].what);
	for (size_t w = 0; w < c->nwalls; w++) {
		size_t before = s->n;

		if ((int)w == a->base)
			continue;
		sentence_add(s, "%s", told ? "; " : "");
		if (tell_cost(c, a, kind, w, s))
			told++;
		else
			s->out[s->n = before] = '\0';
	}
	sentence_add(s, ".");
	return told != 0;
}

bool choice_sentence(const struct comparison *c, const struct analysis *a, size_t i,
		     char out[ADVICE_TEXT])
{
	struct sentence s = { out, 0, ADVICE_TEXT };

	static_assert(CHOICES == 2 + ARRAY_SIZE(kinds), "a number for each sentence");
	out[0] = '\0';
	if (a->base < 0)
		return false;
	if (i == 0)
		return of_trusted(c, a, &s);
	return i == 1 ? of_untrusted(c, a, &s) : of_kind(c, a, i - 2, &s);
}
