/*
 * hostile_race.c - a second CPU changes what the device is just reading: its
 * descriptors, rings, buffers, registers.  See lib/hostile.h.
 */
#include "tests/guests/lib/hostile.h"

#define NET_F_MRG_RXBUF (1ULL << 15)
#define FEATURES	(F_INDIRECT | F_EVENT_IDX | NET_F_MRG_RXBUF)

#define q      target_queue
#define ROUNDS arg_number("rounds", 60)

static struct desc table[RING] __attribute__((aligned(16)));

/* --- the second CPU --- */

static void (*volatile attack)(void); /* over and over; NULL: rest */
static volatile bool resting;
static uint32_t seed = 1; /* the second CPU's */

static void second(void)
{
	void (*now)(void);

	for (;;) {
		now = attack;
		if (now)
			now();
		resting = !now;
	}
}

static uint32_t chance(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 16) % n;
}

static void begin(void (*what)(void))
{
	attack = what;
	cpus_start(second);
	while (resting)
		;
}

static void end(void)
{
	attack = NULL;
	while (!resting)
		;
}

/* --- the first CPU: goes on as a driver would --- */

/* What may be broken is mended, and may be broken again before it has begun. */
static void revive(void)
{
	if (vio_read(&target_dev, VIO_STATUS) & S_NEEDS_RESET) {
		target_prepare(FEATURES);
		vdev_start(&target_dev);
		target_chain();
	}
}

static void rounds(void (*what)(void))
{
	uint64_t i, n = ROUNDS;

	target_start(FEATURES);
	target_chain();
	begin(what);
	for (i = 0; i < n; i++) {
		vq_offer(&q, 0);
		target_provoke();
		wait_cycles(CYCLES_MS / 4);
		q.used_seen = q.used[1];
		revive();
	}
	end();
	state(target_settle());
}

/* --- attacks --- */

static void change_addr(void)
{
	static const uint64_t places[] = { WILD, HOLE, ~0ULL - 15, LAPIC_MEM, 0, 0x3ffff00 };

	q.desc[chance(3)].addr = places[chance(6)];
	q.desc[BODY].addr = (uintptr_t)target_body;
}

static void change_len(void)
{
	static const uint32_t lengths[] = { 0, 1, SECTOR, 0x7fffffff, 0x80000000, 0xffffffff };

	q.desc[chance(3)].len = lengths[chance(6)];
	q.desc[BODY].len = SECTOR;
}

static void change_flags(void)
{
	q.desc[chance(3)].flags = (uint16_t)chance(8);
	q.desc[BODY].flags = target->flags;
}

static void change_next(void)
{
	q.desc[chance(3)].next = (uint16_t)chance(RING + 2);
	q.desc[0].next = BODY;
}

static void change_heads(void)
{
	q.avail[2 + chance(RING)] = (uint16_t)chance(RING + 2);
	q.avail[2 + chance(RING)] = 0;
}

static void change_index(void)
{
	q.avail[1] = (uint16_t)(q.used[1] + chance(RING + 3));
}

static void change_used(void)
{
	q.used[chance(2 + 4 * RING)] = (uint16_t)chance(0x10000);
}

static void change_events(void)
{
	q.avail[2 + RING] = (uint16_t)chance(0x10000);
	q.used[2 + 4 * RING] = (uint16_t)chance(0x10000);
	q.avail[0] = (uint16_t)chance(2);
}

/* The first descriptor is a table, whose entries change. */
static void change_table(void)
{
	struct desc *d = &table[chance(RING)];

	q.desc[0] = (struct desc){ (uintptr_t)table, 16 * chance(RING + 1), D_INDIRECT, 0 };
	*d = q.desc[BODY];
	d->flags = (uint16_t)chance(8);
	d->next = (uint16_t)chance(RING + 1);
	d->len = chance(2) ? SECTOR : 0xffffffff;
}

static void change_everything(void)
{
	static void (*const all[])(void) = { change_addr, change_len,	 change_flags,
					     change_next, change_heads,	 change_index,
					     change_used, change_events, change_table };

	all[chance(sizeof(all) / sizeof(all[0]))]();
}

/* A disk's header between its check and its use: reads only. */
static void change_header(void)
{
	static const uint64_t sectors[] = { 0, 2047, 2048, ~0ULL, ~0ULL / SECTOR };

	blk_header.sector = sectors[chance(5)];
	blk_header.type = chance(2) ? BLK_IN : 0x77;
}

/* Any word of the network header in front of a frame. */
static void change_net_header(void)
{
	volatile uint8_t *header = (volatile uint8_t *)(uintptr_t)q.desc[0].addr;

	header[chance(12)] = (uint8_t)chance(256);
}

static void race_addr(void)
{
	rounds(change_addr);
}

static void race_len(void)
{
	rounds(change_len);
}

static void race_flags(void)
{
	rounds(change_flags);
}

static void race_next(void)
{
	rounds(change_next);
}

static void race_heads(void)
{
	rounds(change_heads);
}

static void race_index(void)
{
	rounds(change_index);
}

static void race_used(void)
{
	rounds(change_used);
}

static void race_events(void)
{
	rounds(change_events);
}

static void race_table(void)
{
	rounds(change_table);
}

static void race_everything(void)
{
	rounds(change_everything);
}

static void race_header(void)
{
	rounds(target->ndesc > 2 ? change_header : change_net_header);
}

/* --- registers --- */

static void kick(void)
{
	vio_write(&target_dev, VIO_QUEUE_NOTIFY, target->index);
}

static void storm(void)
{
	rounds(kick);
}

static void change_queue(void)
{
	static const uint32_t regs[] = { VIO_QUEUE_NUM,	   VIO_QUEUE_DESC,	 VIO_QUEUE_DESC + 4,
					 VIO_QUEUE_DRIVER, VIO_QUEUE_DEVICE + 4, VIO_QUEUE_READY };
	static const uint32_t values[] = { 0, 1, 0x8000, 0xfffffff0, 0xffffffff };

	vio_write(&target_dev, VIO_QUEUE_SEL, target->index);
	vio_write(&target_dev, regs[chance(6)], values[chance(5)]);
}

/* While the queue is in use it must not notice. */
static void race_queue(void)
{
	uint64_t i, n = ROUNDS;
	const char *answer = "";

	target_start(FEATURES);
	begin(change_queue);
	for (i = 0; i < n; i++) {
		target_chain();
		vq_offer(&q, 0);
		answer = target_answer();
		check(answer[0] != 'n', "a queue in use does not change");
	}
	end();
	state(answer);
}

static void reset(void)
{
	vio_write(&target_dev, VIO_STATUS, 0);
}

/* A driver that checks nothing, while the other CPU resets its device. */
static void start_blindly(void)
{
	uint32_t reg;

	vio_write(&target_dev, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER);
	vio_write(&target_dev, VIO_DRIVER_FEATURES_SEL, 1);
	vio_write(&target_dev, VIO_DRIVER_FEATURES, (uint32_t)(F_VERSION_1 >> 32));
	vio_write(&target_dev, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
	vio_write(&target_dev, VIO_QUEUE_SEL, target->index);
	vio_write(&target_dev, VIO_QUEUE_NUM, RING);
	for (reg = VIO_QUEUE_DESC; reg <= VIO_QUEUE_DEVICE; reg += 4)
		vio_write(&target_dev, reg, 0);
	vio_write(&target_dev, VIO_QUEUE_DESC, (uint32_t)(uintptr_t)q.desc);
	vio_write(&target_dev, VIO_QUEUE_DRIVER, (uint32_t)(uintptr_t)q.avail);
	vio_write(&target_dev, VIO_QUEUE_DEVICE, (uint32_t)(uintptr_t)q.used);
	vio_write(&target_dev, VIO_QUEUE_READY, 1);
	vio_write(&target_dev, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
}

static void race_reset(void)
{
	uint64_t i, n = ROUNDS;

	target_start(0);
	target_chain();
	begin(reset);
	for (i = 0; i < n; i++) {
		start_blindly();
		q.avail[1] = q.used[1] = 0;
		vq_offer(&q, 0);
	}
	end();
	vdev_reset(&target_dev);
	state(target_settle());
}

static void change_status(void)
{
	vio_write(&target_dev, VIO_STATUS, chance(256));
}

static void race_status(void)
{
	uint64_t i, n = ROUNDS;

	target_start(0);
	target_chain();
	begin(change_status);
	for (i = 0; i < n; i++) {
		start_blindly();
		q.avail[1] = q.used[1] = 0;
		vq_offer(&q, 0);
		vio_write(&target_dev, VIO_STATUS, 0);
	}
	end();
	vdev_reset(&target_dev);
	state(target_settle());
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}

static const struct hostile_case cases[] = {
	CASE(race_addr),  CASE(race_len),    CASE(race_flags),	    CASE(race_next),
	CASE(race_heads), CASE(race_index),  CASE(race_used),	    CASE(race_events),
	CASE(race_table), CASE(race_header), CASE(race_everything), CASE(storm),
	CASE(race_queue), CASE(race_reset),  CASE(race_status),
};

int guest_main(void)
{
	return hostile_main(cases, sizeof(cases) / sizeof(cases[0]));
}
