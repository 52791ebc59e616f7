/* mock_transport.c - see mock_transport.h. */
#include "tests/unit/support/mock_transport.h"

#include <linux/virtio_mmio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

struct mock *mock_set_up(void)
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

void mock_tear_down(struct mock *m)
{
	virtio_mmio_free(m->t);
	free(m);
}

uint32_t rd(struct mock *m, uint64_t offset)
{
	uint32_t v = 0x5a5a5a5a;

	virtio_mmio_bus_ops.read(m->t, offset, (uint8_t *)&v, sizeof(v));
	return v;
}

void wr(struct mock *m, uint64_t offset, uint32_t v)
{
	virtio_mmio_bus_ops.write(m->t, offset, (const uint8_t *)&v, sizeof(v));
}

void set_status(struct mock *m, uint32_t v)
{
	wr(m, VIRTIO_MMIO_STATUS, v);
}

uint32_t status(struct mock *m)
{
	return rd(m, VIRTIO_MMIO_STATUS);
}

void ack_features(struct mock *m, uint64_t features)
{
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(m, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
}

void write_queue(struct mock *m, uint32_t index, uint32_t size, uint64_t desc, uint64_t driver,
		 uint64_t device)
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

uint32_t make_ready(struct mock *m)
{
	wr(m, VIRTIO_MMIO_QUEUE_READY, 1);
	return rd(m, VIRTIO_MMIO_QUEUE_READY);
}

/* Up to FEATURES_OK, the way Linux does it. */
void negotiate(struct mock *m)
{
	set_status(m, 0);
	set_status(m, ACK);
	set_status(m, ACK | DRIVER);
	ack_features(m, OFFERED);
	set_status(m, READY_TO_GO);
	assert_int_equal(status(m), READY_TO_GO);
}

void start(struct mock *m)
{
	negotiate(m);
	write_queue(m, 0, 128, 0x100000, 0x200002, 0x300004);
	assert_int_equal(make_ready(m), 1);
	set_status(m, RUNNING);
}

/* Bring the device to `state`, without activating when it can be helped. */
void bring_to(struct mock *m, uint32_t state)
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
