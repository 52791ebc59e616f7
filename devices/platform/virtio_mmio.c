/*
 * virtio_mmio.c - see virtio_mmio.h; virtio 1.3, 2.1 (status), 2.2 (features)
 * and 4.2 (MMIO).
 *
 * Two parts of the state are shared with threads that never take the lock:
 * the status word (virtio_mmio_lost() may add NEEDS_RESET to it at any time)
 * and the pending config-change flag.  Both are atomic; all else belongs to
 * the lock.  The status word changes by compare-exchange, so that a step of
 * the driver and a loss of the device meet in one order that both threads
 * see: either the step finds NEEDS_RESET and is refused, or the loss finds
 * DRIVER_OK and interrupts.
 *
 * Left out on purpose: legacy devices (version 1), packed rings, queue reset,
 * notification data, shared memory regions, administration queues.  Feature
 * bits that need them never reach the driver.
 */
#include "devices/platform/virtio_mmio.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/log.h"

#define MMIO_MAGIC   0x74726976u /* "virt" */
#define MMIO_VERSION 2u
#define MMIO_VENDOR  0x4b4c5542u /* "BULK" */

#define ACKNOWLEDGE ((uint32_t)VIRTIO_CONFIG_S_ACKNOWLEDGE)
#define DRIVER	    ((uint32_t)VIRTIO_CONFIG_S_DRIVER)
#define FEATURES_OK ((uint32_t)VIRTIO_CONFIG_S_FEATURES_OK)
#define DRIVER_OK   ((uint32_t)VIRTIO_CONFIG_S_DRIVER_OK)
#define NEEDS_RESET ((uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET)
#define FAILED	    ((uint32_t)VIRTIO_CONFIG_S_FAILED)

#define FEATURE(bit) (1ULL << (bit))

/*
 * Features of which the transport itself is a part and that it does not have:
 * RING_PACKED (34: the ring check below is for split rings), SR_IOV (37),
 * NOTIFICATION_DATA (38: the ioeventfd matches on the bare queue index),
 * RING_RESET (40), ADMIN_VQ (41: reserved on MMIO, 4.2.5).  A back end that
 * someone else wrote may offer them.
 */
#define NOT_ON_THIS_TRANSPORT (FEATURE(34) | FEATURE(37) | FEATURE(38) | FEATURE(40) | FEATURE(41))

/* What the guest wrote for a queue; nothing here has been checked. */
struct queue_setup {
	uint32_t size;
	uint64_t desc, driver, device;
};

enum slot { SLOT_UNKNOWN, SLOT_EMPTY, SLOT_PRESENT };

struct virtio_mmio {
	const char *name;
	const struct virtio_backend_ops *ops;
	void *ctx;
	struct irq_line irq;

	_Atomic uint32_t status;
	atomic_bool config_pending;

	pthread_mutex_t lock; /* for everything below */
	enum slot slot;
	bool dead;	  /* a reset failed: NEEDS_RESET for ever */
	atomic_bool lost; /* the back end is gone: no reset brings it back */
	bool touched;	  /* the back end has state that a reset must undo */
	struct virtio_device_info info;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features;
	struct queue_setup setup[VIRTIO_MAX_QUEUES];
	/* All zero, or checked and ready: what activate() is given. */
	struct virtio_queue_config queues[VIRTIO_MAX_QUEUES];
};

/*
 * The steps that a driver may take (3.1.1), by the value that it writes.
 * Setting ACKNOWLEDGE and DRIVER at once is no step of the specification's
 * list, but drivers do it, and nothing happens between the two.  Writing the
 * present value again changes nothing; FAILED may be set at any time; 0 is
 * reset.  Every other write is ignored: the specification forbids it to the
 * driver ("MUST NOT clear a device status bit") and gives the device no
 * answer to it.  NEEDS_RESET is not that answer, since the device is sound;
 * the driver sees on reading back that it was not understood.
 */
static const struct {
	uint32_t from, to;
} legal_steps[] = {
	{ 0, ACKNOWLEDGE },
	{ 0, ACKNOWLEDGE | DRIVER },
	{ ACKNOWLEDGE, ACKNOWLEDGE | DRIVER },
	{ ACKNOWLEDGE | DRIVER, ACKNOWLEDGE | DRIVER | FEATURES_OK },
	{ ACKNOWLEDGE | DRIVER | FEATURES_OK, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK },
};

static bool step_is_legal(uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < sizeof(legal_steps) / sizeof(legal_steps[0]); i++)
		if (legal_steps[i].from == from && legal_steps[i].to == to)
			return true;
	return false;
}

/* All of `set` and none of `clear`. */
static bool status_is(struct virtio_mmio *t, uint32_t set, uint32_t clear)
{
	return (atomic_load(&t->status) & (set | clear)) == set;
}

/* --- attaching --- */

/* The back end is another process: what it says is checked here once more,
 * because array sizes of this file depend on it. */
static bool info_is_sound(const struct virtio_device_info *info)
{
	return info->device_id != 0 && (info->features & FEATURE(VIRTIO_F_VERSION_1)) &&
	       info->nqueues <= VIRTIO_MAX_QUEUES && info->queue_size_max != 0 &&
	       (info->queue_size_max & (info->queue_size_max - 1)) == 0 &&
	       info->config_len <= VIRTIO_CONFIG_MAX;
}

/*
 * Is there a device?  The first caller waits for the back end, with the lock
 * held: a second vCPU that asks needs the same answer and would wait anyway,
 * and the control thread, which brings it about, never takes this lock.
 */
static bool present(struct virtio_mmio *t)
{
	struct virtio_device_info info = { 0 };

	if (t->slot != SLOT_UNKNOWN)
		return t->slot == SLOT_PRESENT;
	t->slot = SLOT_EMPTY;
	if (t->ops->attach(t->ctx, &info) < 0) {
		log_debug("%s: no back end, the slot reads as empty", t->name);
		return false;
	}
	if (!info_is_sound(&info)) {
		log_error("%s: the back end describes an impossible device", t->name);
		return false;
	}
	info.features &= ~NOT_ON_THIS_TRANSPORT;
	t->info = info;
	t->slot = SLOT_PRESENT;
	return true;
}

/* --- status, loss and reset --- */

static void config_interrupt(struct virtio_mmio *t)
{
	atomic_store(&t->config_pending, true);
	if (status_is(t, DRIVER_OK, 0))
		irq_pulse(&t->irq);
	/* Otherwise activate_device() interrupts when the driver gets there:
	 * it sets DRIVER_OK and then looks at the flag, we the other way. */
}

/* 2.1.2: with DRIVER_OK set, NEEDS_RESET comes with a config notification. */
static void set_needs_reset(struct virtio_mmio *t)
{
	uint32_t was = atomic_fetch_or(&t->status, NEEDS_RESET);

	if ((was & DRIVER_OK) && !(was & NEEDS_RESET))
		config_interrupt(t);
}

void virtio_mmio_lost(struct virtio_mmio *t)
{
	atomic_store(&t->lost, true);
	set_needs_reset(t);
}

void virtio_mmio_needs_reset(struct virtio_mmio *t)
{
	set_needs_reset(t);
}

void virtio_mmio_config_changed(struct virtio_mmio *t)
{
	config_interrupt(t);
}

/*
 * DRIVER_OK is already visible: the back end may use a buffer and interrupt
 * before activate() returns, and a guest that then read InterruptStatus as 0
 * would drop the interrupt, which is an edge and does not come again.
 */
static void activate_device(struct virtio_mmio *t)
{
	t->touched = true;
	if (t->ops->activate(t->ctx, t->driver_features, t->queues) < 0) {
		log_debug("%s: the back end did not start", t->name);
		set_needs_reset(t);
	} else if (atomic_load(&t->config_pending)) {
		irq_pulse(&t->irq);
	}
}

/*
 * The status word is cleared before the back end is asked, so that a loss
 * during or after the reset is not wiped out by it.  Linux resets each device
 * once before it uses it; a back end that has seen nothing yet is spared the
 * round trip.
 */
static void reset_device(struct virtio_mmio *t)
{
	uint32_t was = atomic_exchange(&t->status, t->dead ? NEEDS_RESET : 0);

	if (!t->dead && (t->touched || (was & NEEDS_RESET))) {
		if (t->ops->reset(t->ctx) < 0) {
			t->dead = true;
			atomic_fetch_or(&t->status, NEEDS_RESET);
		} else if (!atomic_load(&t->lost)) {
			/* What was wrong before the rings stopped is over now. */
			atomic_store(&t->status, 0);
		}
	}
	t->touched = false;
	t->device_features_sel = t->driver_features_sel = t->queue_sel = 0;
	t->driver_features = 0;
	memset(t->setup, 0, sizeof(t->setup));
	memset(t->queues, 0, sizeof(t->queues));
	/* What changed until now the next driver sees by reading it. */
	atomic_store(&t->config_pending, false);
}

/* 3.1.1 step 6 lets the device refuse; VERSION_1 is required by 6.1. */
static bool features_acceptable(const struct virtio_mmio *t)
{
	return !(t->driver_features & ~t->info.features) &&
	       (t->driver_features & FEATURE(VIRTIO_F_VERSION_1));
}

static void status_write(struct virtio_mmio *t, uint32_t value)
{
	uint32_t now = atomic_load(&t->status);
	/* A driver adds a bit to what it read: it may hand our own bit back. */
	uint32_t to = value & ~NEEDS_RESET;

	if (value == 0) {
		reset_device(t);
		return;
	}
	if (value & FAILED) {
		atomic_fetch_or(&t->status, FAILED);
		return;
	}
	if (!step_is_legal(now, to)) {
		if (to != (now & ~NEEDS_RESET))
			log_debug("%s: status 0x%x after 0x%x refused", t->name, value, now);
		return;
	}
	if ((to & ~now & FEATURES_OK) && !features_acceptable(t)) {
		log_debug("%s: features 0x%llx refused", t->name,
			  (unsigned long long)t->driver_features);
		return;
	}
	/* Fails only against a loss, which NEEDS_RESET now shows. */
	if (!atomic_compare_exchange_strong(&t->status, &now, to))
		return;
	if (to & DRIVER_OK)
		activate_device(t);
}

/* --- queues --- */

static bool area_is_sound(uint64_t addr, uint64_t align, uint64_t len)
{
	return addr % align == 0 && addr <= UINT64_MAX - (len - 1);
}

/* 2.7: alignment and size of the three areas of a split ring.  The lengths
 * include the event index words, whether negotiated or not. */
static bool queue_is_sound(const struct queue_setup *q, uint32_t max)
{
	uint64_t n = q->size;

	return n != 0 && n <= max && (n & (n - 1)) == 0 && area_is_sound(q->desc, 16, 16 * n) &&
	       area_is_sound(q->driver, 2, 6 + 2 * n) && area_is_sound(q->device, 4, 6 + 8 * n);
}

/*
 * Ready is where a queue's configuration is checked, copied and frozen.  A
 * queue that is not sound stays not ready, which the driver can read back.
 * Before DRIVER_OK nobody uses the queue and the driver may take it back.
 * After it, it may not: 4.2.2.2 has the driver read QueueReady back to see
 * that the device has stopped, and as it goes on (queue reset is not offered)
 * it reads 1 until the whole device is reset.
 */
static void queue_ready_write(struct virtio_mmio *t, uint32_t value)
{
	const struct queue_setup *q = &t->setup[t->queue_sel];
	struct virtio_queue_config *c = &t->queues[t->queue_sel];

	if (value == 0) {
		if (!status_is(t, DRIVER_OK, 0))
			*c = (struct virtio_queue_config){ 0 };
		return;
	}
	if (value != 1 || c->ready || !status_is(t, FEATURES_OK, DRIVER_OK | FAILED))
		return;
	if (!queue_is_sound(q, t->info.queue_size_max)) {
		log_debug("%s: queue %u is unsound, not made ready", t->name, t->queue_sel);
		return;
	}
	*c = (struct virtio_queue_config){
		.size = (uint16_t)q->size,
		.ready = true,
		.desc = q->desc,
		.driver = q->driver,
		.device = q->device,
	};
}

static void set_low(uint64_t *word, uint32_t v)
{
	*word = (*word & ~0xffffffffULL) | v;
}

static void set_high(uint64_t *word, uint32_t v)
{
	*word = (*word & 0xffffffffULL) | ((uint64_t)v << 32);
}

/* The registers that configure the selected queue: only between FEATURES_OK
 * and DRIVER_OK (3.1.1 step 7), and not while it is ready (4.2.2.2). */
static void queue_setup_write(struct virtio_mmio *t, uint64_t offset, uint32_t value)
{
	struct queue_setup *q = &t->setup[t->queue_sel];

	if (t->queues[t->queue_sel].ready || !status_is(t, FEATURES_OK, DRIVER_OK | FAILED))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&q->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&q->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&q->driver, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&q->driver, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&q->device, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&q->device, value);
		break;
	default:
		break;
	}
}

static void notify_write(struct virtio_mmio *t, uint32_t queue)
{
	if (queue < t->info.nqueues && t->queues[queue].ready &&
	    status_is(t, DRIVER_OK, NEEDS_RESET | FAILED))
		t->ops->notify(t->ctx, queue);
}

/* --- registers --- */

static void driver_features_write(struct virtio_mmio *t, uint32_t value)
{
	/* FEATURES_OK is the point of no return (3.1.1 step 5). */
	if (!status_is(t, DRIVER, FEATURES_OK | FAILED | NEEDS_RESET))
		return;
	if (t->driver_features_sel == 0)
		set_low(&t->driver_features, value);
	else if (t->driver_features_sel == 1)
		set_high(&t->driver_features, value);
	else if (value)
		log_debug("%s: the driver sets feature bits over 63", t->name);
}

/* Registers that need no lock and no back end; true if `offset` is one. */
static bool read_at_once(struct virtio_mmio *t, uint64_t offset, uint32_t *ret_value)
{
	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		*ret_value = MMIO_MAGIC;
		return true;
	case VIRTIO_MMIO_VERSION:
		*ret_value = MMIO_VERSION;
		return true;
	case VIRTIO_MMIO_VENDOR_ID:
		*ret_value = MMIO_VENDOR;
		return true;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		*ret_value = status_is(t, DRIVER_OK, 0) ? VIRTIO_MMIO_INT_VRING : 0;
		if (atomic_load(&t->config_pending))
			*ret_value |= VIRTIO_MMIO_INT_CONFIG;
		return true;
	default:
		return false;
	}
}

/* With the lock held, of a device that is present. */
static uint32_t register_read(struct virtio_mmio *t, uint64_t offset)
{
	bool queue = t->queue_sel < t->info.nqueues;

	switch (offset) {
	case VIRTIO_MMIO_DEVICE_ID:
		return t->info.device_id;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		if (t->device_features_sel > 1)
			return 0;
		return (uint32_t)(t->info.features >> (32 * t->device_features_sel));
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? t->info.queue_size_max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue ? t->queues[t->queue_sel].ready : 0;
	case VIRTIO_MMIO_STATUS:
		return atomic_load(&t->status);
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return t->ops->config_generation(t->ctx);
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* no such region: length and base -1 */
	default:
		return 0; /* write-only, legacy or nothing */
	}
}

/* With the lock held, of a device that is present. */
static void register_write(struct virtio_mmio *t, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		t->device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		t->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		driver_features_write(t, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		t->queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		notify_write(t, value);
		break;
	case VIRTIO_MMIO_STATUS:
		status_write(t, value);
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (t->queue_sel < t->info.nqueues)
			queue_ready_write(t, value);
		break;
	default:
		if (t->queue_sel < t->info.nqueues)
			queue_setup_write(t, offset, value);
		break;
	}
}

/* --- the bus --- */

/* Control registers are 32 bits wide (4.2.2.2); any other access to them is
 * as if nobody were there: all ones, dropped. */
static bool is_register(uint64_t offset, unsigned int len)
{
	return offset < VIRTIO_MMIO_CONFIG && len == 4 && offset % 4 == 0;
}

/* An access that touches config space only in part gets nothing of it. */
static bool in_config(const struct virtio_mmio *t, uint64_t offset, unsigned int len)
{
	uint64_t at;

	if (offset < VIRTIO_MMIO_CONFIG)
		return false;
	at = offset - VIRTIO_MMIO_CONFIG;
	return at < t->info.config_len && len <= t->info.config_len - at;
}

static void transport_read(void *dev, uint64_t offset, uint8_t *data, unsigned int len)
{
	struct virtio_mmio *t = dev;
	uint32_t value = 0;
	bool reg = is_register(offset, len);

	memset(data, 0xff, len);
	if (!reg && offset < VIRTIO_MMIO_CONFIG)
		return;
	if (!reg || !read_at_once(t, offset, &value)) {
		pthread_mutex_lock(&t->lock);
		if (!present(t))
			value = 0; /* an empty slot: DeviceID 0 */
		else if (reg)
			value = register_read(t, offset);
		else if (in_config(t, offset, len))
			t->ops->config_read(t->ctx, (uint32_t)(offset - VIRTIO_MMIO_CONFIG), data,
					    len);
		pthread_mutex_unlock(&t->lock);
	}
	if (reg) {
		value = htole32(value);
		memcpy(data, &value, sizeof(value));
	}
}

static void transport_write(void *dev, uint64_t offset, const uint8_t *data, unsigned int len)
{
	struct virtio_mmio *t = dev;
	bool reg = is_register(offset, len);
	uint32_t value = 0;

	if (!reg && offset < VIRTIO_MMIO_CONFIG)
		return;
	if (reg) {
		memcpy(&value, data, sizeof(value));
		value = le32toh(value);
		if (offset == VIRTIO_MMIO_INTERRUPT_ACK) {
			if (value & VIRTIO_MMIO_INT_CONFIG)
				atomic_store(&t->config_pending, false);
			return;
		}
	}
	pthread_mutex_lock(&t->lock);
	if (present(t)) {
		if (reg) {
			register_write(t, offset, value);
		} else if (in_config(t, offset, len) &&
			   status_is(t, DRIVER, FAILED | NEEDS_RESET)) {
			t->touched = true;
			t->ops->config_write(t->ctx, (uint32_t)(offset - VIRTIO_MMIO_CONFIG), data,
					     len);
		}
	}
	pthread_mutex_unlock(&t->lock);
}

const struct bus_ops virtio_mmio_bus_ops = {
	.read = transport_read,
	.write = transport_write,
};

struct virtio_mmio *virtio_mmio_new(const char *name, const struct virtio_backend_ops *ops,
				    void *ctx, struct irq_line irq)
{
	struct virtio_mmio *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->name = name;
	t->ops = ops;
	t->ctx = ctx;
	t->irq = irq;
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void virtio_mmio_free(struct virtio_mmio *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t);
}
