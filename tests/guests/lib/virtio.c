/* virtio.c - see virtio.h (virtio 1.3, 2.7 and 4.2). */
#include "tests/guests/lib/virtio.h"

#define SLOTS	    19
#define WAIT_CYCLES 6000000000ULL /* about two seconds; clocks differ */

static struct desc desc_storage[2][RING] __attribute__((aligned(16)));
static uint16_t avail_storage[2][3 + RING] __attribute__((aligned(2)));
static uint16_t used_storage[2][4 + 4 * RING] __attribute__((aligned(4)));

struct blk_header blk_header;
uint8_t blk_data[SECTOR] __attribute__((aligned(16)));
volatile uint8_t blk_status;

void vdev_find(struct vdev *d, uint32_t device_id)
{
	uint64_t base = arg_number("virtio", 0xd0000000);
	uint64_t stride = arg_number("stride", 0x1000);
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		*d = (struct vdev){ .base = base + i * stride, .slot = i };
		if (vio_read(d, VIO_MAGIC) != VIO_MAGIC_VALUE)
			break;
		if (vio_read(d, VIO_DEVICE_ID) != device_id)
			continue;
		check(vio_read(d, VIO_VERSION) == 2, "virtio-mmio version 2");
		return;
	}
	fail("no such virtio device");
}

void vdev_reset(struct vdev *d)
{
	uint64_t end = read_tsc() + WAIT_CYCLES * 3;

	vio_write(d, VIO_STATUS, 0);
	while (vio_read(d, VIO_STATUS) != 0)
		check(read_tsc() < end, "reset ends");
}

static void write_features(struct vdev *d, uint64_t features)
{
	vio_write(d, VIO_DRIVER_FEATURES_SEL, 0);
	vio_write(d, VIO_DRIVER_FEATURES, (uint32_t)features);
	vio_write(d, VIO_DRIVER_FEATURES_SEL, 1);
	vio_write(d, VIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

void vdev_negotiate(struct vdev *d, uint64_t wanted)
{
	uint64_t offered;

	vdev_reset(d);
	vio_write(d, VIO_STATUS, S_ACKNOWLEDGE);
	vio_write(d, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER);
	vio_write(d, VIO_DEVICE_FEATURES_SEL, 1);
	offered = (uint64_t)vio_read(d, VIO_DEVICE_FEATURES) << 32;
	vio_write(d, VIO_DEVICE_FEATURES_SEL, 0);
	offered |= vio_read(d, VIO_DEVICE_FEATURES);
	check(offered & F_VERSION_1, "VERSION_1 is offered");
	d->features = offered & (wanted | F_VERSION_1);
	write_features(d, d->features);
	vio_write(d, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
	check(vio_read(d, VIO_STATUS) & S_FEATURES_OK, "FEATURES_OK stays");
}

static void write_addr(struct vdev *d, uint32_t reg, const volatile void *at)
{
	vio_write(d, reg, (uint32_t)(uintptr_t)at);
	vio_write(d, reg + 4, (uint32_t)((uintptr_t)at >> 32));
}

void vq_setup(struct vq *q, struct vdev *d, unsigned int index, unsigned int storage)
{
	*q = (struct vq){ .dev = d,
			  .index = index,
			  .desc = desc_storage[storage],
			  .avail = avail_storage[storage],
			  .used = used_storage[storage] };
	q->avail[0] = q->avail[1] = 0;
	q->used[0] = q->used[1] = 0;
	vio_write(d, VIO_QUEUE_SEL, index);
	check(vio_read(d, VIO_QUEUE_READY) == 0, "queue is not ready after reset");
	check(vio_read(d, VIO_QUEUE_NUM_MAX) >= RING, "queue takes 8 entries");
	vio_write(d, VIO_QUEUE_NUM, RING);
	write_addr(d, VIO_QUEUE_DESC, q->desc);
	write_addr(d, VIO_QUEUE_DRIVER, q->avail);
	write_addr(d, VIO_QUEUE_DEVICE, q->used);
	vio_write(d, VIO_QUEUE_READY, 1);
	check(vio_read(d, VIO_QUEUE_READY) == 1, "queue is ready");
}

void vdev_start(struct vdev *d)
{
	vio_write(d, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
}

void vq_use_interrupts(struct vq *q)
{
	irq_setup((unsigned int)arg_number("gsi", 5) + q->dev->slot, 0x40);
	q->interrupts = true;
}

void vq_desc(struct vq *q, uint16_t i, const volatile void *at, uint32_t len, uint16_t flags)
{
	q->desc[i] = (struct desc){
		.addr = (uintptr_t)at, .len = len, .flags = flags, .next = (uint16_t)(i + 1)
	};
}

void vq_notify(struct vq *q)
{
	vio_write(q->dev, VIO_QUEUE_NOTIFY, q->index);
}

void vq_offer(struct vq *q, uint16_t head)
{
	uint16_t idx = q->avail[1];

	q->avail[2 + idx % RING] = head;
	q->avail[2 + RING] = q->used_seen; /* used_event: interrupt at the next */
	barrier();
	q->avail[1] = (uint16_t)(idx + 1);
	barrier();
	vq_notify(q);
}

static void take_interrupt(const struct vq *q)
{
	uint32_t status = vio_read(q->dev, VIO_INTERRUPT_STATUS);

	check(status & 3, "InterruptStatus tells why");
	vio_write(q->dev, VIO_INTERRUPT_ACK, status);
}

enum vq_result vq_wait(struct vq *q, uint32_t *ret_len)
{
	uint64_t end = read_tsc() + WAIT_CYCLES;
	volatile const uint32_t *element;
	unsigned int turn = 0;

	/* Even when the answer is there: each has its interrupt. */
	if (q->interrupts) {
		irq_wait(irq_count);
		take_interrupt(q);
	}
	while (q->used[1] == q->used_seen) {
		/* A look at Status is an exit: not every time. */
		if (turn++ % 64 == 0 && (vio_read(q->dev, VIO_STATUS) & S_NEEDS_RESET))
			return VQ_NEEDS_RESET;
		if (read_tsc() > end)
			return VQ_TIMEOUT;
	}
	barrier();
	element = (volatile const uint32_t *)(volatile const void *)(q->used + 2);
	if (ret_len)
		*ret_len = element[2 * (q->used_seen % RING) + 1];
	q->used_seen++;
	return VQ_USED;
}

uint8_t blk_request(struct vq *q, uint32_t type, uint64_t sector, uint32_t len)
{
	uint16_t n = 0;

	blk_header = (struct blk_header){ .type = type, .sector = sector };
	blk_status = 0xff;
	vq_desc(q, n++, &blk_header, sizeof(blk_header), D_NEXT);
	if (len)
		vq_desc(q, n++, blk_data, len, type == BLK_OUT ? D_NEXT : D_NEXT | D_WRITE);
	vq_desc(q, n, &blk_status, 1, D_WRITE);
	vq_offer(q, 0);
	check(vq_wait(q, NULL) == VQ_USED, "the disk answers");
	return blk_status;
}

void blk_start(struct vdev *d, struct vq *q, uint64_t wanted)
{
	vdev_negotiate(d, wanted);
	vq_setup(q, d, 0, 0);
	vdev_start(d);
	check(!(vio_read(d, VIO_STATUS) & S_NEEDS_RESET), "the disk starts");
}

void blk_check_sector0(struct vq *q)
{
	static const char text[] = "sector 0 of the test disk";
	unsigned int i;

	for (i = 0; i < sizeof(text); i++)
		blk_data[i] = 0;
	check(blk_request(q, BLK_IN, 0, SECTOR) == 0, "sector 0 is read");
	for (i = 0; i < sizeof(text) - 1; i++)
		check(blk_data[i] == (uint8_t)text[i], "sector 0 holds what the host wrote");
}
