/*
 * blk.c - virtio-blk: read, write, flush, id, and what must be refused.
 * irq=1: wait by interrupt; indirect=1, event=1: those features; ro=1: the
 * disk is read-only; format=1: only make the disk look like another format.
 */
#include "tests/guests/lib/virtio.h"

#define BLK_F_RO    (1ULL << 5)
#define BLK_F_FLUSH (1ULL << 9)

#define S_OK	 0
#define S_IOERR	 1
#define S_UNSUPP 2

static void fill(uint8_t first)
{
	unsigned int i;

	for (i = 0; i < SECTOR; i++)
		blk_data[i] = (uint8_t)(first + i);
}

static void write_and_read_back(struct vq *q, uint64_t sector)
{
	unsigned int i;

	fill(0x41);
	check(blk_request(q, BLK_OUT, sector, SECTOR) == S_OK, "write");
	fill(0);
	check(blk_request(q, BLK_IN, sector, SECTOR) == S_OK, "read back");
	for (i = 0; i < SECTOR; i++)
		check(blk_data[i] == (uint8_t)(0x41 + i), "what was written is read");
}

static void refusals(struct vq *q, uint64_t sectors)
{
	check(blk_request(q, BLK_IN, sectors, SECTOR) == S_IOERR, "read past the end");
	check(blk_request(q, BLK_OUT, sectors, SECTOR) == S_IOERR, "write past the end");
	check(blk_request(q, BLK_IN, ~0ULL, SECTOR) == S_IOERR, "read at the last sector number");
	check(blk_request(q, BLK_IN, ~0ULL / SECTOR, SECTOR) == S_IOERR,
	      "read at a wrapping offset");
	check(blk_request(q, 0x77, 0, SECTOR) == S_UNSUPP, "unknown request");
}

/* One request as a table that a single descriptor points to. */
static void indirect_read(struct vq *q)
{
	static struct desc table[3] __attribute__((aligned(16)));

	blk_header = (struct blk_header){ .type = BLK_IN };
	blk_status = 0xff;
	table[0] = (struct desc){ (uintptr_t)&blk_header, sizeof(blk_header), D_NEXT, 1 };
	table[1] = (struct desc){ (uintptr_t)blk_data, SECTOR, D_NEXT | D_WRITE, 2 };
	table[2] = (struct desc){ (uintptr_t)&blk_status, 1, D_WRITE, 0 };
	vq_desc(q, 0, table, sizeof(table), D_INDIRECT);
	vq_offer(q, 0);
	check(vq_wait(q, NULL) == VQ_USED && blk_status == S_OK, "indirect read");
}

/*
 * The header of a qcow2 image of 1 TiB over a file of the host's: a monitor
 * that guesses formats would hand that file out when it next opens the disk.
 */
static void disguise(struct vq *q)
{
	static const char header[] = "QFI\xfb\0\0\0\2\0\0\0\0\0\0\1\0\0\0\0\xb\0\0\0\x10"
				     "\0\0\1\0\0\0\0\0";
	static const char backing[] = "/etc/passwd";
	unsigned int i;

	check(blk_request(q, BLK_IN, 0, SECTOR) == S_OK, "read");
	if (blk_data[0] == header[0]) {
		for (i = 0; i < sizeof(header) - 1; i++)
			check(blk_data[i] == (uint8_t)header[i], "the disk holds what was written");
		put("still raw\n");
		return;
	}
	fill(0);
	for (i = 0; i < sizeof(header) - 1; i++)
		blk_data[i] = (uint8_t)header[i];
	for (i = 0; i < sizeof(backing); i++)
		blk_data[256 + i] = (uint8_t)backing[i];
	check(blk_request(q, BLK_OUT, 0, SECTOR) == S_OK, "write");
	put("written\n");
}

int guest_main(void)
{
	uint64_t wanted = BLK_F_FLUSH | BLK_F_RO, sectors;
	bool ro = arg_number("ro", 0);
	struct vdev d;
	struct vq q;

	vdev_find(&d, BLK_ID);
	wanted |= arg_number("indirect", 0) ? F_INDIRECT : 0;
	wanted |= arg_number("event", 0) ? F_EVENT_IDX : 0;
	vdev_negotiate(&d, wanted);
	check(!ro == !(d.features & BLK_F_RO), "read-only is offered where it is");
	check(!(wanted & ~d.features & (F_INDIRECT | F_EVENT_IDX)), "ring features are offered");
	vq_setup(&q, &d, 0, 0);
	if (arg_number("irq", 0))
		vq_use_interrupts(&q);
	vdev_start(&d);
	sectors = vio_read(&d, VIO_CONFIG) | (uint64_t)vio_read(&d, VIO_CONFIG + 4) << 32;
	put("sectors ");
	put_dec(sectors);
	put("\n");
	if (arg_number("format", 0)) {
		disguise(&q);
		return 0;
	}
	blk_check_sector0(&q);
	if (ro)
		check(blk_request(&q, BLK_OUT, 1, SECTOR) == S_IOERR, "write to a read-only disk");
	else
		write_and_read_back(&q, 1);
	check(blk_request(&q, BLK_FLUSH, 0, 0) == S_OK, "flush");
	blk_data[20] = 0;
	check(blk_request(&q, BLK_GET_ID, 0, 20) == S_OK, "get-id");
	put("id ");
	put((const char *)blk_data);
	put("\n");
	refusals(&q, sectors);
	if (d.features & F_INDIRECT)
		indirect_read(&q);
	blk_check_sector0(&q);
	put("disk ok\n");
	return 0;
}
