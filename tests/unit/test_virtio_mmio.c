/*
 * test_virtio_mmio.c - the transport, register by register: identity, widths,
 * config space, every status step, features, queues.
 */
#include "devices/platform/virtio_mmio.h"

#include <errno.h>
#include <linux/virtio_mmio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/mock_transport.h"
#include "vmm/base/util.h"

/* --- registers --- */

static void test_identity(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	assert_int_equal(rd(m, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(rd(m, VIRTIO_MMIO_VERSION), 2);
	rd(m, VIRTIO_MMIO_VENDOR_ID);
	rd(m, VIRTIO_MMIO_INTERRUPT_STATUS);
	wr(m, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	assert_int_equal(m->attached, 0); /* lazy */
	assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_ID), 2);
	assert_int_equal(m->attached, 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_FEATURES), (uint32_t)OFFERED);
	wr(m, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_FEATURES), 1);
	for (unsigned int i = 2; i; i <<= 1) {
		wr(m, VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
		assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	}
	for (uint32_t reg = VIRTIO_MMIO_SHM_LEN_LOW; reg <= VIRTIO_MMIO_SHM_BASE_HIGH; reg += 4)
		assert_int_equal(rd(m, reg), 0xffffffff);
	m->generation = 77;
	assert_int_equal(rd(m, VIRTIO_MMIO_CONFIG_GENERATION), 77);
	assert_int_equal(m->attached, 1);
	mock_tear_down(m);
}

static void assert_empty(struct mock *m)
{
	assert_int_equal(rd(m, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_ID), 0);
	set_status(m, ACK);
	set_status(m, ACK | DRIVER);
	assert_int_equal(status(m), 0);
	assert_int_equal(rd(m, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	assert_int_equal(rd(m, VIRTIO_MMIO_CONFIG), 0xffffffff);
	virtio_mmio_lost(m->t);
	assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_ID) | status(m), 0);
	assert_int_equal(m->attached, 1);
	assert_int_equal(m->activated + m->resets + m->config_writes, 0);
}

static void test_empty_slot(void **state)
{
	static const struct virtio_device_info bad[] = {
		{ 0, OFFERED, 1, 256, 8 },
		{ 2, OFFERED & ~VERSION_1, 1, 256, 8 },
		{ 2, OFFERED, VIRTIO_MAX_QUEUES + 1, 256, 8 },
		{ 2, OFFERED, UINT32_MAX, 256, 8 },
		{ 2, OFFERED, 1, 0, 8 },
		{ 2, OFFERED, 1, 255, 8 },
		{ 2, OFFERED, 1, 256, VIRTIO_CONFIG_MAX + 1 },
		{ 2, OFFERED, 1, 256, SIZE_MAX },
	};
	struct mock *m = mock_set_up();

	(void)state;
	m->attach_result = -ETIMEDOUT;
	assert_empty(m);
	mock_tear_down(m);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		m = mock_set_up();
		m->info = bad[i];
		assert_empty(m);
		mock_tear_down(m);
	}
}

/* 4.2.2.2: 32 bits wide and aligned; anything else is nobody's. */
static void test_register_widths(void **state)
{
	struct mock *m = mock_set_up();
	static const unsigned int widths[] = { 1, 2, 4, 8 };

	(void)state;
	start(m);
	for (uint64_t offset = 0; offset < VIRTIO_MMIO_CONFIG; offset++) {
		for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
			uint8_t data[8] = { 0 };
			uint8_t ones[8];
			uint64_t v = 0;

			if (widths[i] == 4 && offset % 4 == 0)
				continue;
			memset(ones, 0xff, sizeof(ones));
			virtio_mmio_bus_ops.read(m->t, offset, data, widths[i]);
			assert_memory_equal(data, ones, widths[i]);
			virtio_mmio_bus_ops.write(m->t, offset, (const uint8_t *)&v, widths[i]);
		}
	}
	assert_int_equal(status(m), RUNNING); /* no narrow write of 0 was a reset */
	assert_int_equal(m->resets + m->notified, 0);
	mock_tear_down(m);
}

static void test_config_space(void **state)
{
	static const unsigned int widths[] = { 1, 2, 4, 8 };
	struct mock *m = mock_set_up();
	uint8_t ones[8];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		for (unsigned int at = 0; at + widths[i] <= VIRTIO_MMIO_LEN - 0x100; at++) {
			uint8_t data[8] = { 0 };

			virtio_mmio_bus_ops.read(m->t, 0x100 + at, data, widths[i]);
			if (at + widths[i] <= CONFIG_LEN)
				assert_memory_equal(data, m->config + at, widths[i]);
			else
				assert_memory_equal(data, ones, widths[i]);
		}
	}
	/* Writes need DRIVER and stop at the end of the space. */
	wr(m, 0x100, 0xdeadbeef);
	assert_int_equal(m->config_writes, 0);
	negotiate(m);
	wr(m, 0x100, 0xdeadbeef);
	assert_int_equal(m->config_writes, 1);
	assert_int_equal(rd(m, 0x100), 0xdeadbeef);
	wr(m, 0x100 + CONFIG_LEN - 3, 1);
	wr(m, 0x100 + CONFIG_LEN, 1);
	wr(m, VIRTIO_MMIO_LEN - 4, 1);
	assert_int_equal(m->config_writes, 1);
	set_status(m, 0);
	assert_int_equal(m->resets, 1); /* a write is something to undo */
	mock_tear_down(m);
}

/* --- status --- */

/* Every status byte (and some words) from every state that can be reached. */
static void test_status_table(void **state)
{
	static const uint32_t chain[] = { 0, ACK, ACK | DRIVER, READY_TO_GO, RUNNING };
	struct mock *m = mock_set_up();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(chain) * 2; i++) {
		uint32_t from = chain[i / 2] | (i % 2 ? FAILED : 0);

		for (uint32_t v = 0; v < 0x200; v++) {
			uint32_t want = from;

			bring_to(m, from);
			if (v == 0)
				want = 0;
			else if (v & FAILED)
				want = from | FAILED;
			else if (i % 2 == 0 && i / 2 + 1 < ARRAY_SIZE(chain) &&
				 (v & ~NEEDS_RESET) == chain[i / 2 + 1])
				want = chain[i / 2 + 1];
			else if (from == 0 && (v & ~NEEDS_RESET) == (ACK | DRIVER))
				want = ACK | DRIVER;
			set_status(m, v);
			assert_int_equal(status(m), want);
		}
	}
	mock_tear_down(m);
}

static void test_features_refused(void **state)
{
	static const uint64_t bad[] = { 0, OFFERED & ~VERSION_1, OFFERED | 2,
					OFFERED | (1ULL << 63), UINT64_MAX };
	struct mock *m = mock_set_up();

	(void)state;
	bring_to(m, ACK | DRIVER);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ack_features(m, bad[i]);
		set_status(m, READY_TO_GO);
		assert_int_equal(status(m), ACK | DRIVER);
	}
	/* A selector over 1 reaches no word; the driver may then try again. */
	ack_features(m, VERSION_1);
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2);
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX);
	set_status(m, READY_TO_GO);
	assert_int_equal(status(m), READY_TO_GO);
	/* Frozen from here on. */
	ack_features(m, UINT64_MAX);
	set_status(m, RUNNING);
	assert_int_equal(m->features, VERSION_1);
	mock_tear_down(m);
}

/* Features of a transport that this one is not are not offered. */
static void test_features_masked(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	m->info.features = UINT64_MAX;
	wr(m, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_FEATURES),
			 (uint32_t) ~((1u << 2) | (1u << 5) | (1u << 6) | (1u << 8) | (1u << 9)));
	mock_tear_down(m);
}

/* --- queues --- */

static void test_queue_validation(void **state)
{
	static const struct {
		uint32_t size;
		uint64_t desc, driver, device;
		bool good;
	} t[] = {
		{ 256, 0x1000, 0x2000, 0x3000, true },
		{ 1, 0x10, 0x2, 0x4, true },
		{ 1, 0, 0, 0, true },
		{ 0, 0x1000, 0x2000, 0x3000, false },
		{ 3, 0x1000, 0x2000, 0x3000, false },
		{ 255, 0x1000, 0x2000, 0x3000, false },
		{ 512, 0x1000, 0x2000, 0x3000, false },
		{ 0x8000, 0x1000, 0x2000, 0x3000, false },
		{ 0x10000, 0x1000, 0x2000, 0x3000, false },
		{ 0x10100, 0x1000, 0x2000, 0x3000, false }, /* 256 in 16 bits */
		{ 0x80000000, 0x1000, 0x2000, 0x3000, false },
		{ UINT32_MAX, 0x1000, 0x2000, 0x3000, false },
		{ 256, 0x1008, 0x2000, 0x3000, false },
		{ 256, 0x1000, 0x2001, 0x3000, false },
		{ 256, 0x1000, 0x2000, 0x3002, false },
		{ 256, 0 - 4096ULL, 0x2000, 0x3000, true }, /* ends at the very top */
		{ 256, 0 - 4080ULL, 0x2000, 0x3000, false },
		{ 256, 0 - 16ULL, 0x2000, 0x3000, false },
		{ 256, 0x1000, 0 - 518ULL, 0x3000, true },
		{ 256, 0x1000, 0 - 516ULL, 0x3000, false },
		{ 256, 0x1000, 0x2000, 0 - 2056ULL, true },
		{ 256, 0x1000, 0x2000, 0 - 2052ULL, false },
	};
	struct mock *m = mock_set_up();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		negotiate(m);
		write_queue(m, 1, t[i].size, t[i].desc, t[i].driver, t[i].device);
		assert_int_equal(make_ready(m), t[i].good);
		set_status(m, RUNNING);
		assert_int_equal(m->queues[1].ready, t[i].good);
		if (t[i].good) {
			assert_int_equal(m->queues[1].size, t[i].size);
			assert_int_equal(m->queues[1].desc, t[i].desc);
			assert_int_equal(m->queues[1].driver, t[i].driver);
			assert_int_equal(m->queues[1].device, t[i].device);
		}
		assert_false(m->queues[0].ready || m->queues[2].ready);
	}
	mock_tear_down(m);
}

static void test_queue_frozen(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	/* Before FEATURES_OK nothing sticks. */
	bring_to(m, ACK | DRIVER);
	write_queue(m, 0, 128, 0x1000, 0x2000, 0x3000);
	assert_int_equal(make_ready(m), 0);
	set_status(m, READY_TO_GO);
	assert_int_equal(make_ready(m), 0);

	/* Ready freezes; not ready thaws; other values are neither. */
	write_queue(m, 0, 128, 0x1000, 0x2000, 0x3000);
	wr(m, VIRTIO_MMIO_QUEUE_READY, 2);
	assert_int_equal(rd(m, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(make_ready(m), 1);
	write_queue(m, 0, 64, 0x4000, 0x5000, 0x6000);
	wr(m, VIRTIO_MMIO_QUEUE_READY, 2);
	assert_int_equal(make_ready(m), 1);
	wr(m, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(rd(m, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(make_ready(m), 1);

	/* After DRIVER_OK nothing changes any more. */
	write_queue(m, 2, 64, 0x4000, 0x5000, 0x6000);
	wr(m, VIRTIO_MMIO_QUEUE_SEL, 0);
	set_status(m, RUNNING);
	assert_int_equal(m->queues[0].size, 128);
	assert_int_equal(m->queues[0].desc, 0x1000);
	wr(m, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(rd(m, VIRTIO_MMIO_QUEUE_READY), 1);
	write_queue(m, 1, 64, 0x4000, 0x5000, 0x6000);
	assert_int_equal(make_ready(m), 0);
	wr(m, VIRTIO_MMIO_QUEUE_SEL, 2);
	assert_int_equal(make_ready(m), 0);

	/* Reset forgets all of it. */
	set_status(m, 0);
	wr(m, VIRTIO_MMIO_QUEUE_SEL, 0);
	assert_int_equal(rd(m, VIRTIO_MMIO_QUEUE_READY), 0);
	negotiate(m);
	assert_int_equal(make_ready(m), 0);
	mock_tear_down(m);
}

static void test_queue_select(void **state)
{
	static const uint32_t beyond[] = { NQUEUES, NQUEUES + 1, VIRTIO_MAX_QUEUES,
					   0x10000, 0x80000000,	 UINT32_MAX };
	struct mock *m = mock_set_up();

	(void)state;
	for (uint32_t i = 0; i < NQUEUES; i++) {
		wr(m, VIRTIO_MMIO_QUEUE_SEL, i);
		assert_int_equal(rd(m, VIRTIO_MMIO_QUEUE_NUM_MAX), QUEUE_MAX);
	}
	negotiate(m);
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
		write_queue(m, beyond[i], 64, 0x1000, 0x2000, 0x3000);
		assert_int_equal(rd(m, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
		assert_int_equal(make_ready(m), 0);
	}
	mock_tear_down(m);
}

static void test_notify(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	wr(m, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	negotiate(m);
	write_queue(m, 0, 128, 0x1000, 0x2000, 0x3000);
	make_ready(m);
	wr(m, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(m->notified, 0);
	set_status(m, RUNNING);
	wr(m, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(m->notified, 1);
	for (uint32_t q = 1; q; q <<= 1)
		wr(m, VIRTIO_MMIO_QUEUE_NOTIFY, q);
	wr(m, VIRTIO_MMIO_QUEUE_NOTIFY, UINT32_MAX);
	assert_int_equal(m->notified, 1);
	virtio_mmio_lost(m->t);
	wr(m, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(m->notified, 1);
	mock_tear_down(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),	cmocka_unit_test(test_empty_slot),
		cmocka_unit_test(test_register_widths), cmocka_unit_test(test_config_space),
		cmocka_unit_test(test_status_table),	cmocka_unit_test(test_features_refused),
		cmocka_unit_test(test_features_masked), cmocka_unit_test(test_queue_validation),
		cmocka_unit_test(test_queue_frozen),	cmocka_unit_test(test_queue_select),
		cmocka_unit_test(test_notify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
