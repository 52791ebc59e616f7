/* test_tool.c - a program with a script on its standard input, as ip(8) is run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/net/tool.h"

static const char *const shell[] = { "sh", NULL };

static void test_runs(void **state)
{
	char output[16] = "";
	struct tool_call call = {
		.argv = shell,
		.package = "dash",
		.input = "echo one; echo two",
		.output = output,
		.output_size = sizeof(output),
	};
	struct err e = { "" };

	(void)state;
	assert_int_equal(tool_run(&call, &e), 0);
	assert_string_equal(output, "one\ntwo\n");
	call.input = "echo why >&2; echo more >&2; exit 3";
	assert_int_equal(tool_run(&call, &e), -EIO);
	assert_string_equal(e.text, "sh: why");
	call.output_size = 4;
	call.input = "echo four";
	assert_true(tool_run(&call, &e) < 0);
}

/* A Ctrl-C goes to the foreground group, whose leader has blocked it for now, as the
 * supervisor has; what is half made or half removed would stay so. */
static void test_outlives_a_ctrl_c(void **state)
{
	const struct tool_call call = {
		.argv = shell,
		.package = "dash",
		.input = "kill -s INT -- -$PPID; echo on",
	};
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		sigset_t interrupt;

		sigemptyset(&interrupt);
		sigaddset(&interrupt, SIGINT);
		sigprocmask(SIG_BLOCK, &interrupt, NULL);
		_exit(setpgid(0, 0) == 0 && tool_run(&call, NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_outlives_a_ctrl_c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
