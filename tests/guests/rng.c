/* rng.c - virtio-rng: 64 bytes that are not all alike, twice, different. */
#include "tests/guests/lib/virtio.h"

#define RNG_ID 4
#define BYTES  64

static uint8_t first[BYTES], second[BYTES];

static void fill(struct vq *q, uint8_t *to)
{
	uint32_t done = 0, len;

	while (done < BYTES) {
		vq_desc(q, 0, to + done, BYTES - done, D_WRITE);
		vq_offer(q, 0);
		check(vq_wait(q, &len) == VQ_USED, "the device answers");
		check(len > 0 && len <= BYTES - done, "it wrote what it was asked for");
		done += len;
	}
}

int guest_main(void)
{
	unsigned int i, same = 0, alike = 0;
	struct vdev d;
	struct vq q;

	vdev_find(&d, RNG_ID);
	vdev_negotiate(&d, 0);
	vq_setup(&q, &d, 0, 0);
	if (arg_number("irq", 0))
		vq_use_interrupts(&q);
	vdev_start(&d);
	fill(&q, first);
	fill(&q, second);
	for (i = 0; i < BYTES; i++) {
		same += first[i] == second[i];
		alike += first[i] == first[0];
	}
	check(alike < BYTES / 2, "bytes differ from each other");
	check(same < BYTES / 2, "two reads differ");
	put("random\n");
	return 0;
}
