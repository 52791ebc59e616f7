/* test_trust.c - what is said of a wall comes from what was measured of it, and
 * that is kept in a report. */
#include "vmm/compare/trust.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"
#include "vmm/compare/report.h"
#include "vmm/compare/surface_trace.h"

static void begin(struct comparison *c, const char *wall)
{
	comparison_init(c);
	strcpy(c->version, "1");
	strcpy(c->started, "2026-01-02T03:04:05Z");
	strcpy(c->suite, "quick");
	strcpy(c->wall[0].name, wall);
	c->nwalls = 1;
	c->calls_known = 400;
}

/* A process with so many calls that are let through, some by their arguments. */
static void add_part(struct comparison *c, const char *name, int filters, int whole, int some,
		     int used)
{
	struct surface_part *p = surface_part(&c->surface[0], name);
	char call[16];

	c->surface[0].measured = true;
	c->surface[0].runs = 5;
	p->facing = strcmp(name, SURFACE_OWN) != 0;
	p->filters = filters;
	for (int i = 0; i < whole + some; i++) {
		snprintf(call, sizeof(call), "call%d", i);
		assert_int_equal(surface_names_add(i < whole ? &p->whole : &p->some, call), 0);
	}
	for (int i = 0; i < used; i++) {
		snprintf(call, sizeof(call), "call%d", i);
		assert_int_equal(surface_names_add(&p->used, call), 0);
	}
}

static void add_attempt(struct comparison *c, const char *name, enum compare_verdict verdict,
			const char *text)
{
	struct compare_attempt *a = comparison_attempt(c, name);

	a->wall[0].verdict = verdict;
	snprintf(a->wall[0].text, sizeof(a->wall[0].text), "%s", text);
}

static void expect(struct comparison *c, const char *sentence)
{
	char out[TRUST_TEXT];

	assert_true(trust_tell(c, 0, out));
	assert_string_equal(out, sentence);
	comparison_release(c);
}

static void nothing_known(void **state)
{
	char out[TRUST_TEXT];
	struct comparison c;

	(void)state;
	begin(&c, "process");
	assert_false(trust_tell(&c, 0, out));
	add_attempt(&c, "kcore", COMPARE_NOT_RUN, "no limit");
	assert_false(trust_tell(&c, 0, out));
	comparison_release(&c);
}

/* Whatever the wall is called: what counts is what was found. */
static void without_filter(void **state)
{
	struct comparison c;

	(void)state;
	begin(&c, "process");
	add_part(&c, SURFACE_OWN, -1, 0, 0, 50);
	add_part(&c, SURFACE_COMMAND, 0, 0, 0, 20);
	expect(&c, "the host's kernel, with all of its 400 system calls: no filter holds any back; "
		   "the workloads used 20");
}

static void with_filter(void **state)
{
	struct comparison c;

	(void)state;
	begin(&c, "none");
	add_part(&c, SURFACE_OWN, -1, 0, 0, 50);
	add_part(&c, SURFACE_COMMAND, 2, 290, 0, 20);
	expect(&c, "the host's kernel, with 290 of its 400 system calls; the workloads used 20");
	begin(&c, "none");
	strcpy(c.command, "ls");
	add_part(&c, SURFACE_COMMAND, 1, 290, 3, 300); /* seven were refused */
	expect(&c, "the host's kernel, with 293 of its 400 system calls (3 of them with some "
		   "arguments only); the command used 293");
}

static void filter_not_known(void **state)
{
	struct comparison c;

	(void)state;
	begin(&c, "process");
	add_part(&c, SURFACE_COMMAND, -1, 0, 0, 20);
	expect(&c, "the host's kernel, with system calls of which it is not known how many are let "
		   "through; the workloads used 20");
}

static void a_machine(void **state)
{
	struct comparison c;

	(void)state;
	begin(&c, "other");
	add_part(&c, SURFACE_OWN, -1, 0, 0, 90);
	add_part(&c, "monitor", 1, 40, 5, 30);
	add_part(&c, "blk0", 1, 20, 2, 10);
	surface_exits_add(&c.surface[0], "exits", 1234);
	expect(&c,
	       "the processor and KVM (1234 exits in 5 traced runs); and of the host's kernel "
	       "what its processes are left with: 45 of 400 system calls (monitor 45, blk0 22), "
	       "of which the workloads used 30");
}

static void what_got_through(void **state)
{
	struct comparison c;

	(void)state;
	begin(&c, "x");
	add_attempt(&c, "module", COMPARE_BLOCKED, "EPERM");
	add_attempt(&c, "bpf", COMPARE_REACHED, "the host's kernel");
	expect(&c, "the host's kernel; what got through: bpf");
	begin(&c, "x");
	for (int i = 0; i < 6; i++) {
		char name[8] = { (char)('a' + i) };

		add_attempt(&c, name, COMPARE_REACHED, i ? "the host's kernel" : COMPARE_CANARY);
	}
	expect(&c, "the host's kernel; what got through: a, b, c, d and 2 more; and the command "
		   "itself, for it reached the host's own files, processes or sockets");
	begin(&c, "x");
	add_attempt(&c, "bpf", COMPARE_CONTAINED, COMPARE_OWN_KERNEL);
	expect(&c, "the processor and KVM");
}

static void functions(void **state)
{
	struct comparison c;

	(void)state;
	begin(&c, "x");
	add_part(&c, SURFACE_COMMAND, 0, 0, 0, 20);
	surface_names_add(&c.surface[0].functions, "vfs_read");
	expect(&c, "the host's kernel, with all of its 400 system calls: no filter holds any back; "
		   "the workloads used 20, and entered 1 of its functions");
}

/* --- in a report --- */

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
	char path[] = "/tmp/test_trust.XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	comparison_init(c);
	r = report_read_json(path, c, e);
	unlink(path);
	return r;
}

static void machine(struct comparison *c)
{
	begin(c, "vm");
	add_part(c, SURFACE_OWN, -1, 0, 0, 90);
	add_part(c, "monitor", 1, 40, 5, 30);
	add_part(c, "<blk0>", 1, 20, 2, 10);
	surface_exits_add(&c->surface[0], "exits", 1234);
	surface_exits_add(&c->surface[0], "io_exits", 34);
	surface_exits_add(&c->surface[0], "irq_exits", 50);
	surface_exits_add(&c->surface[0], "tlb_flush", 60);
	surface_names_add(&c->surface[0].functions, "vfs_read");
	strcpy(c->surface[0].calls_problem, "to read a filter takes root");
}

static void read_back(void **state)
{
	char *first, *second, before[TRUST_TEXT], after[TRUST_TEXT];
	struct comparison c, d;

	(void)state;
	machine(&c);
	first = written(&c, 'j');
	assert_int_equal(read_text(first, &d, NULL), 0);
	second = written(&d, 'j');
	assert_string_equal(first, second);
	assert_true(trust_tell(&c, 0, before) && trust_tell(&d, 0, after));
	assert_string_equal(before, after);
	free(first);
	free(second);
	comparison_release(&c);
	comparison_release(&d);
}

static void refuse(const char *from, const char *to, const char *why)
{
	char *text, *at, *bad;
	struct comparison c;
	struct err e = { "" };

	machine(&c);
	text = written(&c, 'j');
	comparison_release(&c);
	at = strstr(text, from);
	assert_non_null(at);
	*at = '\0';
	assert_true(asprintf(&bad, "%s%s%s", text, to, at + strlen(from)) > 0);
	assert_int_equal(read_text(bad, &c, &e), -EINVAL);
	if (!strstr(e.text, why))
		fail_msg("'%s' does not say '%s'", e.text, why);
	comparison_release(&c);
	free(bad);
	free(text);
}

static void damaged(void **state)
{
	(void)state;
	refuse("\"calls_known\": 400", "\"calls_known\": -1", "calls_known");
	refuse("\"name\": \"monitor\"", "\"name\": \"wall\"", "twice");
	refuse("\"filters\": 1", "\"filters\": \"1\"", "filters");
	refuse("\"used_problem\": \"\"", "\"used_problem\": 1", "used_problem");
	refuse("\"vfs_read\"", "7", "functions");
	refuse("\"io_exits\": 34", "\"io_exits\": -34", "exits");
	refuse("\"walls\": {\n   \"vm\"", "\"walls\": {\n   \"xx\"", "not in the list");
}

static void shown(void **state)
{
	struct comparison c;
	char *table, *page;

	(void)state;
	machine(&c);
	table = written(&c, 't');
	page = written(&c, 'h');
	assert_non_null(strstr(table, "calls let through       40+5"));
	assert_non_null(strstr(table, "VM exits                1234"));
	assert_non_null(strstr(table, "kernel functions        1"));
	assert_non_null(strstr(table, "vm, exits by KVM's reasons: irq 50, io 34\n"));
	assert_non_null(strstr(table, "vm: monitor 40+5, used 30; <blk0> 20+2, used 10\n"));
	assert_non_null(strstr(table, "calls let through of vm: to read a filter takes root\n"));
	assert_non_null(strstr(page, "&lt;blk0&gt;"));
	assert_null(strstr(page, "<blk0>"));
	assert_non_null(strstr(page, "<td>40+5</td>"));
	assert_non_null(strstr(page, "io_exits 34"));
	for (char *line = strtok(table, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 100);
	free(table);
	free(page);
	comparison_release(&c);
}

/* What several walls lack for the same reason is told once. */
static void problems_are_told_once(void **state)
{
	struct comparison c;
	char *table;

	(void)state;
	begin(&c, "a");
	strcpy(c.wall[1].name, "b");
	strcpy(c.wall[2].name, "c");
	c.nwalls = 3;
	for (int w = 0; w < 3; w++) {
		c.surface[w].measured = true;
		strcpy(c.surface[w].exits_problem, w == 1 ? "other" : "same");
	}
	table = written(&c, 't');
	assert_non_null(strstr(table, "VM exits of a, c: same\nVM exits of b: other\n"));
	free(table);
	comparison_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(problems_are_told_once),
		cmocka_unit_test(nothing_known),
		cmocka_unit_test(without_filter),
		cmocka_unit_test(with_filter),
		cmocka_unit_test(filter_not_known),
		cmocka_unit_test(a_machine),
		cmocka_unit_test(what_got_through),
		cmocka_unit_test(functions),
		cmocka_unit_test(read_back),
		cmocka_unit_test(damaged),
		cmocka_unit_test(shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
