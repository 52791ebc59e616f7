/*
 * hostile_request.c - sound chains with requests in them that are not: of a
 * disk (virtio 1.3, 5.2), a network device (5.1), an entropy device (5.4).
 * See lib/hostile.h.
 */
#include "tests/guests/lib/hostile.h"

#define NET_F_MRG_RXBUF (1ULL << 15)

#define F_BLK_MQ (1ULL << 12)

#define BLK_DISCARD	 11
#define BLK_WRITE_ZEROES 13
#define SECTORS		 2048

#define q    target_queue
#define body (target_queue.desc[BODY])

static struct desc table[260] __attribute__((aligned(16)));

static void start(void)
{
	target_start(F_INDIRECT | NET_F_MRG_RXBUF);
	target_chain();
}

static void offer(void)
{
	vq_offer(&q, 0);
	state(target_answer());
}

/* An indirect table of `n` pieces of `len` bytes each, from `at` on, behind
 * the chain's first `keep` descriptors and before its last if `end`. */
static void in_pieces(unsigned int keep, unsigned int n, uint32_t len, bool end)
{
	unsigned int i, total = keep + n + end;
	uint16_t flags = target->flags;

	for (i = 0; i < keep; i++)
		table[i] = q.desc[i];
	for (i = 0; i < n; i++)
		table[keep + i] = (struct desc){ (uintptr_t)target_body + i * len % BODY_LEN, len,
						 flags | D_NEXT, (uint16_t)(keep + i + 1) };
	if (end)
		table[total - 1] = q.desc[target->ndesc - 1];
	table[total - 1].flags &= (uint16_t)~D_NEXT;
	q.desc[0] = (struct desc){ (uintptr_t)table, total * (uint32_t)sizeof(table[0]), D_INDIRECT,
				   0 };
}

/* --- disk --- */

static void blk_short_header(void)
{
	start();
	q.desc[0].len = 15;
	offer();
}

static void blk_no_header(void)
{
	start();
	q.desc[0].flags |= D_WRITE;
	offer();
}

static void blk_no_status(void)
{
	start();
	body.flags = D_NEXT;
	q.desc[2].flags = 0;
	offer();
}

/* The last byte of the data is the status. */
static void blk_status_in_data(void)
{
	start();
	body.flags = D_WRITE;
	body.len = SECTOR + 1;
	target_body[SECTOR] = 0xff;
	vq_offer(&q, 0);
	check(vq_wait(&q, NULL) == VQ_USED, "the disk answers");
	state(target_body[SECTOR] == 0 ? "served" : "refused");
}

static void blk_status_over_header(void)
{
	start();
	q.desc[2].addr = (uintptr_t)&blk_header;
	vq_offer(&q, 0);
	state(target_settle());
}

static void blk_header_in_pieces(void)
{
	unsigned int i;

	start();
	for (i = 0; i < 5; i++)
		q.desc[i] = (struct desc){ (uintptr_t)&blk_header + 3 * i, 3, D_NEXT,
					   (uint16_t)(i + 1) };
	q.desc[5] = (struct desc){ (uintptr_t)&blk_header + 15, 1, D_NEXT, 6 };
	q.desc[6] = (struct desc){ (uintptr_t)target_body, SECTOR, D_NEXT | D_WRITE, 7 };
	q.desc[7] = (struct desc){ (uintptr_t)&blk_status, 1, D_WRITE, 0 };
	offer();
}

static void blk_odd_length(void)
{
	start();
	body.len = SECTOR - 1;
	offer();
}

static void at_sector(uint64_t sector, uint32_t len)
{
	start();
	blk_header.sector = sector;
	body.len = len;
	offer();
}

static void blk_behind_end(void)
{
	at_sector(SECTORS, SECTOR);
}

static void blk_over_end(void)
{
	at_sector(SECTORS - 1, 2 * SECTOR);
}

static void blk_sector_max(void)
{
	at_sector(~0ULL, SECTOR);
}

/* Times 512 it is 0 again. */
static void blk_sector_wraps(void)
{
	at_sector(1ULL << 55, SECTOR);
}

/* A write of what is not there, over and behind the end. */
static void blk_write_over_end(void)
{
	start();
	blk_header.type = BLK_OUT;
	blk_header.sector = SECTORS - 1;
	body.flags = D_NEXT;
	body.len = 2 * SECTOR;
	offer();
}

static void blk_types(void)
{
	static const uint32_t types[] = { 2, 3, 5, 9, 0x77, 0x80000000, 0xfffffffe, 0xffffffff };
	const char *answer = "";
	unsigned int i;

	start();
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		target_chain();
		blk_header.type = types[i];
		vq_offer(&q, 0);
		answer = target_answer();
		check(answer[0] == 'r', "an unknown type is refused");
	}
	state(answer);
}

/* DISCARD and WRITE_ZEROES with ranges that must be refused. */
static void blk_ranges(void)
{
	static struct {
		uint64_t sector;
		uint32_t sectors, flags;
	} range[2];
	static const struct {
		uint64_t sector;
		uint32_t sectors, flags, len;
	} bad[] = {
		{ SECTORS, 1, 0, 16 },	      { SECTORS - 1, 2, 0, 16 }, { ~0ULL, 1, 0, 16 },
		{ 1ULL << 55, 1, 0, 16 },     { 0, 0xffffffff, 0, 16 },	 { 0, 0, 0, 16 },
		{ 0, 1, 0xfffffffe, 16 },     { 0, 1, 0, 15 },		 { 0, 1, 0, 32 },
		{ ~0ULL, 0xffffffff, 1, 16 },
	};
	const char *answer = "";
	unsigned int i;

	start();
	for (i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
		target_chain();
		range[0].sector = bad[i / 2].sector;
		range[0].sectors = bad[i / 2].sectors;
		range[0].flags = bad[i / 2].flags;
		blk_header.type = i % 2 ? BLK_DISCARD : BLK_WRITE_ZEROES;
		body = (struct desc){ (uintptr_t)range, bad[i / 2].len, D_NEXT, 2 };
		vq_offer(&q, 0);
		answer = target_answer();
		check(answer[0] == 'r', "a range off the disk is refused");
	}
	state(answer);
}

static void blk_read_only(void)
{
	static const uint32_t types[] = { BLK_OUT, BLK_DISCARD, BLK_WRITE_ZEROES };
	const char *answer = "";
	unsigned int i;

	start();
	for (i = 0; i < 3; i++) {
		target_chain();
		blk_header.type = types[i];
		body.flags = D_NEXT;
		vq_offer(&q, 0);
		answer = target_answer();
		check(answer[0] == 'r', "a read-only disk is not written");
	}
	state(answer);
}

/* As many segments as are offered, then more than there is room for. */
static void blk_segments(void)
{
	start();
	in_pieces(1, 126, SECTOR, true);
	offer();
}

static void blk_segments_too_many(void)
{
	start();
	in_pieces(1, 250, SECTOR, true);
	offer();
}

/* Requests in every entry of the ring, all into one buffer. */
static void blk_one_buffer(void)
{
	uint16_t i;

	target_start(F_INDIRECT);
	for (i = 0; i < RING; i++) {
		target_chain();
		in_pieces(1, 1, SECTOR, true);
		q.desc[i] = q.desc[0];
		q.avail[2 + i] = i;
	}
	q.avail[1] = RING;
	barrier();
	vq_notify(&q);
	for (i = 0; i < RING; i++)
		check(target_answer()[0] == 's', "each is served");
	state("served");
}

/* --- several queues --- */

#define QUEUES	 16 /* --disk ...,queues=16 */
#define BIG_RING 256

static struct desc big_desc[BIG_RING] __attribute__((aligned(16)));
static uint16_t big_avail[3 + BIG_RING] __attribute__((aligned(2)));
static volatile uint16_t big_used[QUEUES][4 + 4 * BIG_RING] __attribute__((aligned(4)));

static void set_up_queue(unsigned int index, uint32_t size, volatile const void *used)
{
	vio_write(&target_dev, VIO_QUEUE_SEL, index);
	vio_write(&target_dev, VIO_QUEUE_NUM, size);
	vio_write(&target_dev, VIO_QUEUE_DESC, (uint32_t)(uintptr_t)big_desc);
	vio_write(&target_dev, VIO_QUEUE_DRIVER, (uint32_t)(uintptr_t)big_avail);
	vio_write(&target_dev, VIO_QUEUE_DEVICE, (uint32_t)(uintptr_t)used);
	vio_write(&target_dev, VIO_QUEUE_READY, 1);
	check(vio_read(&target_dev, VIO_QUEUE_READY) == 1, "each queue is ready");
}

/* 256 requests in one ring, which 16 queues serve: 4096 at once. */
static void start_all(bool one_used_ring)
{
	unsigned int i;

	vdev_negotiate(&target_dev, F_INDIRECT | F_BLK_MQ);
	for (i = 0; i < QUEUES; i++) {
		set_up_queue(i, BIG_RING, big_used[one_used_ring ? 0 : i]);
		big_used[i][1] = 0;
	}
	target_chain();
	in_pieces(1, 1, SECTOR, true);
	for (i = 0; i < BIG_RING; i++) {
		big_desc[i] = q.desc[0];
		big_avail[2 + i] = (uint16_t)i;
	}
	big_avail[1] = BIG_RING;
	vdev_start(&target_dev);
	for (i = 0; i < QUEUES; i++)
		vio_write(&target_dev, VIO_QUEUE_NOTIFY, i);
}

static void blk_queues_full(void)
{
	unsigned int i, rounds;

	target_start(0);
	start_all(false);
	for (i = 0; i < QUEUES; i++) {
		for (rounds = 0; rounds < 3000 && big_used[i][1] != BIG_RING; rounds++)
			wait_cycles(CYCLES_MS);
		check(big_used[i][1] == BIG_RING, "every request of every queue is served");
	}
	state(target_settle()[0] == 'r' ? "served" : "needs-reset");
}

static void blk_queues_reset(void)
{
	unsigned int i;

	target_start(0);
	for (i = 0; i < 8; i++) {
		start_all(i % 2);
		vdev_reset(&target_dev);
	}
	state(target_settle());
}

static void blk_queues_share_rings(void)
{
	target_start(0);
	start_all(true);
	state(target_settle());
}

/* Each queue has another size, so that no record of what is out fits all. */
static void blk_queues_differ(void)
{
	unsigned int i;

	target_start(0);
	vdev_negotiate(&target_dev, F_INDIRECT | F_BLK_MQ);
	for (i = 0; i < 9; i++) {
		set_up_queue(i, 1u << i, big_used[i]);
		big_used[i][1] = 0;
	}
	target_chain();
	in_pieces(1, 1, SECTOR, true);
	big_desc[0] = q.desc[0];
	big_avail[2] = 0;
	big_avail[1] = 1;
	vdev_start(&target_dev);
	for (i = 0; i < 9; i++)
		vio_write(&target_dev, VIO_QUEUE_NOTIFY, i);
	wait_cycles(100 * CYCLES_MS);
	for (i = 0; i < 9; i++)
		check(big_used[i][1] == 1, "queues of every size are served");
	state("served");
}

/* Receive and transmit queue over the same three rings. */
static void net_queues_share_rings(void)
{
	target_prepare(F_INDIRECT | NET_F_MRG_RXBUF);
	vio_write(&target_dev, VIO_QUEUE_SEL, target->index ^ 1);
	vio_write(&target_dev, VIO_QUEUE_READY, 0);
	vq_setup(&target_other, &target_dev, target->index ^ 1, 0);
	vdev_start(&target_dev);
	target_chain();
	vq_offer(&q, 0);
	vq_notify(&target_other);
	state(target_settle());
}

/* --- network --- */

/* Each byte of the header in turn, some values. */
static void tx_headers(void)
{
	static const uint8_t values[] = { 1, 2, 3, 5, 0x7f, 0x80, 0x81, 0xff };
	volatile uint8_t *header;
	unsigned int i, j;

	start();
	header = (volatile uint8_t *)(uintptr_t)q.desc[0].addr;
	for (i = 0; i < 10; i++) {
		for (j = 0; j < sizeof(values); j++) {
			header[i] = values[j];
			vq_offer(&q, 0);
			check(target_answer()[0] == 'r', "a frame comes back");
		}
		header[i] = 0xff; /* and all up to here */
	}
	for (i = 0; i < 10; i++)
		header[i] = 0;
	state("returned");
}

static void of_length(uint32_t len)
{
	start();
	body.addr = 0x400000;
	body.len = len;
	offer();
}

static void tx_too_long(void)
{
	of_length(65536 + 18);
}

static void tx_far_too_long(void)
{
	of_length(16 << 20);
}

static void tx_one_byte(void)
{
	of_length(1);
}

static void tx_header_alone(void)
{
	start();
	q.desc[0].flags = 0;
	offer();
}

static void tx_pieces(void)
{
	start();
	in_pieces(1, 255, 1, false);
	offer();
}

static void tx_pieces_too_many(void)
{
	start();
	in_pieces(1, 256, 1, false);
	offer();
}

/* Receive buffers of a byte each in the whole ring: no frame fits into what
 * the guest can ever offer. */
static void tiny_buffers(unsigned int pieces)
{
	uint16_t i;

	start();
	if (pieces > 1)
		in_pieces(0, pieces, 1, false);
	else
		q.desc[0] = (struct desc){ (uintptr_t)target_body, 1, D_WRITE, 0 };
	for (i = 0; i < RING; i++) {
		q.desc[i] = q.desc[0];
		q.avail[2 + i] = i;
	}
	q.avail[1] = RING;
	barrier();
	vq_notify(&q);
	for (i = 0; i < 3; i++)
		target_provoke();
	state(target_settle());
}

static void rx_one_byte(void)
{
	tiny_buffers(1);
}

static void rx_few_bytes(void)
{
	tiny_buffers(5);
}

/* A frame is spread over as many buffers as it has bytes. */
static void rx_pieces(void)
{
	start();
	in_pieces(0, 128, 1, false);
	offer();
}

static void rx_pieces_too_many(void)
{
	start();
	in_pieces(0, 129, 32, false);
	offer();
}

/* Frames that come while there is no buffer wait, or are lost, in the tap. */
static void rx_no_buffers(void)
{
	unsigned int i;

	target_start(0);
	for (i = 0; i < 300; i++)
		target_provoke();
	target_chain();
	offer();
}

/* --- entropy --- */

static void rng_all_memory(void)
{
	start();
	body = (struct desc){ 0x800000, 0x3000000, D_WRITE, 0 };
	offer();
}

static void rng_pieces(void)
{
	start();
	in_pieces(0, 64, 1, false);
	offer();
}

static void rng_pieces_too_many(void)
{
	start();
	in_pieces(0, 65, 1, false);
	offer();
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}

static const struct hostile_case cases[] = {
	CASE(blk_short_header),
	CASE(blk_no_header),
	CASE(blk_no_status),
	CASE(blk_status_in_data),
	CASE(blk_status_over_header),
	CASE(blk_header_in_pieces),
	CASE(blk_odd_length),
	CASE(blk_behind_end),
	CASE(blk_over_end),
	CASE(blk_sector_max),
	CASE(blk_sector_wraps),
	CASE(blk_write_over_end),
	CASE(blk_types),
	CASE(blk_ranges),
	CASE(blk_read_only),
	CASE(blk_segments),
	CASE(blk_segments_too_many),
	CASE(blk_one_buffer),
	CASE(blk_queues_full),
	CASE(blk_queues_reset),
	CASE(blk_queues_share_rings),
	CASE(blk_queues_differ),
	CASE(net_queues_share_rings),
	CASE(tx_headers),
	CASE(tx_too_long),
	CASE(tx_far_too_long),
	CASE(tx_one_byte),
	CASE(tx_header_alone),
	CASE(tx_pieces),
	CASE(tx_pieces_too_many),
	CASE(rx_one_byte),
	CASE(rx_few_bytes),
	CASE(rx_pieces),
	CASE(rx_pieces_too_many),
	CASE(rx_no_buffers),
	CASE(rng_all_memory),
	CASE(rng_pieces),
	CASE(rng_pieces_too_many),
};

int guest_main(void)
{
	return hostile_main(cases, sizeof(cases) / sizeof(cases[0]));
}
