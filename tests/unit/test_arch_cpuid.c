/* test_arch_cpuid.c - CPUID from what hosts offer; the entry registers. */
#include "arch/x86_64/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/layout.h"
#include "vmm/base/util.h"

#define INDEXED KVM_CPUID_FLAG_SIGNIFCANT_INDEX

/* What an Intel server's KVM says: leaves of the host's topology included. */
static const struct kvm_cpuid_entry2 intel[] = {
	{ .function = 0, .eax = 0x1f, .ebx = 0x756e6547, .edx = 0x49656e69, .ecx = 0x6c65746e },
	{ .function = 1,
	  .eax = 0x50657,
	  .ebx = 0x07400800,
	  .ecx = 0xfffa3223 | 1 << 3,
	  .edx = 0x1f8bfbff },
	{ .function = 4, .index = 0, .flags = INDEXED, .eax = 0x7c004121, .ebx = 0x1c0003f },
	{ .function = 4, .index = 1, .flags = INDEXED, .eax = 0x7c004122, .ebx = 0x1c0003f },
	{ .function = 4, .index = 2, .flags = INDEXED, .eax = 0x7c004143, .ebx = 0x3c0003f },
	{ .function = 4, .index = 3, .flags = INDEXED, .eax = 0x7c0fc163, .ebx = 0x280003f },
	{ .function = 4, .index = 4, .flags = INDEXED },
	{ .function = 0xb, .flags = INDEXED, .eax = 1, .ebx = 2, .ecx = 0x100, .edx = 7 },
	{ .function = 0xb,
	  .index = 1,
	  .flags = INDEXED,
	  .eax = 6,
	  .ebx = 64,
	  .ecx = 0x201,
	  .edx = 7 },
	{ .function = 0x1f, .index = 0, .flags = INDEXED, .eax = 1, .ebx = 2, .ecx = 0x100 },
	{ .function = 0x1f, .index = 1, .flags = INDEXED, .eax = 6, .ebx = 64, .ecx = 0x201 },
	{ .function = 0x1f, .index = 2, .flags = INDEXED, .eax = 7, .ebx = 128, .ecx = 0x502 },
	{ .function = 0x40000000,
	  .eax = 0x40000001,
	  .ebx = 0x4b4d564b,
	  .ecx = 0x564b4d56,
	  .edx = 0x4d },
	{ .function = 0x40000001, .eax = 0x01007efb },
	{ .function = 0x80000001, .ecx = 0x121, .edx = 0x2c100800 },
	{ .function = 0x80000008, .eax = 0x302e, .ecx = 0 },
};

static const struct kvm_cpuid_entry2 amd[] = {
	{ .function = 0, .eax = 0xd, .ebx = 0x68747541, .edx = 0x69746e65, .ecx = 0x444d4163 },
	{ .function = 1, .eax = 0xa20f10, .ebx = 0x03200800, .ecx = 0xfffa3203, .edx = 0x178bfbff },
	{ .function = 0x40000000,
	  .eax = 0x40000001,
	  .ebx = 0x4b4d564b,
	  .ecx = 0x564b4d56,
	  .edx = 0x4d },
	{ .function = 0x80000001, .ecx = 0x75c237ff, .edx = 0x2fd3fbff },
	{ .function = 0x80000008, .eax = 0x3030, .ebx = 0x1234, .ecx = 0x503f },
	{ .function = 0x8000000a, .eax = 1, .ebx = 8 },
	{ .function = 0x8000001d, .index = 0, .flags = INDEXED, .eax = 0x4121 },
	{ .function = 0x8000001d, .index = 1, .flags = INDEXED, .eax = 0x4122 },
	{ .function = 0x8000001d, .index = 2, .flags = INDEXED, .eax = 0x4143 },
	{ .function = 0x8000001d, .index = 3, .flags = INDEXED, .eax = 0x3c163 },
	{ .function = 0x8000001d, .index = 4, .flags = INDEXED },
	{ .function = 0x8000001e },
	{ .function = 0x80000026, .index = 0, .flags = INDEXED, .eax = 1, .ebx = 2, .ecx = 0x100 },
};

#define TABLE(t, entries) table_of(t, entries, ARRAY_SIZE(entries))

static void table_of(struct cpuid_table *t, const struct kvm_cpuid_entry2 *e, size_t n)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->entry, e, n * sizeof(*e));
	t->nent = (uint32_t)n;
}

static const struct kvm_cpuid_entry2 *leaf(struct cpuid_table *t, uint32_t fn, uint32_t index)
{
	const struct kvm_cpuid_entry2 *c = cpuid_find(t, fn, index);

	assert_non_null(c);
	return c;
}

/* The smallest shift that numbers `ncpus` cores. */
static uint32_t shift_for(unsigned int ncpus)
{
	uint32_t shift = 0;

	while (1U << shift < ncpus)
		shift++;
	return shift;
}

/* What both vendors have in common: leaves 1 and 0xb. */
static void check_common(struct cpuid_table *t, unsigned int ncpus, unsigned int cpu)
{
	assert_int_equal(leaf(t, 1, 0)->ebx >> 24, cpu);
	assert_int_equal(leaf(t, 1, 0)->ebx >> 16 & 0xff, ncpus);
	assert_int_equal(leaf(t, 1, 0)->ebx >> 8 & 0xff, 8); /* cache line: kept */
	assert_int_equal(leaf(t, 1, 0)->edx >> 28 & 1, ncpus > 1);
	assert_true(leaf(t, 0, 0)->eax >= 0xb);
	assert_int_equal(leaf(t, 0xb, 0)->eax, 0);
	assert_int_equal(leaf(t, 0xb, 0)->ebx, 1);
	assert_int_equal(leaf(t, 0xb, 0)->ecx, 0x100);
	assert_int_equal(leaf(t, 0xb, 1)->eax, shift_for(ncpus));
	assert_int_equal(leaf(t, 0xb, 1)->ebx, ncpus);
	assert_int_equal(leaf(t, 0xb, 1)->ecx, 0x201);
	assert_int_equal(leaf(t, 0xb, 2)->ebx, 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(leaf(t, 0xb, i)->edx, cpu);
}

static void topology_on_intel(void **state)
{
	struct cpuid_table t;

	(void)state;
	for (unsigned int n = 1; n <= ARCH_MAX_CPUS; n++) {
		uint32_t all = (1U << shift_for(n)) - 1;

		TABLE(&t, intel);
		cpuid_for_guest(&t, n, true);
		cpuid_for_cpu(&t, n - 1);
		check_common(&t, n, n - 1);
		for (uint32_t i = 0; i < 4; i++) {
			assert_int_equal(leaf(&t, 4, i)->eax >> 26, all);
			assert_int_equal(leaf(&t, 4, i)->eax >> 14 & 0xfff, i == 3 ? all : 0);
			assert_int_equal(leaf(&t, 4, i)->eax & 0x3fff, intel[2 + i].eax & 0x3fff);
		}
		assert_int_equal(leaf(&t, 4, 4)->eax, 0);
		assert_int_equal(leaf(&t, 0x1f, 1)->ebx, n);
		assert_int_equal(leaf(&t, 0x1f, 2)->ebx, 0);
		assert_int_equal(leaf(&t, 0x1f, 1)->edx, n - 1);
		assert_int_equal(leaf(&t, 0x80000008, 0)->ecx, 0);
	}
}

static void topology_on_amd(void **state)
{
	struct cpuid_table t;

	(void)state;
	for (unsigned int n = 1; n <= ARCH_MAX_CPUS; n++) {
		uint32_t all = (1U << shift_for(n)) - 1;

		TABLE(&t, amd);
		cpuid_for_guest(&t, n, true);
		cpuid_for_cpu(&t, n - 1);
		check_common(&t, n, n - 1);
		assert_int_equal(leaf(&t, 0x80000001, 0)->ecx >> 1 & 1, n > 1);
		assert_int_equal(leaf(&t, 0x80000008, 0)->ecx, shift_for(n) << 12 | (n - 1));
		assert_int_equal(leaf(&t, 0x80000008, 0)->ebx, 0x1234);
		assert_int_equal(leaf(&t, 0x8000001e, 0)->eax, n - 1);
		assert_int_equal(leaf(&t, 0x8000001e, 0)->ebx, n - 1);
		assert_int_equal(leaf(&t, 0x8000001e, 0)->ecx, 0);
		for (uint32_t i = 0; i < 4; i++)
			assert_int_equal(leaf(&t, 0x8000001d, i)->eax >> 14, i == 3 ? all : 0);
		assert_null(cpuid_find(&t, 0x80000026, 0));
		assert_null(cpuid_find(&t, 0x1f, 0));
	}
}

static void features(void **state)
{
	struct cpuid_table t;

	(void)state;
	TABLE(&t, intel);
	assert_true(cpuid_is_intel(&t));
	cpuid_for_guest(&t, 2, true);
	assert_true(leaf(&t, 1, 0)->ecx & 1U << 31); /* HYPERVISOR */
	assert_true(leaf(&t, 1, 0)->ecx & 1U << 24); /* TSC deadline */
	assert_false(leaf(&t, 1, 0)->ecx & 1U << 3); /* MWAIT */
	assert_false(leaf(&t, 1, 0)->ecx & 1U << 5); /* VMX */
	assert_int_equal(leaf(&t, 0x40000000, 0)->ebx, 0x4b4d564b);
	assert_int_equal(leaf(&t, 0x40000001, 0)->eax, 0x01007efb);
	TABLE(&t, amd);
	assert_false(cpuid_is_intel(&t));
	cpuid_for_guest(&t, 2, false);
	assert_false(leaf(&t, 1, 0)->ecx & 1U << 24);
	assert_false(leaf(&t, 0x80000001, 0)->ecx & 1U << 2); /* SVM */
	assert_null(cpuid_find(&t, 0x8000000a, 0));
}

/* A table of KVM's that is empty, or as full as can be: nothing is written
 * beyond it. */
static void odd_tables(void **state)
{
	static struct cpuid_table t;

	(void)state;
	memset(&t, 0, sizeof(t));
	cpuid_for_guest(&t, 4, true);
	cpuid_for_cpu(&t, 3);
	assert_int_equal(t.nent, 3); /* leaf 0xb alone */
	for (uint32_t i = 0; i < CPUID_MAX; i++)
		t.entry[i] = (struct kvm_cpuid_entry2){ .function = 0x1000 + i };
	t.nent = CPUID_MAX;
	cpuid_for_guest(&t, 4, true);
	cpuid_for_cpu(&t, 3);
	assert_int_equal(t.nent, CPUID_MAX);
}

static void entry_registers(void **state)
{
	struct arch_boot boot = { .protocol = ARCH_BOOT_LINUX64,
				  .entry = 0x1000200,
				  .info = 0x7000 };
	struct kvm_sregs s;
	struct kvm_regs r;

	(void)state;
	boot_sregs(&boot, &s);
	boot_regs(&boot, &r);
	assert_int_equal(r.rip, 0x1000200);
	assert_int_equal(r.rsi, 0x7000);
	assert_int_equal(r.rflags, 2);
	assert_int_equal(s.cs.selector, 0x10);
	assert_int_equal(s.ds.selector, 0x18);
	assert_int_equal(s.ss.selector, 0x18);
	assert_true(s.cs.l && !s.cs.db);
	assert_int_equal(s.cr0, 0x80000011);
	assert_int_equal(s.cr3, PAGE_TABLES);
	assert_int_equal(s.efer, 0x500);

	boot.protocol = ARCH_BOOT_PVH;
	boot_sregs(&boot, &s);
	boot_regs(&boot, &r);
	assert_int_equal(r.rbx, 0x7000);
	assert_int_equal(r.rsi, 0);
	assert_true(!s.cs.l && s.cs.db);
	assert_int_equal(s.cr0, 0x11);
	assert_int_equal(s.cr4, 0);
	assert_int_equal(s.efer, 0);
	assert_int_equal(s.tr.type, 11);
	assert_int_equal(s.tr.limit, 0x67);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topology_on_intel), cmocka_unit_test(topology_on_amd),
		cmocka_unit_test(features),	     cmocka_unit_test(odd_tables),
		cmocka_unit_test(entry_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
