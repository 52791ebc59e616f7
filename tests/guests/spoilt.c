/*
 * spoilt.c - malformed chains against the devices of one buffer a request:
 * device=rng, or device=net (its transmit queue).  All cases in one run.
 *
 * Allowed answers: NEEDS_RESET, or the chain comes back and nothing was
 * written.  Afterwards a reset must make the device good again.
 */
#include "tests/guests/lib/virtio.h"

#define NET_ID 1
#define RNG_ID 4
#define WILD   0x0f00000000000000ULL
#define HOLE   0xc8000000ULL

#define NET_HDR 12

static struct vdev dev;
static struct vq queue;
static bool is_net;
static uint8_t buffer[128] __attribute__((aligned(16)));
static struct desc table[2] __attribute__((aligned(16)));

static uint16_t good_flags(void)
{
	return is_net ? 0 : D_WRITE;
}

static void start(void)
{
	vdev_negotiate(&dev, F_INDIRECT);
	vq_setup(&queue, &dev, is_net ? 1 : 0, 0);
	vdev_start(&dev);
}

static void chain(uint64_t at, uint32_t len, uint16_t flags)
{
	queue.desc[0] = (struct desc){ at, len, flags, 1 };
	vq_desc(&queue, 1, buffer, sizeof(buffer), good_flags());
}

static void spoil(unsigned int i)
{
	uint64_t at = (uintptr_t)buffer;
	uint16_t good = good_flags();

	switch (i) {
	case 0: /* the wrong direction */
		chain(at, sizeof(buffer), good ^ D_WRITE);
		break;
	case 1: /* nowhere */
		chain(WILD, sizeof(buffer), good);
		break;
	case 2: /* in the hole */
		chain(HOLE, sizeof(buffer), good);
		break;
	case 3: /* around the end of the address space */
		chain(~0ULL - 15, sizeof(buffer), good);
		break;
	case 4: /* for ever */
		chain(at, sizeof(buffer), good | D_NEXT);
		queue.desc[0].next = 0;
		break;
	case 5: /* out of the table */
		chain(at, sizeof(buffer), good | D_NEXT);
		queue.desc[0].next = 0xffff;
		break;
	case 6: /* a table of one and a half entries */
		chain((uintptr_t)table, 24, D_INDIRECT);
		break;
	case 7: /* a table that has itself as an entry */
		chain((uintptr_t)table, 16, D_INDIRECT);
		table[0] = (struct desc){ (uintptr_t)table, 16, D_INDIRECT, 0 };
		break;
	case 8: /* longer than any memory */
		chain(at, 0xffffffff, good);
		break;
	case 9: /* a frame that ends in its header; no bytes at all */
		chain(at, is_net ? NET_HDR - 1 : 0, good);
		break;
	default:
		break;
	}
}

static void good_request(void)
{
	uint32_t len = 0;

	start();
	vq_desc(&queue, 0, buffer, 76, good_flags());
	vq_offer(&queue, 0);
	check(vq_wait(&queue, &len) == VQ_USED, "the device is good again");
	check(is_net ? len == 0 : len > 0 && len <= 76, "the used length is sound");
}

int guest_main(void)
{
	enum vq_result r;
	unsigned int i;
	uint32_t len;

	is_net = arg_is("device", "net");
	vdev_find(&dev, is_net ? NET_ID : RNG_ID);
	good_request();
	for (i = 0; i < 10; i++) {
		start();
		len = 0;
		spoil(i);
		vq_offer(&queue, 0);
		r = vq_wait(&queue, &len);
		put_dec(i);
		check(r != VQ_TIMEOUT, ": no answer");
		check(r == VQ_NEEDS_RESET || len == 0, ": it was taken as sound");
		put(r == VQ_NEEDS_RESET ? ": needs reset\n" : ": refused\n");
		good_request();
	}
	put("good again\n");
	return 0;
}
