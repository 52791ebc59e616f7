/*
 * virtio_mmio.h - the virtio-mmio transport, version 2 (virtio 1.3, 4.2).
 *
 * The transport is the part of a virtio device that lives in the monitor:
 * registers, status machine, queue configuration, config space from a cached
 * copy.  What the device does is behind `struct virtio_backend_ops`; for
 * Bulkhead that is the vhost-user front end.
 *
 * Interrupts: one edge-triggered line for all queues.  The device process
 * writes the irqfd itself and cannot set InterruptStatus, so the register is
 * computed: bit 0 is set while DRIVER_OK is (a spurious used-buffer interrupt
 * is legal), bit 1 is our own config-change flag.  ACK clears bit 1 only.
 * A change before DRIVER_OK is kept and interrupts when the driver gets there.
 *
 * Registers are 32 bits wide and aligned; another access to them reads as all
 * ones and writes nothing, and so does one that is not wholly inside config
 * space.  What a driver may not write in the present state is ignored.
 *
 * Threading: register accesses come from any vCPU thread and take the
 * device's lock, InterruptStatus and InterruptACK excepted (atomic).
 * virtio_mmio_lost() and virtio_mmio_config_changed() come from the control
 * thread, which must never wait for the device's lock while a vCPU that holds
 * it waits for the control thread: they are atomic too.
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/irq.h"

#define VIRTIO_MMIO_LEN	  0x1000 /* bytes of MMIO space per device */
#define VIRTIO_MAX_QUEUES 64
#define VIRTIO_CONFIG_MAX 256

/* One queue as the driver set it up; addresses are guest physical. */
struct virtio_queue_config {
	uint16_t size; /* entries: a power of two, 1 <= size <= the queue's maximum */
	bool ready;
	uint64_t desc, driver, device; /* 16, 2, 4 byte aligned once ready */
};

/* What the back end told when it was attached; constant afterwards. */
struct virtio_device_info {
	uint32_t device_id; /* virtio 1.3, 5: 1 net, 2 block, 4 entropy */
	uint64_t features;  /* offered to the driver; holds VIRTIO_F_VERSION_1 */
	unsigned int nqueues;
	uint16_t queue_size_max;
	size_t config_len;
};

struct virtio_backend_ops {
	/*
	 * Wait until the back end has been attached, for a bounded time.
	 * 0 and *ret_info; or -errno: there is no device, the transport then
	 * reads as an empty slot (DeviceID 0), for good.  Called once, by the
	 * first access that needs the answer.  Like all calls of this table
	 * it comes with the transport's lock held.
	 */
	int (*attach)(void *ctx, struct virtio_device_info *ret_info);

	/* Copy [offset, offset + len) of the cached config space; the range
	 * was checked against config_len. */
	void (*config_read)(void *ctx, uint32_t offset, void *data, uint32_t len);
	uint32_t (*config_generation)(void *ctx);

	/* A driver's write to config space, in range.  May be dropped. */
	void (*config_write)(void *ctx, uint32_t offset, const void *data, uint32_t len);

	/*
	 * DRIVER_OK: start the queues that are ready.  `features` is what was
	 * negotiated; `queues` has info.nqueues entries, validated, and stays
	 * unchanged until reset; a queue that is not ready is all zeroes.
	 * Whether the addresses lie in guest memory was not checked.  Returns
	 * when the back end has taken them over, within a bounded time.
	 * -errno: the device needs a reset.
	 */
	int (*activate)(void *ctx, uint64_t features, const struct virtio_queue_config *queues);

	/*
	 * Back to the initial state.  When it returns nobody writes any buffer
	 * of the device any more, whatever it took.  -errno: the device is
	 * gone for good (its transport shows NEEDS_RESET from then on, and
	 * this is not called again).  Not called when there is nothing to
	 * undo: no activate(), no config_write(), no loss since the last time.
	 */
	int (*reset)(void *ctx);

	/* QueueNotify where the kernel did not take it (no ioeventfd).  The
	 * queue is active.  Must not block. */
	void (*notify)(void *ctx, uint32_t queue);
};

struct virtio_mmio;

/*
 * `name` and `ctx` are borrowed for the transport's life.  `pulse` of `irq`
 * raises the line with KVM_IRQ_LINE (config changes and NEEDS_RESET only).
 * NULL with errno ENOMEM.
 */
struct virtio_mmio *virtio_mmio_new(const char *name, const struct virtio_backend_ops *ops,
				    void *ctx, struct irq_line irq);
void virtio_mmio_free(struct virtio_mmio *t);

/* For bus_add() with VIRTIO_MMIO_LEN; the device is the transport. */
extern const struct bus_ops virtio_mmio_bus_ops;

/* The back end is gone: DEVICE_NEEDS_RESET, and a config interrupt. */
void virtio_mmio_lost(struct virtio_mmio *t);

/* The driver broke the rules of a ring: the same, but a reset mends it. */
void virtio_mmio_needs_reset(struct virtio_mmio *t);

/* The cached config space has changed: the flag, and an interrupt. */
void virtio_mmio_config_changed(struct virtio_mmio *t);

#endif
