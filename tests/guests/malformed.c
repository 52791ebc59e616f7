/*
 * malformed.c - rings that no driver would make (virtio 1.3, 2.7), against
 * the disk.  case=NAME picks one, case=all runs them all in order.
 *
 * Allowed answers: the device shows NEEDS_RESET, or it gives the chain back
 * with another status than "done".  Neither is silence, so a time-out fails.
 * Afterwards a reset must make the disk good again.
 */
#include "tests/guests/lib/virtio.h"

#define WILD 0x0f00000000000000ULL /* no guest has memory there */
#define HOLE 0xc8000000ULL	   /* below 4 GiB, neither RAM nor device */

static struct vdev disk;
static struct vq queue;
static struct desc table[4] __attribute__((aligned(16)));

/* A sound read of sector 0 in descriptors 0 to 2, not yet offered. */
static void sound_read(void)
{
	blk_header = (struct blk_header){ .type = BLK_IN };
	vq_desc(&queue, 0, &blk_header, sizeof(blk_header), D_NEXT);
	vq_desc(&queue, 1, blk_data, SECTOR, D_NEXT | D_WRITE);
	vq_desc(&queue, 2, &blk_status, 1, D_WRITE);
}

static void indirect(uint64_t at, uint32_t len, uint16_t flags)
{
	table[0] = queue.desc[0];
	table[1] = queue.desc[1];
	table[2] = queue.desc[2];
	queue.desc[0] = (struct desc){ at, len, flags, 1 };
}

#define TABLE ((uintptr_t)table)

static void loop(void)
{
	queue.desc[1].next = 0;
}

static void loop_self(void)
{
	queue.desc[0].next = 0;
}

static void next_outside(void)
{
	queue.desc[1].next = RING;
}

static void wild_header(void)
{
	queue.desc[0].addr = WILD;
}

static void wild_data(void)
{
	queue.desc[1].addr = WILD;
}

static void wild_status(void)
{
	queue.desc[2].addr = HOLE;
}

static void wrapping(void)
{
	queue.desc[1].addr = ~0ULL - 15;
}

static void huge_length(void)
{
	queue.desc[1].len = 0xfffffe00;
}

static void device_memory(void)
{
	queue.desc[1].addr = disk.base;
}

static void short_header(void)
{
	queue.desc[0].len = 8;
}

static void no_header(void)
{
	queue.desc[0].flags |= D_WRITE;
}

static void no_status(void)
{
	queue.desc[1].flags = D_WRITE;
	queue.desc[1].len = 0;
}

static void no_writable(void)
{
	queue.desc[1].flags = D_NEXT;
	queue.desc[2].flags = 0;
}

static void readable_last(void)
{
	queue.desc[2].flags = 0;
}

static void odd_length(void)
{
	queue.desc[1].len = SECTOR - 1;
}

static void indirect_odd(void)
{
	indirect(TABLE, 3 * sizeof(table[0]) - 1, D_INDIRECT);
}

static void indirect_empty(void)
{
	indirect(TABLE, 0, D_INDIRECT);
}

static void indirect_huge(void)
{
	indirect(TABLE, 0xfffffff0, D_INDIRECT);
}

static void indirect_wild(void)
{
	indirect(WILD, 3 * sizeof(table[0]), D_INDIRECT);
}

static void indirect_next(void)
{
	indirect(TABLE, 3 * sizeof(table[0]), D_INDIRECT | D_NEXT);
}

static void indirect_nested(void)
{
	indirect(TABLE, 3 * sizeof(table[0]), D_INDIRECT);
	table[1].flags = D_INDIRECT;
	table[1].addr = TABLE;
	table[1].len = sizeof(table);
}

static void indirect_loop(void)
{
	indirect(TABLE, 3 * sizeof(table[0]), D_INDIRECT);
	table[1].next = 0;
}

static void indirect_outside(void)
{
	indirect(TABLE, 3 * sizeof(table[0]), D_INDIRECT);
	table[1].next = 3;
}

/* These offer by themselves. */
static void head_outside(void)
{
	vq_offer(&queue, RING);
}

static void head_far_outside(void)
{
	vq_offer(&queue, 0xffff);
}

static void avail_jump(void)
{
	queue.avail[1] = RING + 1;
	barrier();
	vq_notify(&queue);
}

static void avail_back(void)
{
	queue.avail[1] = 0xffff;
	barrier();
	vq_notify(&queue);
}

static const struct {
	const char *name;
	void (*spoil)(void);
	bool offers;
} cases[] = {
	{ "loop", loop, false },
	{ "loop-self", loop_self, false },
	{ "next-outside", next_outside, false },
	{ "wild-header", wild_header, false },
	{ "wild-data", wild_data, false },
	{ "wild-status", wild_status, false },
	{ "wrapping", wrapping, false },
	{ "huge-length", huge_length, false },
	{ "device-memory", device_memory, false },
	{ "short-header", short_header, false },
	{ "no-header", no_header, false },
	{ "no-status", no_status, false },
	{ "no-writable", no_writable, false },
	{ "readable-last", readable_last, false },
	{ "odd-length", odd_length, false },
	{ "indirect-odd", indirect_odd, false },
	{ "indirect-empty", indirect_empty, false },
	{ "indirect-huge", indirect_huge, false },
	{ "indirect-wild", indirect_wild, false },
	{ "indirect-next", indirect_next, false },
	{ "indirect-nested", indirect_nested, false },
	{ "indirect-loop", indirect_loop, false },
	{ "indirect-outside", indirect_outside, false },
	{ "head-outside", head_outside, true },
	{ "head-far-outside", head_far_outside, true },
	{ "avail-jump", avail_jump, true },
	{ "avail-back", avail_back, true },
};

/* Rings that are nowhere: seen at activation or at the first kick. */
static bool wild_ring(const char *name, uint32_t reg, uint64_t at)
{
	if (!arg_is("case", name) && !arg_is("case", "all"))
		return false;
	vdev_negotiate(&disk, 0);
	vq_setup(&queue, &disk, 0, 0);
	vio_write(&disk, VIO_QUEUE_READY, 0);
	vio_write(&disk, reg, (uint32_t)at);
	vio_write(&disk, reg + 4, (uint32_t)(at >> 32));
	vio_write(&disk, VIO_QUEUE_READY, 1);
	put(name);
	if (vio_read(&disk, VIO_QUEUE_READY)) {
		vdev_start(&disk);
		sound_read();
		vq_offer(&queue, 0);
		check(vq_wait(&queue, NULL) == VQ_NEEDS_RESET, ": NEEDS_RESET for a wild ring");
		put(": needs reset\n");
	} else {
		put(": not made ready\n");
	}
	return true;
}

static void run_case(unsigned int i)
{
	enum vq_result r;

	put(cases[i].name);
	blk_start(&disk, &queue, F_INDIRECT);
	sound_read();
	blk_status = 0xff;
	cases[i].spoil();
	if (!cases[i].offers)
		vq_offer(&queue, 0);
	r = vq_wait(&queue, NULL);
	check(r != VQ_TIMEOUT, ": no answer");
	check(r == VQ_NEEDS_RESET || blk_status != 0, ": it was taken as sound");
	put(r == VQ_NEEDS_RESET ? ": needs reset\n" : ": refused\n");
}

int guest_main(void)
{
	bool any = false;
	unsigned int i;

	vdev_find(&disk, BLK_ID);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!arg_is("case", cases[i].name) && !arg_is("case", "all"))
			continue;
		any = true;
		run_case(i);
		blk_start(&disk, &queue, 0);
		blk_check_sector0(&queue);
	}
	any |= wild_ring("desc-wild", VIO_QUEUE_DESC, WILD);
	any |= wild_ring("avail-wild", VIO_QUEUE_DRIVER, WILD);
	any |= wild_ring("used-wild", VIO_QUEUE_DEVICE, WILD);
	any |= wild_ring("desc-misaligned", VIO_QUEUE_DESC, (uintptr_t)table + 8);
	any |= wild_ring("desc-wrapping", VIO_QUEUE_DESC, ~0ULL - 15);
	check(any, "there is no such case");
	blk_start(&disk, &queue, 0);
	blk_check_sector0(&queue);
	put("good again\n");
	return 0;
}
