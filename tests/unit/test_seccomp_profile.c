/* test_seccomp_profile.c - profiles of the runtime spec and of container
 * engines, as the kernel then behaves; and what is refused, with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/jail/seccomp_profile.h"

#define ENOUGH                                                                                     \
	"{\"names\":[\"exit_group\",\"rt_sigreturn\",\"munmap\",\"mmap\"],"                        \
	"\"action\":\"SCMP_ACT_ALLOW\"}"
#define DENY(errno_ret, rest)                                                                      \
	"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":" errno_ret                     \
	",\"syscalls\":[" ENOUGH rest "]}"
#define ALLOW(rest) "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[" rest "]}"

#define KILLED 200

static const struct profile_host host = {
	.capabilities = 1ULL << CAP_SYS_ADMIN | 1ULL << CAP_CHOWN,
	.major = 5,
	.minor = 10,
};

static int compile(const char *text, struct seccomp_code *ret, struct err *e)
{
	*ret = (struct seccomp_code){ .len = 0 };
	e->text[0] = '\0';
	return seccomp_profile_compile(text, strlen(text), &host, ret, e);
}

/* What a process under the profile gets from a call: errno, or KILLED. */
static int call(const char *text, long nr, long arg0, long arg1)
{
	struct seccomp_code code;
	struct err e;
	int status;
	pid_t pid;

	if (compile(text, &code, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	pid = fork();
	if (pid == 0) {
		long r;

		signal(SIGSYS, SIG_DFL); /* cmocka has a handler */
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    seccomp_code_install(&code, &e) < 0)
			_exit(199);
		errno = 0;
		r = syscall(nr, arg0, arg1, 0, 0, 0, 0);
		syscall(SYS_exit_group, r < 0 ? errno : 0);
	}
	seccomp_code_release(&code);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? KILLED : WEXITSTATUS(status);
}

static void test_actions(void **state)
{
	(void)state;
	assert_int_equal(call(DENY("77", ""), SYS_getpid, 0, 0), 77);
	assert_int_equal(call(DENY("77", ",{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ALLOW\"}"),
			      SYS_getpid, 0, 0),
			 0);
	assert_int_equal(call(ALLOW("{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ERRNO\"}"),
			      SYS_getpid, 0, 0),
			 EPERM);
	assert_int_equal(call(ALLOW("{\"name\":\"getpid\",\"action\":\"SCMP_ACT_ERRNO\","
				    "\"errno\":\"ENOSYS\",\"args\":null}"),
			      SYS_getpid, 0, 0),
			 ENOSYS);
	assert_int_equal(
		call(ALLOW("{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"}"),
		     SYS_getpid, 0, 0),
		KILLED);
	assert_int_equal(call(ALLOW("{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_TRAP\"}"),
			      SYS_getpid, 0, 0),
			 KILLED);
	assert_int_equal(call("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrno\":\"EBUSY\","
			      "\"syscalls\":[" ENOUGH "]}",
			      SYS_getpid, 0, 0),
			 EBUSY);
	/* A call that nobody knows, and what the default says anyway. */
	assert_int_equal(call(DENY("77", ",{\"names\":[\"no_such\",\"getpid\"],"
					 "\"action\":\"SCMP_ACT_ALLOW\"}"
					 ",{\"names\":[\"getuid\"],\"action\":\"SCMP_ACT_ERRNO\","
					 "\"errnoRet\":77}"),
			      SYS_getuid, 0, 0),
			 77);
}

#define KILL_IF(op, value, two)                                                                    \
	DENY("77", ",{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["               \
		   "{\"index\":1,\"value\":" value ",\"valueTwo\":" two ",\"op\":\"" op "\"}]}")

static void test_arguments(void **state)
{
	static const struct {
		const char *text;
		long arg;
		bool allowed;
	} cases[] = {
		{ KILL_IF("SCMP_CMP_EQ", "9", "0"), 9, true },
		{ KILL_IF("SCMP_CMP_EQ", "9", "0"), 8, false },
		{ KILL_IF("SCMP_CMP_EQ", "9", "0"), 0x100000009, false },
		{ KILL_IF("SCMP_CMP_NE", "9", "0"), 9, false },
		{ KILL_IF("SCMP_CMP_LT", "9", "0"), 8, true },
		{ KILL_IF("SCMP_CMP_LE", "9", "0"), 9, true },
		{ KILL_IF("SCMP_CMP_GE", "9", "0"), 8, false },
		{ KILL_IF("SCMP_CMP_GT", "9", "0"), 10, true },
		{ KILL_IF("SCMP_CMP_MASKED_EQ", "12", "4"), 5, true },
		{ KILL_IF("SCMP_CMP_MASKED_EQ", "12", "4"), 9, false },
	};

	(void)state;
	/* Process -1 with a signal that there is not: EINVAL when it is let through. */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int got = call(cases[i].text, SYS_kill, 0x7ffffffe, cases[i].arg);

		if ((got == 77) == cases[i].allowed)
			fail_msg("case %zu: %d", i, got);
	}
	/* Two conditions on one argument are alternatives, on two a conjunction. */
	for (long arg = 3; arg < 8; arg++) {
		assert_int_equal(
			call(DENY("77",
				  ",{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
				  "{\"index\":1,\"value\":4,\"op\":\"SCMP_CMP_EQ\"},"
				  "{\"index\":1,\"value\":6,\"op\":\"SCMP_CMP_EQ\"}]}"),
			     SYS_kill, 0x7ffffffe, arg),
			arg == 4 || arg == 6 ? ESRCH : 77);
		assert_int_equal(
			call(DENY("77",
				  ",{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
				  "{\"index\":0,\"value\":2147483646,\"op\":\"SCMP_CMP_EQ\"},"
				  "{\"index\":1,\"value\":6,\"op\":\"SCMP_CMP_EQ\"}]}"),
			     SYS_kill, 0x7ffffffe, arg),
			arg == 6 ? ESRCH : 77);
	}
}

static void test_conditions(void **state)
{
	static const struct {
		const char *condition;
		bool allowed;
	} cases[] = {
		{ "\"includes\":{}", true },
		{ "\"includes\":null,\"excludes\":{}", true },
		{ "\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}", true },
		{ "\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_BPF\"]}", false },
		{ "\"excludes\":{\"caps\":[\"CAP_BPF\"]}", true },
		{ "\"excludes\":{\"caps\":[\"CAP_BPF\",\"CAP_CHOWN\"]}", false },
		{ "\"includes\":{\"arches\":[\"amd64\",\"arm64\"]}", true },
		{ "\"includes\":{\"arches\":[\"s390x\"]}", false },
		{ "\"excludes\":{\"arches\":[\"s390\",\"s390x\"]}", true },
		{ "\"excludes\":{\"arches\":[\"amd64\",\"arm64\"]}", false },
		{ "\"includes\":{\"minKernel\":\"4.8\"}", true },
		{ "\"includes\":{\"minKernel\":\"5.10\"}", true },
		{ "\"includes\":{\"minKernel\":\"5.11\"}", false },
		{ "\"excludes\":{\"minKernel\":\"5.9\"}", false },
		{ "\"excludes\":{\"minKernel\":\"6.0\"}", true },
		{ "\"includes\":{\"minKernel\":\"4.8\"},\"excludes\":{\"caps\":[\"CAP_CHOWN\"]}",
		  false },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text),
			 DENY("77", ",{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ALLOW\","
				    "\"comment\":\"\",%s}"),
			 cases[i].condition);
		if (call(text, SYS_getpid, 0, 0) != (cases[i].allowed ? 0 : 77))
			fail_msg("%s", cases[i].condition);
	}
}

static void test_architectures(void **state)
{
	static const char *const fine[] = {
		"\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]",
		"\"architectures\":[\"SCMP_ARCH_AARCH64\",\"SCMP_ARCH_ARM\",\"SCMP_ARCH_S390X\"]",
		"\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":"
		"[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]},{\"architecture\":\"SCMP_ARCH_S390X\","
		"\"subArchitectures\":[\"SCMP_ARCH_S390\"]}]",
		"\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_TSYNC\"]",
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		snprintf(text, sizeof(text),
			 "{%s,\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":77,"
			 "\"syscalls\":[" ENOUGH "]}",
			 fine[i]);
		assert_int_equal(call(text, SYS_getpid, 0, 0), 77);
	}
}

#define ENTRY(rest) ALLOW("{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ERRNO\"" rest "}")

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "line 1, column 0: " },
		{ "{\n \"a\": }", "line 2, column 7: " },
		{ "[]", "is not an object" },
		{ "{}", "defaultAction is missing" },
		{ "{\"defaultAction\":1}", "defaultAction: is not a string" },
		{ "{\"defaultAction\":\"X\"}", "defaultAction: there is no action 'X'" },
		{ "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", "needs a listener" },
		{ "{\"defaultAction\":\"SCMP_ACT_LOG\",\"defaultAction\":\"SCMP_ACT_ALLOW\"}",
		  "line 1, column " },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\"}",
		  "the key 'listenerPath' is not known" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"x\"]}",
		  "flags: [0]: there is no flag" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"x86\"]}",
		  "architectures: [0]: there is no architecture 'x86'" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[],\"archMap\":[]}",
		  "exclude each other" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":{}}",
		  "syscalls: is not an array" },
		{ ALLOW("1"), "syscalls[0]: is not an object" },
		{ ALLOW("{\"action\":\"SCMP_ACT_ERRNO\"}"), "syscalls[0]: names is missing" },
		{ ALLOW("{\"names\":[1],\"action\":\"SCMP_ACT_ERRNO\"}"),
		  "syscalls[0]: names: [0]: is not a string" },
		{ ENTRY(",\"errnoRet\":4096"), "errnoRet: is not between 0 and 4095" },
		{ ENTRY(",\"errnoRet\":-1"), "errnoRet: is not between 0 and 4095" },
		{ ENTRY(",\"errno\":\"EX\""), "errno: there is no errno 'EX'" },
		{ ENTRY(",\"args\":[{\"index\":6,\"op\":\"SCMP_CMP_EQ\"}]"),
		  "syscalls[0]: args: [0]: index: is not between 0 and 5" },
		{ ENTRY(",\"args\":[{\"index\":0}]"), "args: [0]: op is missing" },
		{ ENTRY(",\"args\":[{\"op\":\"SCMP_CMP_EQ\"}]"), "args: [0]: index is missing" },
		{ ENTRY(",\"args\":[{\"index\":0,\"op\":\"==\"}]"), "there is no op '=='" },
		{ ENTRY(",\"args\":[{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":1.5}]"),
		  "value: is not a whole number" },
		{ ENTRY(",\"args\":[{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":"
			"18446744073709551615}]"),
		  "line 1, column " },
		{ ENTRY(",\"includes\":{\"caps\":[\"CAP_NONE\"]}"),
		  "includes: caps: [0]: there is no capability 'CAP_NONE'" },
		{ ENTRY(",\"includes\":{\"kernel\":\"5\"}"), "the key 'kernel' is not known" },
		{ ENTRY(",\"includes\":{\"minKernel\":\"5\"}"), "minKernel: is not MAJOR.MINOR" },
		{ ALLOW("{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ALLOW\",\"errnoRet\":1}"),
		  "errnoRet: SCMP_ACT_ALLOW has no errno" },
	};
	struct seccomp_code code;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = compile(cases[i].text, &code, &e);

		if (r >= 0 || !strstr(e.text, cases[i].says))
			fail_msg("case %zu: %d: %s", i, r, e.text);
	}
}

/* As large and as deep as the bounds allow, and beyond. */
static void test_bounds(void **state)
{
	size_t size = 1 << 20, at = 0;
	char *text = malloc(size);
	struct seccomp_code code;
	struct err e;

	(void)state;
	assert_non_null(text);
	memset(text, '[', size - 1);
	text[size - 1] = '\0';
	assert_true(compile(text, &code, &e) < 0);
	assert_non_null(strstr(e.text, "line 1"));
	at += (size_t)snprintf(text, size,
			       "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
			       "{\"action\":\"SCMP_ACT_ERRNO\",\"names\":[\"kill\"");
	for (int i = 0; i < 5000; i++)
		at += (size_t)snprintf(text + at, size - at, ",\"kill\"");
	snprintf(text + at, size - at, "]}]}");
	assert_true(compile(text, &code, &e) < 0);
	assert_non_null(strstr(e.text, "more than 4096 rules"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),	   cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_conditions), cmocka_unit_test(test_architectures),
		cmocka_unit_test(test_refused),	   cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
