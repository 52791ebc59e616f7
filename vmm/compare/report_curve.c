/* report_curve.c - the page's curve of density: memory over the number of
 * instances, a line for each wall. */
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/report_parts.h"
#include "vmm/compare/suite.h"

#define WIDTH  440
#define HEIGHT 220
#define LEFT   50
#define RIGHT  80
#define BOTTOM 30

static double highest(const struct comparison *c, const struct analysis *a,
		      size_t row[SUITE_CROWDS])
{
	double max = 0;

	for (size_t i = 0; i < SUITE_CROWDS; i++)
		for (size_t w = 0; w < c->nwalls; w++)
			if (a->row[row[i]][w].n)
				max = MAX(max, a->row[row[i]][w].median);
	return max;
}

/* Whether all of the rows are there. */
static bool find_rows(const struct comparison *c, size_t row[SUITE_CROWDS])
{
	size_t found = 0;

	for (size_t i = 0; i < SUITE_CROWDS; i++)
		for (size_t j = 0; j < c->nrows; j++)
			if (strcmp(c->row[j].workload, suite_crowd[i].workload) == 0 &&
			    strcmp(c->row[j].quantity, suite_crowd[i].name) == 0) {
				row[i] = j;
				found++;
			}
	return found == SUITE_CROWDS;
}

static double x_of(size_t i)
{
	double most = (double)suite_crowd_size[SUITE_CROWDS - 1];

	return LEFT + (WIDTH - LEFT - RIGHT) * (double)suite_crowd_size[i] / most;
}

static double y_of(double value, double max)
{
	return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 20) * value / max;
}

static void line(const struct comparison *c, const struct analysis *a, const size_t *row,
		 size_t wall, double max, FILE *out)
{
	double last = 0;
	char command = 'M';

	fputs("<path fill=\"none\" stroke=\"var(--bar)\" stroke-width=\"2\" d=\"", out);
	for (size_t i = 0; i < SUITE_CROWDS; i++) {
		const struct finding *f = &a->row[row[i]][wall];

		if (!f->n)
			continue;
		last = f->median;
		fprintf(out, "%c%.1f %.1f", command, x_of(i), y_of(last, max));
		command = 'L';
	}
	fprintf(out, "\"/><text x=\"%.1f\" y=\"%.1f\">", x_of(SUITE_CROWDS - 1) + 6,
		y_of(last, max) + 4);
	report_text(out, c->wall[wall].name);
	fputs("</text>", out);
}

void report_curve(const struct comparison *c, const struct analysis *a, FILE *out)
{
	size_t row[SUITE_CROWDS];
	double max = find_rows(c, row) ? highest(c, a, row) : 0;

	if (max <= 0)
		return;
	fprintf(out,
		"<figure><figcaption>Memory of several instances at once, MiB</figcaption>\n"
		"<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"A line for each wall over 1, "
		"2, "
		"4 and 8 instances; the table below has the figures\">"
		"<path d=\"M%d 20V%dH%d\" fill=\"none\" stroke=\"var(--line)\"/>"
		"<text x=\"0\" y=\"24\">%.4g</text><text x=\"0\" y=\"%d\">0</text>",
		WIDTH, HEIGHT, LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, max, HEIGHT - BOTTOM);
	for (size_t i = 0; i < SUITE_CROWDS; i++)
		fprintf(out, "<text x=\"%.1f\" y=\"%d\">%zu</text>", x_of(i) - 4, HEIGHT - 10,
			suite_crowd_size[i]);
	for (size_t w = 0; w < c->nwalls; w++)
		if (a->row[row[0]][w].n)
			line(c, a, row, w, max, out);
	fputs("</svg></figure>\n", out);
}
