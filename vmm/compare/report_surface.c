/* report_surface.c - what of the host's kernel is within reach behind each
 * wall, for the table and for the page: see report.h. */
#include <stdio.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/report.h"
#include "vmm/compare/report_parts.h"
#include "vmm/compare/surface_trace.h"

#define FITTING 5 /* walls in 100 columns */
#define CELL	48

static bool is_any(const struct comparison *c)
{
	for (size_t w = 0; w < c->nwalls; w++)
		if (c->surface[w].measured || c->surface[w].used_problem[0])
			return true;
	return false;
}

/* --- the rows: each gives the text of one wall's cell --- */

static void calls_of(uint32_t all, const struct surface_sum *sum, char out[CELL])
{
	if (!sum->known)
		snprintf(out, CELL, "?");
	else if (sum->unlimited)
		snprintf(out, CELL, "all %u", all);
	else
		snprintf(out, CELL, sum->some ? "%zu+%zu" : "%zu", sum->whole, sum->some);
}

static const struct surface_part *own_part(const struct compare_surface *s)
{
	for (size_t i = 0; i < s->nparts; i++)
		if (strcmp(s->part[i].name, SURFACE_OWN) == 0)
			return &s->part[i];
	return NULL;
}

enum row { CALLS, USED, OWN, FUNCTIONS, EXITS, ROWS };

static const struct {
	const char *name, *about;
} rows[ROWS] = {
	[CALLS] = { "calls let through", "system calls of the host's kernel; N+M: M of them with "
					 "some arguments only" },
	[USED] = { "calls used", "of these, by what is behind the wall or serves it" },
	[OWN] = { "the wall's own calls", "used to build, watch and clear the wall away" },
	[FUNCTIONS] = { "kernel functions", "of the host's kernel, entered by the instance" },
	[EXITS] = { "VM exits", "as KVM counts them" },
};

static void cell(const struct comparison *c, size_t wall, enum row row, char out[CELL])
{
	const struct compare_surface *s = &c->surface[wall];
	struct surface_sum sum;

	snprintf(out, CELL, "-");
	if (!s->measured || surface_sum(s, &sum) < 0)
		return;
	if (row == CALLS)
		calls_of(c->calls_known, &sum, out);
	else if (row == USED && sum.parts)
		snprintf(out, CELL, "%zu", sum.used);
	else if (row == OWN && own_part(s))
		snprintf(out, CELL, "%zu", own_part(s)->used.n);
	else if (row == FUNCTIONS && s->functions.n)
		snprintf(out, CELL, "%zu", s->functions.n);
	else if (row == EXITS && s->nexits)
		snprintf(out, CELL, "%lu", (unsigned long)surface_exits_of(s, "exits"));
}

/* Has any wall something there? */
static bool has_row(const struct comparison *c, enum row row)
{
	char text[CELL];

	for (size_t w = 0; w < c->nwalls; w++) {
		cell(c, w, row, text);
		if (strcmp(text, "-") != 0)
			return true;
	}
	return false;
}

/* --- what does not fit into cells --- */

typedef void tell_fn(FILE *out, const char *walls, const char *what, const char *text);

static const char *problem_of(const struct compare_surface *s, enum row row)
{
	switch (row) {
	case CALLS:
		return s->calls_problem;
	case USED:
		return s->used_problem;
	case FUNCTIONS:
		return s->functions_problem;
	case EXITS:
		return s->exits_problem;
	default:
		return "";
	}
}

/* A problem of several walls is told once, with their names. */
static void tell_problem(const struct comparison *c, enum row row, size_t first, FILE *out,
			 tell_fn *tell)
{
	const char *text = problem_of(&c->surface[first], row);
	char walls[COMPARE_WALLS * (COMPARE_NAME + 2)] = "";
	size_t n = 0;

	for (size_t w = 0; w < c->nwalls; w++) {
		if (strcmp(problem_of(&c->surface[w], row), text) != 0)
			continue;
		if (w < first)
			return;
		n += (size_t)snprintf(walls + n, sizeof(walls) - n, "%s%s", n ? ", " : "",
				      c->wall[w].name);
	}
	if (text[0])
		tell(out, walls, rows[row].name, text);
}

static void tell_problems(const struct comparison *c, FILE *out, tell_fn *tell)
{
	for (enum row row = CALLS; row < ROWS; row++)
		for (size_t w = 0; w < c->nwalls; w++)
			tell_problem(c, row, w, out, tell);
}

static void tell_line(FILE *out, const char *walls, const char *what, const char *text)
{
	/* Within 100 columns. */
	fprintf(out, "%s of %.50s:%s%.95s\n", what, walls,
		strlen(what) + strlen(walls) + strlen(text) > 94 ? "\n  " : " ", text);
}

/* Of a wall of several processes: what each may. */
static void write_parts(const struct comparison *c, size_t wall, FILE *out)
{
	const struct compare_surface *s = &c->surface[wall];
	size_t n = 0, column;

	for (size_t i = 0; i < s->nparts; i++)
		n += s->part[i].facing;
	if (n < 2)
		return;
	column = (size_t)fprintf(out, "%s:", c->wall[wall].name);
	for (size_t i = 0; i < s->nparts; i++) {
		const struct surface_part *p = &s->part[i];
		char text[2 * CELL];

		if (!p->facing)
			continue;
		snprintf(text, sizeof(text), " %s %zu+%zu, used %zu%s", p->name, p->whole.n,
			 p->some.n, p->used.n, --n ? ";" : "");
		if (column + strlen(text) > 98)
			column = (size_t)fprintf(out, "\n ") - 1;
		column += (size_t)fprintf(out, "%s", text);
	}
	fputc('\n', out);
}

/* "io_exits" and the like: KVM counts more than reasons of exits. */
static bool is_reason(const struct surface_count *count)
{
	size_t n = strlen(count->name);

	return n > 6 && strcmp(count->name + n - 6, "_exits") == 0;
}

/* KVM's reasons, the most frequent ones first. */
static void write_exits(const struct comparison *c, size_t wall, FILE *out)
{
	const struct compare_surface *s = &c->surface[wall];
	bool done[SURFACE_EXITS] = { false };
	size_t shown = 0, most;

	do {
		most = SIZE_MAX;
		for (size_t i = 0; i < s->nexits; i++)
			if (!done[i] && is_reason(&s->exit[i]) &&
			    (most == SIZE_MAX || s->exit[i].value > s->exit[most].value))
				most = i;
		if (most == SIZE_MAX)
			break;
		done[most] = true;
		if (shown == 0)
			fprintf(out, "%s, exits by KVM's reasons:", c->wall[wall].name);
		fprintf(out, "%s %.*s %lu", shown ? "," : "",
			(int)MIN(strlen(s->exit[most].name) - 6, (size_t)14), s->exit[most].name,
			(unsigned long)s->exit[most].value);
	} while (++shown < 5);
	fputs(shown ? "\n" : "", out);
}

void report_write_surface(const struct comparison *c, FILE *out)
{
	size_t shown = MIN(c->nwalls, (size_t)FITTING);
	char text[CELL];

	if (!is_any(c))
		return;
	fprintf(out, "\nSurface: what of the host's kernel is within reach\n%-25s", "");
	for (size_t w = 0; w < shown; w++)
		fprintf(out, " %-13.13s", c->wall[w].name);
	fputc('\n', out);
	for (enum row row = CALLS; row < ROWS; row++) {
		if (!has_row(c, row))
			continue;
		fprintf(out, "  %-23s", rows[row].name);
		for (size_t w = 0; w < shown; w++) {
			cell(c, w, row, text);
			fprintf(out, " %-13.13s", text);
		}
		fputc('\n', out);
	}
	fprintf(out, "N+M: M with some arguments only; of %u that this architecture has.\n",
		c->calls_known);
	for (size_t w = 0; w < c->nwalls; w++) {
		write_parts(c, w, out);
		write_exits(c, w, out);
	}
	tell_problems(c, out, tell_line);
}

/* --- the page --- */

static void tell_paragraph(FILE *out, const char *walls, const char *what, const char *text)
{
	fprintf(out, "<p class=\"soft\">%s of ", what);
	report_text(out, walls);
	fputs(": ", out);
	report_text(out, text);
	fputs("</p>\n", out);
}

static void list(FILE *out, const char *what, const struct surface_names *names)
{
	if (!names->n)
		return;
	fprintf(out, "<p>%s (%zu): ", what, names->n);
	for (size_t i = 0; i < names->n; i++) {
		fputs(i ? ", " : "", out);
		report_text(out, names->name[i]);
	}
	fputs("</p>\n", out);
}

static void details(const struct comparison *c, size_t wall, FILE *out)
{
	const struct compare_surface *s = &c->surface[wall];

	if (!s->measured)
		return;
	fputs("<details><summary>", out);
	report_text(out, c->wall[wall].name);
	fputs(": the calls by name</summary>\n", out);
	for (size_t i = 0; i < s->nparts; i++) {
		const struct surface_part *p = &s->part[i];

		fputs("<h3>", out);
		report_text(out, p->name);
		fputs("</h3>\n", out);
		if (p->facing && p->filters == 0)
			fputs("<p>no filter: every call is let through</p>\n", out);
		list(out, "let through", &p->whole);
		list(out, "with some arguments only", &p->some);
		list(out, "used", &p->used);
	}
	for (size_t i = 0; i < s->nexits; i++) {
		fputs(i ? ", " : "<p>KVM's counts: ", out);
		report_text(out, s->exit[i].name);
		fprintf(out, " %lu", (unsigned long)s->exit[i].value);
	}
	fputs(s->nexits ? "</p></details>\n" : "</details>\n", out);
}

void report_write_surface_html(const struct comparison *c, FILE *out)
{
	char text[CELL];

	if (!is_any(c))
		return;
	fprintf(out,
		"<h2>What of the host's kernel is within reach</h2>\n<p class=\"soft\">From runs "
		"of "
		"their own, traced. This architecture has %u system calls.</p>\n"
		"<div class=\"scroll\"><table><thead><tr><th scope=\"col\">what</th>"
		"<th scope=\"col\">which</th>",
		c->calls_known);
	for (size_t w = 0; w < c->nwalls; w++) {
		fputs("<th scope=\"col\">", out);
		report_text(out, c->wall[w].name);
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (enum row row = CALLS; row < ROWS; row++) {
		if (!has_row(c, row))
			continue;
		fprintf(out, "<tr><th scope=\"row\">%s</th><td class=\"text\">%s</td>",
			rows[row].name, rows[row].about);
		for (size_t w = 0; w < c->nwalls; w++) {
			cell(c, w, row, text);
			fprintf(out, "<td>%s</td>", text);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
	tell_problems(c, out, tell_paragraph);
	for (size_t w = 0; w < c->nwalls; w++)
		details(c, w, out);
}
