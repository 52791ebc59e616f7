/*
 * net.c - virtio-net: announce ourselves with a broadcast frame of ethertype
 * 0x88b5 (for experiments) until the peer sends it back to our address, then
 * say so.  The peer (tests/guests/run) swaps source and destination.
 */
#include "tests/guests/lib/virtio.h"

#define NET_ID	  1
#define NET_F_MAC (1ULL << 5)
#define HDR	  12 /* virtio_net_hdr_v1 */
#define FRAME	  64
#define RX_LEN	  2048
#define RX_BUFS	  4
#define TRIES	  40

static uint8_t tx[HDR + FRAME];
static uint8_t rx[RX_BUFS][RX_LEN];

static void build_frame(const struct vdev *d)
{
	uint8_t *f = tx + HDR;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		f[i] = 0xff;
		f[6 + i] = mmio_read8(d->base + VIO_CONFIG + i);
	}
	f[12] = 0x88;
	f[13] = 0xb5;
	for (i = 14; i < FRAME; i++)
		f[i] = (uint8_t)i;
}

static bool is_answer(const uint8_t *frame, uint32_t len)
{
	unsigned int i;

	if (len < FRAME || frame[12] != 0x88 || frame[13] != 0xb5)
		return false;
	for (i = 0; i < 6; i++)
		if (frame[i] != tx[HDR + 6 + i])
			return false;
	for (i = 14; i < FRAME; i++)
		check(frame[i] == (uint8_t)i, "the answer holds what was sent");
	return true;
}

static void give_buffer(struct vq *q, uint16_t i)
{
	vq_desc(q, i, rx[i], RX_LEN, D_WRITE);
	vq_offer(q, i);
}

/* Take what has come; other frames (the host's own chatter) are dropped. */
static bool take_frames(struct vq *q)
{
	volatile const uint32_t *element;
	uint32_t id, len;

	while (q->used[1] != q->used_seen) {
		barrier();
		element = (volatile const uint32_t *)(volatile const void *)(q->used + 2);
		id = element[2 * (q->used_seen % RING)];
		len = element[2 * (q->used_seen % RING) + 1];
		q->used_seen++;
		check(id < RX_BUFS && len >= HDR && len <= RX_LEN, "a sound used element");
		if (is_answer(rx[id] + HDR, len - HDR))
			return true;
		give_buffer(q, (uint16_t)id);
	}
	return false;
}

int guest_main(void)
{
	struct vq rxq, txq;
	struct vdev d;
	uint64_t until;
	unsigned int i;

	vdev_find(&d, NET_ID);
	vdev_negotiate(&d, NET_F_MAC);
	check(d.features & NET_F_MAC, "the device has an address");
	vq_setup(&rxq, &d, 0, 0);
	vq_setup(&txq, &d, 1, 1);
	vdev_start(&d);
	build_frame(&d);
	for (i = 0; i < RX_BUFS; i++)
		give_buffer(&rxq, (uint16_t)i);
	for (i = 0; i < TRIES; i++) {
		vq_desc(&txq, 0, tx, sizeof(tx), 0);
		vq_offer(&txq, 0);
		check(vq_wait(&txq, NULL) == VQ_USED, "the frame is taken");
		until = read_tsc() + 300000000;
		while (read_tsc() < until)
			if (take_frames(&rxq)) {
				put("frame came back\n");
				return 0;
			}
	}
	fail("no answer");
}
