/*
 * report_text.c - see report.h.  Five walls fit into 100 columns; of more the
 * last ones are left out, and a line says so.
 */
#include <math.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/advice.h"
#include "vmm/compare/choice.h"
#include "vmm/compare/report.h"

#define FITTING 5
#define WRAP	98

/* In six columns: three significant digits or more, and no exponent. */
static void figure(char out[16], double v)
{
	if (isnan(v))
		snprintf(out, 16, "-");
	else if (v >= 999999.5)
		snprintf(out, 16, "%.*fM", v < 99.95e6 ? 1 : 0, v / 1e6);
	else if (v >= 100)
		snprintf(out, 16, "%.0f", v);
	else
		snprintf(out, 16, v >= 10 ? "%.1f" : "%.2f", v);
}

static void wrapped(FILE *out, const char *text)
{
	while (strlen(text) > WRAP) {
		size_t n = WRAP;

		while (n > 1 && text[n] != ' ')
			n--;
		if (n == 1)
			n = WRAP;
		fprintf(out, "%.*s\n", (int)n, text);
		text += n + (text[n] == ' ');
	}
	fprintf(out, "%s\n", text);
}

static void write_head(const struct comparison *c, FILE *out)
{
	const struct compare_host *h = &c->host;
	char text[4 * COMPARE_TEXT];

	fprintf(out, "%s%.80s\n", c->command[0] ? "Compared: " : "Compared: the suite ",
		c->command[0] ? c->command : c->suite);
	snprintf(text, sizeof(text), "Host: %s, %u core%s, %s, load %.2f before. Mitigations: %s.",
		 h->cpu[0] ? h->cpu : "unknown processor", h->cores, h->cores == 1 ? "" : "s",
		 h->kernel, h->load, h->mitigations[0] ? h->mitigations : "unknown");
	wrapped(out, text);
	if (h->label[0])
		fprintf(out, "KVM: %s, %s.%s\n", h->backend, h->label,
			advice_is_hardware(c)
				? ""
				: " The ratios of vm here are not those of hardware.");
	if (h->disk[0])
		fprintf(out, "Disk: %s.\n", h->disk);
	fprintf(out, "%u run%s of each, in random order (seed %lu); medians%s.\n\n", c->runs,
		c->runs == 1 ? "" : "s", (unsigned long)c->seed,
		c->complete ? "" : "; INTERRUPTED, this is what was done");
}

/* "12.3 x1.05+": median, ratio to the base, and its verdict. */
static void write_cell(const struct finding *f, FILE *out)
{
	static const char marks[] = { ' ', '?', '=', '+', '-' };
	char median[16], ratio[16] = "";

	figure(median, f->median);
	if (!isnan(f->ratio))
		snprintf(ratio, sizeof(ratio), f->ratio >= 100 ? "x%.0f" : "x%.2f", f->ratio);
	fprintf(out, " %6s %6s%c", median, ratio, marks[f->verdict]);
}

static bool has_values(const struct compare_row *row)
{
	for (size_t w = 0; w < COMPARE_WALLS; w++)
		if (row->wall[w].n)
			return true;
	return false;
}

static void write_rows(const struct comparison *c, const struct analysis *a, FILE *out)
{
	size_t shown = MIN(c->nwalls, (size_t)FITTING);
	const char *workload = "";

	fprintf(out, "%-25s", "");
	for (size_t w = 0; w < shown; w++)
		fprintf(out, " %14.14s", c->wall[w].name);
	fputc('\n', out);
	for (size_t i = 0; i < c->nrows; i++) {
		char name[128];

		if (!has_values(&c->row[i]))
			continue;
		snprintf(name, sizeof(name), "%s, %s", c->row[i].quantity, c->row[i].unit);
		if (strcmp(c->row[i].workload, workload) != 0)
			fprintf(out, "%s\n", workload = c->row[i].workload);
		fprintf(out, "  %-23.23s", name);
		for (size_t w = 0; w < shown; w++)
			write_cell(&a->row[i][w], out);
		fputc('\n', out);
	}
	for (size_t w = shown; w < c->nwalls; w++)
		fprintf(out, "%s does not fit in here; it is in the JSON and the page.\n",
			c->wall[w].name);
}

/* Each reason once for a workload, though all of its rows have it. */
static void write_missing(const struct comparison *c, FILE *out)
{
	for (size_t w = 0; w < c->nwalls; w++)
		for (size_t i = 0; i < c->nrows; i++) {
			const struct compare_row *row = &c->row[i], *before = row - (i > 0);
			bool known = c->wall[w].problem[0] || row->wall[w].n;
			const char *why = known ? "" : row->wall[w].why;
			char text[4 * COMPARE_TEXT];

			if (!why[0] ||
			    (before != row && strcmp(before->workload, row->workload) == 0 &&
			     strcmp(before->wall[w].why, why) == 0))
				continue;
			snprintf(text, sizeof(text), "%s has no %s: %s", c->wall[w].name,
				 row->workload, why);
			wrapped(out, text);
		}
}

/* Who died of wanting more memory than the limit. */
static void write_ends(const struct comparison *c, FILE *out)
{
	for (size_t w = 0; w < c->nwalls; w++)
		for (size_t i = 0; i < c->wall[w].nends; i++) {
			const struct compare_end *end = &c->wall[w].end[i];
			char text[2 * COMPARE_TEXT];

			snprintf(text, sizeof(text), "%s, past its memory: %s (%u %s)",
				 c->wall[w].name, end->text, end->times,
				 end->times == 1 ? "run" : "runs");
			wrapped(out, text);
		}
}

/* Which wall for what. */
static void write_choices(const struct comparison *c, const struct analysis *a, FILE *out)
{
	char text[ADVICE_TEXT];
	bool any = false;

	for (size_t i = 0; i < CHOICES; i++)
		if (choice_sentence(c, a, i, text)) {
			wrapped(out, text);
			any = true;
		}
	if (any)
		fputc('\n', out);
}

void report_write_text(const struct comparison *c, const struct analysis *a, FILE *out)
{
	char text[ADVICE_TEXT];

	write_head(c, out);
	write_choices(c, a, out);
	for (size_t i = 0; advice_sentence(c, a, i, text); i++)
		wrapped(out, text);
	fputc('\n', out);
	write_rows(c, a, out);
	fprintf(out,
		"\nx: ratio to %s. '=' no difference, '+' better, '-' worse: rank test with "
		"Holm's\n"
		"correction over all rows at 5 %%, and by more than 2 %%. '?' too few runs to "
		"find one.\nM: millions.\n",
		a->base < 0 ? "nothing" : c->wall[a->base].name);
	write_missing(c, out);
	write_ends(c, out);
	for (size_t w = 0; w < c->nwalls; w++) {
		if (c->wall[w].problem[0]) {
			snprintf(text, sizeof(text), "%s cannot run here: %s", c->wall[w].name,
				 c->wall[w].problem);
			wrapped(out, text);
		}
		if (c->wall[w].failures) {
			snprintf(text, sizeof(text), "%s: %u runs failed, the first one with: %s",
				 c->wall[w].name, c->wall[w].failures, c->wall[w].failure);
			wrapped(out, text);
		}
	}
	report_write_attempts(c, out);
	report_write_surface(c, out);
}

void report_write_difference(const struct comparison *before, const struct comparison *after,
			     FILE *out)
{
	fprintf(out, "before: %s, %s\nafter:  %s, %s\n\n", before->started, before->host.kernel,
		after->started, after->host.kernel);
	fprintf(out, "%-36s %-10s %10s %10s %8s\n", "", "wall", "before", "after", "ratio");
	for (size_t i = 0; i < before->nrows; i++)
		for (size_t j = 0; j < after->nrows; j++) {
			const struct compare_row *x = &before->row[i], *y = &after->row[j];

			if (strcmp(x->workload, y->workload) != 0 ||
			    strcmp(x->quantity, y->quantity) != 0)
				continue;
			for (size_t w = 0; w < before->nwalls; w++) {
				int v = comparison_wall(after, before->wall[w].name);
				char name[128], from[16], to[16];
				double a, b;

				if (v < 0 || !x->wall[w].n || !y->wall[v].n)
					continue;
				a = stats_median(x->wall[w].value, x->wall[w].n);
				b = stats_median(y->wall[v].value, y->wall[v].n);
				figure(from, a);
				figure(to, b);
				snprintf(name, sizeof(name), "%.12s %s, %s", x->workload,
					 x->quantity, x->unit);
				fprintf(out, "%-36.36s %-10.10s %10s %10s %8.2f%s\n", name,
					before->wall[w].name, from, to, b / a,
					stats_rank_sum_p(x->wall[w].value, x->wall[w].n,
							 y->wall[v].value, y->wall[v].n) < 0.05
						? ""
						: " =");
			}
		}
}
