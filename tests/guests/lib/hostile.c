/* hostile.c - see hostile.h. */
#include "tests/guests/lib/hostile.h"

#define NET_ID 1
#define RNG_ID 4

#define NET_F_MAC (1ULL << 5)
#define NET_HDR	  12 /* virtio_net_hdr_v1 */
#define FRAME	  64
#define RX_TRIES  40

static const struct target targets[] = {
	{ "blk", BLK_ID, 0, D_WRITE, 3 },     { "tx", NET_ID, 1, 0, 2 },
	{ "rx", NET_ID, 0, D_WRITE, 2 },      { "rng", RNG_ID, 0, D_WRITE, 2 },
	{ "machine", RNG_ID, 0, D_WRITE, 2 }, /* a witness */
};

const struct target *target;
struct vdev target_dev;
struct vq target_queue, target_other;
uint8_t target_body[BODY_LEN] __attribute__((aligned(4096)));
static uint8_t front[64]; /* what comes before the body, but for blk */
static uint8_t frame[NET_HDR + FRAME];

static bool is_blk(void)
{
	return target->device_id == BLK_ID;
}

static bool is_rx(void)
{
	return target->device_id == NET_ID && target->index == 0;
}

void checkpoint(const char *word)
{
	put(word);
	put("\n");
	while (!(in8(BH_SERIAL_PORT + 5) & 1))
		;
	(void)in8(BH_SERIAL_PORT);
}

void state(const char *word)
{
	put("state ");
	checkpoint(word);
}

void target_prepare(uint64_t features)
{
	unsigned int other = target->index ^ 1;

	vdev_negotiate(&target_dev, features | (target->device_id == NET_ID ? NET_F_MAC : 0));
	vq_setup(&target_queue, &target_dev, target->index, 0);
	if (target->device_id == NET_ID)
		vq_setup(&target_other, &target_dev, other, 1);
}

void target_start(uint64_t features)
{
	target_prepare(features);
	vdev_start(&target_dev);
	check(!(vio_read(&target_dev, VIO_STATUS) & S_NEEDS_RESET), "the device starts");
}

void target_chain(void)
{
	struct vq *q = &target_queue;
	uint16_t flags = target->flags;

	if (is_blk()) {
		blk_header = (struct blk_header){ .type = BLK_IN };
		blk_status = 0xff;
		vq_desc(q, 0, &blk_header, sizeof(blk_header), D_NEXT);
		vq_desc(q, BODY, target_body, SECTOR, D_NEXT | D_WRITE);
		vq_desc(q, 2, &blk_status, 1, D_WRITE);
		return;
	}
	vq_desc(q, 0, front, target->index ? NET_HDR : sizeof(front), flags | D_NEXT);
	vq_desc(q, BODY, target_body, is_rx() ? BODY_LEN : FRAME, flags);
}

/* Send a broadcast frame of ethertype 0x88b5: the peer sends it back. */
static void send_frame(void)
{
	unsigned int i;

	for (i = 0; i < 6; i++) {
		frame[NET_HDR + i] = 0xff;
		frame[NET_HDR + 6 + i] = mmio_read8(target_dev.base + VIO_CONFIG + i);
	}
	frame[NET_HDR + 12] = 0x88;
	frame[NET_HDR + 13] = 0xb5;
	vq_desc(&target_other, 0, frame, sizeof(frame), 0);
	vq_offer(&target_other, 0);
	(void)vq_wait(&target_other, NULL);
}

/* Received is only what somebody sends. */
static enum vq_result wait_for_frame(uint32_t *ret_len)
{
	uint64_t until;
	unsigned int i;

	for (i = 0; i < RX_TRIES; i++) {
		send_frame();
		until = read_tsc() + 50 * CYCLES_MS;
		while (read_tsc() < until)
			if (target_queue.used[1] != target_queue.used_seen)
				return vq_wait(&target_queue, ret_len);
		if (vio_read(&target_dev, VIO_STATUS) & S_NEEDS_RESET)
			return VQ_NEEDS_RESET;
	}
	return VQ_TIMEOUT;
}

const char *target_answer(void)
{
	uint32_t len = 0;
	enum vq_result r = is_rx() ? wait_for_frame(&len) : vq_wait(&target_queue, &len);

	check(r != VQ_TIMEOUT, "the device does not answer");
	if (r == VQ_NEEDS_RESET)
		return "needs-reset";
	if (is_blk())
		return blk_status == 0 ? "served" : "refused";
	if (!target->flags)
		return "returned";
	return len > (is_rx() ? NET_HDR : 0) ? "served" : "refused";
}

void target_provoke(void)
{
	if (is_rx())
		send_frame();
}

const char *target_settle(void)
{
	wait_cycles(20 * CYCLES_MS);
	return vio_read(&target_dev, VIO_STATUS) & S_NEEDS_RESET ? "needs-reset" : "runs";
}

void target_good(void)
{
	const char *answer;

	target_start(0);
	if (is_blk()) {
		blk_check_sector0(&target_queue);
		return;
	}
	target_chain();
	vq_offer(&target_queue, 0);
	answer = target_answer();
	check(answer[0] == 's' || answer[2] == 't', "a sound request is served");
}

static void find_target(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (arg_is("target", targets[i].name))
			target = &targets[i];
	check(target, "target=");
	vdev_find(&target_dev, target->device_id);
}

int hostile_main(const struct hostile_case *cases, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (arg_is("case", "list")) {
			put(cases[i].name);
			put("\n");
		} else if (arg_is("case", cases[i].name)) {
			find_target();
			out8(BH_SERIAL_PORT + 2, 1); /* FIFO on */
			target_good();
			checkpoint("ready");
			cases[i].run();
			target_good();
			checkpoint("good");
			return 0;
		}
	}
	check(arg_is("case", "list"), "there is no such case");
	return 0;
}
