/*
 * test_base.c - err, util and log.
 */
#include "vmm/base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/base/err.h"
#include "vmm/base/log.h"

/* --- err --- */

static void test_err(void **state)
{
	struct err e = { "" };

	(void)state;
	assert_int_equal(err_set(&e, EINVAL, "option %s", "x"), -EINVAL);
	assert_string_equal(e.text, "option x");
	assert_int_equal(err_set(&e, 0, "%s", ""), -EIO); /* never a success */
	assert_string_equal(e.text, "");
	errno = ENOENT;
	assert_int_equal(err_errno(&e, "open %s", "disk.img"), -ENOENT);
	assert_string_equal(e.text, "open disk.img: No such file or directory");
	assert_int_equal(err_code(&e, -EACCES, "open %s", "tap"), -EACCES);
	assert_string_equal(e.text, "open tap: Permission denied");
	err_context(&e, "network %d", 0);
	assert_string_equal(e.text, "network 0: open tap: Permission denied");
	errno = 0;
	assert_int_equal(err_errno(&e, "odd"), -EIO);
	assert_int_equal(err_code(&e, 5, "odd"), -EIO);
	/* Without anywhere to put it the code comes back all the same. */
	errno = EPERM;
	assert_int_equal(err_errno(NULL, "x"), -EPERM);
	assert_int_equal(err_set(NULL, EBUSY, "x"), -EBUSY);
	assert_int_equal(err_code(NULL, -EBUSY, "x"), -EBUSY);
	err_context(NULL, "x");
}

/* Texts around the bound, with guards on both sides. */
static void test_err_long(void **state)
{
	static char text[2 * ERR_TEXT_MAX];
	struct {
		char before[8];
		struct err e;
		char after[8];
	} g;

	(void)state;
	memset(&g, 0x55, sizeof(g));
	for (int len = 0; len < (int)sizeof(text); len++) {
		memset(text, 'a', sizeof(text));
		err_set(&g.e, EINVAL, "%.*s", len, text);
		assert_int_equal(strlen(g.e.text), MIN(len, ERR_TEXT_MAX - 1));
		errno = ENOENT;
		err_errno(&g.e, "%.*s", len, text);
		assert_true(strnlen(g.e.text, ERR_TEXT_MAX) < ERR_TEXT_MAX);
		err_set(&g.e, EINVAL, "cause");
		err_context(&g.e, "%.*s", len, text);
		assert_true(strnlen(g.e.text, ERR_TEXT_MAX) < ERR_TEXT_MAX);
		if (len < ERR_TEXT_MAX - 8)
			assert_string_equal(g.e.text + len, ": cause");
		err_context(&g.e, "%.*s", len, text);
		assert_true(strnlen(g.e.text, ERR_TEXT_MAX) < ERR_TEXT_MAX);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(g.before[i] | g.after[i], 0x55);
}

/* --- util --- */

static void test_parse_u64(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		int result;
		uint64_t value;
	} t[] = {
		{ "0", 0, 10, 0, 0 },
		{ "10", 0, 10, 0, 10 },
		{ "010", 0, 10, 0, 10 },
		{ "11", 0, 10, -ERANGE, 0 },
		{ "1", 2, 10, -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", 0, UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999999", 0, UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999999x", 0, UINT64_MAX, -EINVAL, 0 },
		{ "", 0, 10, -EINVAL, 0 },
		{ " 1", 0, 10, -EINVAL, 0 },
		{ "1 ", 0, 10, -EINVAL, 0 },
		{ "+1", 0, 10, -EINVAL, 0 },
		{ "-1", 0, 10, -EINVAL, 0 },
		{ "0x1", 0, 10, -EINVAL, 0 },
		{ "1\n", 0, 10, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint64_t v = 4711;

		assert_int_equal(parse_u64(t[i].text, t[i].min, t[i].max, &v), t[i].result);
		assert_true(v == (t[i].result ? 4711 : t[i].value));
	}
}

static void test_parse_size(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} t[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1 },
		{ "1K", 0, KIB },
		{ "3M", 0, 3 * MIB },
		{ "512G", 0, 512 * GIB },
		{ "2T", 0, 2048 * GIB },
		{ "16777215T", 0, 16777215ULL << 40 },
		{ "16777216T", -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551615K", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999M", -ERANGE, 0 },
		{ "99999999999999999999Q", -EINVAL, 0 },
		{ "1P", -EINVAL, 0 },
		{ "1k", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 },
		{ "1 K", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "-1M", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint64_t v = 4711;

		assert_int_equal(parse_size(t[i].text, &v), t[i].result);
		assert_true(v == (t[i].result ? 4711 : t[i].value));
	}
}

static void test_io(void **state)
{
	char path[] = "/tmp/test_base.XXXXXX";
	int fd = mkstemp(path);
	char data[8];

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write_all(fd, "abcdef", 6), 0);
	assert_int_equal(write_all(fd, "", 0), 0);
	assert_int_equal(pread_all(fd, data, 4, 2), 0);
	assert_memory_equal(data, "cdef", 4);
	assert_int_equal(pread_all(fd, data, 5, 2), -ENODATA);
	assert_int_equal(pread_all(fd, data, 1, 1000), -ENODATA);
	assert_int_equal(pread_all(fd, data, 0, 1000), 0);
	assert_int_equal(pread_all(fd, data, 1, UINT64_MAX), -EINVAL);
	close_fd(&fd);
	assert_int_equal(fd, -1);
	close_fd(&fd);
	assert_int_equal(write_all(fd, "x", 1), -EBADF);
	assert_int_equal(pread_all(fd, data, 1, 0), -EBADF);
}

static void test_printable(void **state)
{
	char out[8];

	(void)state;
	assert_string_equal(printable(out, sizeof(out), "a\n\x1b[2J\x7f\xff"), "a??[2J?");
	assert_string_equal(printable(out, sizeof(out), "0123456789"), "0123456");
	assert_string_equal(printable(out, 1, "x"), "");
	out[0] = 'z';
	printable(out, 0, "x");
	assert_int_equal(out[0], 'z');
}

static void test_ownership(void **state)
{
	int pipes[2], kept;
	char *text = strdup("x"), *taken;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	{
		_cleanup_close_ int a = pipes[0];
		_cleanup_close_ int b = pipes[1];
		_cleanup_free_ char *p = text;

		kept = take_fd(&b);
		taken = take_ptr(&p);
		assert_int_equal(b, -1);
		assert_null(p);
		assert_int_equal(a, pipes[0]);
	}
	assert_int_equal(fcntl(pipes[0], F_GETFD), -1);
	assert_true(fcntl(kept, F_GETFD) >= 0);
	close(kept);
	assert_string_equal(taken, "x");
	free(taken);
}

static void test_clock(void **state)
{
	uint64_t a = now_ns(), b = now_ns();

	(void)state;
	assert_true(b >= a && b - a < 10 * NS_PER_S);
}

/* --- log --- */

static size_t read_log(int fd, char *buf, size_t size)
{
	ssize_t n = read(fd, buf, size - 1);

	n = MAX(n, 0);
	buf[n] = '\0';
	return (size_t)n;
}

static void test_log(void **state)
{
	char buf[4 * LOG_LINE_MAX], text[2 * LOG_LINE_MAX];
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	log_to(p[1]);
	assert_int_equal(log_level(), LOG_LEVEL_WARN);
	log_info("not told");
	assert_int_equal(read_log(p[0], buf, sizeof(buf)), 0);
	log_error("disk %d\nis \x1b[31mred", 1);
	read_log(p[0], buf, sizeof(buf));
	assert_string_equal(buf, "disk 1?is ?[31mred\n"); /* one line, no escapes */
	log_set_level(LOG_LEVEL_DEBUG);
	assert_int_equal(log_level(), LOG_LEVEL_DEBUG);
	memset(text, 'x', sizeof(text));
	for (int len = LOG_LINE_MAX - 3; len < (int)sizeof(text); len += 7) {
		size_t n;

		log_debug("%.*s", len, text);
		n = read_log(p[0], buf, sizeof(buf));
		assert_true(n <= LOG_LINE_MAX);
		assert_int_equal(buf[n - 1], '\n');
		assert_int_equal(strchr(buf, '\n') - buf, n - 1);
	}
	/* A full pipe loses the line and nobody waits. */
	while (write(p[1], text, sizeof(text)) > 0)
		;
	log_error("lost");
	close(p[0]);
	close(p[1]);
	log_error("nowhere");
	log_to(STDERR_FILENO);
	log_set_level(LOG_LEVEL_WARN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err),	  cmocka_unit_test(test_err_long),
		cmocka_unit_test(test_parse_u64), cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_io),	  cmocka_unit_test(test_printable),
		cmocka_unit_test(test_ownership), cmocka_unit_test(test_clock),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
