/*
 * report_attempts.c - what came through each wall, see report.h.  An attempt
 * that fails without a wall as well says nothing about walls: it is marked.
 */
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/report.h"

#define FITTING 5 /* walls in 100 columns */

static bool fails_without_wall(const struct comparison *c, const struct compare_attempt *a)
{
	int none = comparison_wall(c, "none");

	return none >= 0 && a->wall[none].verdict == COMPARE_BLOCKED;
}

static size_t count(const struct comparison *c, size_t wall, enum compare_verdict verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nattempts; i++)
		n += c->attempt[i].wall[wall].verdict == verdict;
	return n;
}

/* "REACHED" stands out; of the others the reason says more than the word. */
static void write_cell(const struct compare_outcome *o, FILE *out)
{
	char text[COMPARE_OUTCOME + 16];

	if (o->verdict == COMPARE_REACHED)
		snprintf(text, sizeof(text), "REACHED");
	else if (o->verdict == COMPARE_CONTAINED)
		snprintf(text, sizeof(text), "contained");
	else if (o->verdict == COMPARE_BLOCKED)
		snprintf(text, sizeof(text), "%s", o->text);
	else
		snprintf(text, sizeof(text), "(not run)");
	fprintf(out, " %-13.13s", text);
}

void report_write_attempts(const struct comparison *c, FILE *out)
{
	size_t shown = MIN(c->nwalls, (size_t)FITTING);

	if (c->nattempts == 0)
		return;
	fprintf(out,
		"\nAttempts to get through (why it was blocked; contained: hurts itself "
		"only)\n%-25s",
		"");
	for (size_t w = 0; w < shown; w++)
		fprintf(out, " %-13.13s", c->wall[w].name);
	fputc('\n', out);
	for (size_t i = 0; i < c->nattempts; i++) {
		fprintf(out, "  %-21.21s%2s", c->attempt[i].name,
			fails_without_wall(c, &c->attempt[i]) ? "* " : "");
		for (size_t w = 0; w < shown; w++)
			write_cell(&c->attempt[i].wall[w], out);
		fputc('\n', out);
	}
	for (size_t w = 0; w < c->nwalls; w++)
		if (!c->wall[w].problem[0])
			fprintf(out,
				"%s: %zu reached the host, %zu contained, %zu blocked, %zu not "
				"run.\n",
				c->wall[w].name, count(c, w, COMPARE_REACHED),
				count(c, w, COMPARE_CONTAINED), count(c, w, COMPARE_BLOCKED),
				count(c, w, COMPARE_NOT_RUN));
	fputs("*: blocked without a wall as well, by this host or for want of rights.\n", out);
}

static void text(FILE *out, const char *s)
{
	for (; *s; s++)
		if (*s == '<' || *s == '>' || *s == '&' || *s == '"')
			fprintf(out, "&#%d;", *s);
		else
			fputc(*s, out);
}

void report_write_attempts_html(const struct comparison *c, FILE *out)
{
	if (c->nattempts == 0)
		return;
	fputs("<h2>Attempts to get through</h2>\n<p>Blocked: by the error or signal that is named. "
	      "Contained: it hurts only what is behind the wall. Reached: the host. "
	      "*: blocked without a wall as well, by this host or for want of rights.</p>\n"
	      "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">attempt</th>"
	      "<th scope=\"col\">success would give</th>",
	      out);
	for (size_t w = 0; w < c->nwalls; w++) {
		fputs("<th scope=\"col\">", out);
		text(out, c->wall[w].name);
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (size_t i = 0; i < c->nattempts; i++) {
		const struct compare_attempt *a = &c->attempt[i];

		fputs("<tr><th scope=\"row\">", out);
		text(out, a->name);
		fprintf(out, "%s</th><td class=\"text\">", fails_without_wall(c, a) ? " *" : "");
		text(out, a->gives);
		fputs("</td>", out);
		for (size_t w = 0; w < c->nwalls; w++) {
			const struct compare_outcome *o = &a->wall[w];
			bool reached = o->verdict == COMPARE_REACHED;

			fprintf(out, "<td class=\"text\">%s%s%s", reached ? "<strong>" : "",
				compare_verdict_name(o->verdict), reached ? "</strong>" : "");
			if (o->text[0]) {
				fputs(": ", out);
				text(out, o->text);
			}
			fputs("</td>", out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}
