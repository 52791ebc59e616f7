/*
 * hostile_ring.c - chains and rings that no driver would make (virtio 1.3,
 * 2.7), for every queue that a target names.  See lib/hostile.h.
 */
#include "tests/guests/lib/hostile.h"

/* Receive buffers of many chains for one frame, where that is offered. */
#define NET_F_MRG_RXBUF (1ULL << 15)
#define FEATURES	(F_INDIRECT | NET_F_MRG_RXBUF)

#define q    target_queue
#define body (target_queue.desc[BODY])

static struct desc table[RING] __attribute__((aligned(16)));

#define TABLE ((uintptr_t)table)

/* --- a chain that is spoilt before it is offered --- */

static void start(void)
{
	target_start(FEATURES);
	target_chain();
}

static void offer(void)
{
	vq_offer(&q, 0);
	state(target_answer());
}

static void with_body(uint64_t addr, uint32_t len)
{
	start();
	body.addr = addr;
	body.len = len;
	offer();
}

/* The last descriptor of a sound chain. */
static struct desc *last(void)
{
	return &q.desc[target->ndesc - 1];
}

static void loop(void)
{
	start();
	last()->flags |= D_NEXT;
	last()->next = 0;
	offer();
}

static void loop_self(void)
{
	start();
	body.flags |= D_NEXT;
	body.next = BODY;
	offer();
}

/* Through every descriptor of the ring and round again. */
static void loop_whole_ring(void)
{
	uint16_t i;

	start();
	for (i = target->ndesc - 1; i < RING; i++) {
		q.desc[i] = *last();
		q.desc[i].flags |= D_NEXT;
		q.desc[i].next = (uint16_t)((i + 1) % RING);
	}
	offer();
}

static void next_outside(void)
{
	start();
	q.desc[0].next = RING;
	offer();
}

static void next_far_outside(void)
{
	start();
	q.desc[0].next = 0xffff;
	offer();
}

static void addr_wild(void)
{
	with_body(WILD, SECTOR);
}

static void addr_hole(void)
{
	with_body(HOLE, SECTOR);
}

static void addr_device(void)
{
	with_body(target_dev.base, SECTOR);
}

static void addr_lapic(void)
{
	with_body(LAPIC_MEM, SECTOR);
}

static void addr_wraps(void)
{
	with_body(~0ULL - 15, SECTOR);
}

static void addr_last(void)
{
	with_body(~0ULL, 1);
}

static void first_wild(void)
{
	start();
	q.desc[0].addr = WILD;
	offer();
}

static void last_in_hole(void)
{
	start();
	last()->addr = HOLE;
	offer();
}

static void into_hole(void)
{
	with_body(LOW_END - 256, SECTOR);
}

static void across_hole(void)
{
	with_body(LOW_END - 256, (uint32_t)(HIGH - LOW_END) + SECTOR);
}

static void out_of_hole(void)
{
	with_body(HIGH - 256, SECTOR);
}

static void over_end(void)
{
	with_body(HIGH_END - 256, SECTOR);
}

static void behind_end(void)
{
	with_body(HIGH_END, SECTOR);
}

static void before_hole(void)
{
	with_body(LOW_END - SECTOR, SECTOR);
}

static void after_hole(void)
{
	with_body(HIGH, SECTOR);
}

static void before_end(void)
{
	with_body(HIGH_END - SECTOR, SECTOR);
}

static void length_zero(void)
{
	with_body((uintptr_t)target_body, 0);
}

static void length_max(void)
{
	with_body((uintptr_t)target_body, 0xffffffff);
}

static void length_sector_max(void)
{
	with_body((uintptr_t)target_body, 0xfffffe00);
}

/* `n` bodies of `len` bytes each, all at address 0, in one chain. */
static void many_bodies(unsigned int n, uint32_t len)
{
	struct desc end;
	unsigned int i;

	start();
	end = *last();
	for (i = 0; i < n; i++) {
		q.desc[BODY + i] =
			(struct desc){ 0, len, target->flags | D_NEXT, (uint16_t)(BODY + i + 1) };
	}
	if (target->ndesc > 2)
		q.desc[BODY + n] = end;
	else
		q.desc[BODY + n - 1].flags = target->flags;
	offer();
}

static void sum_wraps(void)
{
	many_bodies(2, 0x80000000);
}

static void sum_wraps_to_little(void)
{
	many_bodies(5, 0x40000000);
}

/* Four bytes less than 4 GiB, a sector's multiple less for a disk. */
static void sum_just_fits(void)
{
	many_bodies(4, 0x3fffff00);
}

static void wrong_direction(void)
{
	start();
	body.flags ^= D_WRITE;
	offer();
}

static void all_wrong_direction(void)
{
	uint16_t i;

	start();
	for (i = 0; i < target->ndesc; i++)
		q.desc[i].flags ^= D_WRITE;
	offer();
}

static void readable_last(void)
{
	start();
	q.desc[0].flags |= D_WRITE;
	last()->flags &= (uint16_t)~D_WRITE;
	offer();
}

static void unknown_flags(void)
{
	start();
	body.flags |= 0xfff8;
	offer();
}

/* One byte: a frame that is received waits for more buffers. */
static void short_alone(void)
{
	start();
	q.desc[0].len = 1;
	q.desc[0].flags = target->flags;
	vq_offer(&q, 0);
	target_provoke();
	state(target->name[1] == 'x' && target->flags ? target_settle() : target_answer());
}

/* --- indirect tables --- */

static void indirect(uint64_t addr, uint32_t len, uint16_t flags)
{
	unsigned int i;

	for (i = 0; i < target->ndesc; i++)
		table[i] = q.desc[i];
	q.desc[0] = (struct desc){ addr, len, flags, 1 };
}

static void sound_indirect(void)
{
	indirect(TABLE, target->ndesc * (uint32_t)sizeof(table[0]), D_INDIRECT);
}

static void with_table(uint64_t addr, uint32_t len, uint16_t flags)
{
	start();
	indirect(addr, len, flags);
	offer();
}

static void indirect_odd(void)
{
	with_table(TABLE, target->ndesc * (uint32_t)sizeof(table[0]) - 1, D_INDIRECT);
}

static void indirect_empty(void)
{
	with_table(TABLE, 0, D_INDIRECT);
}

static void indirect_huge(void)
{
	with_table(TABLE, 0xfffffff0, D_INDIRECT);
}

/* All of it is memory, and longer than any device has room for. */
static void indirect_long(void)
{
	with_table(TABLE, 4096 * sizeof(table[0]), D_INDIRECT);
}

static void indirect_wild(void)
{
	with_table(WILD, 2 * sizeof(table[0]), D_INDIRECT);
}

static void indirect_into_hole(void)
{
	with_table(LOW_END - sizeof(table[0]), 2 * sizeof(table[0]), D_INDIRECT);
}

/* A sound table, moved by a byte. */
static void indirect_misaligned(void)
{
	static uint8_t odd[sizeof(table) + 1] __attribute__((aligned(16)));
	unsigned int i;

	start();
	indirect((uintptr_t)odd + 1, target->ndesc * (uint32_t)sizeof(table[0]), D_INDIRECT);
	for (i = 0; i < sizeof(table); i++)
		odd[1 + i] = ((const uint8_t *)table)[i];
	offer();
}

static void indirect_next(void)
{
	with_table(TABLE, target->ndesc * (uint32_t)sizeof(table[0]), D_INDIRECT | D_NEXT);
}

static void indirect_nested(void)
{
	start();
	sound_indirect();
	table[BODY] = (struct desc){ TABLE, sizeof(table), D_INDIRECT, 0 };
	offer();
}

static void indirect_self(void)
{
	start();
	table[0] = (struct desc){ TABLE, sizeof(table[0]), D_INDIRECT, 0 };
	q.desc[0] = table[0];
	offer();
}

/* The table is the ring's own. */
static void indirect_is_ring(void)
{
	start();
	q.desc[0] = (struct desc){ (uintptr_t)q.desc, RING * sizeof(q.desc[0]), D_INDIRECT, 0 };
	offer();
}

static void indirect_loop(void)
{
	start();
	sound_indirect();
	table[BODY].flags |= D_NEXT;
	table[BODY].next = BODY;
	offer();
}

static void indirect_outside(void)
{
	start();
	sound_indirect();
	table[0].next = target->ndesc;
	offer();
}

static void indirect_far_outside(void)
{
	start();
	sound_indirect();
	table[0].next = 0xffff;
	offer();
}

static void indirect_unnegotiated(void)
{
	target_start(0);
	target_chain();
	sound_indirect();
	offer();
}

/* Lawful: a plain descriptor, then a table with the rest. */
static void indirect_after_plain(void)
{
	unsigned int i;

	start();
	for (i = 1; i < target->ndesc; i++) {
		table[i - 1] = q.desc[i];
		table[i - 1].next = (uint16_t)i;
	}
	body = (struct desc){ TABLE, (target->ndesc - 1u) * (uint32_t)sizeof(table[0]), D_INDIRECT,
			      0 };
	offer();
}

/* --- the available ring --- */

static void head_outside(void)
{
	start();
	vq_offer(&q, RING);
	state(target_answer());
}

static void head_far_outside(void)
{
	start();
	vq_offer(&q, 0xffff);
	state(target_answer());
}

static void set_avail(uint16_t idx)
{
	start();
	q.avail[1] = idx;
	barrier();
	vq_notify(&q);
	state(target_answer());
}

static void avail_jump(void)
{
	set_avail(RING + 1);
}

static void avail_half_way(void)
{
	set_avail(0x8000);
}

static void avail_back(void)
{
	set_avail(0xffff);
}

/* One head in every entry, all at once. */
static void head_repeated(void)
{
	set_avail(RING);
}

static void avail_flags(void)
{
	start();
	q.avail[0] = 0xffff;
	offer();
}

/* --- buffers over the rings themselves --- */

static void over(volatile const void *ring)
{
	start();
	body.addr = (uintptr_t)ring;
	vq_offer(&q, 0);
	target_provoke();
	state(target_settle());
}

static void over_desc(void)
{
	over(q.desc);
}

static void over_avail(void)
{
	over(q.avail);
}

static void over_used(void)
{
	over(q.used);
}

/* --- rings that are nowhere, or somewhere else --- */

/* `reg` of the queue is `at` when it is made ready. */
static bool ring_at(uint32_t reg, uint64_t at)
{
	target_prepare(FEATURES);
	vio_write(&target_dev, VIO_QUEUE_SEL, target->index);
	vio_write(&target_dev, VIO_QUEUE_READY, 0);
	vio_write(&target_dev, reg, (uint32_t)at);
	vio_write(&target_dev, reg + 4, (uint32_t)(at >> 32));
	vio_write(&target_dev, VIO_QUEUE_READY, 1);
	return vio_read(&target_dev, VIO_QUEUE_READY);
}

static void with_ring(uint32_t reg, uint64_t at)
{
	bool ready = ring_at(reg, at);

	vdev_start(&target_dev);
	target_chain();
	vq_offer(&q, 0);
	if (ready) {
		state(target_answer());
		return;
	}
	wait_cycles(5 * CYCLES_MS);
	check(q.used[1] == 0, "a queue that is not ready is not served");
	state("not-ready");
}

static void desc_wild(void)
{
	with_ring(VIO_QUEUE_DESC, WILD);
}

static void avail_wild(void)
{
	with_ring(VIO_QUEUE_DRIVER, WILD);
}

static void used_wild(void)
{
	with_ring(VIO_QUEUE_DEVICE, WILD);
}

static void desc_device(void)
{
	with_ring(VIO_QUEUE_DESC, target_dev.base);
}

static void used_device(void)
{
	with_ring(VIO_QUEUE_DEVICE, target_dev.base);
}

static void desc_misaligned(void)
{
	with_ring(VIO_QUEUE_DESC, TABLE + 8);
}

static void avail_misaligned(void)
{
	with_ring(VIO_QUEUE_DRIVER, TABLE + 1);
}

static void used_misaligned(void)
{
	with_ring(VIO_QUEUE_DEVICE, TABLE + 2);
}

static void desc_wraps(void)
{
	with_ring(VIO_QUEUE_DESC, ~0ULL - 15);
}

static void used_wraps(void)
{
	with_ring(VIO_QUEUE_DEVICE, ~0ULL - 3);
}

static void desc_into_hole(void)
{
	with_ring(VIO_QUEUE_DESC, LOW_END - 16);
}

static void used_into_hole(void)
{
	with_ring(VIO_QUEUE_DEVICE, LOW_END - 4);
}

static void avail_over_end(void)
{
	with_ring(VIO_QUEUE_DRIVER, HIGH_END - 4);
}

static void used_over_end(void)
{
	with_ring(VIO_QUEUE_DEVICE, HIGH_END - 4);
}

/* Rings on top of each other: what the device writes is what it reads. */
static void with_ring_over(uint32_t reg, volatile const void *at)
{
	check(ring_at(reg, (uintptr_t)at), "an aligned ring is made ready");
	vdev_start(&target_dev);
	target_chain();
	vq_offer(&q, 0);
	target_provoke();
	state(target_settle());
}

static void used_is_avail(void)
{
	with_ring_over(VIO_QUEUE_DEVICE, q.avail);
}

static void used_is_desc(void)
{
	with_ring_over(VIO_QUEUE_DEVICE, q.desc);
}

static void avail_is_desc(void)
{
	with_ring_over(VIO_QUEUE_DRIVER, q.desc);
}

static void avail_is_used(void)
{
	with_ring_over(VIO_QUEUE_DRIVER, q.used);
}

/* The used index is not where a fresh ring has it. */
static void used_index_dirty(void)
{
	target_prepare(FEATURES);
	q.used[1] = 5;
	q.used_seen = 5;
	vdev_start(&target_dev);
	target_chain();
	offer();
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}

static const struct hostile_case cases[] = {
	CASE(loop),
	CASE(loop_self),
	CASE(loop_whole_ring),
	CASE(next_outside),
	CASE(next_far_outside),
	CASE(addr_wild),
	CASE(addr_hole),
	CASE(addr_device),
	CASE(addr_lapic),
	CASE(addr_wraps),
	CASE(addr_last),
	CASE(first_wild),
	CASE(last_in_hole),
	CASE(into_hole),
	CASE(across_hole),
	CASE(out_of_hole),
	CASE(over_end),
	CASE(behind_end),
	CASE(before_hole),
	CASE(after_hole),
	CASE(before_end),
	CASE(length_zero),
	CASE(length_max),
	CASE(length_sector_max),
	CASE(sum_wraps),
	CASE(sum_wraps_to_little),
	CASE(sum_just_fits),
	CASE(wrong_direction),
	CASE(all_wrong_direction),
	CASE(readable_last),
	CASE(unknown_flags),
	CASE(short_alone),
	CASE(indirect_odd),
	CASE(indirect_empty),
	CASE(indirect_huge),
	CASE(indirect_long),
	CASE(indirect_wild),
	CASE(indirect_into_hole),
	CASE(indirect_misaligned),
	CASE(indirect_next),
	CASE(indirect_nested),
	CASE(indirect_self),
	CASE(indirect_is_ring),
	CASE(indirect_loop),
	CASE(indirect_outside),
	CASE(indirect_far_outside),
	CASE(indirect_unnegotiated),
	CASE(indirect_after_plain),
	CASE(head_outside),
	CASE(head_far_outside),
	CASE(avail_jump),
	CASE(avail_half_way),
	CASE(avail_back),
	CASE(head_repeated),
	CASE(avail_flags),
	CASE(over_desc),
	CASE(over_avail),
	CASE(over_used),
	CASE(desc_wild),
	CASE(avail_wild),
	CASE(used_wild),
	CASE(desc_device),
	CASE(used_device),
	CASE(desc_misaligned),
	CASE(avail_misaligned),
	CASE(used_misaligned),
	CASE(desc_wraps),
	CASE(used_wraps),
	CASE(desc_into_hole),
	CASE(used_into_hole),
	CASE(avail_over_end),
	CASE(used_over_end),
	CASE(used_is_avail),
	CASE(used_is_desc),
	CASE(avail_is_desc),
	CASE(avail_is_used),
	CASE(used_index_dirty),
};

int guest_main(void)
{
	return hostile_main(cases, sizeof(cases) / sizeof(cases[0]));
}
