/* trust.c - see trust.h. */
#include "vmm/compare/trust.h"

#include <stdio.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/sentence.h"
#include "vmm/compare/surface_trace.h"

#define NAMED 4 /* attempts, or processes, that are named; of more the number */

/* Is the command a process of the host?  -1: not known. */
static int is_hosts_process(const struct comparison *c, size_t wall)
{
	const struct compare_surface *s = &c->surface[wall];

	for (size_t i = 0; i < s->nparts; i++)
		if (s->part[i].facing)
			return strcmp(s->part[i].name, SURFACE_COMMAND) == 0;
	for (size_t i = 0; i < c->nattempts; i++)
		if (c->attempt[i].wall[wall].verdict == COMPARE_CONTAINED &&
		    strcmp(c->attempt[i].wall[wall].text, COMPARE_OWN_KERNEL) == 0)
			return 0;
	for (size_t i = 0; i < c->nattempts; i++)
		if (c->attempt[i].wall[wall].verdict != COMPARE_NOT_RUN)
			return 1;
	return -1;
}

/* What ran behind the wall. */
static const char *who(const struct comparison *c)
{
	return c->command[0] ? "the command" : "the workloads";
}

static void say_calls(struct sentence *t, const struct comparison *c, size_t wall,
		      const struct surface_sum *sum)
{
	if (!c->surface[wall].measured)
		return;
	if (!sum->known)
		sentence_add(
			t, ", with system calls of which it is not known how many are let through");
	else if (sum->unlimited)
		sentence_add(t, ", with all of its %u system calls: no filter holds any back",
			     c->calls_known);
	else
		sentence_add(t, ", with %zu of its %u system calls", sum->whole + sum->some,
			     c->calls_known);
	if (sum->known && !sum->unlimited && sum->some)
		sentence_add(t, " (%zu of them with some arguments only)", sum->some);
	sentence_add(t, "; %s used %zu", who(c), sum->used);
}

/* Of a virtual machine: what each of its processes may. */
static void say_parts(struct sentence *t, const struct compare_surface *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nparts; i++) {
		const struct surface_part *p = &s->part[i];

		if (!p->facing || p->filters < 1)
			continue;
		if (n++ < NAMED)
			sentence_add(t, "%s%s %zu", n == 1 ? " (" : ", ", p->name,
				     p->whole.n + p->some.n);
	}
	if (n > NAMED)
		sentence_add(t, ", %zu more", n - NAMED);
	if (n)
		sentence_add(t, ")");
}

static void say_machine(struct sentence *t, const struct comparison *c, size_t wall,
			const struct surface_sum *sum)
{
	const struct compare_surface *s = &c->surface[wall];
	uint64_t exits = surface_exits_of(s, "exits");

	sentence_add(t, "the processor and KVM");
	if (exits)
		sentence_add(t, " (%lu exits in %u traced run%s)", (unsigned long)exits, s->runs,
			     s->runs == 1 ? "" : "s");
	if (!s->measured)
		return;
	sentence_add(t, "; and of the host's kernel what its processes are left with");
	if (sum->known && sum->unlimited)
		sentence_add(t, ": all of its %u system calls, for one of them has no filter",
			     c->calls_known);
	else if (sum->known)
		sentence_add(t, ": %zu of %u system calls", sum->whole + sum->some, c->calls_known);
	say_parts(t, s);
	sentence_add(t, ", of which %s used %zu", who(c), sum->used);
}

/* The ways by which something got through, by name. */
static void say_reached(struct sentence *t, const struct comparison *c, size_t wall)
{
	size_t n = 0, canaries = 0;

	for (size_t i = 0; i < c->nattempts; i++) {
		const struct compare_outcome *o = &c->attempt[i].wall[wall];

		if (o->verdict != COMPARE_REACHED)
			continue;
		canaries += strcmp(o->text, COMPARE_CANARY) == 0;
		if (n++ < NAMED)
			sentence_add(t, "%s%s", n == 1 ? "; what got through: " : ", ",
				     c->attempt[i].name);
	}
	if (n > NAMED)
		sentence_add(t, " and %zu more", n - NAMED);
	if (canaries)
		sentence_add(
			t,
			"; and the command itself, for it reached the host's own files, processes "
			"or sockets");
}

bool trust_tell(const struct comparison *c, size_t wall, char out[TRUST_TEXT])
{
	const struct compare_surface *s = &c->surface[wall];
	struct sentence t = { out, 0, TRUST_TEXT };
	struct surface_sum sum = { 0 };
	int hosts = is_hosts_process(c, wall);

	if (hosts < 0 || (s->measured && surface_sum(s, &sum) < 0))
		return false;
	if (hosts) {
		sentence_add(&t, "the host's kernel");
		say_calls(&t, c, wall, &sum);
		if (s->functions.n)
			sentence_add(&t, ", and entered %zu of its functions", s->functions.n);
	} else {
		say_machine(&t, c, wall, &sum);
		if (s->functions.n)
			sentence_add(&t, "; they entered %zu of its functions", s->functions.n);
	}
	say_reached(&t, c, wall);
	return true;
}
