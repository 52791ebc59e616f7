/* surface.c - see surface.h. */
#include "vmm/compare/surface.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where it is, or would be. */
static size_t place_of(const struct surface_names *s, const char *name, bool *ret_is)
{
	size_t low = 0, high = s->n;

	*ret_is = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, s->name[middle]);

		if (order == 0) {
			*ret_is = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int surface_names_add(struct surface_names *s, const char *name)
{
	bool is;
	size_t at = place_of(s, name, &is);
	char *copy;

	if (is)
		return 0;
	if (s->n == SURFACE_NAMES_MAX)
		return -E2BIG;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		char **more = reallocarray(s->name, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->name = more;
		s->room = room;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	memmove(s->name + at + 1, s->name + at, (s->n - at) * sizeof(*s->name));
	s->name[at] = copy;
	s->n++;
	return 0;
}

bool surface_names_has(const struct surface_names *s, const char *name)
{
	bool is;

	place_of(s, name, &is);
	return is;
}

void surface_names_release(struct surface_names *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->name[i]);
	free(s->name);
	*s = (struct surface_names){ 0 };
}

void surface_release(struct compare_surface *s)
{
	for (size_t i = 0; i < s->nparts; i++) {
		surface_names_release(&s->part[i].whole);
		surface_names_release(&s->part[i].some);
		surface_names_release(&s->part[i].used);
	}
	surface_names_release(&s->functions);
	s->nparts = 0;
}

struct surface_part *surface_part(struct compare_surface *s, const char *name)
{
	struct surface_part *p;

	for (size_t i = 0; i < s->nparts; i++)
		if (strcmp(s->part[i].name, name) == 0)
			return &s->part[i];
	if (s->nparts == SURFACE_PARTS)
		return NULL;
	p = &s->part[s->nparts++];
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->filters = -1;
	return p;
}

void surface_exits_add(struct compare_surface *s, const char *name, uint64_t value)
{
	size_t i = 0;

	while (i < s->nexits && strcmp(s->exit[i].name, name) != 0)
		i++;
	if (i == SURFACE_EXITS)
		return;
	if (i == s->nexits)
		snprintf(s->exit[s->nexits++].name, SURFACE_NAME, "%s", name);
	s->exit[i].value += value;
}

uint64_t surface_exits_of(const struct compare_surface *s, const char *name)
{
	for (size_t i = 0; i < s->nexits; i++)
		if (strcmp(s->exit[i].name, name) == 0)
			return s->exit[i].value;
	return 0;
}

static int add_all(struct surface_names *to, const struct surface_names *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++)
		r = surface_names_add(to, from->name[i]);
	return r;
}

/* What was called and, as far as is known, let through. */
static int add_used(struct surface_names *to, const struct surface_part *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->used.n; i++)
		if (p->filters <= 0 || surface_names_has(&p->whole, p->used.name[i]) ||
		    surface_names_has(&p->some, p->used.name[i]))
			r = surface_names_add(to, p->used.name[i]);
	return r;
}

int surface_sum(const struct compare_surface *s, struct surface_sum *ret)
{
	struct surface_names whole = { 0 }, some = { 0 }, used = { 0 };
	struct surface_sum sum = { .known = true };
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->nparts; i++) {
		const struct surface_part *p = &s->part[i];

		if (!p->facing)
			continue;
		sum.parts++;
		sum.known &= p->filters >= 0;
		sum.unlimited |= p->filters == 0;
		r = add_all(&whole, &p->whole);
		if (r == 0)
			r = add_all(&some, &p->some);
		if (r == 0)
			r = add_used(&used, p);
	}
	sum.known &= sum.parts > 0;
	sum.whole = whole.n;
	for (size_t i = 0; i < some.n; i++)
		sum.some += !surface_names_has(&whole, some.name[i]);
	sum.used = used.n;
	surface_names_release(&whole);
	surface_names_release(&some);
	surface_names_release(&used);
	if (r == 0)
		*ret = sum;
	return r;
}
