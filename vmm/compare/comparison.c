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
