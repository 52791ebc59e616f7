/* test_surface.c - the interpreter of filters, against programs made by hand, by
 * libseccomp, and against the kernel; KVM's statistics; a traced run. */
#include "vmm/compare/surface_trace.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"
#include "vmm/compare/measure.h"
#include "vmm/compare/surface_calls.h"
#include "vmm/compare/surface_exits.h"
#include "vmm/jail/command_filter.h"

#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define DENY  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ARG0  16 /* offset of the low half of the first argument */

/* --- by hand --- */

/* What a program that computes `a` from `x` returns, as an action's value. */
static uint32_t computed(uint16_t op, uint32_t a, uint32_t by, bool from_x)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, by),
		BPF_STMT(BPF_LD | BPF_IMM, a),
		BPF_STMT((uint16_t)(BPF_ALU | op | (from_x ? BPF_X : BPF_K)), by),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LD | BPF_IMM, 0),
		BPF_STMT(BPF_LDX | BPF_MEM, 3),
		BPF_STMT(BPF_MISC | BPF_TXA, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct surface_answer answer = { 0 };

	assert_int_equal(surface_bpf_call(code, ARRAY_SIZE(code), 1, 2, &answer), 0);
	return answer.last;
}

static void arithmetic(void **state)
{
	(void)state;
	for (int x = 0; x < 2; x++) {
		assert_int_equal(computed(BPF_ADD, 0xffffffff, 3, x), 2);
		assert_int_equal(computed(BPF_SUB, 1, 2, x), 0xffffffff);
		assert_int_equal(computed(BPF_MUL, 0x10000, 0x10001, x), 0x10000);
		assert_int_equal(computed(BPF_DIV, 7, 2, x), 3);
		assert_int_equal(computed(BPF_AND, 0xff0, 0x0ff, x), 0xf0);
		assert_int_equal(computed(BPF_OR, 0xf00, 0x00f, x), 0xf0f);
		assert_int_equal(computed(BPF_XOR, 0xff, 0x0f, x), 0xf0);
		assert_int_equal(computed(BPF_LSH, 1, 31, x), 0x80000000);
		assert_int_equal(computed(BPF_RSH, 0x80000000, 31, x), 1);
		assert_int_equal(computed(BPF_NEG, 1, 0, x), 0xffffffff);
	}
	assert_int_equal(computed(BPF_DIV, 7, 0, true), SECCOMP_RET_KILL_THREAD);
}

static bool jumps(uint16_t op, uint32_t a, uint32_t by)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP((uint16_t)(BPF_JMP | op | BPF_K), by, 0, 1),
		ALLOW,
		DENY,
	};
	struct surface_answer answer = { 0 };

	assert_int_equal(surface_bpf_call(code, ARRAY_SIZE(code), 1, a, &answer), 0);
	assert_true(answer.pass != answer.stop);
	return answer.pass;
}

static void decisions(void **state)
{
	(void)state;
	assert_true(jumps(BPF_JEQ, 5, 5) && !jumps(BPF_JEQ, 5, 4));
	assert_true(jumps(BPF_JGT, 5, 4) && !jumps(BPF_JGT, 5, 5) && !jumps(BPF_JGT, 4, 5));
	assert_true(jumps(BPF_JGT, 0x80000000, 1)); /* no signs */
	assert_true(jumps(BPF_JGE, 5, 5) && !jumps(BPF_JGE, 4, 5));
	assert_true(jumps(BPF_JSET, 6, 2) && !jumps(BPF_JSET, 4, 2));
}

/* Both ways of a decision on an argument; one where the argument is known. */
static void unknown_arguments(void **state)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG0),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1),
		ALLOW,
		DENY,
	};
	struct surface_word data[SURFACE_WORDS] = { { 0, 1 }, { 0, 1 } };
	struct surface_answer a = { 0 };

	(void)state;
	assert_int_equal(surface_bpf_run(code, ARRAY_SIZE(code), data, &a), 0);
	assert_true(a.pass && a.stop && !a.ask);
	assert_int_equal(surface_bpf_verdict(&a), SURFACE_PART);
	data[ARG0 / 4] = (struct surface_word){ 0x107, 1 };
	assert_int_equal(surface_bpf_run(code, ARRAY_SIZE(code), data, &a), 0);
	assert_int_equal(surface_bpf_verdict(&a), SURFACE_WHOLE);
	data[ARG0 / 4].value = 8;
	assert_int_equal(surface_bpf_run(code, ARRAY_SIZE(code), data, &a), 0);
	assert_int_equal(surface_bpf_verdict(&a), SURFACE_NOTHING);
	assert_int_equal(a.last, SECCOMP_RET_ERRNO | EPERM);
}

static enum surface_verdict verdict_of(uint32_t action)
{
	const struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, action) };
	struct surface_answer a;

	assert_int_equal(surface_bpf_call(code, 1, 1, 1, &a), 0);
	return surface_bpf_verdict(&a);
}

static void actions(void **state)
{
	(void)state;
	assert_int_equal(verdict_of(SECCOMP_RET_ALLOW), SURFACE_WHOLE);
	assert_int_equal(verdict_of(SECCOMP_RET_LOG), SURFACE_WHOLE);
	assert_int_equal(verdict_of(SECCOMP_RET_TRACE | 5), SURFACE_PART);
	assert_int_equal(verdict_of(SECCOMP_RET_USER_NOTIF), SURFACE_PART);
	assert_int_equal(verdict_of(SECCOMP_RET_ERRNO | 1), SURFACE_NOTHING);
	assert_int_equal(verdict_of(SECCOMP_RET_TRAP), SURFACE_NOTHING);
	assert_int_equal(verdict_of(SECCOMP_RET_KILL_THREAD), SURFACE_NOTHING);
	assert_int_equal(verdict_of(SECCOMP_RET_KILL_PROCESS), SURFACE_NOTHING);
	/* An unknown action kills. */
	assert_int_equal(verdict_of(0x12340000), SURFACE_NOTHING);
	assert_int_equal(surface_bpf_both(SURFACE_WHOLE, SURFACE_PART), SURFACE_PART);
	assert_int_equal(surface_bpf_both(SURFACE_NOTHING, SURFACE_WHOLE), SURFACE_NOTHING);
}

/* A program that the kernel refuses is no program, wherever it came from. */
static void bad_programs(void **state)
{
	const struct sock_filter bad[][2] = {
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_LD | BPF_IMM, 0) },
		{ BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW },
		{ BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), ALLOW },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW },
		{ BPF_STMT(BPF_LD | BPF_MEM, 16), ALLOW },
		{ BPF_STMT(BPF_ST, 16), ALLOW },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW },
		{ BPF_STMT(BPF_ALU | 0xf0, 0), ALLOW },
		{ BPF_STMT(BPF_JMP | 0xf0, 0), ALLOW },
	};
	struct sock_filter *code = malloc(sizeof(bad[0])); /* behind it the sanitizer waits */
	struct surface_answer a;

	(void)state;
	assert_non_null(code);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(code, bad[i], sizeof(bad[i]));
		assert_int_equal(surface_bpf_call(code, 2, 1, 1, &a), -EINVAL);
	}
	free(code);
	assert_int_equal(surface_bpf_call(bad[0], 0, 1, 1, &a), -EINVAL);
}

/* Thirty decisions that meet again are 2^30 ways; `differ`: and are told apart. */
static int diamonds(bool differ)
{
	struct sock_filter code[3 * 30 + 1];
	struct surface_answer a;
	size_t n = 0;

	for (uint32_t i = 0; i < 30; i++) {
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG0);
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1u << i, 0, 1);
		/* What is left in the memory tells the ways apart. */
		code[n++] = differ ? (struct sock_filter)BPF_STMT(BPF_ST, i % 16)
				   : (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
		if (differ && i % 2)
			code[n - 1] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, i);
	}
	code[n++] = (struct sock_filter)ALLOW;
	return surface_bpf_call(code, n, 1, 1, &a);
}

static void many_ways(void **state)
{
	(void)state;
	assert_int_equal(diamonds(false), 0);
	assert_true(diamonds(true) == 0 || diamonds(true) == -E2BIG); /* and soon */
}

/* --- libseccomp's --- */

/* The caller frees the code. */
static struct sock_filter *exported(scmp_filter_ctx ctx, size_t *ret_n)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct sock_filter *code;
	off_t size;

	assert_true(fd >= 0);
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	size = lseek(fd, 0, SEEK_END);
	code = malloc((size_t)size);
	assert_non_null(code);
	assert_int_equal(pread_all(fd, code, (size_t)size, 0), 0);
	close(fd);
	*ret_n = (size_t)size / sizeof(*code);
	return code;
}

/* A list as ours: some whole, one by its argument, the rest not. */
static scmp_filter_ctx sample(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	assert_non_null(ctx);
	assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(read), 0), 0);
	assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(close), 0), 0);
	for (scmp_datum_t request = 1; request < 4; request++)
		assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
						  SCMP_A1(SCMP_CMP_EQ, request, 0)),
				 0);
	assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
					  SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0)),
			 0);
	return ctx;
}

static void filters_of_libseccomp(void **state)
{
	struct surface_names whole = { 0 }, some = { 0 };
	uint8_t verdict[SURFACE_CALLS];
	scmp_filter_ctx ctx = sample();
	struct sock_filter *code;
	size_t n;

	(void)state;
	memset(verdict, SURFACE_WHOLE, sizeof(verdict));
	code = exported(ctx, &n);
	assert_int_equal(surface_calls_filter(code, n, verdict), 0);
	assert_int_equal(surface_calls_with(verdict, SURFACE_WHOLE, &whole), 0);
	assert_int_equal(surface_calls_with(verdict, SURFACE_PART, &some), 0);
	assert_int_equal(whole.n, 2);
	assert_string_equal(whole.name[0], "close");
	assert_string_equal(whole.name[1], "read");
	assert_int_equal(some.n, 2);
	assert_string_equal(some.name[0], "ioctl");
	assert_string_equal(some.name[1], "mmap");
	surface_names_release(&whole);
	surface_names_release(&some);
	free(code);
	seccomp_release(ctx);
}

/* The list of the process wall: as libseccomp itself has it. */
static void filter_of_the_process_wall(void **state)
{
	scmp_filter_ctx ctx = command_filter_new(0);
	uint8_t verdict[SURFACE_CALLS];
	struct sock_filter *code;
	size_t n;

	(void)state;
	assert_non_null(ctx);
	memset(verdict, SURFACE_WHOLE, sizeof(verdict));
	code = exported(ctx, &n);
	assert_int_equal(surface_calls_filter(code, n, verdict), 0);
	assert_int_equal(verdict[SYS_openat], SURFACE_WHOLE);
	assert_int_equal(verdict[SYS_clone], SURFACE_PART);
	assert_int_equal(verdict[SYS_socket], SURFACE_PART);
	assert_int_equal(verdict[SYS_clone3], SURFACE_NOTHING);
	assert_int_equal(verdict[SYS_mount], SURFACE_NOTHING);
	assert_int_equal(verdict[SYS_bpf], SURFACE_NOTHING);
	free(code);
	seccomp_release(ctx);
}

/* The kernel does with each call what the interpreter says. */
static int child_agrees(const struct sock_filter *code, size_t n)
{
	struct sock_fprog program = { (unsigned short)n, (struct sock_filter *)(uintptr_t)code };
	struct surface_word data[SURFACE_WORDS] = { { SYS_getpriority, 1 },
						    { surface_calls_arch(), 1 } };
	struct surface_answer answer[16];

	for (uint32_t i = 0; i < 16; i++) {
		for (size_t w = 4; w < SURFACE_WORDS; w++)
			data[w] = (struct surface_word){ 0, 1 };
		data[ARG0 / 4].value = i;
		if (surface_bpf_run(code, n, data, &answer[i]) < 0)
			return 2;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return 77;
	for (long i = 0; i < 16; i++) {
		long r = syscall(SYS_getpriority, i, 0L, 0L, 0L, 0L, 0L);
		bool stopped = r < 0 && errno == EBADMSG;

		if (stopped != !answer[i].pass || answer[i].pass == answer[i].stop)
			return 3;
	}
	return 0;
}

static void kernel_agrees(void **state)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct sock_filter *code;
	int status;
	size_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EBADMSG), SCMP_SYS(getpriority), 1,
					  SCMP_A0(SCMP_CMP_GT, 11, 0)),
			 0);
	assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EBADMSG), SCMP_SYS(getpriority), 1,
					  SCMP_A0(SCMP_CMP_MASKED_EQ, 3, 2)),
			 0);
	code = exported(ctx, &n);
	pid = fork();
	if (pid == 0)
		_exit(child_agrees(code, n));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(code);
	seccomp_release(ctx);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- names and sums --- */

static void names(void **state)
{
	struct surface_names s = { 0 };
	char name[16];

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%d", i * 7 % 100);
		assert_int_equal(surface_names_add(&s, name), 0);
	}
	assert_int_equal(s.n, 100);
	for (size_t i = 1; i < s.n; i++)
		assert_true(strcmp(s.name[i - 1], s.name[i]) < 0);
	assert_true(surface_names_has(&s, "99") && !surface_names_has(&s, "100"));
	surface_names_release(&s);
}

static void sums(void **state)
{
	struct compare_surface s = { 0 };
	struct surface_part *p = surface_part(&s, "wall");
	struct surface_sum sum;

	(void)state;
	surface_names_add(&p->used, "mount");
	assert_int_equal(surface_sum(&s, &sum), 0);
	assert_false(sum.known);
	for (int i = 0; i < 2; i++) {
		p = surface_part(&s, i ? "net0" : "monitor");
		p->facing = true;
		p->filters = 1;
		surface_names_add(&p->whole, "read");
		surface_names_add(i ? &p->whole : &p->some, "ioctl");
		surface_names_add(&p->some, i ? "mmap" : "madvise");
		surface_names_add(&p->used, "read");
		surface_names_add(&p->used, "reboot"); /* refused */
	}
	assert_int_equal(surface_sum(&s, &sum), 0);
	assert_true(sum.known && !sum.unlimited);
	assert_int_equal(sum.whole, 2); /* read, ioctl */
	assert_int_equal(sum.some, 2);	/* mmap, madvise */
	assert_int_equal(sum.used, 1);
	assert_int_equal(sum.parts, 2);
	surface_part(&s, "net0")->filters = 0;
	assert_int_equal(surface_sum(&s, &sum), 0);
	assert_true(sum.unlimited);
	surface_part(&s, "net0")->filters = -1;
	assert_int_equal(surface_sum(&s, &sum), 0);
	assert_false(sum.known);
	surface_release(&s);
}

/* --- KVM's statistics --- */

/* struct kvm_stats_desc, without its name of no fixed length. */
struct stats_desc {
	uint32_t flags;
	int16_t exponent;
	uint16_t size;
	uint32_t offset, bucket_size;
};

struct stats_file {
	struct kvm_stats_header header;
	char id[48];
	struct {
		struct stats_desc desc;
		char name[48];
	} item[4];
	uint64_t data[8];
};

static void describe(struct stats_file *f, size_t i, const char *name, uint32_t flags,
		     uint16_t size, uint64_t value)
{
	f->item[i].desc =
		(struct stats_desc){ .flags = flags, .size = size, .offset = (uint32_t)(8 * i) };
	strcpy(f->item[i].name, name);
	f->data[i] = value;
}

static void statistics(void **state)
{
	struct stats_file f = { .header = { .name_size = 48,
					    .num_desc = 4,
					    .desc_offset = offsetof(struct stats_file, item),
					    .data_offset = offsetof(struct stats_file, data) } };
	struct surface_exits s = { .n = 0 };

	(void)state;
	describe(&f, 0, "exits", KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_NONE, 1, 70);
	describe(&f, 1, "halt_wait_ns", KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_SECONDS, 1, 9);
	describe(&f, 2, "guest_mode", KVM_STATS_TYPE_INSTANT | KVM_STATS_UNIT_NONE, 1, 1);
	describe(&f, 3, "nmi_exits", KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_NONE, 1, 0);
	assert_int_equal(surface_exits_parse((uint8_t *)&f, sizeof(f), &s), 0);
	assert_int_equal(surface_exits_parse((uint8_t *)&f, sizeof(f), &s), 0);
	assert_int_equal(s.n, 1); /* of two vCPUs */
	assert_string_equal(s.count[0].name, "exits");
	assert_int_equal(s.count[0].value, 140);
	assert_int_equal(surface_exits_parse((uint8_t *)&f, offsetof(struct stats_file, data), &s),
			 -EINVAL);
	assert_int_equal(surface_exits_parse((uint8_t *)&f, 4, &s), -EINVAL);
	f.header.num_desc = 5000;
	assert_int_equal(surface_exits_parse((uint8_t *)&f, sizeof(f), &s), -EINVAL);
	f.header.num_desc = 4;
	f.header.name_size = 4096;
	assert_int_equal(surface_exits_parse((uint8_t *)&f, sizeof(f), &s), -EINVAL);
}

#define MACHINES "/tmp/bulkhead-test-machines"

/* As debugfs has them. */
static void statistics_as_files(void **state)
{
	struct surface_exits s = { .n = 0 };

	(void)state;
	assert_int_equal(system("set -e; rm -rf " MACHINES "; mkdir -p " MACHINES
				"/7-12/vcpu0 " MACHINES "/70-12 " MACHINES "/8-3; cd " MACHINES
				"; echo 70 > 7-12/exits; "
				"echo 5 > 7-12/io_exits; echo 0 > 7-12/nmi_exits; echo 9 > "
				"7-12/halt_wait_ns; echo 3 > 70-12/exits; echo 4 > 8-3/tlb_flush"),
			 0);
	assert_int_equal(surface_exits_files(MACHINES, 7, &s), 0);
	assert_int_equal(s.n, 2);
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(s.count[i].value, strcmp(s.count[i].name, "exits") == 0 ? 70 : 5);
	assert_int_equal(surface_exits_files(MACHINES, 8, &s), -ENODATA);
	assert_int_equal(surface_exits_files(MACHINES, 9, &s), -ENODATA);
	assert_int_equal(surface_exits_files(MACHINES "/none", 7, &s), -ENODATA);
	assert_int_equal(s.n, 2);
	assert_int_equal(system("rm -rf " MACHINES), 0);
}

/* --- pages of the function tracer --- */

struct page {
	uint8_t data[4096];
	size_t n;
};

static void put(struct page *p, const void *data, size_t len)
{
	assert_true(p->n + len <= sizeof(p->data));
	memcpy(p->data + p->n, data, len);
	p->n += len;
}

static void put_words(struct page *p, size_t n, const uint32_t *words)
{
	put(p, words, 4 * n);
}

/* A function's entry: 24 bytes, in the short form of a length or the long one. */
static void put_function(struct page *p, uint64_t address, uint16_t type, bool is_long)
{
	const uint32_t header[2] = { is_long ? 0 : 6, 28 };
	const uint16_t common[4] = { type };
	const uint64_t addresses[2] = { address, 1 };

	put_words(p, is_long ? 2 : 1, header);
	put(p, common, sizeof(common));
	put(p, addresses, sizeof(addresses));
}

static void finish(struct page *p, uint64_t flags)
{
	const uint64_t commit = (p->n - 16) | flags;

	memcpy(p->data + 8, &commit, sizeof(commit));
}

static int sum_up(void *ctx, uint64_t address)
{
	*(uint64_t *)ctx += address;
	return 0;
}

static void traced_functions(void **state)
{
	const uint32_t extend[2] = { 30, 5 }, stamp[2] = { 31, 5 };
	const uint32_t skipped[4] = { 29 | 1 << 5, 12, 0, 0 }, rest[1] = { 29 };
	struct page p = { .n = 16 };
	uint64_t sum = 0;
	bool lost = false;

	(void)state;
	put_function(&p, 1000, 1, false);
	put_words(&p, 2, extend);
	put_function(&p, 200, 1, true);
	put_function(&p, 77, 5, false); /* of another type */
	put_words(&p, 2, stamp);
	put_words(&p, 4, skipped);
	put_function(&p, 30, 1, false);
	put_words(&p, 1, rest);
	put_function(&p, 5, 1, false); /* behind the end */
	finish(&p, 0);
	assert_int_equal(surface_functions_parse(p.data, sizeof(p.data), sum_up, &sum, &lost), 0);
	assert_int_equal(sum, 1230);
	assert_false(lost);
	finish(&p, 1ULL << 31);
	assert_int_equal(surface_functions_parse(p.data, sizeof(p.data), sum_up, &sum, &lost), 0);
	assert_true(lost);
}

static void traced_functions_cut_short(void **state)
{
	const uint32_t longer[2] = { 0, 4000 }, nothing[2] = { 0, 0 };
	struct page p = { .n = 16 };
	uint64_t sum = 0;
	bool lost = false;

	(void)state;
	put_function(&p, 1000, 1, false);
	put_words(&p, 2, longer);
	finish(&p, 0);
	assert_int_equal(surface_functions_parse(p.data, 30, sum_up, &sum, &lost), -EINVAL);
	assert_int_equal(surface_functions_parse(p.data, 8, sum_up, &sum, &lost), -EINVAL);
	assert_int_equal(surface_functions_parse(p.data, sizeof(p.data), sum_up, &sum, &lost),
			 -EINVAL);
	p.n = 16;
	put_words(&p, 2, nothing);
	finish(&p, 0);
	assert_int_equal(surface_functions_parse(p.data, sizeof(p.data), sum_up, &sum, &lost), 0);
}

/* --- a traced run --- */

static void command_lines(void **state)
{
	const char *const command[] = { "/bin/job", "a", "" };
	const char plain[] = "/root/bin/job\0a\0", script[] = "/bin/sh\0-e\0/bin/job\0a\0";
	const char more[] = "/job\0a\0\0/file\0";
	const char walls[] = "bulkhead\0run\0--\0/bin/job\0a\0", other[] = "/bin/job\0b\0";

	(void)state;
	assert_true(surface_is_command(plain, sizeof(plain), command, 3));
	assert_true(surface_is_command(script, sizeof(script), command, 3));
	assert_true(surface_is_command(more, sizeof(more), command, 3));
	assert_false(surface_is_command(walls, sizeof(walls), command, 3));
	assert_false(surface_is_command(other, sizeof(other), command, 3));
	assert_false(surface_is_command(plain, 5, command, 3));
}

/* A shell as the wall, which does some things of its own. */
static void traced(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c",
				     "umask 77; (/usr/bin/env false); /usr/bin/env true; exit 3",
				     NULL };
	const char *const command[] = { "env", "true" };
	struct surface_order order = {
		.argv = argv, .command = command, .n = 2, .limit_ns = 60 * NS_PER_S
	};
	struct compare_surface s = { 0 };
	struct surface_part *p;
	struct err e = { "" };
	int fd = measure_begin(&e), r;

	(void)state;
	assert_true(fd >= 0);
	r = surface_trace(&order, &s, &e);
	if (r == -EPERM)
		skip();
	if (r < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s.runs, 1);
	assert_true(surface_names_has(&surface_part(&s, "wall")->used, "umask"));
	p = surface_part(&s, "command");
	assert_true(p->facing);
	assert_false(surface_names_has(&p->used, "umask"));
	assert_true(surface_names_has(&p->used, "execve"));
	assert_true(surface_names_has(&p->used, "exit_group"));
	assert_int_equal(p->filters, prctl(PR_GET_SECCOMP) == 0 ? 0 : p->filters);
	surface_release(&s);
	close(fd);
}

static void traced_too_long(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "sleep 100 & sleep 100", NULL };
	const char *const command[] = { "sleep", "100" };
	struct surface_order order = {
		.argv = argv, .command = command, .n = 2, .limit_ns = NS_PER_S / 4
	};
	struct compare_surface s = { 0 };
	struct err e = { "" };
	int fd = measure_begin(&e), r;
	uint64_t before = now_ns();

	(void)state;
	r = surface_trace(&order, &s, &e);
	if (r == -EPERM)
		skip();
	assert_int_equal(r, -ETIMEDOUT);
	assert_true(now_ns() - before < 30 * NS_PER_S);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left */
	assert_false(s.measured);
	surface_release(&s);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(decisions),
		cmocka_unit_test(unknown_arguments),
		cmocka_unit_test(actions),
		cmocka_unit_test(bad_programs),
		cmocka_unit_test(many_ways),
		cmocka_unit_test(filters_of_libseccomp),
		cmocka_unit_test(filter_of_the_process_wall),
		cmocka_unit_test(kernel_agrees),
		cmocka_unit_test(names),
		cmocka_unit_test(sums),
		cmocka_unit_test(statistics),
		cmocka_unit_test(statistics_as_files),
		cmocka_unit_test(traced_functions),
		cmocka_unit_test(traced_functions_cut_short),
		cmocka_unit_test(command_lines),
		cmocka_unit_test(traced),
		cmocka_unit_test(traced_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
