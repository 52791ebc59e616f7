/*
 * hostile_registers.c - drivers that do not keep to the order of virtio 1.3,
 * 3.1.1, and accesses that no driver makes.  See lib/hostile.h.
 */
#include "tests/guests/lib/hostile.h"

#define q	 target_queue
#define ALL_SET	 (S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK)
#define PAGE	 0x1000
#define REGS_END 0x110 /* some of config space with them */
#define SLOTS	 19

static uint32_t read(uint32_t reg)
{
	return vio_read(&target_dev, reg);
}

static void write(uint32_t reg, uint32_t v)
{
	vio_write(&target_dev, reg, v);
}

/* The chain that was offered must be served, or so. */
static void offer(void)
{
	target_chain();
	vq_offer(&q, 0);
	state(target_answer());
}

/* A request is offered; for a few milliseconds nothing may come of it. */
static void expect_dead(void)
{
	uint16_t before = q.used[1];

	target_chain();
	vq_offer(&q, 0);
	wait_cycles(5 * CYCLES_MS);
	check(q.used[1] == before, "a device that was not started serves nothing");
}

/* --- features --- */

static void begin(void)
{
	vdev_reset(&target_dev);
	write(VIO_STATUS, S_ACKNOWLEDGE);
	write(VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER);
}

static void set_features(uint64_t f)
{
	write(VIO_DRIVER_FEATURES_SEL, 0);
	write(VIO_DRIVER_FEATURES, (uint32_t)f);
	write(VIO_DRIVER_FEATURES_SEL, 1);
	write(VIO_DRIVER_FEATURES, (uint32_t)(f >> 32));
}

static void refused_features(uint64_t f)
{
	begin();
	set_features(f);
	write(VIO_STATUS, ALL_SET);
	check(read(VIO_STATUS) == (S_ACKNOWLEDGE | S_DRIVER), "FEATURES_OK is refused");
	write(VIO_STATUS, ALL_SET | S_DRIVER_OK);
	check(read(VIO_STATUS) == (S_ACKNOWLEDGE | S_DRIVER), "DRIVER_OK is refused");
	state("ignored");
}

static void features_none(void)
{
	refused_features(0);
}

static void features_not_offered(void)
{
	refused_features(F_VERSION_1 | 1ULL << 63);
}

static void features_all(void)
{
	refused_features(~0ULL);
}

/* A table where INDIRECT was written, but not in time. */
static void offer_table(void)
{
	static struct desc table[RING] __attribute__((aligned(16)));
	unsigned int i;

	target_chain();
	for (i = 0; i < target->ndesc; i++)
		table[i] = q.desc[i];
	q.desc[0] = (struct desc){ (uintptr_t)table, target->ndesc * (uint32_t)sizeof(table[0]),
				   D_INDIRECT, 0 };
	vq_offer(&q, 0);
	state(target_answer());
}

static void features_after_ok(void)
{
	target_prepare(0);
	set_features(F_VERSION_1 | F_INDIRECT);
	write(VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER);
	set_features(F_VERSION_1 | F_INDIRECT);
	vdev_start(&target_dev);
	set_features(F_VERSION_1 | F_INDIRECT);
	offer_table();
}

static void features_of_last_time(void)
{
	target_start(F_INDIRECT | F_EVENT_IDX);
	target_start(0);
	offer_table();
}

static void features_selector(void)
{
	static const uint32_t wild[] = { 2, 3, 0x80000000, 0xffffffff };
	unsigned int i;

	begin();
	set_features(F_VERSION_1);
	for (i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		write(VIO_DEVICE_FEATURES_SEL, wild[i]);
		check(read(VIO_DEVICE_FEATURES) == 0, "there are no more than 64 features");
		write(VIO_DRIVER_FEATURES_SEL, wild[i]);
		write(VIO_DRIVER_FEATURES, 0xffffffff);
	}
	write(VIO_STATUS, ALL_SET);
	check(read(VIO_STATUS) == ALL_SET, "what was written beyond 64 bits is nothing");
	state("ignored");
}

/* --- status --- */

static const uint32_t path[] = { 0, S_ACKNOWLEDGE, S_ACKNOWLEDGE | S_DRIVER, ALL_SET,
				 ALL_SET | S_DRIVER_OK };
#define STEPS (sizeof(path) / sizeof(path[0]))

static void go_to(unsigned int step)
{
	unsigned int i;

	vdev_reset(&target_dev);
	for (i = 1; i <= step; i++) {
		if (path[i] == ALL_SET)
			set_features(F_VERSION_1);
		write(VIO_STATUS, path[i]);
	}
	check(read(VIO_STATUS) == path[step], "the right order is taken");
}

/* What Status reads after `v` was written to it. */
static uint32_t after(unsigned int step, uint32_t v)
{
	uint32_t known = v & ~(uint32_t)S_NEEDS_RESET;

	if (v == 0)
		return 0;
	if (v & S_FAILED)
		return path[step] | S_FAILED;
	/* Bits that are not defined make it no step at all. */
	if (step + 1 < STEPS && known == path[step + 1] && known != ALL_SET)
		return known;
	if (step == 0 && known == (S_ACKNOWLEDGE | S_DRIVER))
		return known;
	return path[step];
}

/* FEATURES_OK is left out: features_none has it. */
static void status_steps(unsigned int step)
{
	uint32_t v, expected;

	go_to(step);
	for (v = 0; v < 256; v++) {
		expected = after(step, v);
		write(VIO_STATUS, v);
		check(read(VIO_STATUS) == expected, "Status takes the steps of 3.1.1, no others");
		if (expected != path[step])
			go_to(step);
	}
	write(VIO_STATUS, 0xffffff00 | (path[step] & 0x7f));
	check(read(VIO_STATUS) == path[step], "reserved bits make it no step");
}

static void status_from_0(void)
{
	status_steps(0);
	state("ignored");
}

static void status_from_acknowledge(void)
{
	status_steps(1);
	state("ignored");
}

/* No features are set: FEATURES_OK is refused. */
static void status_from_driver(void)
{
	status_steps(2);
	state("ignored");
}

static void status_from_features_ok(void)
{
	status_steps(3);
	state("ignored");
}

static void status_from_driver_ok(void)
{
	status_steps(4);
	state("ignored");
}

static void driver_ok_first(void)
{
	target_prepare(0);
	vdev_reset(&target_dev);
	write(VIO_STATUS, ALL_SET | S_DRIVER_OK);
	expect_dead();
	write(VIO_STATUS, S_DRIVER_OK);
	expect_dead();
	state("ignored");
}

/* The driver has given up, and goes on. */
static void failed_in_use(void)
{
	target_start(0);
	write(VIO_STATUS, S_FAILED);
	check(read(VIO_STATUS) & S_FAILED, "FAILED stays");
	offer();
}

/* --- queues --- */

static void not_ready(const char *what)
{
	check(read(VIO_QUEUE_READY) == 0, what);
	vdev_start(&target_dev);
	expect_dead();
}

static void size_bad(void)
{
	static const uint32_t sizes[] = {
		0, 3, RING + 1, 512, 0x8000, 0x10000, 0x10008, 0xffffffff
	};
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		target_prepare(0);
		write(VIO_QUEUE_SEL, target->index);
		write(VIO_QUEUE_READY, 0);
		write(VIO_QUEUE_NUM, sizes[i]);
		write(VIO_QUEUE_READY, 1);
		not_ready("a queue of impossible size");
	}
	state("not-ready");
}

static void ready_wild(void)
{
	static const uint32_t values[] = { 2, 0x80000000, 0x80000001, 0xffffffff };
	unsigned int i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		target_prepare(0);
		write(VIO_QUEUE_SEL, target->index);
		write(VIO_QUEUE_READY, 0);
		write(VIO_QUEUE_READY, values[i]);
		not_ready("QueueReady is 0 or 1");
	}
	state("not-ready");
}

static void ready_late(void)
{
	target_prepare(0);
	write(VIO_QUEUE_SEL, target->index);
	write(VIO_QUEUE_READY, 0);
	vdev_start(&target_dev);
	write(VIO_QUEUE_READY, 1);
	check(read(VIO_QUEUE_READY) == 0, "no queue is made ready after DRIVER_OK");
	expect_dead();
	state("not-ready");
}

/* Everything that could change a queue. */
static void write_queue(uint32_t size, uint64_t addr)
{
	uint32_t reg;

	write(VIO_QUEUE_SEL, target->index);
	write(VIO_QUEUE_NUM, size);
	for (reg = VIO_QUEUE_DESC; reg <= VIO_QUEUE_DEVICE; reg += 0x10) {
		write(reg, (uint32_t)addr);
		write(reg + 4, (uint32_t)(addr >> 32));
	}
}

static void ready_early(void)
{
	target_prepare(0);
	begin();
	write_queue(RING, (uintptr_t)q.desc);
	write(VIO_QUEUE_READY, 1);
	check(read(VIO_QUEUE_READY) == 0, "no queue is made ready before FEATURES_OK");
	state("not-ready");
}

/* What a queue is stays what it was when it was made ready. */
static void frozen_size(void)
{
	target_start(0);
	write_queue(0x8000, (uintptr_t)q.desc);
	write(VIO_QUEUE_READY, 1);
	offer();
}

static void frozen_address(void)
{
	target_start(0);
	write_queue(RING, WILD);
	write(VIO_QUEUE_READY, 0);
	write_queue(RING, ~0ULL);
	write(VIO_QUEUE_READY, 1);
	offer();
}

static void frozen_while_ready(void)
{
	target_prepare(0);
	write_queue(0x8000, WILD);
	vdev_start(&target_dev);
	offer();
}

static void unready_in_use(void)
{
	target_start(0);
	write(VIO_QUEUE_SEL, target->index);
	write(VIO_QUEUE_READY, 0);
	check(read(VIO_QUEUE_READY) == 1, "a queue in use stays ready");
	offer();
}

static void queue_outside(void)
{
	static const uint32_t wild[] = { 2, 63, 64, 0x10000, 0x80000000, 0xffffffff };
	unsigned int i;

	target_prepare(0);
	for (i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		write(VIO_QUEUE_SEL, wild[i]);
		check(read(VIO_QUEUE_NUM_MAX) == 0, "there is no such queue");
		write(VIO_QUEUE_NUM, RING);
		write(VIO_QUEUE_READY, 1);
		check(read(VIO_QUEUE_READY) == 0, "a queue that is not there is not ready");
		write(VIO_QUEUE_NOTIFY, wild[i]);
	}
	vdev_start(&target_dev);
	for (i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
		write(VIO_QUEUE_NOTIFY, wild[i]);
	offer();
}

static void no_queue(void)
{
	begin();
	set_features(F_VERSION_1);
	write(VIO_STATUS, ALL_SET);
	vdev_start(&target_dev);
	write(VIO_QUEUE_NOTIFY, target->index);
	state(target_settle());
}

/* Offered and notified before there is a device that could listen. */
static void notify_early(void)
{
	target_prepare(0);
	target_chain();
	vq_offer(&q, 0);
	vdev_start(&target_dev);
	state(target_answer());
}

static void notify_storm(void)
{
	unsigned int i;

	target_start(0);
	for (i = 0; i < 5000; i++)
		write(VIO_QUEUE_NOTIFY, target->index);
	offer();
}

static void reset_storm(void)
{
	unsigned int i;

	for (i = 0; i < 50; i++) {
		target_start(0);
		target_chain();
		vq_offer(&q, 0);
	}
	target_start(0);
	offer();
}

/* --- widths and borders --- */

static void touch(uint64_t at, uint64_t v)
{
	__asm__ volatile("movb %b0, (%1)" : : "q"(v), "r"(at) : "memory");
	(void)mmio_read8(at);
	__asm__ volatile("movw %w0, (%1)" : : "r"(v), "r"(at) : "memory");
	(void)mmio_read16(at);
	__asm__ volatile("movq %0, (%1)" : : "r"(v), "r"(at) : "memory");
	(void)mmio_read64(at);
	if (at % 4)
		mmio_write32(at, (uint32_t)v);
}

static void widths(void)
{
	uint32_t at;

	target_start(0);
	for (at = 0; at < REGS_END; at++) {
		check(at >= VIO_CONFIG || mmio_read8(target_dev.base + at) == 0xff,
		      "a byte of a register is nobody's");
		touch(target_dev.base + at, 0);
		touch(target_dev.base + at, ~0ULL);
	}
	offer();
}

/* Over the border between this device and the next, and the one before. */
static void borders(void)
{
	uint64_t at, edge;

	target_start(0);
	for (edge = target_dev.base; edge <= target_dev.base + PAGE; edge += PAGE)
		for (at = edge - 9; at < edge; at++) {
			touch(at, 0);
			touch(at, ~0ULL);
			mmio_write32(at, 0);
		}
	offer();
}

static void config_written(void)
{
	uint8_t before[64];
	unsigned int i;

	target_start(0);
	for (i = 0; i < sizeof(before); i++)
		before[i] = mmio_read8(target_dev.base + VIO_CONFIG + i);
	for (i = 0; i < PAGE - VIO_CONFIG - 8; i += 13)
		touch(target_dev.base + VIO_CONFIG + i, 0x5a5a5a5a5a5a5a5a);
	for (i = 0; i < sizeof(before); i++)
		check(mmio_read8(target_dev.base + VIO_CONFIG + i) == before[i],
		      "config space is as it was");
	check(mmio_read64(target_dev.base + PAGE - 8) == ~0ULL, "behind config space is nothing");
	offer();
}

static void acknowledge_storm(void)
{
	unsigned int i;

	target_start(0);
	for (i = 0; i < 2000; i++) {
		write(VIO_INTERRUPT_ACK, 0xffffffff);
		(void)read(VIO_INTERRUPT_STATUS);
	}
	offer();
}

/* --- every register of every device, boundary values --- */

static const uint32_t boundary[] = { 0,		 1,	     2,		3,	4,	7,
				     8,		 0x0b,	     0x0f,	0x7f,	0x80,	0xff,
				     0x100,	 0x101,	     0x7fff,	0x8000, 0xffff, 0x10000,
				     0x7fffffff, 0x80000000, 0xffffffff };
#define BOUNDARIES (sizeof(boundary) / sizeof(boundary[0]))

static uint64_t slot_base(unsigned int slot)
{
	return target_dev.base - target_dev.slot * (uint64_t)PAGE + slot * (uint64_t)PAGE;
}

static void every_register(unsigned int i)
{
	unsigned int slot;
	uint32_t reg;

	/* The devices that are there, and a slot that is empty. */
	for (slot = 0; slot <= 2; slot++)
		for (reg = 0; reg < REGS_END; reg += 4) {
			mmio_write32(slot_base(slot) + reg, boundary[i]);
			(void)mmio_read32(slot_base(slot) + reg);
		}
}

static void registers(void)
{
	unsigned int i;

	for (i = 0; i < BOUNDARIES; i++)
		every_register(i);
	state(target_settle());
}

static volatile bool second_done, second_runs;

static void second(void)
{
	unsigned int i;

	second_runs = true;
	for (i = BOUNDARIES; i-- > 0;)
		every_register(i);
	second_done = true;
}

static void registers_two_cpus(void)
{
	unsigned int i;

	cpus_start(second);
	while (!second_runs)
		;
	for (i = 0; i < BOUNDARIES; i++)
		every_register(i);
	while (!second_done)
		;
	state(target_settle());
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}

static const struct hostile_case cases[] = {
	CASE(features_none),
	CASE(features_not_offered),
	CASE(features_all),
	CASE(features_after_ok),
	CASE(features_of_last_time),
	CASE(features_selector),
	CASE(status_from_0),
	CASE(status_from_acknowledge),
	CASE(status_from_driver),
	CASE(status_from_features_ok),
	CASE(status_from_driver_ok),
	CASE(driver_ok_first),
	CASE(failed_in_use),
	CASE(size_bad),
	CASE(ready_wild),
	CASE(ready_late),
	CASE(ready_early),
	CASE(frozen_size),
	CASE(frozen_address),
	CASE(frozen_while_ready),
	CASE(unready_in_use),
	CASE(queue_outside),
	CASE(no_queue),
	CASE(notify_early),
	CASE(notify_storm),
	CASE(reset_storm),
	CASE(widths),
	CASE(borders),
	CASE(config_written),
	CASE(acknowledge_storm),
	CASE(registers),
	CASE(registers_two_cpus),
};

int guest_main(void)
{
	return hostile_main(cases, sizeof(cases) / sizeof(cases[0]));
}
