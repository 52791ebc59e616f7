/* test_strength.c - what an attempt's outcome is called, and real canaries. */
#include "vmm/compare/strength.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"

static const struct strength_host host = { "host-boot", "mnt:[1]", "secret", "token" };

static enum compare_verdict judged(enum attempt_kind kind, const char *out, int status,
				   bool noticed, const char *text)
{
	const struct attempt a = { "x", kind, "mnt", "" };
	const struct strength_seen seen = { out, status, noticed };
	struct compare_outcome o;

	strength_judge(&a, &host, &seen, &o);
	assert_string_equal(o.text, text);
	return o.verdict;
}

static void blocked(void **state)
{
	(void)state;
	assert_int_equal(judged(ATTEMPT_KERNEL, "errno EPERM host-boot - -\n", 0, false, "EPERM"),
			 COMPARE_BLOCKED);
	assert_int_equal(judged(ATTEMPT_CANARY, "absent ENOENT - - -\n", 0, false, "ENOENT"),
			 COMPARE_BLOCKED);
	assert_int_equal(judged(ATTEMPT_KERNEL, "", 128 + SIGSYS, false, "signal 31"),
			 COMPARE_BLOCKED);
}

static void reached(void **state)
{
	(void)state;
	/* The host's kernel, or one that does not say which it is. */
	assert_int_equal(
		judged(ATTEMPT_KERNEL, "done - host-boot - -\n", 0, false, "the host's kernel"),
		COMPARE_REACHED);
	assert_int_equal(judged(ATTEMPT_KERNEL, "done - - - -\n", 0, false, "the host's kernel"),
			 COMPARE_REACHED);
	assert_int_equal(judged(ATTEMPT_SPACE, "done - host-boot mnt:[1] -\n", 0, false,
				"the host's kernel"),
			 COMPARE_REACHED);
	/* A canary counts, whatever the attempt says of itself. */
	assert_int_equal(
		judged(ATTEMPT_CANARY, "errno EPERM other - -\n", 0, true, "the host's canary"),
		COMPARE_REACHED);
	assert_int_equal(judged(ATTEMPT_CANARY, "", 137, true, "the host's canary"),
			 COMPARE_REACHED);
	assert_int_equal(judged(ATTEMPT_CANARY, "noise\r\ndone - other - secret\r\n", 0, false,
				"the host's canary"),
			 COMPARE_REACHED);
	assert_int_equal(
		judged(ATTEMPT_BOMB, "done - host-boot - -\n", 0, false, "no limit held it"),
		COMPARE_REACHED);
}

static void contained(void **state)
{
	(void)state;
	assert_int_equal(
		judged(ATTEMPT_KERNEL, "done - guest-boot - -\r\n", 0, false, "its own kernel"),
		COMPARE_CONTAINED);
	/* The numbers of the first namespaces are the same in every kernel. */
	assert_int_equal(
		judged(ATTEMPT_SPACE, "done - guest-boot mnt:[1] -\n", 0, false, "its own kernel"),
		COMPARE_CONTAINED);
	assert_int_equal(judged(ATTEMPT_SPACE, "done - host-boot mnt:[2] -\n", 0, false,
				"its own namespace"),
			 COMPARE_CONTAINED);
	assert_int_equal(judged(ATTEMPT_CANARY, "done - host-boot - guess\n", 0, false,
				"something of its own"),
			 COMPARE_CONTAINED);
	assert_int_equal(judged(ATTEMPT_BOMB, "errno EAGAIN host-boot - -\n", 0, false, "EAGAIN"),
			 COMPARE_CONTAINED);
	assert_int_equal(judged(ATTEMPT_BOMB, "errno ETIME host-boot - -\n", 0, false,
				"too slow here: no limit met in its time"),
			 COMPARE_NOT_RUN);
	assert_int_equal(judged(ATTEMPT_BOMB, "", 137, false, "signal 9"), COMPARE_CONTAINED);
}

/* Many answers in one output: each by its name, the first word being an answer's. */
static void lines_of_many(void **state)
{
	static const char lines[] = "noise\nfile errno EPERM b - -\nfile-up done - b - -\n"
				    "quiet\nbad well - b - -\nlast absent ENOENT b - -\n";

	(void)state;
	assert_string_equal(strength_line(lines, "last"), "absent ENOENT b - -\n");
	assert_true(strncmp(strength_line(lines, "file"), "errno EPERM b - -\n", 18) == 0);
	assert_true(strncmp(strength_line(lines, "file-up"), "done - b - -\n", 13) == 0);
	assert_null(strength_line(lines, "quiet"));
	assert_null(strength_line(lines, "fil"));
	assert_null(strength_line("", "file"));
	assert_null(strength_line(NULL, "file"));
}

static void no_answer(void **state)
{
	(void)state;
	assert_int_equal(judged(ATTEMPT_KERNEL, "", 125, false, "status 125"), COMPARE_NOT_RUN);
	assert_int_equal(judged(ATTEMPT_KERNEL, "done", 0, false, "status 0, and it said: done"),
			 COMPARE_NOT_RUN);
	assert_int_equal(judged(ATTEMPT_KERNEL, "well - a - -\n", 1, false,
				"status 1, and it said: well - a - -?"),
			 COMPARE_NOT_RUN);
}

/* At once, and once: what is told late would be blamed on the next attempt. */
static void canaries_notice(void **state)
{
	struct canaries c;

	(void)state;
	assert_int_equal(canaries_make(&c, NULL), 0);
	assert_false(canaries_noticed(&c));
	for (int i = 0; i < 300; i++) {
		assert_int_equal(kill(c.pid, SIGUSR1), 0);
		assert_true(canaries_noticed(&c));
		assert_false(canaries_noticed(&c));
	}
	assert_int_equal(write_all(c.file, "!", 1), 0);
	assert_true(canaries_noticed(&c));
	assert_false(canaries_noticed(&c));
	canaries_remove(&c);
}

/* The wall is tried, not the caller's umask: all may read, its owner may write. */
static void canary_file_modes(void **state)
{
	static const mode_t masks[] = { 0, 0077 };
	struct canaries c;
	struct stat file, dir;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		mode_t before = umask(masks[i]);

		assert_int_equal(canaries_make(&c, NULL), 0);
		umask(before);
		assert_int_equal(fstat(c.file, &file), 0);
		assert_int_equal(stat(c.dir, &dir), 0);
		assert_int_equal(file.st_mode & 07777, 0644);
		assert_int_equal(dir.st_mode & 07777, 0755);
		assert_int_equal(file.st_uid, geteuid());
		canaries_remove(&c);
	}
}

/* One that is gone was harmed. */
static void dead_canary_was_reached(void **state)
{
	struct canaries c;

	(void)state;
	assert_int_equal(canaries_make(&c, NULL), 0);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	assert_true(canaries_noticed(&c));
	canaries_remove(&c);
}

static void list(void **state)
{
	(void)state;
	assert_true(nattempts >= 30 && nattempts <= COMPARE_ATTEMPTS);
	for (size_t i = 0; i < nattempts; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(attempts[i].name, attempts[j].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocked),
		cmocka_unit_test(reached),
		cmocka_unit_test(contained),
		cmocka_unit_test(lines_of_many),
		cmocka_unit_test(no_answer),
		cmocka_unit_test(list),
		cmocka_unit_test(canaries_notice),
		cmocka_unit_test(canary_file_modes),
		cmocka_unit_test(dead_canary_was_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
