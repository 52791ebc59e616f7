/*
 * test_control_ports.c - i8042, pvpanic, ACPI sleep and reset, exit device.
 */
#include "devices/platform/control_ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest-kernel-config/guest_abi.h"
#include "vmm/base/util.h"

struct seen {
	unsigned int count;
	enum control_event event;
	uint32_t value;
};

static void record(void *ctx, enum control_event event, uint32_t value)
{
	*(struct seen *)ctx = (struct seen){ ((struct seen *)ctx)->count + 1, event, value };
}

static const unsigned int widths[] = { 1, 2, 4, 8 };

static uint64_t rd(const struct bus_ops *ops, struct control_sink *sink, uint64_t offset,
		   unsigned int len)
{
	uint64_t v = 0;

	ops->read(sink, offset, (uint8_t *)&v, len);
	return v;
}

static void wr(const struct bus_ops *ops, struct control_sink *sink, uint64_t offset, uint64_t v,
	       unsigned int len)
{
	ops->write(sink, offset, (const uint8_t *)&v, len);
}

/* --- i8042 --- */

static void test_i8042_reset(void **state)
{
	struct seen seen = { 0 };
	struct control_sink sink = { .event = record, .ctx = &seen };

	(void)state;
	for (unsigned int port = 0; port < I8042_LEN; port++) {
		for (unsigned int v = 0; v < 256; v++) {
			bool reset = port == 4 && v >= 0xf0 && !(v & 1);

			seen.count = 0;
			wr(&i8042_bus_ops, &sink, port, v, 1);
			assert_int_equal(seen.count, reset);
			if (reset)
				assert_int_equal(seen.event, CONTROL_RESET);
		}
	}
	/* A wider access is made of bytes: only the one at 0x64 counts. */
	seen.count = 0;
	wr(&i8042_bus_ops, &sink, 3, 0x00fe, 2);
	wr(&i8042_bus_ops, &sink, 0, 0xfefefefe, 4);
	assert_int_equal(seen.count, 0);
	wr(&i8042_bus_ops, &sink, 3, 0xfe00, 2);
	wr(&i8042_bus_ops, &sink, 1, 0xfe000000, 4);
	assert_int_equal(seen.count, 2);
}

/* Linux gives up on a controller whose output does not run dry. */
static void test_i8042_probe(void **state)
{
	struct seen seen = { 0 };
	struct control_sink sink = { .event = record, .ctx = &seen };
	unsigned int thrown_away = 0;

	(void)state;
	while (rd(&i8042_bus_ops, &sink, 4, 1) & 1) {
		assert_int_equal(rd(&i8042_bus_ops, &sink, 4, 1) & 2, 0);
		rd(&i8042_bus_ops, &sink, 0, 1);
		assert_true(++thrown_away < 64);
	}
	assert_true(thrown_away > 16);
	for (int i = 0; i < 1000; i++) {
		rd(&i8042_bus_ops, &sink, 0, 1);
		assert_int_equal(rd(&i8042_bus_ops, &sink, 4, 1), 0);
	}
	/* The timer calibration's loop on port B ends. */
	assert_int_equal(rd(&i8042_bus_ops, &sink, 1, 1), 0x20);
	assert_int_equal(rd(&i8042_bus_ops, &sink, 2, 1), 0xff);
	assert_int_equal(rd(&i8042_bus_ops, &sink, 3, 1), 0xff);
	assert_int_equal(seen.count, 0);
}

/* --- pvpanic --- */

static void test_pvpanic(void **state)
{
	struct seen seen = { 0 };
	struct control_sink sink = { .event = record, .ctx = &seen };

	(void)state;
	assert_int_equal(rd(&pvpanic_bus_ops, &sink, 0, 1), 3);
	for (unsigned int v = 0; v < 256; v++) {
		seen.count = 0;
		wr(&pvpanic_bus_ops, &sink, 0, v, 1);
		assert_int_equal(seen.count, (v & 3) != 0);
		if (v & 1) {
			assert_int_equal(seen.event, CONTROL_PANIC);
			assert_int_equal(seen.value, 1);
		} else if (v & 2) {
			assert_int_equal(seen.event, CONTROL_CRASH_LOADED);
			assert_int_equal(seen.value, 2);
		}
	}
}

/* --- ACPI --- */

static void test_acpi_power(void **state)
{
	struct seen seen = { 0 };
	struct control_sink sink = { .event = record, .ctx = &seen };

	(void)state;
	for (unsigned int port = 0; port < ACPI_POWER_LEN; port++)
		assert_int_equal(rd(&acpi_power_bus_ops, &sink, port, 1), 0);
	for (unsigned int v = 0; v < 256; v++) {
		bool s5 = (v & 0x20) && ((v >> 2) & 7) == 5;

		seen.count = 0;
		wr(&acpi_power_bus_ops, &sink, ACPI_SLEEP_CONTROL, v, 1);
		assert_int_equal(seen.count, s5);
		if (s5)
			assert_int_equal(seen.event, CONTROL_POWER_OFF);
		wr(&acpi_power_bus_ops, &sink, ACPI_SLEEP_STATUS, v, 1);
		assert_int_equal(seen.count, s5);
		wr(&acpi_power_bus_ops, &sink, ACPI_RESET, v, 1);
		assert_int_equal(seen.count, s5 + 1);
		assert_int_equal(seen.event, CONTROL_RESET);
	}
}

/* --- exit device --- */

static void test_exit_device(void **state)
{
	static const struct {
		uint64_t offset;
		uint32_t word;
		unsigned int count;
		enum control_event event;
		uint32_t value;
	} t[] = {
		{ 0, 0, 1, CONTROL_EXIT, 0 },
		{ 0, BH_EXIT_STATUS(BH_EXIT_SIGNALED, 9), 1, CONTROL_EXIT, 0x109 },
		{ 0, UINT32_MAX, 1, CONTROL_EXIT, UINT32_MAX },
		{ 4, BH_EXIT_OP_PHASE | BH_PHASE_COMMAND, 1, CONTROL_PHASE, BH_PHASE_COMMAND },
		{ 4, BH_EXIT_OP_PHASE | 0xffffff, 1, CONTROL_PHASE, 0xffffff },
		{ 4, BH_EXIT_OP_TEXT | 'x', 1, CONTROL_TEXT, 'x' },
		{ 4, BH_EXIT_OP_TEXT | 0xffff41, 1, CONTROL_TEXT, 0x41 },
		{ 4, 0, 0, CONTROL_EXIT, 0 },
		{ 4, 3u << 24, 0, CONTROL_EXIT, 0 },
		{ 4, UINT32_MAX, 0, CONTROL_EXIT, 0 },
	};
	struct seen seen = { 0 };
	struct control_sink sink = { .event = record, .ctx = &seen };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		seen.count = 0;
		wr(&exit_device_bus_ops, &sink, t[i].offset, t[i].word, 4);
		assert_int_equal(seen.count, t[i].count);
		if (t[i].count) {
			assert_int_equal(seen.event, t[i].event);
			assert_int_equal(seen.value, t[i].value);
		}
	}
	/* Only 32 bits wide, at 0 and 4. */
	seen.count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		for (uint64_t at = 0; at + widths[i] <= BH_EXIT_PORT_LEN; at++) {
			uint64_t ones = widths[i] == 8 ? UINT64_MAX : (1ULL << 8 * widths[i]) - 1;
			uint64_t v = rd(&exit_device_bus_ops, &sink, at, widths[i]);

			assert_true(v == (widths[i] != 4 || at % 4 ? ones
					  : at			   ? 0
								   : BH_EXIT_MAGIC));
			if (widths[i] != 4 || at % 4)
				wr(&exit_device_bus_ops, &sink, at, 0x0101010101010101, widths[i]);
		}
	}
	assert_int_equal(seen.count, 0);
}

/* --- hostile --- */

/* What init is asked for: a number once, the last one; to stop for good. */
static void test_wanted(void **state)
{
	struct seen seen = { 0 };
	struct control_sink sink = { .event = record, .ctx = &seen };
	const struct bus_ops *ops = &exit_device_bus_ops;

	(void)state;
	control_want(&sink, BH_WANT_PIDS | 7);
	control_want(&sink, BH_WANT_PIDS | 9);
	assert_true(rd(ops, &sink, 4, 2) == 0xffff); /* which takes nothing */
	assert_true(rd(ops, &sink, 0, 4) == BH_EXIT_MAGIC);
	assert_true(rd(ops, &sink, 4, 4) == (BH_WANT_PIDS | 9));
	assert_true(rd(ops, &sink, 4, 4) == 0);
	control_want(&sink, BH_WANT_PIDS);
	control_want(&sink, BH_WANT_STOP);
	control_want(&sink, BH_WANT_PIDS | 3);
	assert_true(rd(ops, &sink, 4, 4) == BH_WANT_STOP);
	assert_true(rd(ops, &sink, 4, 4) == BH_WANT_STOP);
	assert_int_equal(seen.count, 0);
}

static void test_fuzz(void **state)
{
	static const struct {
		const struct bus_ops *ops;
		unsigned int len;
	} devices[] = {
		{ &i8042_bus_ops, I8042_LEN },
		{ &pvpanic_bus_ops, 1 },
		{ &acpi_power_bus_ops, ACPI_POWER_LEN },
		{ &exit_device_bus_ops, BH_EXIT_PORT_LEN },
	};
	struct seen seen = { 0 };
	struct control_sink sink = { .event = record, .ctx = &seen };
	unsigned int seed = 5;

	(void)state;
	for (int i = 0; i < 400000; i++) {
		unsigned int r = (unsigned int)rand_r(&seed);
		unsigned int d = r % ARRAY_SIZE(devices), width = widths[(r >> 4) % 4];
		uint8_t *data;

		if (width > devices[d].len)
			continue;
		data = malloc(width); /* so that a byte too far is seen */
		assert_non_null(data);
		for (unsigned int k = 0; k < width; k++)
			data[k] = (uint8_t)rand_r(&seed);
		r = (unsigned int)rand_r(&seed);
		if (r & 0x400)
			devices[d].ops->read(&sink, (r >> 12) % (devices[d].len - width + 1), data,
					     width);
		else
			devices[d].ops->write(&sink, (r >> 12) % (devices[d].len - width + 1), data,
					      width);
		free(data);
	}
	assert_true(seen.count > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_i8042_reset), cmocka_unit_test(test_i8042_probe),
		cmocka_unit_test(test_pvpanic),	    cmocka_unit_test(test_acpi_power),
		cmocka_unit_test(test_exit_device), cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
