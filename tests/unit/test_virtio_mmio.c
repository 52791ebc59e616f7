/*
 * test_virtio_mmio.c - the transport, driven by register accesses, with a
 * back end that checks what it is handed.
 */
#include "devices/platform/virtio_mmio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/base/util.h"

#define ACK	    1u
#define DRIVER	    2u
#define DRIVER_OK   4u
#define FEATURES_OK 8u
#define NEEDS_RESET 64u
#define FAILED	    128u
#define READY_TO_GO (ACK | DRIVER | FEATURES_OK)
#define RUNNING	    (READY_TO_GO | DRIVER_OK)

#define VERSION_1  (1ULL << 32)
#define OFFERED	   (VERSION_1 | (1ULL << 28) | (1ULL << 29) | 0x5)
#define QUEUE_MAX  256
#define NQUEUES	   3
#define CONFIG_LEN 21

struct mock {
	struct virtio_device_info info;
	int attach_result, activate_result, reset_result;
	int attached, activated, resets, notified, config_writes;
	uint32_t last_notify;
	bool active;
	uint64_t features;
	struct virtio_queue_config queues[VIRTIO_MAX_QUEUES];
	uint8_t config[VIRTIO_CONFIG_MAX];
	uint32_t generation;
	atomic_int pulses;
	/* Called inside activate() and reset(), where a vCPU holds the lock. */
	void (*inside)(struct mock *m);
	struct virtio_mmio *t;
};

static int mock_attach(void *ctx, struct virtio_device_info *ret_info)
{
	struct mock *m = ctx;

	m->attached++;
	if (m->attach_result < 0)
		return m->attach_result;
	*ret_info = m->info;
	return 0;
}

static void mock_config_read(void *ctx, uint32_t offset, void *data, uint32_t len)
{
	struct mock *m = ctx;

	assert_true(len > 0 && offset < m->info.config_len && len <= m->info.config_len - offset);
	memcpy(data, m->config + offset, len);
}

static uint32_t mock_config_generation(void *ctx)
{
	return ((struct mock *)ctx)->generation;
}

static void mock_config_write(void *ctx, uint32_t offset, const void *data, uint32_t len)
{
	struct mock *m = ctx;

	assert_true(len > 0 && offset < m->info.config_len && len <= m->info.config_len - offset);
	memcpy(m->config + offset, data, len);
	m->config_writes++;
}

/* Everything that the contract of activate() promises. */
static void check_queues(const struct mock *m, const struct virtio_queue_config *queues)
{
	static const struct virtio_queue_config zero;

	for (unsigned int i = 0; i < m->info.nqueues; i++) {
		const struct virtio_queue_config *q = &queues[i];

		if (!q->ready) {
			assert_int_equal(q->size | q->desc | q->driver | q->device, zero.size);
			continue;
		}
		assert_true(q->size && q->size <= m->info.queue_size_max);
		assert_int_equal(q->size & (q->size - 1), 0);
		assert_int_equal(q->desc % 16 + q->driver % 2 + q->device % 4, 0);
		assert_true(q->desc <= UINT64_MAX - 16ULL * q->size + 1);
		assert_true(q->driver <= UINT64_MAX - (6 + 2ULL * q->size) + 1);
		assert_true(q->device <= UINT64_MAX - (6 + 8ULL * q->size) + 1);
	}
}

static int mock_activate(void *ctx, uint64_t features, const struct virtio_queue_config *queues)
{
	struct mock *m = ctx;

	assert_false(m->active);
	assert_int_equal(features & ~m->info.features, 0);
	assert_true(features & VERSION_1);
	check_queues(m, queues);
	m->active = true;
	m->activated++;
	m->features = features;
	memcpy(m->queues, queues, m->info.nqueues * sizeof(queues[0]));
	if (m->inside)
		m->inside(m);
	return m->activate_result;
}

static int mock_reset(void *ctx)
{
	struct mock *m = ctx;

	m->resets++;
	m->active = false;
	if (m->inside)
		m->inside(m);
	return m->reset_result;
}

static void mock_notify(void *ctx, uint32_t queue)
{
	struct mock *m = ctx;

	assert_true(m->active && queue < m->info.nqueues && m->queues[queue].ready);
	m->notified++;
	m->last_notify = queue;
}

static const struct virtio_backend_ops mock_ops = {
	.attach = mock_attach,
	.config_read = mock_config_read,
	.config_generation = mock_config_generation,
	.config_write = mock_config_write,
	.activate = mock_activate,
	.reset = mock_reset,
	.notify = mock_notify,
};

static void mock_pulse(void *ctx, unsigned int gsi)
{
	assert_int_equal(gsi, 5);
	atomic_fetch_add(&((struct mock *)ctx)->pulses, 1);
}

static struct mock *set_up(void)
{
	struct mock *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->info = (struct virtio_device_info){
		.device_id = 2,
		.features = OFFERED,
		.nqueues = NQUEUES,
		.queue_size_max = QUEUE_MAX,
		.config_len = CONFIG_LEN,
	};
	for (unsigned int i = 0; i < CONFIG_LEN; i++)
		m->config[i] = (uint8_t)(i + 1);
	m->t = virtio_mmio_new("blk0", &mock_ops, m,
			       (struct irq_line){ .pulse = mock_pulse, .ctx = m, .gsi = 5 });
	assert_non_null(m->t);
	return m;
}

static void tear_down(struct mock *m)
{
	virtio_mmio_free(m->t);
	free(m);
}

static uint32_t rd(struct mock *m, uint64_t offset)
{
	uint32_t v = 0x5a5a5a5a;

	virtio_mmio_bus_ops.read(m->t, offset, (uint8_t *)&v, sizeof(v));
	return v;
}

static void wr(struct mock *m, uint64_t offset, uint32_t v)
{
	virtio_mmio_bus_ops.write(m->t, offset, (const uint8_t *)&v, sizeof(v));
}

static void set_status(struct mock *m, uint32_t v)
{
	wr(m, VIRTIO_MMIO_STATUS, v);
}

static uint32_t status(struct mock *m)
{
	return rd(m, VIRTIO_MMIO_STATUS);
}

static void ack_features(struct mock *m, uint64_t features)
{
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
}

static void write_queue(struct mock *m, uint32_t index, uint32_t size, uint64_t desc,
			uint64_t driver, uint64_t device)
{
	wr(m, VIRTIO_MMIO_QUEUE_SEL, index);
	wr(m, VIRTIO_MMIO_QUEUE_NUM, size);
	wr(m, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)desc);
	wr(m, VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(desc >> 32));
	wr(m, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)driver);
	wr(m, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(driver >> 32));
	wr(m, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)device);
	wr(m, VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(device >> 32));
}

static uint32_t make_ready(struct mock *m)
{
	wr(m, VIRTIO_MMIO_QUEUE_READY, 1);
	return rd(m, VIRTIO_MMIO_QUEUE_READY);
}

/* Up to FEATURES_OK, the way Linux does it. */
static void negotiate(struct mock *m)
{
	set_status(m, 0);
	set_status(m, ACK);
	set_status(m, ACK | DRIVER);
	ack_features(m, OFFERED);
	set_status(m, READY_TO_GO);
	assert_int_equal(status(m), READY_TO_GO);
}

static void start(struct mock *m)
{
	negotiate(m);
	write_queue(m, 0, 128, 0x100000, 0x200002, 0x300004);
	assert_int_equal(make_ready(m), 1);
	set_status(m, RUNNING);
}

/* --- registers --- */

static void test_identity(void **state)
{
	struct mock *m = set_up();

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
	tear_down(m);
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
	struct mock *m = set_up();

	(void)state;
	m->attach_result = -ETIMEDOUT;
	assert_empty(m);
	tear_down(m);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		m = set_up();
		m->info = bad[i];
		assert_empty(m);
		tear_down(m);
	}
}

/* 4.2.2.2: 32 bits wide and aligned; anything else is nobody's. */
static void test_register_widths(void **state)
{
	struct mock *m = set_up();
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
	tear_down(m);
}

static void test_config_space(void **state)
{
	static const unsigned int widths[] = { 1, 2, 4, 8 };
	struct mock *m = set_up();
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
	tear_down(m);
}

/* --- status --- */

/* Bring the device to `state`, without activating when it can be helped. */
static void bring_to(struct mock *m, uint32_t state)
{
	set_status(m, 0);
	if (state & ACK)
		set_status(m, ACK);
	if (state & DRIVER)
		set_status(m, ACK | DRIVER);
	ack_features(m, OFFERED);
	if (state & FEATURES_OK)
		set_status(m, READY_TO_GO);
	if (state & DRIVER_OK)
		set_status(m, RUNNING);
	if (state & FAILED)
		set_status(m, state);
	assert_int_equal(status(m), state);
}

/* Every status byte (and some words) from every state that can be reached. */
static void test_status_table(void **state)
{
	static const uint32_t chain[] = { 0, ACK, ACK | DRIVER, READY_TO_GO, RUNNING };
	struct mock *m = set_up();

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
	tear_down(m);
}

static void test_features_refused(void **state)
{
	static const uint64_t bad[] = { 0, OFFERED & ~VERSION_1, OFFERED | 2,
					OFFERED | (1ULL << 63), UINT64_MAX };
	struct mock *m = set_up();

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
	tear_down(m);
}

/* Features of a transport that this one is not are not offered. */
static void test_features_masked(void **state)
{
	struct mock *m = set_up();

	(void)state;
	m->info.features = UINT64_MAX;
	wr(m, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_FEATURES),
			 (uint32_t) ~((1u << 2) | (1u << 5) | (1u << 6) | (1u << 8) | (1u << 9)));
	tear_down(m);
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
	struct mock *m = set_up();

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
	tear_down(m);
}

static void test_queue_frozen(void **state)
{
	struct mock *m = set_up();

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
	tear_down(m);
}

static void test_queue_select(void **state)
{
	static const uint32_t beyond[] = { NQUEUES, NQUEUES + 1, VIRTIO_MAX_QUEUES,
					   0x10000, 0x80000000,	 UINT32_MAX };
	struct mock *m = set_up();

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
	tear_down(m);
}

static void test_notify(void **state)
{
	struct mock *m = set_up();

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
	tear_down(m);
}

/* --- interrupts, loss, reset --- */

static void test_interrupt_status(void **state)
{
	struct mock *m = set_up();

	(void)state;
	negotiate(m);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	/* A change before DRIVER_OK is told when the driver gets there. */
	virtio_mmio_config_changed(m->t);
	assert_int_equal(atomic_load(&m->pulses), 0);
	set_status(m, RUNNING);
	assert_int_equal(atomic_load(&m->pulses), 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	wr(m, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	wr(m, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	virtio_mmio_config_changed(m->t);
	assert_int_equal(atomic_load(&m->pulses), 2);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	set_status(m, 0);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	tear_down(m);
}

/* The back end may interrupt before activate() has returned. */
static void check_interrupt_status(struct mock *m)
{
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS) & 1, m->active);
}

static void test_interrupt_during_activate(void **state)
{
	struct mock *m = set_up();

	(void)state;
	m->inside = check_interrupt_status;
	start(m);
	set_status(m, 0);
	assert_int_equal(m->activated + m->resets, 2);
	tear_down(m);
}

static void test_activate_fails(void **state)
{
	struct mock *m = set_up();

	(void)state;
	m->activate_result = -EIO;
	start(m);
	assert_int_equal(status(m), RUNNING | NEEDS_RESET);
	assert_int_equal(atomic_load(&m->pulses), 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	m->activate_result = 0;
	start(m);
	assert_int_equal(m->resets, 1);
	assert_int_equal(status(m), RUNNING);
	tear_down(m);
}

static void test_lost(void **state)
{
	struct mock *m = set_up();

	(void)state;
	/* Before DRIVER_OK: shown, no interrupt, and no way forward. */
	negotiate(m);
	virtio_mmio_lost(m->t);
	assert_int_equal(status(m), READY_TO_GO | NEEDS_RESET);
	assert_int_equal(atomic_load(&m->pulses), 0);
	set_status(m, RUNNING);
	set_status(m, RUNNING | NEEDS_RESET);
	assert_int_equal(status(m), READY_TO_GO | NEEDS_RESET);
	assert_int_equal(m->activated, 0);
	set_status(m, READY_TO_GO | NEEDS_RESET | FAILED);
	assert_int_equal(status(m), READY_TO_GO | NEEDS_RESET | FAILED);

	/* After it: one interrupt however often it is told. */
	start(m);
	assert_int_equal(m->resets, 1);
	virtio_mmio_lost(m->t);
	virtio_mmio_lost(m->t);
	assert_int_equal(status(m), RUNNING | NEEDS_RESET);
	assert_int_equal(atomic_load(&m->pulses), 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	tear_down(m);
}

static void test_reset(void **state)
{
	struct mock *m = set_up();

	(void)state;
	set_status(m, 0); /* as Linux does first: nothing to undo */
	negotiate(m);
	set_status(m, 0);
	assert_int_equal(m->resets, 0);
	start(m);
	wr(m, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	set_status(m, 0);
	assert_int_equal(m->resets, 1);
	assert_int_equal(status(m), 0);
	assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_FEATURES), (uint32_t)OFFERED);
	set_status(m, 0);
	assert_int_equal(m->resets, 1);
	/* Features do not survive. */
	set_status(m, ACK | DRIVER);
	set_status(m, READY_TO_GO);
	assert_int_equal(status(m), ACK | DRIVER);
	tear_down(m);
}

static void test_reset_fails(void **state)
{
	struct mock *m = set_up();

	(void)state;
	start(m);
	m->reset_result = -EIO;
	for (int i = 0; i < 3; i++) {
		set_status(m, 0);
		assert_int_equal(status(m), NEEDS_RESET);
		assert_int_equal(m->resets, 1);
		assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_ID), 2);
		set_status(m, ACK);
		assert_int_equal(status(m), NEEDS_RESET);
		set_status(m, FAILED);
		assert_int_equal(status(m), NEEDS_RESET | FAILED);
	}
	tear_down(m);
}

static void *lose(void *arg)
{
	struct mock *m = arg;

	virtio_mmio_lost(m->t);
	virtio_mmio_config_changed(m->t);
	return NULL;
}

/* A vCPU waits with the lock held for a thread that reports a loss. */
static void lose_from_another_thread(struct mock *m)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, lose, m), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_lost_while_vcpu_waits(void **state)
{
	struct mock *m = set_up();

	(void)state;
	m->inside = lose_from_another_thread;
	start(m);
	assert_int_equal(status(m), RUNNING | NEEDS_RESET);
	assert_true(atomic_load(&m->pulses) >= 1);
	/* A loss during the reset is not wiped out by it. */
	set_status(m, 0);
	assert_int_equal(status(m), NEEDS_RESET);
	m->inside = NULL;
	set_status(m, 0);
	assert_int_equal(m->resets, 2);
	assert_int_equal(status(m), 0);
	tear_down(m);
}

/* --- a driver that means no good --- */

static const uint32_t values[] = { 0,	       1,	   2,
				   3,	       4,	   7,
				   8,	       11,	   15,
				   16,	       64,	   127,
				   128,	       255,	   256,
				   257,	       0x1000,	   0x7fff,
				   0x8000,     0xffff,	   0x10000,
				   0x7fffffff, 0x80000000, 0xfffffff0,
				   0xfffffffe, 0xffffffff, (uint32_t)OFFERED };

static void random_access(struct mock *m, unsigned int *seed, bool steps)
{
	static const uint32_t forward[] = { 0, ACK, ACK | DRIVER, READY_TO_GO, RUNNING };
	static const unsigned int widths[] = { 1, 2, 4, 8 };
	unsigned int r = (unsigned int)rand_r(seed);
	unsigned int width = r % 4 ? 4 : widths[(r >> 2) % 4];
	uint64_t offset = (unsigned int)rand_r(seed) % (r % 64 ? 0x140u : VIRTIO_MMIO_LEN - 8);
	uint64_t v = values[(unsigned int)rand_r(seed) % ARRAY_SIZE(values)];
	uint8_t data[8];

	if (width == 4)
		offset &= ~3ULL;
	/* Without help a random walk never gets as far as DRIVER_OK. */
	if (steps && r % 16 == 0) {
		ack_features(m, OFFERED);
		set_status(m, forward[(unsigned int)rand_r(seed) % ARRAY_SIZE(forward)]);
	}
	if (steps && r % 16 == 1)
		make_ready(m);
	v |= v << 32;
	if (r & 0x100)
		virtio_mmio_bus_ops.read(m->t, offset, data, width);
	else
		virtio_mmio_bus_ops.write(m->t, offset, (const uint8_t *)&v, width);
}

static void test_fuzz(void **state)
{
	struct mock *m = set_up();
	unsigned int seed = 20;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		random_access(m, &seed, true);
		if (i % 1000 == 999) {
			m->activate_result = i % 3000 == 2999 ? -EIO : 0;
			virtio_mmio_lost(m->t);
		}
	}
	assert_true(m->activated > 100 && m->resets > 100);
	tear_down(m);
}

static atomic_uint next_seed = 100;
static atomic_bool stop;

static void *fuzz_thread(void *arg)
{
	struct mock *m = arg;
	unsigned int seed = atomic_fetch_add(&next_seed, 1);

	for (int i = 0; i < 100000; i++)
		random_access(m, &seed, true);
	return NULL;
}

static void *control_thread(void *arg)
{
	struct mock *m = arg;

	while (!atomic_load(&stop)) {
		virtio_mmio_config_changed(m->t);
		virtio_mmio_lost(m->t);
		usleep(200);
	}
	return NULL;
}

static void test_fuzz_threads(void **state)
{
	struct mock *m = set_up();
	pthread_t vcpu[2], control;

	(void)state;
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&control, NULL, control_thread, m), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&vcpu[i], NULL, fuzz_thread, m), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(vcpu[i], NULL);
	atomic_store(&stop, true);
	pthread_join(control, NULL);
	assert_int_equal(m->attached, 1);
	assert_true(m->activated > 10);
	/* Whatever it went through, it can be set up again. */
	set_status(m, 0);
	set_status(m, 0);
	start(m);
	assert_int_equal(status(m), RUNNING);
	tear_down(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_empty_slot),
		cmocka_unit_test(test_register_widths),
		cmocka_unit_test(test_config_space),
		cmocka_unit_test(test_status_table),
		cmocka_unit_test(test_features_refused),
		cmocka_unit_test(test_features_masked),
		cmocka_unit_test(test_queue_validation),
		cmocka_unit_test(test_queue_frozen),
		cmocka_unit_test(test_queue_select),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_interrupt_status),
		cmocka_unit_test(test_interrupt_during_activate),
		cmocka_unit_test(test_activate_fails),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_reset_fails),
		cmocka_unit_test(test_lost_while_vcpu_waits),
		cmocka_unit_test(test_fuzz),
		cmocka_unit_test(test_fuzz_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
