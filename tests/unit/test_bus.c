/*
 * test_bus.c - ranges in order and apart, and who owns an access.
 */
#include "devices/bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/base/util.h"

struct device {
	uint64_t offset;
	unsigned int len, reads, writes;
	uint8_t last;
};

static void dev_read(void *dev, uint64_t offset, uint8_t *data, unsigned int len)
{
	struct device *d = dev;

	d->offset = offset;
	d->len = len;
	d->reads++;
	memset(data, 0x42, len);
}

static void dev_write(void *dev, uint64_t offset, const uint8_t *data, unsigned int len)
{
	struct device *d = dev;

	d->offset = offset;
	d->len = len;
	d->writes++;
	d->last = data[len - 1];
}

static const struct bus_ops ops = { .read = dev_read, .write = dev_write };
static const struct bus_ops no_ops;

static void test_add(void **state)
{
	static const struct {
		uint64_t base, len;
		int result;
	} t[] = {
		{ 0x100, 0x10, 0 },
		{ 0x100, 0x10, -EEXIST },  /* the same */
		{ 0x0f8, 0x10, -EEXIST },  /* over its start */
		{ 0x108, 0x10, -EEXIST },  /* over its end */
		{ 0x104, 1, -EEXIST },	   /* inside */
		{ 0x0f0, 0x100, -EEXIST }, /* around */
		{ 0x10f, 1, -EEXIST },
		{ 0x0f8, 9, -EEXIST },
		{ 0x0f8, 8, 0 }, /* touches from below */
		{ 0x110, 8, 0 }, /* touches from above */
		{ 0x200, 0, -EINVAL },
		{ 0, 0, -EINVAL },
		{ UINT64_MAX, 2, -EINVAL },
		{ UINT64_MAX - 7, 9, -EINVAL },
		{ 2, UINT64_MAX, -EINVAL },
		{ 0, UINT64_MAX, -EEXIST },
		{ UINT64_MAX - 7, 8, 0 }, /* up to the very top */
		{ UINT64_MAX, 1, -EEXIST },
		{ 0, 1, 0 },
		{ 0, 1, -EEXIST },
	};
	struct device dev = { 0 };
	struct bus bus;

	(void)state;
	bus_init(&bus, "port");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct err e = { "" };

		assert_int_equal(bus_add(&bus, t[i].base, t[i].len, &ops, &dev, "dev", &e),
				 t[i].result);
		assert_true((e.text[0] != '\0') == (t[i].result < 0));
		assert_int_equal(bus_add(&bus, t[i].base, t[i].len, &ops, &dev, "dev", NULL),
				 t[i].result ? t[i].result : -EEXIST);
	}
	for (unsigned int i = 1; i < bus.nranges; i++)
		assert_true(bus.range[i - 1].base + bus.range[i - 1].len <= bus.range[i].base);
}

static void test_add_names_both(void **state)
{
	struct err e = { "" };
	struct device dev;
	struct bus bus;

	(void)state;
	bus_init(&bus, "mmio");
	bus_add(&bus, 0x1000, 0x1000, &ops, &dev, "blk0", &e);
	bus_add(&bus, 0x1fff, 1, &ops, &dev, "net0", &e);
	assert_non_null(strstr(e.text, "blk0"));
	assert_non_null(strstr(e.text, "net0"));
	assert_non_null(strstr(e.text, "mmio"));
}

static void test_full_and_frozen(void **state)
{
	struct device dev[BUS_MAX_RANGES];
	struct err e = { "" };
	struct bus bus;
	uint8_t b;

	(void)state;
	bus_init(&bus, "port");
	/* In falling order: each goes in front of all others. */
	for (unsigned int i = BUS_MAX_RANGES; i-- > 0;) {
		dev[i] = (struct device){ 0 };
		assert_int_equal(bus_add(&bus, 16ULL * i, 8, &ops, &dev[i], "dev", &e), 0);
	}
	assert_int_equal(bus_add(&bus, 16ULL * BUS_MAX_RANGES, 8, &ops, &dev[0], "dev", &e),
			 -ENOSPC);
	bus_freeze(&bus);
	assert_int_equal(bus_add(&bus, 0x10000, 8, &ops, &dev[0], "dev", &e), -EINVAL);
	for (unsigned int i = 0; i < BUS_MAX_RANGES; i++) {
		assert_true(bus_read(&bus, 16ULL * i + 7, &b, 1));
		assert_int_equal(dev[i].reads, 1);
		assert_int_equal(dev[i].offset, 7);
		assert_false(bus_read(&bus, 16ULL * i + 8, &b, 1));
	}
}

static void test_ownership(void **state)
{
	static const unsigned int widths[] = { 1, 2, 4, 8 };
	struct device low = { 0 }, high = { 0 };
	struct bus bus;

	(void)state;
	bus_init(&bus, "mmio");
	assert_int_equal(bus_add(&bus, 16, 8, &ops, &low, "low", NULL), 0);
	assert_int_equal(bus_add(&bus, 24, 4, &ops, &high, "high", NULL), 0);
	bus_freeze(&bus);
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		for (uint64_t at = 0; at < 40; at++) {
			unsigned int len = widths[i];
			uint8_t data[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
			bool in_low = at >= 16 && at + len <= 24;
			bool in_high = at >= 24 && at + len <= 28;
			struct device *d = in_low ? &low : &high;

			low.reads = low.writes = high.reads = high.writes = 0;
			assert_int_equal(bus_read(&bus, at, data, len), in_low || in_high);
			for (unsigned int k = 0; k < 8; k++)
				assert_int_equal(data[k], k >= len	      ? 1
							  : in_low || in_high ? 0x42
									      : 0xff);
			assert_int_equal(bus_write(&bus, at, data, len), in_low || in_high);
			assert_int_equal(low.reads + high.reads, in_low || in_high);
			assert_int_equal(low.writes + high.writes, in_low || in_high);
			if (in_low || in_high) {
				assert_int_equal(d->reads + d->writes, 2);
				assert_int_equal(d->offset, at - (in_low ? 16 : 24));
				assert_int_equal(d->len, len);
			}
		}
	}
	/* The end of the address space. */
	assert_int_equal(bus_write(&bus, UINT64_MAX, (uint8_t[]){ 0 }, 1), false);
	bus_init(&bus, "mmio");
	assert_int_equal(bus_add(&bus, UINT64_MAX - 3, 4, &ops, &low, "top", NULL), 0);
	for (uint64_t at = UINT64_MAX - 10; at != 0; at++) {
		uint8_t data[8];

		assert_int_equal(bus_read(&bus, at, data, 4), at == UINT64_MAX - 3);
		assert_false(bus_read(&bus, at, data, 8));
	}
}

/* A range may leave a direction out: reads are ones, writes go nowhere. */
static void test_no_ops(void **state)
{
	uint8_t data[4] = { 0 };
	struct bus bus;

	(void)state;
	bus_init(&bus, "port");
	assert_int_equal(bus_add(&bus, 0, 4, &no_ops, NULL, "hole", NULL), 0);
	assert_true(bus_read(&bus, 0, data, 4));
	assert_int_equal(data[0] & data[3], 0xff);
	assert_true(bus_write(&bus, 0, data, 4));
	bus_init(&bus, "port");
	assert_false(bus_read(&bus, 0, data, 4));
	assert_false(bus_write(&bus, 0, data, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_names_both),
		cmocka_unit_test(test_full_and_frozen),
		cmocka_unit_test(test_ownership),
		cmocka_unit_test(test_no_ops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
