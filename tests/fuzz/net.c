/*
 * net.c - fuzz target: virtio-net behind its two virtqueues, a datagram socket
 * in place of the tap.
 *
 * Each frame says in its bytes which one it is.  What a polite driver sends
 * reaches the wire whole, once and in order; what it receives is a frame from
 * the wire, whole, in order, with the right number of buffers.
 */
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <sys/socket.h>

#include "tests/fuzz/device.h"

#define RX     0u
#define TX     1u
#define HDR    12u
#define FRAMES 4096u /* remembered per direction */

struct world {
	struct fuzz_device d;
	struct net_params params;
	int wire;
	bool mergeable;
	uint64_t rx_gpa[MOCK_QUEUE_MAX];
	uint32_t rx_len[MOCK_QUEUE_MAX]; /* by head; 0: not out */
	uint32_t to_wire[FRAMES], from_wire[FRAMES];
	unsigned int sent, seen;   /* of to_wire: offered, seen on the wire */
	unsigned int fed, arrived; /* of from_wire */
	bool wire_known;	   /* no hostile queue can have put a frame there */
	uint8_t *read_only;	   /* 100 bytes that the device must not write */
};

static void make_frame(uint8_t *frame, uint32_t len, unsigned int number)
{
	memset(frame, 0, MIN(len, HDR));
	for (uint32_t i = HDR; i < len; i++)
		frame[i] = (uint8_t)(i * 3 + number * 7);
}

static bool is_frame(const uint8_t *frame, uint32_t len, unsigned int number)
{
	for (uint32_t i = HDR; i < len; i++)
		if (frame[i] != (uint8_t)(i * 3 + number * 7))
			return false;
	return true;
}

/* What the device has put on the wire. */
static void look_at_wire(struct world *w)
{
	static uint8_t frame[70000];
	ssize_t n;

	while ((n = recv(w->wire, frame, sizeof(frame), MSG_DONTWAIT)) >= 0) {
		if (!w->wire_known)
			continue;
		/* Frames of no length that a tap takes are dropped before. */
		while (w->seen < w->sent && w->to_wire[w->seen] <= HDR)
			w->seen++;
		must(w->seen < w->sent);
		must((size_t)n == w->to_wire[w->seen]);
		must(is_frame(frame, (uint32_t)n, w->seen));
		w->seen++;
	}
}

/* One frame has come in, in `n` buffers. */
static void check_frame(struct world *w, const uint8_t *frame, uint32_t len, uint16_t n)
{
	struct virtio_net_hdr_v1 hdr;

	memcpy(&hdr, frame, sizeof(hdr));
	must(hdr.num_buffers == n);
	/* Frames that did not fit were dropped, in order. */
	while (w->arrived < w->fed &&
	       !(w->from_wire[w->arrived] == len && is_frame(frame, len, w->arrived)))
		w->arrived++;
	must(w->arrived < w->fed);
	w->arrived++;
}

static void rest_rx(struct world *w)
{
	static uint8_t frame[FUZZ_MEM];
	struct mock_driver *drv = &w->d.driver[RX];
	uint32_t have = 0, len;
	uint16_t head, want = 0, n = 0;

	while (mock_collect(drv, &head, &len)) {
		must(head < drv->size && w->rx_len[head]);
		must(len <= w->rx_len[head]);
		memcpy(frame + have, mock_ptr(drv, w->rx_gpa[head]), len);
		have += len;
		w->rx_len[head] = 0;
		n++;
		if (n == 1) {
			must(len >= HDR);
			memcpy(&want, frame + 10, sizeof(want));
			must(want >= 1 && (w->mergeable || want == 1));
		}
		if (n == want) {
			check_frame(w, frame, have, n);
			have = n = 0;
		}
	}
	must(n == 0); /* a frame is published as a whole */
	if (drv->nfree == drv->size)
		drv->next_free = 0x2000;
}

static void rest_tx(struct world *w)
{
	struct mock_driver *drv = &w->d.driver[TX];
	unsigned int before = w->seen;
	uint32_t len;
	uint16_t head;

	while (mock_collect(drv, &head, &len))
		must(head < drv->size && len == 0);
	look_at_wire(w);
	/* All is sent, or the wire was full and has room now. */
	must(drv->used_idx == drv->kicked_idx || w->seen != before);
	if (drv->nfree == drv->size)
		drv->next_free = 0x2000;
}

static void rest(struct fuzz_device *d, unsigned int q)
{
	struct world *w = container_of(d, struct world, d);
	struct mock_driver *drv = &d->driver[q];
	bool wanted = drv->used->idx != drv->used_idx, interrupted = fuzz_interrupted(d, q);

	must(!wanted || interrupted);
	if (q == RX)
		rest_rx(w);
	else
		rest_tx(w);
	mock_want_interrupt(drv);
}

static void fresh(struct fuzz_device *d, unsigned int q)
{
	struct world *w = container_of(d, struct world, d);

	if (q == RX)
		memset(w->rx_len, 0, sizeof(w->rx_len));
	else if (!w->wire_known || w->seen != w->sent) {
		/* Chains that were never served are gone with the ring. */
		w->wire_known = false;
		look_at_wire(w);
		w->seen = w->sent;
		w->wire_known = true;
	}
	d->driver[q].next_free = 0x2000;
	mock_want_interrupt(&d->driver[q]);
}

static void post(struct world *w)
{
	static const uint32_t lens[] = { 1526, 12, 13, 64, 1, 4096, 9000, 11 };
	struct mock_driver *drv = &w->d.driver[RX];
	struct input *in = &w->d.in;
	uint32_t len = w->mergeable ? lens[in_below(in, ARRAY_SIZE(lens))] : 1526;
	uint64_t gpa;
	uint16_t head;

	/* 5.1.6.3.1: with MRG_RXBUF a buffer holds the header at least. */
	len = MAX(len, HDR);
	gpa = mock_alloc(drv, len, 1);
	if (!gpa)
		return;
	struct mock_buf bufs[] = { { gpa, len / 2, true }, { gpa + len / 2, len - len / 2, true } };

	if (in_u8(in) & 1)
		head = mock_add(drv, bufs, 2);
	else
		head = mock_add(drv, &(struct mock_buf){ gpa, len, true }, 1);
	if (head == UINT16_MAX)
		return;
	w->rx_gpa[head] = gpa;
	w->rx_len[head] = len;
}

static void send_frame(struct world *w)
{
	struct mock_driver *drv = &w->d.driver[TX];
	struct input *in = &w->d.in;
	uint32_t len = 1 + in_u16(in) % 2000, first = 1 + in_u16(in) % len;
	uint64_t gpa = mock_alloc(drv, len, 1);
	uint16_t head;

	if (!gpa || w->sent == FRAMES)
		return;
	struct mock_buf bufs[] = { { gpa, first, false }, { gpa + first, len - first, false } };

	make_frame(mock_ptr(drv, gpa), len, w->sent);
	head = fuzz_add(&w->d, TX, bufs, len > first ? 2 : 1, in_u8(in) & 1);
	if (head != UINT16_MAX)
		w->to_wire[w->sent++] = len;
}

/* A buffer for receiving that may only be read: the ring is broken then, and
 * nothing is written to it. */
static void post_readable(struct world *w)
{
	struct mock_driver *drv = &w->d.driver[RX];
	uint64_t gpa = mock_alloc(drv, 2048, 1);
	struct mock_buf bufs[] = { { gpa, 100, false }, { gpa + 100, 1900, true } };

	if (!gpa || mock_add(drv, bufs, 2) == UINT16_MAX)
		return;
	w->read_only = mock_ptr(drv, gpa);
	memset(w->read_only, 0x77, 100);
	w->d.polite[RX] = false;
	fuzz_publish(&w->d, RX, true);
}

/* The device has slept since. */
static void check_read_only(struct world *w)
{
	for (unsigned int i = 0; w->read_only && i < 100; i++)
		must(w->read_only[i] == 0x77);
	w->read_only = NULL;
}

static void feed(struct world *w)
{
	static const uint32_t lens[] = { 60, 1514, 9012, 65000, 12, 13, 1526, 3 };
	static uint8_t frame[70000];
	struct input *in = &w->d.in;
	uint32_t len = lens[in_below(in, ARRAY_SIZE(lens))];

	if (in_u8(in) & 1)
		len = 13 + in_u16(in) % 3000;
	if (w->fed == FRAMES)
		return;
	make_frame(frame, len, w->fed);
	if (send(w->wire, frame, len, MSG_DONTWAIT) == (ssize_t)len)
		w->from_wire[w->fed++] = len;
}

static void turn(struct fuzz_device *d)
{
	struct world *w = container_of(d, struct world, d);
	unsigned int op = in_below(&d->in, 16), q = in_u8(&d->in) & 1;

	check_read_only(w);
	if (op < 4 && d->polite[RX]) {
		for (unsigned int n = 1 + op * 2; n; n--)
			post(w);
		fuzz_publish(d, RX, false);
	} else if (op >= 4 && op < 8 && d->polite[TX]) {
		for (unsigned int n = op == 7 ? 20 : op - 3; n; n--)
			send_frame(w);
		fuzz_publish(d, TX, false);
	} else if (op >= 8 && op < 12) {
		for (unsigned int n = op - 7; n; n--)
			feed(w);
		if (op == 11 && d->polite[RX] && in_u8(&d->in) & 1)
			post_readable(w);
	} else if (op < 14) {
		if (q == TX)
			w->wire_known = false;
		fuzz_hostile(d, q);
	} else {
		fuzz_front_end(d, q);
	}
	if (!d->polite[TX])
		look_at_wire(w);
}

static int entry(const struct device_seat *seat, const void *params, struct err *e)
{
	return net_main(seat, params, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const int room = 16384;
	static struct world w;
	int sv[2];
	uint8_t how;
	int fd = lowest_free_fd();

	memset(&w, 0, sizeof(w));
	must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) == 0);
	w.wire = sv[0];
	/* Room for a few frames: a tap that takes nothing for a while. */
	must(setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) == 0);
	fuzz_device_init(&w.d, data, len);
	how = in_u8(&w.d.in);
	w.d.nqueues = 2;
	w.d.turn = turn;
	w.d.rest = rest;
	w.d.fresh = fresh;
	w.wire_known = true;
	w.mergeable = how & 4;
	if (how & 1)
		w.d.features |= 1u << VIRTIO_RING_F_EVENT_IDX;
	if (how & 2)
		w.d.features |= 1u << VIRTIO_RING_F_INDIRECT_DESC;
	if (w.mergeable)
		w.d.features |= 1u << VIRTIO_NET_F_MRG_RXBUF;
	w.params = (struct net_params){ .tap_fd = sv[1], .mac = { 2 }, .mtu = how & 8 ? 9000 : 0 };
	fuzz_device_setup(&w.d);
	must(fuzz_device_run(&w.d, entry, &w.params) == 0);
	close(w.wire);
	must(lowest_free_fd() == fd);
	return 0;
}
