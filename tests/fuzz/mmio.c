/*
 * mmio.c - fuzz target: the registers of the virtio-mmio transport.  The back
 * end is the unit tests' mock, which checks what it is handed; losses, config
 * changes and failures come in between.
 */
#include <linux/virtio_mmio.h>

#include "tests/fuzz/input.h"
#include "tests/unit/support/mock_transport.h"

struct world {
	struct input in;
	struct mock *m;
	bool empty, lost;
	bool frozen;					      /* DRIVER_OK was reached */
	struct virtio_queue_config queues[VIRTIO_MAX_QUEUES]; /* as activated */
};

/* Before and after every access. */
static void check(struct world *w)
{
	static const uint32_t legal[] = { 0, ACK, ACK | DRIVER, READY_TO_GO, RUNNING };
	struct mock *m = w->m;
	uint32_t s = status(m), bare = s & ~(NEEDS_RESET | FAILED), i;
	uint32_t interrupt = rd(m, VIRTIO_MMIO_INTERRUPT_STATUS);

	must(rd(m, VIRTIO_MMIO_MAGIC_VALUE) == 0x74726976 && rd(m, VIRTIO_MMIO_VERSION) == 2);
	must((interrupt & 1) == !!(s & DRIVER_OK));
	if (w->empty) {
		must(s == 0 && rd(m, VIRTIO_MMIO_DEVICE_ID) == 0);
		must(m->activated == 0 && m->resets == 0 && m->notified == 0);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(legal) && legal[i] != bare; i++)
		;
	must(i < ARRAY_SIZE(legal));
	must(!w->lost || (s & NEEDS_RESET));
	/* The device runs if, and only if, the driver was told so. */
	must(!m->active || (s & DRIVER_OK));
	must(m->attached == 1);
	/* What was activated is frozen. */
	if (m->active && w->frozen)
		must(memcmp(m->queues, w->queues, sizeof(w->queues)) == 0);
	memcpy(w->queues, m->queues, sizeof(w->queues));
	w->frozen = m->active;
}

static void write_register(struct world *w)
{
	static const uint32_t regs[] = {
		VIRTIO_MMIO_STATUS,
		VIRTIO_MMIO_STATUS,
		VIRTIO_MMIO_STATUS,
		VIRTIO_MMIO_DEVICE_FEATURES_SEL,
		VIRTIO_MMIO_DRIVER_FEATURES,
		VIRTIO_MMIO_DRIVER_FEATURES_SEL,
		VIRTIO_MMIO_QUEUE_SEL,
		VIRTIO_MMIO_QUEUE_NUM,
		VIRTIO_MMIO_QUEUE_READY,
		VIRTIO_MMIO_QUEUE_READY,
		VIRTIO_MMIO_QUEUE_NOTIFY,
		VIRTIO_MMIO_INTERRUPT_ACK,
		VIRTIO_MMIO_QUEUE_DESC_LOW,
		VIRTIO_MMIO_QUEUE_DESC_HIGH,
		VIRTIO_MMIO_QUEUE_AVAIL_LOW,
		VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
		VIRTIO_MMIO_QUEUE_USED_LOW,
		VIRTIO_MMIO_QUEUE_USED_HIGH,
		VIRTIO_MMIO_CONFIG_GENERATION,
		VIRTIO_MMIO_QUEUE_NUM_MAX,
	};
	uint32_t reg = regs[in_below(&w->in, ARRAY_SIZE(regs))];
	uint32_t ready = rd(w->m, VIRTIO_MMIO_QUEUE_READY);

	wr(w->m, reg, in_u8(&w->in) & 1 ? in_u8(&w->in) : (uint32_t)in_odd_number(&w->in));
	/* Once it runs, a queue is ready until the reset. */
	if (reg == VIRTIO_MMIO_QUEUE_READY && ready && status(w->m) & DRIVER_OK)
		must(rd(w->m, VIRTIO_MMIO_QUEUE_READY));
}

/* Any width, anywhere. */
static void any_access(struct world *w)
{
	uint8_t data[8], width = (uint8_t)(1u << in_below(&w->in, 4));
	uint64_t at = in_u16(&w->in) % (in_u8(&w->in) & 1 ? VIRTIO_MMIO_LEN : 0x120);
	bool reg = at < VIRTIO_MMIO_CONFIG;

	at = MIN(at, (uint64_t)VIRTIO_MMIO_LEN - width);
	if (in_u8(&w->in) & 1) {
		in_bytes(&w->in, data, sizeof(data));
		virtio_mmio_bus_ops.write(w->m->t, at, data, width);
		return;
	}
	memset(data, 0x5a, sizeof(data));
	virtio_mmio_bus_ops.read(w->m->t, at, data, width);
	for (unsigned int i = width; i < sizeof(data); i++)
		must(data[i] == 0x5a);
	if (reg && at < VIRTIO_MMIO_CONFIG && (width != 4 || at % 4))
		for (unsigned int i = 0; i < width; i++)
			must(data[i] == 0xff);
}

/* What a driver does, so that the states behind it are reached. */
static void good_step(struct world *w)
{
	struct mock *m = w->m;
	uint16_t n = (uint16_t)(1u << in_below(&w->in, 9));
	uint32_t s = status(m);

	switch (s) {
	case 0:
		set_status(m, ACK | DRIVER);
		break;
	case ACK | DRIVER:
		ack_features(m, in_below(&w->in, 8) ? OFFERED : in_u64(&w->in));
		set_status(m, READY_TO_GO);
		break;
	case READY_TO_GO:
		write_queue(m, in_below(&w->in, NQUEUES + 1), n, 0x1000, 0x3000, 0x4000);
		make_ready(m);
		set_status(m, in_u8(&w->in) & 1 ? RUNNING : READY_TO_GO);
		break;
	default:
		if (in_u8(&w->in) & 1)
			set_status(m, 0);
		else
			wr(m, VIRTIO_MMIO_QUEUE_NOTIFY, in_below(&w->in, NQUEUES + 1));
	}
}

static void lose(struct world *w)
{
	virtio_mmio_lost(w->m->t);
	/* An empty slot has nothing to lose. */
	w->lost = !w->empty;
	w->m->reset_result = -19;
}

static void step(struct world *w)
{
	unsigned int op = in_below(&w->in, 16);
	int pulses = atomic_load(&w->m->pulses);

	if (op < 6)
		good_step(w);
	else if (op < 11)
		write_register(w);
	else if (op < 13)
		any_access(w);
	else if (op == 13)
		virtio_mmio_config_changed(w->m->t);
	else if (op == 14 && in_below(&w->in, 8) == 0)
		lose(w);
	else if (op == 14)
		virtio_mmio_needs_reset(w->m->t);
	else
		w->m->activate_result = in_u8(&w->in) & 1 ? 0 : -5;
	/* 2.1.2: whoever must be told is told at once. */
	if (op == 13 && status(w->m) & DRIVER_OK)
		must(atomic_load(&w->m->pulses) == pulses + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = { .in = { data, len }, .m = mock_set_up() };
	struct mock *m = w.m;

	switch (in_below(&w.in, 16)) {
	case 0:
		m->attach_result = -19;
		break;
	case 1:
		m->info.nqueues = VIRTIO_MAX_QUEUES + 1;
		break;
	case 2:
		m->info.queue_size_max = 100;
		break;
	case 3:
		m->info.config_len = VIRTIO_CONFIG_MAX + 1;
		break;
	case 4:
		m->info.features &= ~VERSION_1;
		break;
	case 5:
		m->info.features = UINT64_MAX;
		break;
	default:
		break;
	}
	w.empty = m->attach_result || m->info.nqueues > VIRTIO_MAX_QUEUES ||
		  m->info.queue_size_max == 100 || m->info.config_len > VIRTIO_CONFIG_MAX ||
		  !(m->info.features & VERSION_1);
	check(&w);
	while (w.in.left) {
		step(&w);
		check(&w);
	}
	mock_tear_down(m);
	return 0;
}
