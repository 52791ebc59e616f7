/*
 * virtio.h - the driver's side of virtio-mmio version 2 with split rings,
 * small enough to do everything right and open enough to do it wrong.
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "tests/guests/lib/guest.h"

enum {
	VIO_MAGIC = 0x000,
	VIO_VERSION = 0x004,
	VIO_DEVICE_ID = 0x008,
	VIO_DEVICE_FEATURES = 0x010,
	VIO_DEVICE_FEATURES_SEL = 0x014,
	VIO_DRIVER_FEATURES = 0x020,
	VIO_DRIVER_FEATURES_SEL = 0x024,
	VIO_QUEUE_SEL = 0x030,
	VIO_QUEUE_NUM_MAX = 0x034,
	VIO_QUEUE_NUM = 0x038,
	VIO_QUEUE_READY = 0x044,
	VIO_QUEUE_NOTIFY = 0x050,
	VIO_INTERRUPT_STATUS = 0x060,
	VIO_INTERRUPT_ACK = 0x064,
	VIO_STATUS = 0x070,
	VIO_QUEUE_DESC = 0x080,
	VIO_QUEUE_DRIVER = 0x090,
	VIO_QUEUE_DEVICE = 0x0a0,
	VIO_CONFIG_GENERATION = 0x0fc,
	VIO_CONFIG = 0x100,
};

#define VIO_MAGIC_VALUE 0x74726976

#define S_ACKNOWLEDGE 1
#define S_DRIVER      2
#define S_DRIVER_OK   4
#define S_FEATURES_OK 8
#define S_NEEDS_RESET 64
#define S_FAILED      128

#define F_INDIRECT  (1ULL << 28)
#define F_EVENT_IDX (1ULL << 29)
#define F_VERSION_1 (1ULL << 32)

#define D_NEXT	   1
#define D_WRITE	   2
#define D_INDIRECT 4

#define RING 8 /* entries of each queue */

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct vdev {
	uint64_t base;
	unsigned int slot;
	uint64_t features; /* negotiated */
};

struct vq {
	struct vdev *dev;
	unsigned int index;
	struct desc *desc;
	volatile uint16_t *avail; /* flags, idx, ring[RING], used_event */
	volatile uint16_t *used;  /* flags, idx, then {id, len} as uint32_t */
	uint16_t used_seen;
	bool interrupts; /* wait by HLT */
};

static inline uint32_t vio_read(const struct vdev *d, uint32_t reg)
{
	return mmio_read32(d->base + reg);
}

static inline void vio_write(const struct vdev *d, uint32_t reg, uint32_t v)
{
	mmio_write32(d->base + reg, v);
}

/* The first device with this id: fills base and slot.  Fails the run when
 * there is none.  virtio= stride= on the command line move the slots. */
void vdev_find(struct vdev *d, uint32_t device_id);

/* Write 0 to Status and wait until it reads 0. */
void vdev_reset(struct vdev *d);

/* Reset, then ACKNOWLEDGE, DRIVER, features (those offered of `wanted`, and
 * VERSION_1), FEATURES_OK. */
void vdev_negotiate(struct vdev *d, uint64_t wanted);

/* Set queue `index` up with one of `storage` 0..1's rings, empty, and ready. */
void vq_setup(struct vq *q, struct vdev *d, unsigned int index, unsigned int storage);

void vdev_start(struct vdev *d); /* DRIVER_OK */

/* Interrupts of this device by HLT from now on (call before vdev_start). */
void vq_use_interrupts(struct vq *q);

/* Write descriptor i; `last` clears NEXT. */
void vq_desc(struct vq *q, uint16_t i, const volatile void *at, uint32_t len, uint16_t flags);

/* Make the chain at `head` available and notify. */
void vq_offer(struct vq *q, uint16_t head);
void vq_notify(struct vq *q);

enum vq_result { VQ_USED, VQ_NEEDS_RESET, VQ_TIMEOUT };

/* Wait for the next used element (its length in *ret_len, which may be
 * NULL), for NEEDS_RESET, or for about two seconds. */
enum vq_result vq_wait(struct vq *q, uint32_t *ret_len);

/* ---- block ---- */

#define BLK_ID	   2
#define SECTOR	   512
#define BLK_IN	   0
#define BLK_OUT	   1
#define BLK_FLUSH  4
#define BLK_GET_ID 8

struct blk_header {
	uint32_t type, reserved;
	uint64_t sector;
};

extern struct blk_header blk_header;
extern uint8_t blk_data[SECTOR];
extern volatile uint8_t blk_status;

/* One request over blk_data (len bytes of it; 0: no data).  Returns the
 * status byte; fails the run when the device does not answer. */
uint8_t blk_request(struct vq *q, uint32_t type, uint64_t sector, uint32_t len);

/* Negotiate, one queue, start. */
void blk_start(struct vdev *d, struct vq *q, uint64_t wanted);

/* Read sector 0 and hold it against what tests/guests/run puts there. */
void blk_check_sector0(struct vq *q);

#endif
