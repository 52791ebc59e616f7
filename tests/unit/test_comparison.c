/* test_comparison.c - verdicts, and reports written, read and refused. */
#include "vmm/compare/report.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"
#include "vmm/compare/advice.h"
#include "vmm/compare/choice.h"

#define N 20

static const char *const names[] = { "none", "process", "vm" };

/* none: 100 to 119; process: the same; vm: twice as much. */
static void fill(struct comparison *c)
{
	struct compare_row *time, *rate;

	comparison_init(c);
	strcpy(c->version, "1");
	strcpy(c->started, "2026-01-02T03:04:05Z");
	strcpy(c->suite, "quick");
	strcpy(c->host.label, "hardware");
	c->seed = 7;
	c->runs = N;
	c->complete = true;
	for (c->nwalls = 0; c->nwalls < 3; c->nwalls++)
		strcpy(c->wall[c->nwalls].name, names[c->nwalls]);
	time = comparison_row(c, "cpu", "integer", "ns", false);
	rate = comparison_row(c, "memory", "triad", "GB/s", true);
	for (int i = 0; i < N; i++)
		for (int w = 0; w < 3; w++) {
			double v = (100 + i) * (w == 2 ? 2 : 1) + (w == 1 ? 0.25 : 0);

			assert_int_equal(compare_series_add(&time->wall[w], v), 0);
			assert_int_equal(compare_series_add(&rate->wall[w], v), 0);
		}
}

static char *written(const struct comparison *c, int form)
{
	struct analysis a;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(analysis_make(c, &a), 0);
	if (form == 'j')
		assert_int_equal(report_write_json(c, f, NULL), 0);
	else if (form == 'h')
		report_write_html(c, &a, f);
	else
		report_write_text(c, &a, f);
	fclose(f);
	analysis_release(&a);
	return text;
}

static int read_text(const char *text, struct comparison *c, struct err *e)
{
	char path[] = "/tmp/test_comparison.XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	comparison_init(c);
	r = report_read_json(path, c, e);
	unlink(path);
	return r;
}

static void verdicts(void **state)
{
	struct comparison c;
	struct analysis a;

	(void)state;
	fill(&c);
	assert_int_equal(analysis_make(&c, &a), 0);
	assert_int_equal(a.base, 0);
	assert_int_equal(a.row[0][0].verdict, FINDING_NOTHING);
	assert_int_equal(a.row[0][1].verdict, FINDING_SAME);
	assert_int_equal(a.row[0][2].verdict, FINDING_WORSE);
	assert_int_equal(a.row[1][2].verdict, FINDING_BETTER);
	assert_true(fabs(a.row[0][2].ratio - 2) < 1e-9);
	assert_true(a.row[0][2].ratio_interval.low <= 2 && a.row[0][2].ratio_interval.high >= 2);
	assert_true(isnan(a.row[0][2].p99));
	analysis_release(&a);
	comparison_release(&c);
}

/* One per cent that every value shows is certain, and does not matter. */
static void small_differences_are_none(void **state)
{
	struct comparison c;
	struct analysis a;

	(void)state;
	fill(&c);
	for (size_t i = 0; i < N; i++) {
		c.row[0].wall[0].value[i] = 100 + (double)i / 1000;
		c.row[0].wall[1].value[i] = 101 + (double)i / 1000;
	}
	assert_int_equal(analysis_make(&c, &a), 0);
	assert_true(a.row[0][1].p < 0.001);
	assert_int_equal(a.row[0][1].verdict, FINDING_SAME);
	analysis_release(&a);
	comparison_release(&c);
}

static void cut(struct compare_row *row, size_t n)
{
	for (size_t w = 0; w < COMPARE_WALLS; w++)
		row->wall[w].n = MIN(row->wall[w].n, n);
}

static void choice_says(const struct comparison *c, size_t i, const char *want)
{
	struct analysis a;
	char got[ADVICE_TEXT] = "";

	assert_int_equal(analysis_make(c, &a), 0);
	if (!choice_sentence(c, &a, i, got))
		got[0] = '\0';
	assert_string_equal(got, want);
	analysis_release(&a);
}

/* Whichever wall wins is named, also when it is not the one that is expected. */
static void choices(void **state)
{
	static const double ms[] = { 20, 30, 10 }, mib[] = { 1, 2, 3 };
	struct comparison c;
	struct compare_row *exit, *memory;
	struct compare_attempt *attempt;

	(void)state;
	fill(&c);
	choice_says(&c, 1, "");
	exit = comparison_row(&c, "start", "exit", "ms", false);
	memory = comparison_row(&c, "idle", "memory", "MiB", false);
	attempt = comparison_attempt(&c, "file");
	for (size_t w = 0; w < 3; w++) {
		assert_int_equal(compare_series_add(&exit->wall[w], ms[w]), 0);
		assert_int_equal(compare_series_add(&memory->wall[w], mib[w]), 0);
		attempt->wall[w].verdict = COMPARE_REACHED;
	}
	choice_says(&c, 0,
		    "Code that is trusted: vm is done fastest (10.0 ms, x0.50 of none) and none "
		    "takes the least memory (1.0 MiB).");
	choice_says(&c, 1,
		    "Code that may try to get out: something got out of every wall that was "
		    "tried.");
	attempt->wall[1].verdict = COMPARE_BLOCKED;
	choice_says(&c, 1,
		    "Code that may try to get out: nothing got out of process; of it process is "
		    "done fastest (30.0 ms, x1.50 of none) and takes the least memory (2.0 MiB).");
	attempt->wall[2].verdict = COMPARE_CONTAINED;
	c.calls_known = 300;
	c.surface[1].measured = c.surface[2].measured = true;
	for (size_t w = 1; w < 3; w++) {
		struct surface_part *part = surface_part(&c.surface[w], "command");

		part->facing = true;
		part->filters = w == 1 ? 0 : 1;
		assert_int_equal(surface_names_add(&part->whole, "read"), 0);
	}
	choice_says(&c, 1,
		    "Code that may try to get out: nothing got out of process and vm; of these vm "
		    "is done fastest (10.0 ms, x0.50 of none) and process takes the least memory "
		    "(2.0 MiB); vm leaves the least of the host's kernel (1 of 300 system calls).");
	choice_says(&c, 2,
		    "Work in the processor and in memory: process costs nothing that could be "
		    "told; vm is slower in 1 of 2 rows (integer the most, 2.00 times), and is "
		    "faster in 1.");
	choice_says(&c, 3, "");
	strcpy(c.wall[2].problem, "it cannot");
	choice_says(&c, 0,
		    "Code that is trusted: none is done fastest (20.0 ms) and takes the least "
		    "memory (1.0 MiB).");
	comparison_release(&c);
}

/* What no values could have shown is not "no difference": 3 against 3 among four
 * comparisons.  5 against 5 are enough there, as long as one row is certain. */
static void few_runs_are_no_verdict(void **state)
{
	static const struct {
		size_t n;
		enum finding_verdict process, vm;
	} cases[] = { { 3, FINDING_FEW, FINDING_FEW }, { 5, FINDING_SAME, FINDING_WORSE } };
	struct comparison c;
	struct analysis a;
	char sentence[ADVICE_TEXT], *text;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fill(&c);
		cut(&c.row[0], cases[i].n);
		assert_int_equal(analysis_make(&c, &a), 0);
		assert_int_equal(a.row[0][1].verdict, cases[i].process);
		assert_int_equal(a.row[0][2].verdict, cases[i].vm);
		assert_int_equal(a.row[1][1].verdict, FINDING_SAME);
		assert_int_equal(a.row[1][2].verdict, FINDING_BETTER);
		assert_true(advice_sentence(&c, &a, 2, sentence));
		assert_int_equal(strstr(sentence, "1 with too few runs to say") != NULL, i == 0);
		text = written(&c, 't');
		assert_int_equal(strstr(text, "x2.00?") != NULL, i == 0);
		free(text);
		text = written(&c, 'h');
		assert_int_equal(strstr(text, ">too few runs<") != NULL, i == 0);
		free(text);
		analysis_release(&a);
		comparison_release(&c);
	}
}

static void nothing_measured(void **state)
{
	struct comparison c;
	struct analysis a;

	(void)state;
	comparison_init(&c);
	assert_int_equal(analysis_make(&c, &a), 0);
	assert_int_equal(a.base, -1);
	analysis_release(&a);
	comparison_release(&c);
}

static void read_back(void **state)
{
	struct comparison c, d;
	char *first, *second;

	(void)state;
	fill(&c);
	strcpy(c.wall[2].problem, "no \"KVM\"");
	strcpy(c.host.disk, "tmpfs");
	c.row[1].wall[2].n = 0;
	strcpy(c.row[1].wall[2].why, "no <bridge>");
	first = written(&c, 'j');
	assert_int_equal(read_text(first, &d, NULL), 0);
	assert_string_equal(d.host.disk, "tmpfs");
	assert_string_equal(d.row[1].wall[2].why, "no <bridge>");
	second = written(&d, 'j');
	assert_string_equal(first, second);
	free(first);
	free(second);
	comparison_release(&c);
	comparison_release(&d);
}

/* `from` in a good report replaced by `to`. */
static void refuse(const char *from, const char *to, const char *why)
{
	char *text, *at, *bad;
	struct comparison c;
	struct err e = { "" };

	fill(&c);
	text = written(&c, 'j');
	comparison_release(&c);
	at = strstr(text, from);
	assert_non_null(at);
	*at = '\0';
	assert_true(asprintf(&bad, "%s%s%s", text, to, at + strlen(from)) > 0);
	assert_true(read_text(bad, &c, &e) < 0);
	if (!strstr(e.text, why))
		fail_msg("'%s' does not say '%s'", e.text, why);
	comparison_release(&c);
	free(bad);
	free(text);
}

/* Verdicts of attempts are kept; one that does not exist is refused. */
static void attempts_read_back(void **state)
{
	char path[] = "/tmp/bulkhead-test.XXXXXX", sentence[ADVICE_TEXT], *text, *at;
	int fd = mkstemp(path);
	struct comparison c, back;
	struct compare_attempt *a;
	struct analysis analysis;

	(void)state;
	assert_true(fd >= 0);
	fill(&c);
	a = comparison_attempt(&c, "kcore");
	assert_null(comparison_attempt(&c, "kcore"));
	a->wall[0] = (struct compare_outcome){ COMPARE_REACHED, "the host's kernel" };
	a->wall[1] = (struct compare_outcome){ COMPARE_BLOCKED, "EPERM" };
	text = written(&c, 'j');
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	comparison_init(&back);
	assert_int_equal(report_read_json(path, &back, NULL), 0);
	assert_int_equal(back.nattempts, 1);
	assert_memory_equal(&back.attempt[0], a, sizeof(*a));
	assert_int_equal(analysis_make(&back, &analysis), 0);
	assert_true(advice_sentence(&back, &analysis, 0, sentence));
	assert_non_null(strstr(sentence, "1 of 1 attempts reach the host"));
	analysis_release(&analysis);
	comparison_release(&back);
	at = strstr(text, "\"blocked\"");
	memcpy(at, "\"blacked\"", 9);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	comparison_init(&back);
	assert_int_equal(report_read_json(path, &back, NULL), -EINVAL);
	comparison_release(&back);
	comparison_release(&c);
	free(text);
	close(fd);
	unlink(path);
}

static void bad_reports(void **state)
{
	struct comparison c;
	struct err e = { "" };

	(void)state;
	refuse("\"comparison\": 1", "\"comparison\": 2", "version is 2");
	refuse("\"comparison\": 1,", "", "no comparison's report");
	refuse("\"name\": \"process\"", "\"name\": \"none\"", "two walls are called none");
	refuse("\"process\": [", "\"other\": [", "not in the list");
	refuse("\"missing\": {}", "\"missing\": {\"a\": \"b\"}", "not in the list");
	refuse("\"missing\": {}", "\"missing\": {\"vm\": 1}", "'vm' is missing, or no text");
	refuse("\"ends\": []", "\"ends\": 1", "'ends' is no list");
	refuse("\"ends\": []", "\"ends\": [1, 2, 3, 4, 5]", "of at most 4");
	refuse("\"ends\": []", "\"ends\": [{\"times\": 1}]", "'text' is missing");
	refuse("\"ends\": []", "\"ends\": [{\"text\": \"a\", \"times\": -1}]", "'times'");
	refuse("100.0", "-1", "no positive number");
	refuse("100.0", "\"x\"", "no positive number");
	refuse("\"seed\": 7", "\"seed\": \"7\"", "'seed'");
	refuse("\"rows\"", "\"lines\"", "'rows' is no list");
	refuse("\"triad\"", "5", "'quantity'");
	assert_int_equal(read_text("{\"comparison\": 1, \"bulk", &c, &e), -EINVAL);
	comparison_release(&c);
	assert_int_equal(read_text("[]", &c, &e), -EINVAL);
	comparison_release(&c);
	comparison_init(&c);
	assert_int_equal(report_read_json("/nonexistent", &c, &e), -ENOENT);
	assert_int_equal(report_read_json("/dev/null", &c, &e), -EFBIG);
	comparison_release(&c);
}

static void table_fits(void **state)
{
	struct comparison c;
	char *text, *save = NULL;

	(void)state;
	fill(&c);
	memset(c.wall[1].problem, 'x', sizeof(c.wall[1].problem) - 1);
	text = written(&c, 't');
	assert_non_null(strstr(text, "process: cannot run here"));
	assert_non_null(strstr(text, "x2.00-"));
	assert_non_null(strstr(text, "x2.00+"));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strlen(line) > 100)
			fail_msg("%zu columns: %s", strlen(line), line);
	free(text);
	comparison_release(&c);
}

/* How often who died is counted, kept and told; what older reports lack is none. */
static void ends_are_told(void **state)
{
	struct comparison c, back;
	char *first, *second, *at, number[] = "end 0";

	(void)state;
	fill(&c);
	comparison_end(&c.wall[1], "it <died>");
	comparison_end(&c.wall[1], "it <died>");
	comparison_end(&c.wall[1], "it lived");
	for (; number[4] < '9'; number[4]++)
		comparison_end(&c.wall[2], number);
	assert_int_equal(c.wall[1].nends, 2);
	assert_int_equal(c.wall[2].nends, COMPARE_ENDS);
	first = written(&c, 't');
	assert_non_null(strstr(first, "process, past its memory: it <died> (2 runs)"));
	assert_non_null(strstr(first, "process, past its memory: it lived (1 run)"));
	free(first);
	first = written(&c, 'h');
	assert_non_null(strstr(first, "<li>process: it &lt;died&gt; (2 runs)</li>"));
	free(first);
	first = written(&c, 'j');
	assert_int_equal(read_text(first, &back, NULL), 0);
	second = written(&back, 'j');
	assert_string_equal(first, second);
	comparison_release(&back);
	while ((at = strstr(first, "\"ends\"")) != NULL)
		memcpy(at, "\"were\"", strlen("\"were\""));
	assert_int_equal(read_text(first, &back, NULL), 0);
	assert_int_equal(back.wall[1].nends, 0);
	free(first);
	first = written(&back, 'h');
	assert_null(strstr(first, "who dies"));
	free(first);
	free(second);
	comparison_release(&back);
	comparison_release(&c);
}

/* A reason is told once for a workload, in the table and the page, and not of a
 * wall that cannot run at all. */
static void reasons_are_told(void **state)
{
	struct comparison c;
	char *text, *at;

	(void)state;
	fill(&c);
	for (size_t i = 0; i < 2; i++)
		for (size_t w = 1; w < 3; w++) {
			strcpy(c.row[i].workload, "net");
			c.row[i].wall[w].n = 0;
			strcpy(c.row[i].wall[w].why, "no <bridge>");
		}
	strcpy(c.wall[1].problem, "it cannot");
	text = written(&c, 't');
	at = strstr(text, "vm has no net: no <bridge>");
	assert_non_null(at);
	assert_null(strstr(at + 10, "has no net"));
	assert_null(strstr(text, "process has no net"));
	free(text);
	text = written(&c, 'h');
	assert_non_null(strstr(text, "no &lt;bridge&gt;"));
	free(text);
	comparison_release(&c);
}

static void page_escapes(void **state)
{
	struct comparison c;
	char *text;

	(void)state;
	fill(&c);
	strcpy(c.host.cpu, "<script>alert(1)</script>");
	strcpy(c.wall[2].name, "\"><b>");
	/* A quantity that has a chart of its own, and a claim. */
	strcpy(c.row[0].workload, "start");
	strcpy(c.row[0].quantity, "exit");
	strcpy(c.row[0].unit, "<img/src=//x>");
	text = written(&c, 'h');
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "<img"));
	assert_null(strstr(text, "\"><b>"));
	assert_non_null(strstr(text, "&lt;script&gt;"));
	assert_non_null(strstr(text, "</html>"));
	free(text);
	comparison_release(&c);
}

static void emulated_is_labelled(void **state)
{
	struct comparison c;
	char *text;

	(void)state;
	fill(&c);
	strcpy(c.host.label, "emulated (TCG)");
	for (int form = 0; form < 2; form++) {
		text = written(&c, "th"[form]);
		assert_non_null(strstr(text, "not those of hardware"));
		free(text);
	}
	comparison_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(small_differences_are_none),
		cmocka_unit_test(choices),
		cmocka_unit_test(few_runs_are_no_verdict),
		cmocka_unit_test(read_back),
		cmocka_unit_test(nothing_measured),
		cmocka_unit_test(attempts_read_back),
		cmocka_unit_test(bad_reports),
		cmocka_unit_test(table_fits),
		cmocka_unit_test(ends_are_told),
		cmocka_unit_test(reasons_are_told),
		cmocka_unit_test(page_escapes),
		cmocka_unit_test(emulated_is_labelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
