/*
 * report_html.c - see report.h.  One page: styles within, charts as inline SVG
 * with a text alternative each, no scripts.  Every text is escaped, because a
 * report may come from anybody.
 */
#include <math.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/advice.h"
#include "vmm/compare/choice.h"
#include "vmm/compare/claims.h"
#include "vmm/compare/report.h"
#include "vmm/compare/report_parts.h"

#define CHART_WIDTH 440 /* in units of the drawing: it scales */
#define LABEL_WIDTH 70
#define BAR_HEIGHT  22
#define STRIP	    120 /* height of a distribution's drawing */

static const char style[] =
	":root{color-scheme:light dark;--ink:#1c2430;--paper:#fff;--soft:#5b6778;--line:#d5dbe3;"
	"--bar:#2f6fb3;--mark:#b3452f;--good:#1f7a3d;--bad:#a3261b}\n"
	"@media(prefers-color-scheme:dark){:root{--ink:#e3e8ef;--paper:#141a22;--soft:#9aa7b8;"
	"--line:#36414f;--bar:#6aa6e6;--mark:#f0907c;--good:#6fcf8e;--bad:#ff8f84}}\n"
	"body{margin:0 auto;padding:1rem;max-width:60rem;color:var(--ink);background:var(--paper);"
	"font:1rem/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}\n"
	".scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
	"\n"
	"th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;"
	"white-space:nowrap}th:first-child,td:first-child{text-align:left}\n"
	"td.text{white-space:normal;text-align:left}.soft{color:var(--soft)}\n"
	".better{color:var(--good)}.worse{color:var(--bad)}.label{border:2px solid var(--mark);"
	"padding:.5rem .8rem}\n"
	"svg{width:100%;height:auto;max-width:46rem}svg text{fill:var(--ink);font:13px "
	"system-ui,sans-serif}figure{margin:1rem 0}\n"
	"@media print{body{max-width:none}figure,tr{break-inside:avoid}}\n";

void report_text(FILE *out, const char *s)
{
	for (; *s; s++)
		switch (*s) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*s, out);
		}
}

static void element(FILE *out, const char *before, const char *s, const char *after)
{
	fputs(before, out);
	report_text(out, s);
	fputs(after, out);
}

/* Four significant digits, and no exponent. */
static const char *figure(char out[32], double v)
{
	snprintf(out, 32, v >= 1000 ? "%.0f" : "%.4g", v);
	return out;
}

static void head(const struct comparison *c, FILE *out)
{
	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	      "<title>Bulkhead: the price of each wall</title>\n<style>\n",
	      out);
	fputs(style, out);
	fputs("</style></head><body><main>\n<h1>The price of each wall</h1>\n", out);
	element(out, "<p>Compared: <strong>", c->command[0] ? c->command : c->suite, "</strong>");
	fprintf(out,
		", %u run%s of each behind each wall, interleaved in random order (seed %lu), ",
		c->runs, c->runs == 1 ? "" : "s", (unsigned long)c->seed);
	element(out, "", c->started, ".");
	fprintf(out, "%s</p>\n",
		c->complete ? "" : " <strong>Interrupted: this is what was done.</strong>");
}

static void host(const struct comparison *c, FILE *out)
{
	const struct compare_host *h = &c->host;

	element(out, "<h2>The host</h2>\n<p>", h->cpu, "");
	fprintf(out, ", %u core%s, load %.2f before; ", h->cores, h->cores == 1 ? "" : "s",
		h->load);
	element(out, "", h->kernel, ".</p>\n");
	element(out, "<p class=\"soft\">Mitigations: ", h->mitigations, "</p>\n");
	if (h->disk[0])
		element(out, "<p>The rows of disk: ", h->disk, ".</p>\n");
	if (h->label[0]) {
		element(out, advice_is_hardware(c) ? "<p>" : "<p class=\"label\">", "KVM: ", "");
		element(out, "", h->backend, ", ");
		element(out, "", h->label, "");
		fputs(advice_is_hardware(c) ? ".</p>\n"
					    : ". The ratios of the virtual machine here are not "
					      "those of hardware.</p>\n",
		      out);
	}
}

static void advice(const struct comparison *c, const struct analysis *a, FILE *out)
{
	char sentence[ADVICE_TEXT];

	fputs("<h2>In short</h2>\n<ul>\n", out);
	for (size_t i = 0; i < CHOICES; i++)
		if (choice_sentence(c, a, i, sentence))
			element(out, "<li><strong>", sentence, "</strong></li>\n");
	for (size_t i = 0; advice_sentence(c, a, i, sentence); i++)
		element(out, "<li>", sentence, "</li>\n");
	fputs("</ul>\n", out);
	for (size_t w = 0; w < c->nwalls; w++) {
		if (c->wall[w].problem[0]) {
			element(out, "<p>", c->wall[w].name, " cannot run here: ");
			element(out, "", c->wall[w].problem, "</p>\n");
		}
		if (c->wall[w].failures) {
			element(out, "<p>", c->wall[w].name, "");
			fprintf(out, ": %u runs failed, the first one with: ", c->wall[w].failures);
			element(out, "", c->wall[w].failure, "</p>\n");
		}
	}
}

static void cell(const struct finding *f, const struct compare_series *s, FILE *out)
{
	static const char *const classes[] = { "", "soft", "", "better", "worse" };
	static const char *const words[] = { "", "too few runs", "no difference", "better",
					     "worse" };
	char median[32], low[32], high[32];

	if (f->n == 0) {
		element(out, "<td class=\"soft text\">", s->why[0] ? s->why : "-", "</td>");
		return;
	}
	fprintf(out, "<td>%s <span class=\"soft\">[%s, %s]</span>", figure(median, f->median),
		figure(low, f->interval.low), figure(high, f->interval.high));
	if (!isnan(f->ratio))
		fprintf(out, "<br>x%.3g [%.3g, %.3g] <span class=\"%s\">%s</span>", f->ratio,
			f->ratio_interval.low, f->ratio_interval.high, classes[f->verdict],
			words[f->verdict]);
	if (!isnan(f->p99))
		fprintf(out, "<br><span class=\"soft\">p99 %s</span>", figure(median, f->p99));
	fputs("</td>", out);
}

static void table(const struct comparison *c, const struct analysis *a, FILE *out)
{
	fputs("<h2>All figures</h2>\n<p class=\"soft\">Medians with 95 % intervals; below them the "
	      "ratio "
	      "to the base. A difference is one that a rank test finds at 5 % after Holm's "
	      "correction "
	      "over all rows, and that exceeds 2 %; where it could find none, however far apart "
	      "the values, there are too few runs.</p>\n<div class=\"scroll\"><table><thead><tr>"
	      "<th scope=\"col\">what</th><th scope=\"col\">unit</th>",
	      out);
	for (size_t w = 0; w < c->nwalls; w++)
		element(out, "<th scope=\"col\">", c->wall[w].name, "</th>");
	fputs("</tr></thead><tbody>\n", out);
	for (size_t i = 0; i < c->nrows; i++) {
		element(out, "<tr><th scope=\"row\">", c->row[i].workload, ": ");
		element(out, "", c->row[i].quantity, "</th>");
		element(out, "<td>", c->row[i].unit, "</td>");
		for (size_t w = 0; w < c->nwalls; w++)
			cell(&a->row[i][w], &c->row[i].wall[w], out);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

/* Who died of wanting more memory than the limit. */
static void ends(const struct comparison *c, FILE *out)
{
	bool any = false;

	for (size_t w = 0; w < c->nwalls; w++)
		for (size_t i = 0; i < c->wall[w].nends; i++) {
			const struct compare_end *end = &c->wall[w].end[i];

			fputs(any ? "" : "<h2>Past the memory limit, who dies</h2>\n<ul>\n", out);
			any = true;
			element(out, "<li>", c->wall[w].name, ": ");
			report_text(out, end->text);
			fprintf(out, " (%u %s)</li>\n", end->times,
				end->times == 1 ? "run" : "runs");
		}
	fputs(any ? "</ul>\n" : "", out);
}

static double largest(const struct compare_row *row, const struct analysis *a, size_t i,
		      size_t walls)
{
	double max = 0;

	(void)row;
	for (size_t w = 0; w < walls; w++)
		if (a->row[i][w].n)
			max = MAX(max, a->row[i][w].interval.high);
	return max;
}

/* A bar for each wall, with its interval. */
static void bars(const struct comparison *c, const struct analysis *a, size_t i, FILE *out)
{
	const struct compare_row *row = &c->row[i];
	double scale = (CHART_WIDTH - LABEL_WIDTH - 90) / largest(row, a, i, c->nwalls);
	char number[32];
	size_t n = 0;

	element(out, "<figure><figcaption>", row->workload, ": ");
	element(out, "", row->quantity, ", ");
	element(out, "", row->unit, row->higher ? " (more is better)" : " (less is better)");
	fprintf(out, "</figcaption>\n<svg viewBox=\"0 0 %d %zu\" role=\"img\" aria-label=\"",
		CHART_WIDTH, c->nwalls * BAR_HEIGHT);
	for (size_t w = 0; w < c->nwalls; w++)
		if (a->row[i][w].n) {
			report_text(out, c->wall[w].name);
			fprintf(out, " %s, ", figure(number, a->row[i][w].median));
		}
	fputs("\">", out);
	for (size_t w = 0; w < c->nwalls; w++) {
		const struct finding *f = &a->row[i][w];
		size_t y = n * BAR_HEIGHT;

		if (!f->n)
			continue;
		n++;
		fprintf(out, "<text x=\"0\" y=\"%zu\">", y + 15);
		report_text(out, c->wall[w].name);
		fprintf(out,
			"</text><rect x=\"%d\" y=\"%zu\" width=\"%.1f\" height=\"14\" "
			"fill=\"var(--bar)\"/>"
			"<path d=\"M%.1f %zuH%.1f\" stroke=\"var(--mark)\" stroke-width=\"3\"/>"
			"<text x=\"%.1f\" y=\"%zu\">%s</text>",
			LABEL_WIDTH, y + 4, f->median * scale,
			LABEL_WIDTH + f->interval.low * scale, y + 11,
			LABEL_WIDTH + f->interval.high * scale,
			LABEL_WIDTH + f->interval.high * scale + 8, y + 15,
			figure(number, f->median));
	}
	fputs("</svg></figure>\n", out);
}

/* Every start as a mark, on a logarithmic axis. */
static void distribution(const struct comparison *c, size_t i, FILE *out)
{
	const struct compare_row *row = &c->row[i];
	double low = INFINITY, high = 0, width;
	size_t n = 0;

	for (size_t w = 0; w < c->nwalls; w++)
		for (size_t j = 0; j < row->wall[w].n; j++) {
			low = MIN(low, row->wall[w].value[j]);
			high = MAX(high, row->wall[w].value[j]);
		}
	if (!(high > low))
		return;
	width = (CHART_WIDTH - LABEL_WIDTH - 20) / log(high / low);
	element(out, "<figure><figcaption>Every run: ", row->quantity, ", ");
	report_text(out, row->unit);
	fprintf(out, ", from %.3g to %.3g on a logarithmic axis</figcaption>\n", low, high);
	fprintf(out,
		"<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Each run of each wall as a "
		"mark; "
		"the table below has the medians\">",
		CHART_WIDTH, STRIP);
	for (size_t w = 0; w < c->nwalls; w++) {
		double y = 8 + (double)n * (STRIP - 12.0) / COMPARE_WALLS;

		if (!row->wall[w].n)
			continue;
		n++;
		fprintf(out, "<text x=\"0\" y=\"%.1f\">", y + 5);
		report_text(out, c->wall[w].name);
		fputs("</text>", out);
		for (size_t j = 0; j < MIN(row->wall[w].n, (size_t)1000); j++)
			fprintf(out,
				"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"var(--bar)\" "
				"fill-opacity=\".45\"/>",
				LABEL_WIDTH + 6 + width * log(row->wall[w].value[j] / low), y);
	}
	fputs("</svg></figure>\n", out);
}

static void charts(const struct comparison *c, const struct analysis *a, FILE *out)
{
	fputs("<h2>Charts</h2>\n", out);
	for (size_t i = 0; i < c->nrows; i++) {
		if (a->base < 0 || largest(&c->row[i], a, i, c->nwalls) <= 0)
			continue;
		bars(c, a, i, out);
		if (strcmp(c->row[i].quantity, "exit") == 0)
			distribution(c, i, out);
	}
	report_curve(c, a, out);
}

void report_write_html(const struct comparison *c, const struct analysis *a, FILE *out)
{
	head(c, out);
	advice(c, a, out);
	host(c, out);
	charts(c, a, out);
	claims_write_html(c, a, out);
	table(c, a, out);
	ends(c, out);
	report_write_attempts_html(c, out);
	report_write_surface_html(c, out);
	element(out, "<p class=\"soft\">Made by bulkhead ", c->version,
		".</p>\n</main></body></html>\n");
}
