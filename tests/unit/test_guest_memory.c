/*
 * test_guest_memory.c - the one way into guest memory, at its edges.
 */
#include "devices/guest_memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/base/util.h"

static void test_add(void **state)
{
	static const struct {
		uint64_t gpa, size, file_offset;
		int result;
	} t[] = {
		{ 0x1000, 0x1000, 0, 0 },
		{ 0x1000, 0x1000, 0, -EINVAL },
		{ 0x1fff, 1, 0, -EINVAL },
		{ 0x0fff, 2, 0, -EINVAL },
		{ 0, UINT64_MAX, 0, -EINVAL },
		{ 0x3000, 0, 0, -EINVAL },
		{ UINT64_MAX, 2, 0, -EINVAL },
		{ 0x8000, 0x1000, UINT64_MAX - 0xffe, -EINVAL },
		{ 0x8000, 0x1000, UINT64_MAX - 0xfff, 0 },
		{ 0x2000, 0x1000, 0x1000, 0 },
		{ 0, 0x1000, 0x2000, 0 },
		{ UINT64_MAX - 0xfff, 0x1000, 0x3000, 0 },
		{ UINT64_MAX, 1, 0x3000, -EINVAL },
		{ 0x3000, 0x1000, 0, 0 },
		{ 0x4000, 0x1000, 0, 0 },
		{ 0x5000, 0x1000, 0, 0 },
		{ 0x6000, 0x1000, 0, -ENOSPC },
	};
	struct guest_memory gm = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(guest_memory_add(&gm, t[i].gpa, t[i].size, t[i].file_offset, NULL),
				 t[i].result);
		for (unsigned int k = 1; k < gm.nregions; k++)
			assert_true(gm.region[k].gpa > gm.region[k - 1].gpa);
	}
	assert_int_equal(gm.nregions, GUEST_MEMORY_MAX_REGIONS);
	/* Not mapped here: reachable for nobody. */
	assert_null(guest_memory_range(&gm, GPA(0x1000), 1));
}

/* Two regions that touch in guest memory but not in ours, one at the top. */
static struct guest_memory memory(uint8_t *a, uint8_t *b, uint8_t *c)
{
	struct guest_memory gm = { 0 };

	assert_int_equal(guest_memory_add(&gm, 64, 32, 64, b), 0);
	assert_int_equal(guest_memory_add(&gm, 32, 32, 0, a), 0);
	assert_int_equal(guest_memory_add(&gm, UINT64_MAX - 31, 32, 128, c), 0);
	return gm;
}

/* Every address and length near every edge, against a plain statement. */
static void test_range(void **state)
{
	uint8_t a[32], b[32], c[32];
	struct guest_memory gm = memory(a, b, c);
	static const uint64_t huge[] = { UINT64_MAX,	  UINT64_MAX - 1, UINT64_MAX - 31,
					 UINT64_MAX - 32, 1ULL << 63,	  1ULL << 32 };

	(void)state;
	for (uint64_t at = 0; at < 130; at++) {
		for (uint64_t len = 0; len < 130; len++) {
			uint8_t *want = NULL;

			if (len && at >= 32 && at + len <= 64)
				want = a + (at - 32);
			else if (len && at >= 64 && at + len <= 96)
				want = b + (at - 64);
			assert_ptr_equal(guest_memory_range(&gm, GPA(at), len), want);
		}
		for (size_t i = 0; i < ARRAY_SIZE(huge); i++)
			assert_null(guest_memory_range(&gm, GPA(at), huge[i]));
	}
	for (uint64_t at = UINT64_MAX - 40; at != 0; at++) {
		for (uint64_t len = 0; len < 64; len++) {
			bool in = len && at >= UINT64_MAX - 31 && len - 1 <= UINT64_MAX - at;

			assert_ptr_equal(guest_memory_range(&gm, GPA(at), len),
					 in ? c + (at - (UINT64_MAX - 31)) : NULL);
		}
		for (size_t i = 0; i < ARRAY_SIZE(huge); i++)
			assert_null(guest_memory_range(&gm, GPA(at), huge[i]));
	}
}

/* The same for the longest part at the front. */
static void test_prefix(void **state)
{
	static const uint64_t lens[] = { 1, 2, 31, 32, 33, 64, 1ULL << 63, UINT64_MAX };
	uint8_t a[32], b[32], c[32];
	struct guest_memory gm = memory(a, b, c);

	(void)state;
	for (uint64_t at = 0; at < 130; at++) {
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			uint64_t got = 4711;
			uint8_t *p = guest_memory_prefix(&gm, GPA(at), lens[i], &got);

			if (at < 32 || at >= 96) {
				assert_null(p);
				assert_true(got == 4711);
			} else {
				assert_ptr_equal(p, at < 64 ? a + (at - 32) : b + (at - 64));
				assert_true(got == MIN(lens[i], 32 - at % 32));
			}
		}
	}
	for (uint64_t left = 1; left <= 32; left++) {
		uint64_t got = 0;

		assert_ptr_equal(guest_memory_prefix(&gm, GPA(0 - left), UINT64_MAX, &got),
				 c + (32 - left));
		assert_true(got == left);
		assert_null(guest_memory_prefix(&gm, GPA(0 - left), 0, &got));
	}
}

static void test_copy(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 }, c[32] = { 0 };
	struct guest_memory gm = memory(a, b, c);
	uint8_t data[33];

	(void)state;
	memset(data, 7, sizeof(data));
	assert_int_equal(guest_memory_write(&gm, GPA(32), data, 32), 0);
	assert_memory_equal(a, data, 32);
	assert_int_equal(guest_memory_write(&gm, GPA(64), data, 33), -EFAULT);
	assert_int_equal(guest_memory_write(&gm, GPA(63), data, 2), -EFAULT); /* across */
	assert_int_equal(b[0], 0);					      /* all or nothing */
	data[0] = 9;
	assert_int_equal(guest_memory_read(&gm, GPA(64), data, 33), -EFAULT);
	assert_int_equal(guest_memory_read(&gm, GPA(31), data, 1), -EFAULT);
	assert_int_equal(guest_memory_read(&gm, GPA(0), data, SIZE_MAX), -EFAULT);
	assert_int_equal(data[0], 9);
	assert_int_equal(guest_memory_read(&gm, GPA(63), data, 1), 0);
	assert_int_equal(data[0], 7);
	/* Nothing is always there. */
	assert_int_equal(guest_memory_read(&gm, GPA(0), data, 0), 0);
	assert_int_equal(guest_memory_write(&gm, GPA(UINT64_MAX), data, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
