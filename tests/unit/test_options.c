/* test_options.c - the parser, and what is made from the table of options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/cli/cli.h"
#include "vmm/config/isolation.h"
#include "vmm/config/run_config.h"

#define ARGS_MAX 64

/* Parse `run` and the arguments, which end with NULL. */
static int parse(struct run_config *cfg, bool *ret_help, struct err *e, const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { strdup("run") };
	int argc = 1, r;

	for (; *args; args++)
		argv[argc++] = strdup(*args);
	r = run_parse(argc, argv, cfg, ret_help, e);
	/* Nothing of argv is kept. */
	for (int i = 0; i < argc; i++) {
		memset(argv[i], '#', strlen(argv[i]));
		free(argv[i]);
	}
	return r;
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void refused(const char *says, const char *const *args)
{
	struct run_config cfg;
	struct err e = { "" };
	bool help;

	assert_true(parse(&cfg, &help, &e, args) < 0);
	if (!strstr(e.text, says))
		fail_msg("said: %s", e.text);
	for (const char *p = e.text; *p; p++)
		assert_true(*p >= ' ' && *p < 0x7f);
	run_config_release(&cfg);
}

/* The table of walls calls every option what the table of options does. */
static void test_walls_know_the_options(void **state)
{
	(void)state;
	for (int s = 0; s < RUN_SET_COUNT; s++) {
		const struct option *o =
			options_find(&command_run, isolation_option((enum run_setting)s));

		assert_non_null(o);
		assert_int_equal(o->setting, s);
	}
}

static void test_both_forms(void **state)
{
	struct run_config cfg;
	struct err e;
	bool help;

	(void)state;
	assert_int_equal(parse(&cfg, &help, &e,
			       ARGS("--cpus=2", "--rootfs", "r", "--env=A=b=c", "--env", "D=", "ls",
				    "--cpus", "-x", "--")),
			 0);
	assert_int_equal(cfg.cpus, 2);
	assert_string_equal(cfg.root.path, "r");
	assert_int_equal(cfg.nenv, 2);
	assert_string_equal(cfg.env[0], "A=b=c");
	assert_null(cfg.env[2]);
	/* What follows CMD is its own. */
	assert_int_equal(cfg.argc, 4);
	assert_string_equal(cfg.argv[1], "--cpus");
	assert_string_equal(cfg.argv[3], "--");
	assert_null(cfg.argv[4]);
	run_config_release(&cfg);
}

static void test_end_of_options(void **state)
{
	struct run_config cfg;
	struct err e;
	bool help;

	(void)state;
	assert_int_equal(parse(&cfg, &help, &e, ARGS("--rootfs=r", "--", "--weird", "--help")), 0);
	assert_false(help);
	assert_string_equal(cfg.argv[0], "--weird");
	run_config_release(&cfg);
	assert_int_equal(parse(&cfg, &help, &e, ARGS("--rootfs=r", "--")), 0);
	assert_null(cfg.argv);
	run_config_release(&cfg);
	assert_int_equal(parse(&cfg, &help, &e, ARGS("--rootfs=r", "-")), 0);
	assert_string_equal(cfg.argv[0], "-");
	run_config_release(&cfg);
}

static void test_help(void **state)
{
	struct run_config cfg;
	struct err e;
	bool help;

	(void)state;
	assert_int_equal(parse(&cfg, &help, &e, ARGS("--cpus", "2", "--help", "--nonsense")), 0);
	assert_true(help);
	run_config_release(&cfg);
	assert_int_equal(parse(&cfg, &help, &e, ARGS("--rootfs=r", "ls", "--help")), 0);
	assert_false(help);
	run_config_release(&cfg);
}

static void test_refusals(void **state)
{
	char big[3000];

	(void)state;
	memset(big, 'a', sizeof(big));
	memcpy(big, "--", 2);
	big[sizeof(big) - 1] = '\0';
	refused("is --kernel meant?", ARGS("--kernl=x"));
	refused("is --memory meant?", ARGS("--mem", "1G"));
	refused("is --help meant?", ARGS("--hlep"));
	refused("unknown option --frobnicate (see", ARGS("--frobnicate"));
	refused("unknown option -v", ARGS("-v"));
	refused("unknown option --?[31m", ARGS("--\x1b[31m"));
	refused("unknown option -- (see", ARGS("--=x"));
	refused("unknown option", ARGS(big));
	refused("--cpus is given twice", ARGS("--cpus=1", "--cpus=2"));
	refused("--verbose is given twice", ARGS("--verbose", "--verbose"));
	refused("--cpus needs an argument: --cpus N", ARGS("--cpus"));
	refused("--name needs an argument", ARGS("--name", "--cpus", "2"));
	refused("--name: NAME is empty", ARGS("--name="));
	refused("--kernel: FILE is empty", ARGS("--kernel", ""));
	refused("--verbose takes no argument", ARGS("--verbose=1"));
	refused("--memory 1Q: is not a size", ARGS("--memory", "1Q"));
	refused("--disk a,?: ", ARGS("--disk", "a,\n"));
	refused("name is empty", ARGS("--rootfs=r", ""));
	refused("nothing to run", ARGS("--"));
}

static void test_nearest(void **state)
{
	const char *const names[] = { "run", "doctor", "help" };

	(void)state;
	assert_string_equal(nearest_name("docter", names, 3), "doctor");
	assert_string_equal(nearest_name("doc", names, 3), "doctor");
	assert_string_equal(nearest_name("rnu", names, 3), "run");
	assert_null(nearest_name("x", names, 3));
	assert_null(nearest_name("", names, 3));
	assert_null(nearest_name("compare", names, 3));
	assert_null(nearest_name("doctordoctordoctordoctordoctordoctor", names, 3));
}

static void test_commands(void **state)
{
	(void)state;
	assert_ptr_equal(cli_find("run"), &command_run);
	assert_null(cli_find("ru"));
	assert_null(cli_find(""));
}

/* What every row must have; a wrong one shows here and not at a user. */
static void test_table(void **state)
{
	const struct command *const *cmds;
	size_t n;

	(void)state;
	cmds = cli_commands(&n);
	for (size_t c = 0; c < n; c++) {
		assert_true(cmds[c]->set || cmds[c]->noptions == 0);
		assert_true(cmds[c]->noptions <= OPTIONS_MAX);
		for (size_t i = 0; i < cmds[c]->noptions; i++) {
			const struct option *o = &cmds[c]->options[i];

			assert_true(strlen(o->name) > 1 && strlen(o->name) < 20);
			assert_ptr_equal(options_find(cmds[c], o->name), o);
			if (o->hidden)
				continue;
			assert_non_null(o->help);
			assert_non_null(o->man);
			assert_true(o->complete != COMPLETE_VALUES || o->values);
			assert_true(o->man[strlen(o->man) - 1] != '\n');
			for (const char *p = o->help; *p;
			     p += strcspn(p, "\n") + (strchr(p, '\n') != NULL))
				assert_true(strcspn(p, "\n") <= 60);
		}
	}
	for (int s = 0; s < RUN_SET_COUNT; s++) {
		unsigned int rows = 0;

		for (size_t i = 0; i < command_run.noptions; i++)
			rows += command_run.options[i].setting == s;
		assert_int_equal(rows, 1);
	}
}

static void test_prints_name_every_option(void **state)
{
	const struct command *const *cmds;
	char *text[3] = { NULL };
	size_t len[3], n;
	char needle[64];
	FILE *out;

	(void)state;
	out = open_memstream(&text[0], &len[0]);
	options_print_help(&command_run, out);
	fclose(out);
	out = open_memstream(&text[1], &len[1]);
	options_print_man(&command_run, out);
	fclose(out);
	out = open_memstream(&text[2], &len[2]);
	cmds = cli_commands(&n);
	options_print_completion(cmds, n, out);
	fclose(out);
	for (size_t i = 0; i < command_run.noptions; i++) {
		const char *name = command_run.options[i].name;

		snprintf(needle, sizeof(needle), "\n  --%s", name);
		assert_non_null(strstr(text[0], needle));
		snprintf(needle, sizeof(needle), ".It Fl -%s", name);
		assert_non_null(strstr(text[1], needle));
		snprintf(needle, sizeof(needle), " --%s", name);
		assert_non_null(strstr(text[2], needle));
	}
	assert_null(strstr(text[2], "--man"));
	for (const char *p = text[0]; *p; p += strcspn(p, "\n") + 1)
		assert_true(strcspn(p, "\n") <= 90);
	for (int i = 0; i < 3; i++)
		free(text[i]);
}

static const char *const words[] = {
	"--",	      "-",	    "",		  "--kernel",	 "--kernel=k",	  "--rootfs=r",
	"--rootfs",   "r,rw",	    "--disk",	  "d,id=a",	 "--disk=d,,",	  "--net",
	"tap=t",      "fd=9",	    "--net=none", "--memory=1G", "--memory",	  "1G",
	"--cpus=3",   "--env",	    "A=b",	  "--env=A=b",	 "--workdir=/",	  "--verbose",
	"--initrd=i", "--name",	    "n",	  "--timeout=1", "--console=",	  "--console=none",
	"ls",	      "--report=f", "\xff\xfe",	  "--\n",	 "--seccomp=off",
};

/* Words that look like options, in any order: no crash, no leak, and whatever
 * is refused is told in one printable line. */
static void test_random_words(void **state)
{
	unsigned int seed = 7;
	int taken = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const char *args[9] = { NULL };
		struct run_config cfg;
		struct err e = { "" };
		bool help;

		seed = seed * 1103515245u + 12345u;
		for (size_t i = 0, n = (seed >> 16) % 8; i < n; i++) {
			seed = seed * 1103515245u + 12345u;
			args[i] = words[(seed >> 16) % ARRAY_SIZE(words)];
		}
		if (parse(&cfg, &help, &e, args) == 0) {
			taken++;
			assert_string_equal(e.text, "");
		} else {
			assert_true(e.text[0]);
			assert_null(strchr(e.text, '\n'));
		}
		run_config_release(&cfg);
	}
	assert_true(taken > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walls_know_the_options),
		cmocka_unit_test(test_both_forms),
		cmocka_unit_test(test_end_of_options),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_prints_name_every_option),
		cmocka_unit_test(test_random_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
