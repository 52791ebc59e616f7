/* trust.c - see trust.h. */
#include "vmm/compare/trust.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/surface_trace.h"

#define NAMED 4 /* attempts, or processes, that are named; of more the number */

struct text {
	char *out;
	size_t n, size;
};

static void say(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->out + t->n, t->size - t->n, format, args);
	va_end(args);
	t->n = MIN(t->n + (size_t)MAX(n, 0), t->size - 1);
}

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

static void say_calls(struct text *t, const struct comparison *c, size_t wall,
		      const struct surface_sum *sum)
{
	if (!c->surface[wall].measured)
		return;
	if (!sum->known)
		say(t, ", with system calls of which it is not known how many are let through");
	else if (sum->unlimited)
		say(t, ", with all of its %u system calls: no filter holds any back",
		    c->calls_known);
	else
		say(t, ", with %zu of its %u system calls", sum->whole + sum->some, c->calls_known);
	if (sum->known && !sum->unlimited && sum->some)
		say(t, " (%zu of them with some arguments only)", sum->some);
	say(t, "; %s used %zu", who(c), sum->used);
}

/* Of a virtual machine: what each of its processes may. */
static void say_parts(struct text *t, const struct compare_surface *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nparts; i++) {
		const struct surface_part *p = &s->part[i];

		if (!p->facing || p->filters < 1)
			continue;
		if (n++ < NAMED)
			say(t, "%s%s %zu", n == 1 ? " (" : ", ", p->name, p->whole.n + p->some.n);
	}
	if (n > NAMED)
		say(t, ", %zu more", n - NAMED);
	if (n)
		say(t, ")");
}

static void say_machine(struct text *t, const struct comparison *c, size_t wall,
			const struct surface_sum *sum)
{
	const struct compare_surface *s = &c->surface[wall];
	uint64_t exits = surface_exits_of(s, "exits");

	say(t, "the processor and KVM");
	if (exits)
		say(t, " (%lu exits in %u traced run%s)", (unsigned long)exits, s->runs,
		    s->runs == 1 ? "" : "s");
	if (!s->measured)
		return;
	say(t, "; and of the host's kernel what its processes are left with");
	if (sum->known && sum->unlimited)
		say(t, ": all of its %u system calls, for one of them has no filter",
		    c->calls_known);
	else if (sum->known)
		say(t, ": %zu of %u system calls", sum->whole + sum->some, c->calls_known);
	say_parts(t, s);
	say(t, ", of which %s used %zu", who(c), sum->used);
}

/* The ways by which something got through, by name. */
static void say_reached(struct text *t, const struct comparison *c, size_t wall)
{
	size_t n = 0, canaries = 0;

	for (size_t i = 0; i < c->nattempts; i++) {
		const struct compare_outcome *o = &c->attempt[i].wall[wall];

		if (o->verdict != COMPARE_REACHED)
			continue;
		canaries += strcmp(o->text, COMPARE_CANARY) == 0;
		if (n++ < NAMED)
			say(t, "%s%s", n == 1 ? "; what got through: " : ", ", c->attempt[i].name);
	}
	if (n > NAMED)
		say(t, " and %zu more", n - NAMED);
	if (canaries)
		say(t, "; and the command itself, for it reached the host's own files, processes "
		       "or sockets");
}

bool trust_tell(const struct comparison *c, size_t wall, char out[TRUST_TEXT])
{
	const struct compare_surface *s = &c->surface[wall];
	struct text t = { out, 0, TRUST_TEXT };
	struct surface_sum sum = { 0 };
	int hosts = is_hosts_process(c, wall);

	if (hosts < 0 || (s->measured && surface_sum(s, &sum) < 0))
		return false;
	if (hosts) {
		say(&t, "the host's kernel");
		say_calls(&t, c, wall, &sum);
		if (s->functions.n)
			say(&t, ", and entered %zu of its functions", s->functions.n);
	} else {
		say_machine(&t, c, wall, &sum);
		if (s->functions.n)
			say(&t, "; they entered %zu of its functions", s->functions.n);
	}
	say_reached(&t, c, wall);
	return true;
}
