/* test_arch_mptable.c - the MP tables, walked as a kernel walks them. */
#include "arch/x86_64/mptable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/layout.h"
#include "vmm/base/util.h"

#define TABLE 16 /* behind the pointer */
#define FIRST (TABLE + 44)

#define NVIRTIO 3

static uint8_t area[0x1000];

static size_t build(unsigned int ncpus, size_t size)
{
	const struct arch_machine m = { .ncpus = ncpus, .nvirtio = NVIRTIO };

	memset(area, 0xee, sizeof(area));
	return mptable_build(&m, MP_START, area, size);
}

static uint32_t get(size_t at, unsigned int len)
{
	uint32_t v = 0;

	memcpy(&v, area + at, len);
	return v;
}

static uint8_t sum(size_t at, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + area[at++]);
	return s;
}

static void test_pointer(void **state)
{
	(void)state;
	assert_true(build(1, sizeof(area)) > FIRST);
	assert_memory_equal(area, "_MP_", 4);
	assert_int_equal(get(4, 4), MP_START + TABLE);
	assert_int_equal(area[8], 1);
	assert_int_equal(area[9], 4);
	assert_int_equal(sum(0, 16), 0);
	assert_int_equal(area[11], 0); /* no default configuration */
}

/* Each entry by its type; the specification wants the types in order. */
static void walk(unsigned int ncpus)
{
	size_t used = build(ncpus, sizeof(area));
	size_t end = TABLE + get(TABLE + 4, 2);
	unsigned int n[5] = { 0 }, total = 0, last = 0;

	assert_int_equal(used, end);
	assert_memory_equal(area + TABLE, "PCMP", 4);
	assert_int_equal(sum(TABLE, end - TABLE), 0);
	assert_int_equal(get(TABLE + 36, 4), LOCAL_APIC_ADDR);
	for (size_t at = FIRST; at < end; at += area[at] == 0 ? 20 : 8) {
		unsigned int type = area[at];

		assert_in_range(type, last, 4);
		if (type == 0) {
			assert_int_equal(area[at + 1], n[0]);
			assert_int_equal(area[at + 3], n[0] == 0 ? 3 : 1);
		} else if (type == 2) {
			assert_int_equal(area[at + 1], ncpus);
			assert_int_equal(get(at + 4, 4), IOAPIC_ADDR);
		} else if (type == 3) {
			assert_int_equal(area[at + 5], n[3]);
			assert_int_equal(area[at + 6], ncpus);
			assert_int_equal(area[at + 7], n[3]);
		}
		n[type]++;
		total++;
		last = type;
	}
	assert_int_equal(n[0], ncpus);
	assert_int_equal(n[1], 1);
	assert_int_equal(n[2], 1);
	assert_int_equal(n[3], arch_ioapic_pins(NVIRTIO));
	assert_int_equal(n[4], 1);
	assert_int_equal(total, get(TABLE + 34, 2));
}

static void test_entries(void **state)
{
	(void)state;
	walk(1);
	walk(2);
	walk(ARCH_MAX_CPUS);
}

/* What does not fit is not begun. */
static void test_room(void **state)
{
	size_t used = build(3, sizeof(area));

	(void)state;
	assert_int_equal(build(3, used), used);
	assert_int_equal(area[used], 0xee);
	assert_int_equal(build(3, used - 1), 0);
	for (size_t i = 0; i < sizeof(area); i++)
		assert_int_equal(area[i], 0xee);
	assert_int_equal(build(ARCH_MAX_CPUS, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pointer),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
