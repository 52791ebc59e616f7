/* comparison.c - see comparison.h. */
#include "vmm/compare/comparison.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void comparison_init(struct comparison *c)
{
	memset(c, 0, sizeof(*c));
}

void comparison_release(struct comparison *c)
{
	for (size_t i = 0; i < c->nrows; i++)
		for (size_t w = 0; w < COMPARE_WALLS; w++)
			free(c->row[i].wall[w].value);
	free(c->row);
	c->row = NULL;
	for (size_t w = 0; w < COMPARE_WALLS; w++)
		surface_release(&c->surface[w]);
	free(c->attempt);
	c->attempt = NULL;
	c->nattempts = 0;
	c->nrows = 0;
}

int comparison_wall(const struct comparison *c, const char *name)
{
	for (size_t i = 0; i < c->nwalls; i++)
		if (strcmp(c->wall[i].name, name) == 0)
			return (int)i;
	return -1;
}

struct compare_row *comparison_row(struct comparison *c, const char *workload, const char *quantity,
				   const char *unit, bool higher)
{
	struct compare_row *row;

	for (size_t i = 0; i < c->nrows; i++)
		if (strcmp(c->row[i].workload, workload) == 0 &&
		    strcmp(c->row[i].quantity, quantity) == 0)
			return &c->row[i];
	if (!c->row)
		c->row = calloc(COMPARE_ROWS, sizeof(*c->row));
	if (!c->row || c->nrows == COMPARE_ROWS)
		return NULL;
	row = &c->row[c->nrows++];
	snprintf(row->workload, sizeof(row->workload), "%s", workload);
	snprintf(row->quantity, sizeof(row->quantity), "%s", quantity);
	snprintf(row->unit, sizeof(row->unit), "%s", unit);
	row->higher = higher;
	return row;
}

struct compare_attempt *comparison_attempt(struct comparison *c, const char *name)
{
	struct compare_attempt *a;

	for (size_t i = 0; i < c->nattempts; i++)
		if (strcmp(c->attempt[i].name, name) == 0)
			return NULL;
	if (!c->attempt)
		c->attempt = calloc(COMPARE_ATTEMPTS, sizeof(*c->attempt));
	if (!c->attempt || c->nattempts == COMPARE_ATTEMPTS)
		return NULL;
	a = &c->attempt[c->nattempts++];
	snprintf(a->name, sizeof(a->name), "%s", name);
	return a;
}

void comparison_end(struct compare_wall *wall, const char *text)
{
	size_t i = 0;

	while (i < wall->nends && strcmp(wall->end[i].text, text) != 0)
		i++;
	if (i == COMPARE_ENDS)
		return;
	if (i == wall->nends)
		snprintf(wall->end[wall->nends++].text, COMPARE_END, "%s", text);
	wall->end[i].times++;
}

const char *compare_verdict_name(enum compare_verdict verdict)
{
	static const char *const names[] = {
		[COMPARE_NOT_RUN] = "not run",
		[COMPARE_BLOCKED] = "blocked",
		[COMPARE_CONTAINED] = "contained",
		[COMPARE_REACHED] = "reached",
	};

	return names[verdict];
}

int compare_series_add(struct compare_series *s, double value)
{
	if (s->n == COMPARE_VALUES)
		return -E2BIG;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 32;
		double *more = reallocarray(s->value, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->value = more;
		s->room = room;
	}
	s->value[s->n++] = value;
	return 0;
}
