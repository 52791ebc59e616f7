/* compare_command.c - see compare_command.h: from argv to reports. */
#include "vmm/cli/compare_command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/cli/cli.h"
#include "vmm/compare/analysis.h"
#include "vmm/compare/report.h"

/* A file that cannot be written is found before minutes are spent. */
static int open_output(const char *path, FILE **ret, struct err *e)
{
	if (!path)
		return 0;
	*ret = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	return *ret ? 0 : err_errno(e, "write %s", path);
}

static int close_output(const char *path, FILE *f, struct err *e)
{
	bool bad;

	if (!f || f == stdout)
		return 0;
	bad = ferror(f);
	if (fclose(f) != 0 || bad)
		return err_errno(e, "write %s", path);
	return 0;
}

static int write_reports(const struct compare_request *q, const struct comparison *c, FILE *json,
			 FILE *html, struct err *e)
{
	struct analysis a = { 0 };
	int r = analysis_make(c, &a);

	if (r < 0)
		err_code(e, r, "analyse");
	if (r == 0 && json)
		r = report_write_json(c, json, e);
	if (r == 0 && html)
		report_write_html(c, &a, html);
	if (r == 0 && json != stdout && html != stdout)
		report_write_text(c, &a, stdout);
	analysis_release(&a);
	if (r == 0)
		r = close_output(q->json, json, e);
	if (r == 0)
		r = close_output(q->html, html, e);
	return r < 0 ? r : cli_flush(e);
}

static int show(int argc, char **argv, const struct compare_request *q, struct err *e)
{
	struct comparison one, other;
	FILE *html = NULL;
	int r = 0;

	if (argc < 2 || argc > 3)
		return err_set(e, EINVAL, "show takes one report, or two");
	if (argc == 3 && q->html)
		return err_set(e, EINVAL,
			       "--html is for one report; show prints what two differ in");
	comparison_init(&one);
	comparison_init(&other);
	r = report_read_json(argv[1], &one, e);
	if (r == 0 && argc == 3)
		r = report_read_json(argv[2], &other, e);
	if (r == 0)
		r = open_output(q->html, &html, e);
	if (r == 0 && argc == 3) {
		report_write_difference(&one, &other, stdout);
		r = cli_flush(e);
	} else if (r == 0) {
		r = write_reports(q, &one, NULL, html, e);
	}
	comparison_release(&one);
	comparison_release(&other);
	return r;
}

static int measure(struct compare_request *q, int *ret_status, struct err *e)
{
	FILE *json = NULL, *html = NULL;
	struct comparison c;
	int r;

	if (q->cfg.command && q->cfg.suite)
		return err_set(e, EINVAL,
			       "--suite is for the built-in workloads, not for a command");
	if (q->cfg.command && !q->cfg.rootfs)
		return err_set(
			e, EINVAL,
			"a command needs --rootfs DIR, the root directory that it is run in");
	r = open_output(q->json, &json, e);
	if (r == 0)
		r = open_output(q->html, &html, e);
	if (r < 0)
		return r;
	comparison_init(&c);
	r = compare_run(&q->cfg, &c, e);
	if (r == 0)
		r = write_reports(q, &c, json, html, e);
	if (!c.complete)
		*ret_status = 128 + SIGINT;
	comparison_release(&c);
	return r;
}

int compare_command(const char *program, int argc, char **argv, struct err *e, int *ret_status)
{
	struct compare_request q = { .cfg.program = program };
	struct options_result result;
	int r = options_parse(&command_compare, argc, argv, &q, &result, e);
	char **operands = argv + result.operand;
	int n = argc - result.operand;

	if (r < 0)
		return r;
	*ret_status = 0;
	if (result.help) {
		options_print_help(&command_compare, stdout);
		return cli_flush(e);
	}
	/* `compare -- show` is a command of that name. */
	if (n > 0 && strcmp(operands[0], "show") == 0 && strcmp(operands[-1], "--") != 0)
		return show(n, operands, &q, e);
	if (n > 0) {
		q.cfg.command = (const char *const *)operands;
		q.cfg.ncommand = (size_t)n;
	}
	r = measure(&q, ret_status, e);
	if (r < 0)
		err_context(e, "compare");
	return r;
}
