/*
 * test_ioapic.c - the I/O APIC's registers, and the messages that it tells of.
 */
#include "devices/platform/ioapic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/base/util.h"

#define PINS   8
#define MASKED 0x10000u
#define NOBODY 0xffffffffu

struct told {
	unsigned int calls, n;
	struct ioapic_message message[IOAPIC_MAX_PINS];
};

static struct told told;
static struct ioapic io;

static void routed(void *ctx, const struct ioapic_message *messages, unsigned int n)
{
	struct told *t = ctx;

	t->calls++;
	t->n = n;
	memcpy(t->message, messages, n * sizeof(*messages));
}

static int setup(void **state)
{
	(void)state;
	memset(&told, 0, sizeof(told));
	ioapic_init(&io, PINS, routed, &told);
	return 0;
}

static uint64_t get(uint64_t offset, unsigned int len)
{
	uint64_t v = 0;

	ioapic_bus_ops.read(&io, offset, (uint8_t *)&v, len);
	return v;
}

static void put(uint64_t offset, uint64_t v, unsigned int len)
{
	ioapic_bus_ops.write(&io, offset, (const uint8_t *)&v, len);
}

static uint32_t reg_get(unsigned int reg)
{
	put(0x00, reg, 4);
	return (uint32_t)get(0x10, 4);
}

static void reg_put(unsigned int reg, uint32_t v)
{
	put(0x00, reg, 4);
	put(0x10, v, 4);
}

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(reg_get(0), 0);
	reg_put(0, 0xffffffff);
	assert_int_equal(reg_get(0), 0x0f000000);
	assert_int_equal(reg_get(2), 0x0f000000);
	reg_put(2, 0);
	assert_int_equal(reg_get(2), 0x0f000000);
	assert_int_equal(reg_get(1), 0x11 | (PINS - 1) << 16);
	reg_put(1, 0);
	assert_int_equal(reg_get(1), 0x11 | (PINS - 1) << 16);
}

static void test_reset_state(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PINS; i++) {
		assert_int_equal(reg_get(0x10 + 2 * i), MASKED);
		assert_int_equal(reg_get(0x11 + 2 * i), 0);
	}
	assert_int_equal(told.calls, 0);
}

/* What is no register reads as nobody and takes nothing. */
static void test_no_register(void **state)
{
	(void)state;
	for (unsigned int reg = 0; reg < 256; reg++) {
		if (reg < 3 || (reg >= 0x10 && reg < 0x10 + 2 * PINS))
			continue;
		assert_int_equal(reg_get(reg), NOBODY);
		reg_put(reg, 0);
		assert_int_equal(reg_get(reg), NOBODY);
	}
	assert_int_equal(told.calls, 0);
}

/* Only the lower eight bits of IOREGSEL select. */
static void test_select(void **state)
{
	(void)state;
	put(0x00, 0xabcdef01, 4);
	assert_int_equal(get(0x00, 4), 0x01);
	assert_int_equal(get(0x10, 4), 0x11 | (PINS - 1) << 16);
}

static void test_width(void **state)
{
	static const unsigned int lens[] = { 1, 2, 4, 8 };

	(void)state;
	put(0x00, 0x10, 4);
	for (uint64_t at = 0; at < IOAPIC_LEN; at++) {
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			unsigned int len = lens[i];

			if (at + len > IOAPIC_LEN || (len == 4 && at % 0x10 == 0))
				continue;
			assert_int_equal(get(at, len),
					 len == 8 ? UINT64_MAX : (1ULL << 8 * len) - 1);
			put(at, 0, len);
		}
	}
	assert_int_equal(get(0x00, 4), 0x10);
	assert_int_equal(get(0x10, 4), MASKED);
	assert_int_equal(told.calls, 0);
}

static void expect(unsigned int pin, bool open, uint32_t address, uint32_t data)
{
	assert_int_equal(told.n, PINS);
	assert_int_equal(told.message[pin].open, open);
	assert_int_equal(told.message[pin].address, address);
	assert_int_equal(told.message[pin].data, data);
}

static void test_messages(void **state)
{
	(void)state;
	/* As Linux does it: the high half, then the low one, which opens it. */
	reg_put(0x10 + 2 * 5 + 1, 0x03000000);
	assert_int_equal(told.calls, 0);
	reg_put(0x10 + 2 * 5, 0x31);
	assert_int_equal(told.calls, 1);
	expect(5, true, 0xfee03000, 0x31);
	/* lowest priority, logical */
	reg_put(0x10 + 2 * 7, 0x941);
	assert_int_equal(told.calls, 2);
	expect(5, true, 0xfee03000, 0x31);
	expect(7, true, 0xfee00004, 0x141);
	/* another CPU */
	reg_put(0x10 + 2 * 5 + 1, 0xff000000);
	assert_int_equal(told.calls, 3);
	expect(5, true, 0xfeeff000, 0x31);
	/* masked, then another vector while masked, then open again */
	reg_put(0x10 + 2 * 5, MASKED | 0x31);
	assert_int_equal(told.calls, 4);
	expect(5, false, 0, 0);
	reg_put(0x10 + 2 * 5, MASKED | 0x55);
	assert_int_equal(told.calls, 4);
	reg_put(0x10 + 2 * 5, 0x55);
	assert_int_equal(told.calls, 5);
	expect(5, true, 0xfeeff000, 0x55);
}

/* The same again, a level, a polarity: no other message, nobody is told. */
static void test_no_change(void **state)
{
	(void)state;
	reg_put(0x10, 0x31);
	reg_put(0x10, 0x31);
	reg_put(0x10, 0x8031);
	reg_put(0x10, 0xa031);
	assert_int_equal(reg_get(0x10), 0xa031);
	reg_put(0x11, 0x00ffffff); /* no bit of the destination */
	assert_int_equal(told.calls, 1);
	expect(0, true, 0xfee00000, 0x31);
}

/* Delivery Status and Remote IRR are not the guest's to write. */
static void test_read_only_bits(void **state)
{
	(void)state;
	reg_put(0x10, 0xffffffff);
	reg_put(0x11, 0xffffffff);
	assert_int_equal(reg_get(0x10), 0x1afff);
	assert_int_equal(reg_get(0x11), 0xff000000);
	assert_int_equal(told.calls, 0);
}

static void test_sizes(void **state)
{
	(void)state;
	ioapic_init(&io, IOAPIC_MAX_PINS, routed, &told);
	reg_put(0x10 + 2 * (IOAPIC_MAX_PINS - 1), 0x99);
	assert_int_equal(told.n, IOAPIC_MAX_PINS);
	assert_int_equal(told.message[IOAPIC_MAX_PINS - 1].data, 0x99);
	ioapic_init(&io, 1, routed, &told);
	assert_int_equal(reg_get(1), 0x11);
	assert_int_equal(reg_get(0x12), NOBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_identity, setup),
		cmocka_unit_test_setup(test_reset_state, setup),
		cmocka_unit_test_setup(test_no_register, setup),
		cmocka_unit_test_setup(test_select, setup),
		cmocka_unit_test_setup(test_width, setup),
		cmocka_unit_test_setup(test_messages, setup),
		cmocka_unit_test_setup(test_no_change, setup),
		cmocka_unit_test_setup(test_read_only_bits, setup),
		cmocka_unit_test_setup(test_sizes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
