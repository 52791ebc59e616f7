/*
 * status.c - drivers that do not keep to the order of virtio 1.3, 3.1.1.
 * After each the device must not run, and a reset must make it good again.
 */
#include "tests/guests/lib/virtio.h"

static struct vdev disk;
static struct vq queue;

static void begin(void)
{
	vdev_reset(&disk);
	vio_write(&disk, VIO_STATUS, S_ACKNOWLEDGE);
	vio_write(&disk, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER);
}

static void features(uint64_t f)
{
	vio_write(&disk, VIO_DRIVER_FEATURES_SEL, 0);
	vio_write(&disk, VIO_DRIVER_FEATURES, (uint32_t)f);
	vio_write(&disk, VIO_DRIVER_FEATURES_SEL, 1);
	vio_write(&disk, VIO_DRIVER_FEATURES, (uint32_t)(f >> 32));
	vio_write(&disk, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
}

static bool has(uint32_t bit)
{
	return vio_read(&disk, VIO_STATUS) & bit;
}

/* A request is offered; for a few milliseconds nothing may come of it. */
static void expect_dead(const char *what)
{
	uint16_t before = queue.used[1];
	uint64_t until;

	blk_status = 0xff;
	vq_desc(&queue, 0, &blk_header, sizeof(blk_header), D_NEXT);
	vq_desc(&queue, 1, &blk_status, 1, D_WRITE);
	vq_offer(&queue, 0);
	until = read_tsc() + 10000000;
	while (read_tsc() < until)
		check(queue.used[1] == before && blk_status == 0xff, what);
}

static void expect_good(void)
{
	blk_start(&disk, &queue, 0);
	blk_check_sector0(&queue);
}

static void wrong_features(void)
{
	begin();
	features(0);
	check(!has(S_FEATURES_OK), "FEATURES_OK without VERSION_1");
	begin();
	features(F_VERSION_1 | 1ULL << 63);
	check(!has(S_FEATURES_OK), "FEATURES_OK with a feature that was not offered");
	expect_good();
	put("features ok\n");
}

static void wrong_order(void)
{
	vdev_reset(&disk);
	vio_write(&disk, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_DRIVER_OK);
	expect_dead("DRIVER_OK without FEATURES_OK");
	vdev_reset(&disk);
	vio_write(&disk, VIO_STATUS, S_DRIVER_OK);
	expect_dead("DRIVER_OK alone");
	begin();
	vio_write(&disk, VIO_QUEUE_SEL, 0);
	vio_write(&disk, VIO_QUEUE_READY, 1);
	check(vio_read(&disk, VIO_QUEUE_READY) == 0, "QueueReady before FEATURES_OK");
	vio_write(&disk, VIO_STATUS, 0xffffff00);
	expect_dead("reserved bits");
	expect_good();
	put("order ok\n");
}

static void wrong_queue(void)
{
	static const uint32_t sizes[] = { 0, 3, 0x8000, 0x10000, 0xffffffff };
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		vdev_negotiate(&disk, 0);
		vio_write(&disk, VIO_QUEUE_SEL, 0);
		vio_write(&disk, VIO_QUEUE_NUM, sizes[i]);
		vio_write(&disk, VIO_QUEUE_READY, 1);
		vdev_start(&disk);
		expect_dead("a queue of impossible size");
	}
	vdev_negotiate(&disk, 0);
	vio_write(&disk, VIO_QUEUE_SEL, 0x10000);
	check(vio_read(&disk, VIO_QUEUE_NUM_MAX) == 0, "a queue that is not there");
	vio_write(&disk, VIO_QUEUE_NUM, RING);
	vio_write(&disk, VIO_QUEUE_READY, 1);
	vdev_start(&disk);
	vio_write(&disk, VIO_QUEUE_NOTIFY, 0x12345678);
	expect_good();
	put("queue ok\n");
}

/* What a queue is stays what it was at activation (CVE-2026-5747). */
static void change_after_start(void)
{
	blk_start(&disk, &queue, 0);
	vio_write(&disk, VIO_QUEUE_SEL, 0);
	vio_write(&disk, VIO_QUEUE_NUM, 0x8000);
	vio_write(&disk, VIO_QUEUE_DESC, 0xfffffff0);
	vio_write(&disk, VIO_QUEUE_DESC + 4, 0xffffffff);
	vio_write(&disk, VIO_QUEUE_DEVICE, 0);
	vio_write(&disk, VIO_DRIVER_FEATURES, 0xffffffff);
	vio_write(&disk, VIO_STATUS, S_ACKNOWLEDGE | S_DRIVER);
	blk_check_sector0(&queue);
	put("frozen ok\n");
}

/* Odd widths and places in the register file, then business as usual. */
static void odd_accesses(void)
{
	uint64_t at;

	blk_start(&disk, &queue, 0);
	for (at = disk.base; at < disk.base + 0x110; at += 3) {
		(void)mmio_read8(at);
		(void)mmio_read16(at);
		(void)mmio_read64(at);
	}
	(void)mmio_read32(disk.base + 0xffd);
	mmio_write32(disk.base + 0xffe, ~0u);
	mmio_write32(disk.base + VIO_MAGIC, 0);
	(void)mmio_read64(disk.base + 0xff8);
	blk_check_sector0(&queue);
	put("registers ok\n");
}

static void reset_often(void)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		expect_good();
	put("reset ok\n");
}

int guest_main(void)
{
	vdev_find(&disk, BLK_ID);
	expect_good();
	wrong_features();
	wrong_order();
	change_after_start();
	odd_accesses();
	reset_often();
	wrong_queue();
	return 0;
}
