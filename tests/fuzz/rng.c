/* rng.c - fuzz target: virtio-rng behind its virtqueue; every request of a
 * polite driver comes back with as many bytes as it may. */
#include <linux/virtio_ring.h>

#include "tests/fuzz/device.h"

#define MAX_BYTES 65536u

struct world {
	struct fuzz_device d;
	uint32_t want[MOCK_QUEUE_MAX]; /* by head: 1 + bytes; 0: not out */
	uint64_t at[MOCK_QUEUE_MAX];
};

static void rest(struct fuzz_device *d, unsigned int q)
{
	struct world *w = container_of(d, struct world, d);
	struct mock_driver *drv = &d->driver[q];
	bool wanted = drv->used->idx != drv->used_idx, interrupted = fuzz_interrupted(d, q);
	uint32_t len;
	uint16_t head;

	must(!wanted || interrupted);
	while (mock_collect(drv, &head, &len)) {
		must(head < drv->size && w->want[head]);
		must(len == MIN(w->want[head] - 1, MAX_BYTES));
		for (uint32_t i = 0; i < MIN(len, 64u); i++)
			must(((uint8_t *)mock_ptr(drv, w->at[head]))[i] == 0xa5);
		w->want[head] = 0;
	}
	must(drv->used_idx == drv->kicked_idx);
	mock_want_interrupt(drv);
	drv->next_free = 0x2000;
}

static void fresh(struct fuzz_device *d, unsigned int q)
{
	struct world *w = container_of(d, struct world, d);

	memset(w->want, 0, sizeof(w->want));
	d->driver[q].next_free = 0x2000;
	mock_want_interrupt(&d->driver[q]);
}

static void add_request(struct world *w)
{
	struct mock_driver *drv = &w->d.driver[0];
	struct input *in = &w->d.in;
	uint32_t len = 1 + in_u16(in) % 20000, first = 1 + in_u16(in) % len;
	uint64_t at = mock_alloc(drv, len, 1);
	struct mock_buf bufs[3] = { { FUZZ_GPA, 8, false } };
	unsigned int n = in_u8(in) & 1, readable = n;
	uint16_t head;

	if (!at)
		return;
	memset(mock_ptr(drv, at), 0, len);
	bufs[n++] = (struct mock_buf){ at, first, true };
	if (len > first)
		bufs[n++] = (struct mock_buf){ at + first, len - first, true };
	if (readable && in_below(in, 8) == 0) /* only what has no meaning here */
		n = 1;
	head = fuzz_add(&w->d, 0, bufs, n, in_u8(in) & 1);
	if (head == UINT16_MAX)
		return;
	w->want[head] = 1 + (n > readable ? len : 0);
	w->at[head] = at;
}

static void turn(struct fuzz_device *d)
{
	struct world *w = container_of(d, struct world, d);
	unsigned int op = in_below(&d->in, 16);

	if (op < 10 && d->polite[0]) {
		for (unsigned int n = op < 2 ? 20 : 1 + op / 4; n; n--)
			add_request(w);
		fuzz_publish(d, 0, false);
	} else if (op < 13) {
		fuzz_hostile(d, 0);
	} else {
		fuzz_front_end(d, 0);
	}
}

static int entry(const struct device_seat *seat, const void *params, struct err *e)
{
	return rng_main(seat, params, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct rng_params params;
	static struct world w;
	uint8_t how;
	int fd = lowest_free_fd();

	memset(&w, 0, sizeof(w));
	fuzz_device_init(&w.d, data, len);
	how = in_u8(&w.d.in);
	w.d.nqueues = 1;
	w.d.turn = turn;
	w.d.rest = rest;
	w.d.fresh = fresh;
	if (how & 1)
		w.d.features |= 1u << VIRTIO_RING_F_EVENT_IDX;
	if (how & 2)
		w.d.features |= 1u << VIRTIO_RING_F_INDIRECT_DESC;
	fuzz_device_setup(&w.d);
	must(fuzz_device_run(&w.d, entry, &params) == 0);
	must(lowest_free_fd() == fd);
	return 0;
}
