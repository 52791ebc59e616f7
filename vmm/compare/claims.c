/* claims.c - see claims.h. */
#include "vmm/compare/claims.h"

#include <math.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/report_parts.h"

struct claim {
	const char *said, *wall, *workload, *quantity, *how;
};

static const struct claim claims[] = {
	{ "A process wall costs 5 to 10 % of the processor's work", "process", "cpu", "integer",
	  "ratio to none, work in registers" },
	{ "A virtual machine costs 15 to 30 % of the processor's work", "vm", "cpu", "integer",
	  "ratio to none, work in registers" },
	{ "A virtual machine costs 15 to 30 % of memory's speed", "vm", "memory", "chase-64M",
	  "ratio to none, a chain of loads over 64 MiB" },
	{ "A container starts in less than 200 ms", "process", "start", "exit",
	  "milliseconds from exec to exit, medians" },
	{ "A virtual machine starts in minutes", "vm", "start", "exit",
	  "milliseconds from exec to exit, medians" },
	{ "System calls cost more behind a process wall, because of its filter", "process", "calls",
	  "getppid", "ratio to none, a call that does nothing" },
	{ "System calls cost nothing in a virtual machine, because its own kernel answers", "vm",
	  "calls", "getppid", "ratio to none, a call that does nothing" },
	{ "Neighbours make containers wait for more than 500 ms", "process", "neighbour",
	  "processor-longest", "the longest of 500 delays beside a neighbour that computes" },
	{ "Virtual machines do not feel their neighbours", "vm", "neighbour", "processor-longest",
	  "the longest of 500 delays beside a neighbour that computes" },
};

static const struct finding *find(const struct comparison *c, const struct analysis *a,
				  const struct claim *claim, const char **ret_unit)
{
	int wall = comparison_wall(c, claim->wall);

	*ret_unit = "";

	for (size_t i = 0; wall >= 0 && i < c->nrows; i++)
		if (strcmp(c->row[i].workload, claim->workload) == 0 &&
		    strcmp(c->row[i].quantity, claim->quantity) == 0) {
			*ret_unit = c->row[i].unit;
			return &a->row[i][wall];
		}
	return NULL;
}

/* Is it about a time and not about what a wall adds? */
static bool is_absolute(const struct claim *claim)
{
	return strcmp(claim->workload, "start") == 0 || strcmp(claim->workload, "neighbour") == 0;
}

static void figure(const struct finding *f, const char *unit, FILE *out)
{
	fprintf(out, "%.4g ", f->median);
	report_text(out, unit);
	fprintf(out, " [%.4g, %.4g]", f->interval.low, f->interval.high);
}

void claims_write_html(const struct comparison *c, const struct analysis *a, FILE *out)
{
	if (c->command[0])
		return;
	fputs("<h2>What is said, and what was measured here</h2>\n<div "
	      "class=\"scroll\"><table><thead>"
	      "<tr><th scope=\"col\">claim</th><th scope=\"col\">measured here</th>"
	      "<th scope=\"col\">how</th></tr></thead><tbody>\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		const char *unit;
		const struct finding *f = find(c, a, &claims[i], &unit);

		fprintf(out, "<tr><td class=\"text\">%s</td><td>", claims[i].said);
		if (!f || !f->n)
			fputs("not measured", out);
		else if (is_absolute(&claims[i]))
			figure(f, unit, out);
		else if (isnan(f->ratio))
			fputs("nothing to compare with", out);
		else
			fprintf(out, "%+.1f %% [%+.1f, %+.1f]%s", 100 * (f->ratio - 1),
				100 * (f->ratio_interval.low - 1),
				100 * (f->ratio_interval.high - 1),
				f->verdict == FINDING_SAME  ? ": no difference"
				: f->verdict == FINDING_FEW ? ": too few runs"
							    : "");
		fprintf(out, "</td><td class=\"text\">%s</td></tr>\n", claims[i].how);
	}
	fputs("</tbody></table></div>\n", out);
}
