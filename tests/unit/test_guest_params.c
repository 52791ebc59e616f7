/*
 * test_guest_params.c - the parameters as the guest's init parses them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest-kernel-config/guest_abi.h"
#include "guest-kernel-config/init/params.h"

#define BASE	"version=1\0console=stream\0root=overlay\0"
#define COMMAND BASE "arg=/bin/true\0"

/*
 * The literal's own last NUL is not part of the input.  A copy of exactly
 * this size, so that the sanitizer sees a read past the end.
 */
#define PARSE(literal, ret_text) parse_copy(&p, literal, sizeof(literal) - 1, ret_text)

static char error[PARAMS_ERROR_MAX];

static int parse_copy(struct params *p, const char *text, size_t len, char **ret_copy)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	*ret_copy = copy;
	return params_parse(p, copy, len, error);
}

static void refuse(const char *text, size_t len, const char *sentence)
{
	struct params p;
	char *copy;

	assert_int_equal(parse_copy(&p, text, len, &copy), -EINVAL);
	if (!strstr(error, sentence))
		fail_msg("expected \"...%s...\", got \"%s\"", sentence, error);
	assert_null(p.argv);
	assert_null(p.env);
	free(copy);
}

#define REFUSE(literal, sentence) refuse(literal, sizeof(literal) - 1, sentence)

static void test_everything(void **state)
{
	struct params p;
	char *copy;

	(void)state;
	assert_int_equal(PARSE("version=1\0console=terminal\0verbose=1\0rows=24\0cols=80\0"
			       "term=xterm\0hostname=box\0root=rw\0arg=sh\0arg=-c\0arg=\0"
			       "env=A=1\0env=B=x=y\0env=C=\0workdir=/srv/a b\0"
			       "net=02:00:00:aB:cd:EF,10.0.0.2/24,10.0.0.1\0"
			       "net=02:00:00:00:00:02,fd00::2/64,fd00::1\0"
			       "net=02:00:00:00:00:03,,\0dns=1.1.1.1\0dns=fd00::53\0"
			       "pids=4194304\0disk=vdb,rw,/a\0disk=vdz,ro,/b,c\0",
			       &copy),
			 0);
	assert_true(p.verbose);
	assert_false(p.image_init);
	assert_int_equal(p.console, PARAMS_CONSOLE_TERMINAL);
	assert_int_equal(p.root, PARAMS_ROOT_RW);
	assert_int_equal(p.rows, 24);
	assert_int_equal(p.cols, 80);
	assert_string_equal(p.term, "xterm");
	assert_string_equal(p.hostname, "box");
	assert_string_equal(p.workdir, "/srv/a b");
	assert_int_equal(p.argc, 3);
	assert_string_equal(p.argv[0], "sh");
	assert_string_equal(p.argv[2], "");
	assert_null(p.argv[3]);
	assert_int_equal(p.envc, 3);
	assert_string_equal(p.env[1], "B=x=y");
	assert_null(p.env[3]);
	assert_int_equal(p.dns_count, 2);
	assert_string_equal(p.dns[1], "fd00::53");
	assert_int_equal(p.pids, 1 << 22);
	assert_false(p.pids_best_effort);
	assert_int_equal(p.disk_count, 2);
	assert_string_equal(p.disk[0].name, "vdb");
	assert_false(p.disk[0].read_only);
	assert_string_equal(p.disk[1].name, "vdz");
	assert_true(p.disk[1].read_only);
	assert_string_equal(p.disk[1].dir, "/b,c");
	params_release(&p);
	free(copy);
}

static void test_interfaces(void **state)
{
	static const uint8_t mac[] = { 2, 0, 0, 0xab, 0xcd, 0xef };
	static const uint8_t v4[] = { 10, 0, 0, 2 };
	struct params p;
	char *copy;

	(void)state;
	assert_int_equal(PARSE(COMMAND "net=02:00:00:aB:cd:EF,10.0.0.2/24,10.0.0.1\0"
				       "net=02:00:00:00:00:02,fd00::2/128,\0"
				       "net=02:00:00:00:00:03,,\0",
			       &copy),
			 0);
	assert_int_equal(p.net_count, 3);
	assert_memory_equal(p.net[0].mac, mac, 6);
	assert_int_equal(p.net[0].address.family, AF_INET);
	assert_int_equal(p.net[0].address.len, 4);
	assert_memory_equal(p.net[0].address.bytes, v4, 4);
	assert_int_equal(p.net[0].prefix_len, 24);
	assert_int_equal(p.net[0].gateway.family, AF_INET);
	assert_int_equal(p.net[1].address.family, AF_INET6);
	assert_int_equal(p.net[1].prefix_len, 128);
	assert_int_equal(p.net[1].gateway.family, 0);
	assert_int_equal(p.net[2].address.family, 0);
	params_release(&p);
	free(copy);
}

static void test_best_effort(void **state)
{
	struct params p;
	char *copy;

	(void)state;
	assert_int_equal(PARSE(COMMAND "pids=30,best-effort\0", &copy), 0);
	assert_int_equal(p.pids, 30);
	assert_true(p.pids_best_effort);
	params_release(&p);
	free(copy);
}

static void test_defaults(void **state)
{
	struct params p;
	char *copy;

	(void)state;
	assert_int_equal(PARSE(COMMAND, &copy), 0);
	assert_false(p.verbose);
	assert_string_equal(p.workdir, "/");
	assert_null(p.term);
	assert_null(p.hostname);
	assert_int_equal(p.rows, 0);
	assert_int_equal(p.pids, 0);
	assert_int_equal(p.net_count, 0);
	params_release(&p);
	assert_null(p.argv);
	params_release(&p);
	free(copy);
}

static void test_image_init(void **state)
{
	struct params p;
	char *copy;

	(void)state;
	assert_int_equal(PARSE("version=1\0console=terminal\0root=ro\0init=image\0", &copy), 0);
	assert_true(p.image_init);
	assert_int_equal(p.argc, 0);
	params_release(&p);
	free(copy);
	REFUSE("version=1\0console=terminal\0root=ro\0init=image\0arg=x\0", "exclude each other");
	REFUSE(BASE "init=image\0", "needs console=terminal");
	REFUSE(BASE "init=other\0", "init=other");
}

static void test_incomplete(void **state)
{
	(void)state;
	REFUSE("", "empty");
	REFUSE("version=1", "cut off");
	REFUSE("version=1\0console=stream\0root=none\0arg=x", "cut off");
	REFUSE("version=1\0root=none\0arg=x\0", "console is missing");
	REFUSE("version=1\0console=stream\0arg=x\0", "root is missing");
	REFUSE(BASE, "neither a command");
}

static void test_version(void **state)
{
	(void)state;
	REFUSE("version=2\0", "version 2");
	REFUSE("version=\0", "not known");
	REFUSE("version=11\0", "version 11");
	REFUSE("console=stream\0version=1\0", "do not begin with version");
	REFUSE("\0version=1\0", "not key=value");
	REFUSE("version=1\0version=1\0", "version is given twice");
}

static void test_unknown(void **state)
{
	(void)state;
	REFUSE(COMMAND "colour=red\0", "colour is not known");
	REFUSE(COMMAND "arg\0", "not key=value");
	REFUSE(COMMAND "=x\0", "is not known");
	REFUSE(COMMAND "Arg=x\0", "Arg is not known");
	REFUSE(COMMAND "ar=x\0", "ar is not known");
	REFUSE(COMMAND "\0", "not key=value");
}

static void test_twice(void **state)
{
	(void)state;
	REFUSE(COMMAND "console=stream\0", "console is given twice");
	REFUSE(COMMAND "input=none\0input=none\0", "input is given twice");
	REFUSE(COMMAND "input=some\0", "input=some");
	REFUSE(COMMAND "pids=0000000000000015\0", "is not a number");
	REFUSE(COMMAND "pids=000000000000001x,best-effort\0", "is not a number");
	REFUSE("version=1\0console=terminal\0root=ro\0arg=x\0input=none\0",
	       "belongs to console=stream");
	REFUSE(COMMAND "root=rw\0", "root is given twice");
	REFUSE(COMMAND "verbose=0\0verbose=0\0", "verbose is given twice");
	REFUSE(COMMAND "workdir=/\0workdir=/\0", "workdir is given twice");
	REFUSE(COMMAND "hostname=a\0hostname=a\0", "hostname is given twice");
	REFUSE(COMMAND "rows=1\0rows=1\0", "rows is given twice");
	REFUSE(COMMAND "pids=1\0pids=2\0", "pids is given twice");
	REFUSE(COMMAND "term=a\0term=a\0", "term is given twice");
	REFUSE(BASE "init=image\0init=image\0", "init is given twice");
}

static void test_values(void **state)
{
	(void)state;
	REFUSE("version=1\0console=serial\0", "console=serial");
	REFUSE("version=1\0root=rwx\0", "root=rwx");
	REFUSE(COMMAND "verbose=yes\0", "verbose=yes");
	REFUSE(COMMAND "rows=0\0", "rows=0");
	REFUSE(COMMAND "cols=65536\0", "cols=65536");
	REFUSE(COMMAND "cols=-1\0", "cols=-1");
	REFUSE(COMMAND "cols=4294967297\0", "cols=4294967297");
	REFUSE(COMMAND "pids=0\0", "pids=0 is not a number from 1");
	REFUSE(COMMAND "pids=4194305\0", "pids=4194305");
	REFUSE(COMMAND "pids=max\0", "pids=max");
	REFUSE(COMMAND "pids=,best-effort\0", "pids=,best-effort is not a number");
	REFUSE(COMMAND "pids=0000000000000000005,best-effort\0", "is not a number");
	REFUSE(COMMAND "pids=5,\0", "pids=5, has something else");
	REFUSE(COMMAND "pids=5,best-effort,\0", "has something else than best-effort");
	REFUSE(COMMAND "disk=\0", "the name of a disk");
	REFUSE(COMMAND "disk=vd\0", "the name of a disk");
	REFUSE(COMMAND "disk=vdA,rw,/a\0", "the name of a disk");
	REFUSE(COMMAND "disk=vdbc,rw,/a\0", "the name of a disk");
	REFUSE(COMMAND "disk=vdb,\0", "neither rw nor ro");
	REFUSE(COMMAND "disk=vdb,rx,/a\0", "neither rw nor ro");
	REFUSE(COMMAND "disk=vdb,rw,\0", "not an absolute path");
	REFUSE(COMMAND "disk=vdb,ro,a\0", "not an absolute path");
#define DISK "disk=vdb,ro,/a\0"
	REFUSE(COMMAND DISK DISK DISK DISK DISK DISK DISK DISK DISK DISK DISK DISK DISK DISK DISK
		       DISK DISK DISK,
	       "more than 17");
	REFUSE(COMMAND "rows=24\0", "belong to console=terminal");
	REFUSE(COMMAND "term=\0", "term= is empty");
	REFUSE(COMMAND "hostname=\0", "1 to 64");
	REFUSE(COMMAND "hostname=0123456789012345678901234567890123456789"
		       "0123456789012345678901234\0",
	       "1 to 64");
	REFUSE(COMMAND "workdir=srv\0", "not an absolute path");
	REFUSE(COMMAND "env=A\0", "not NAME=VALUE");
	REFUSE(COMMAND "env==A\0", "not NAME=VALUE");
	REFUSE(COMMAND "dns=localhost\0", "not an IP address");
	REFUSE(COMMAND "dns=1.1.1.1\0dns=1.1.1.2\0dns=1.1.1.3\0dns=1.1.1.4\0", "more than 3");
}

static void test_bad_interfaces(void **state)
{
	(void)state;
#define MAC "net=02:00:00:00:00:01"
	REFUSE(COMMAND MAC "\0", "not MAC,CIDR,GW");
	REFUSE(COMMAND MAC ",\0", "not MAC,CIDR,GW");
	REFUSE(COMMAND MAC ",,,\0", "not MAC,CIDR,GW");
	REFUSE(COMMAND "net=02:00:00:00:00:0,,\0", "no MAC");
	REFUSE(COMMAND "net=02-00-00-00-00-01,,\0", "no MAC");
	REFUSE(COMMAND "net=02:00:00:00:00:0g,,\0", "no MAC");
	REFUSE(COMMAND "net=,,\0", "no MAC");
	REFUSE(COMMAND MAC ",10.0.0.2,\0", "prefix length");
	REFUSE(COMMAND MAC ",10.0.0.2/33,\0", "prefix length");
	REFUSE(COMMAND MAC ",10.0.0/8,\0", "prefix length");
	REFUSE(COMMAND MAC ",10.0.0.2/,\0", "prefix length");
	REFUSE(COMMAND MAC ",fd00::1/129,\0", "prefix length");
	REFUSE(COMMAND MAC ",10.0.0.2/24,x\0", "no gateway");
	REFUSE(COMMAND MAC ",10.0.0.2/24,fd00::1\0", "of its family");
	REFUSE(COMMAND MAC ",,10.0.0.1\0", "of its family");
	REFUSE(COMMAND MAC ",,\0" MAC ",,\0" MAC ",,\0" MAC ",,\0" MAC ",,\0" MAC ",,\0" MAC
			   ",,\0" MAC ",,\0" MAC ",,\0",
	       "more than 8");
}

static void test_long_values(void **state)
{
	static char text[1024] = COMMAND "net=";
	size_t start = sizeof(COMMAND "net=") - 1;

	(void)state;
	memset(text + start, '0', sizeof(text) - start - 1);
	refuse(text, sizeof(text), "is too long");
	memcpy(text + start - 4, "dns=", 4);
	refuse(text, sizeof(text), "not an IP address");
	memcpy(text + start - 4, "xyz=", 4);
	refuse(text, sizeof(text), "not known");
}

static void test_size_limit(void **state)
{
	size_t size = BH_PARAMS_MAX + 1, used = sizeof(COMMAND) - 1;
	char *text = calloc(1, size);
	struct params p;

	(void)state;
	assert_non_null(text);
	memcpy(text, COMMAND, used);
	refuse(text, size, "larger than");
	/* One argument up to the last byte is fine. */
	memcpy(text + used, "arg=", 4);
	memset(text + used + 4, 'a', BH_PARAMS_MAX - used - 5);
	text[BH_PARAMS_MAX - 1] = '\0';
	assert_int_equal(params_parse(&p, text, BH_PARAMS_MAX, error), 0);
	assert_int_equal(p.argc, 2);
	assert_int_equal(strlen(p.argv[1]), BH_PARAMS_MAX - used - 5);
	params_release(&p);
	free(text);
}

static void test_env_limit(void **state)
{
	size_t used = sizeof(COMMAND) - 1, record = sizeof("env=A=1"), count = PARAMS_ENV_MAX;
	char *text = malloc(used + record * (count + 1));
	struct params p;

	(void)state;
	assert_non_null(text);
	memcpy(text, COMMAND, used);
	for (size_t i = 0; i <= count; i++)
		memcpy(text + used + i * record, "env=A=1", record);
	assert_int_equal(params_parse(&p, text, used + count * record, error), 0);
	assert_int_equal(p.envc, count);
	params_release(&p);
	refuse(text, used + (count + 1) * record, "more than 4096");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),     cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_best_effort),    cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_image_init),     cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_version),	       cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_twice),	       cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad_interfaces), cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_size_limit),     cmocka_unit_test(test_env_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
