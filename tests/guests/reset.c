/*
 * reset.c - a reset while a read is on its way, from a disk that is slow to
 * answer (tests/guests/run).  What the driver puts into the buffer after the
 * reset must stay there: a write that comes late would land in memory that a
 * kernel has given to somebody else.
 *
 * ms=N: how long to watch.  lost=1: the device does not outlive the reset.
 * leave=N: no reset, the machine ends with status N while the read is under way.
 */
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/virtio.h"

#define SLOW_SECTOR 1536 /* the runner's disks are slow from here on */
#define PATTERN	    0x5a

static struct vdev disk;
static struct vq queue;

/* Everything of the driver's that the device may write. */
static void fill(void)
{
	unsigned int i;

	for (i = 0; i < SECTOR; i++)
		blk_data[i] = PATTERN;
	blk_status = PATTERN;
	for (i = 0; i < 4 + 4 * RING; i++)
		queue.used[i] = PATTERN;
}

static void check_unchanged(void)
{
	unsigned int i;

	for (i = 0; i < SECTOR; i++)
		check(blk_data[i] == PATTERN, "data came after the reset");
	check(blk_status == PATTERN, "a status came after the reset");
	for (i = 0; i < 4 + 4 * RING; i++)
		check(queue.used[i] == PATTERN, "a used element came after the reset");
}

static void begin_slow_read(void)
{
	blk_header = (struct blk_header){ .type = BLK_IN, .sector = SLOW_SECTOR };
	blk_status = 0xff;
	vq_desc(&queue, 0, &blk_header, sizeof(blk_header), D_NEXT);
	vq_desc(&queue, 1, blk_data, SECTOR, D_NEXT | D_WRITE);
	vq_desc(&queue, 2, &blk_status, 1, D_WRITE);
	vq_offer(&queue, 0);
}

int guest_main(void)
{
	vdev_find(&disk, BLK_ID);
	blk_start(&disk, &queue, 0);
	blk_check_sector0(&queue);
	begin_slow_read();
	wait_cycles(100 * CYCLES_MS);
	check(queue.used[1] == queue.used_seen, "the read is on its way");
	if (arg_number("leave", 0))
		return (int)arg_number("leave", 0);
	vio_write(&disk, VIO_STATUS, 0);
	fill();
	wait_cycles(arg_number("ms", 1500) * CYCLES_MS);
	check_unchanged();
	put("nothing came late\n");
	if (arg_number("lost", 0)) {
		check(vio_read(&disk, VIO_STATUS) & S_NEEDS_RESET, "the device is lost");
		return 0;
	}
	check(vio_read(&disk, VIO_STATUS) == 0, "the reset is over");
	blk_start(&disk, &queue, 0);
	blk_check_sector0(&queue);
	put("good again\n");
	return 0;
}
