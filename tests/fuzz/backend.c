/*
 * backend.c - fuzz target: what a vhost-user back end makes of any messages.
 *
 * The device is blk, which has all that the protocol knows: several queues, a
 * config space, an in-flight record.  A front end may end it with a broken
 * protocol, never otherwise, and every answer has the shape that was asked for.
 */
#include <linux/virtio_ring.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "devices/virtio/inflight.h"
#include "tests/fuzz/device.h"

#define QUEUES	   2u
#define DISK_BYTES 8192u

struct world {
	struct fuzz_device d;
	struct blk_params params;
	int inflight; /* a memfd of two pages */
};

static const uint32_t requests[] = {
	VHOST_USER_GET_FEATURES,     VHOST_USER_SET_FEATURES,
	VHOST_USER_SET_OWNER,	     VHOST_USER_SET_MEM_TABLE,
	VHOST_USER_SET_VRING_NUM,    VHOST_USER_SET_VRING_ADDR,
	VHOST_USER_SET_VRING_BASE,   VHOST_USER_GET_VRING_BASE,
	VHOST_USER_SET_VRING_KICK,   VHOST_USER_SET_VRING_CALL,
	VHOST_USER_SET_VRING_ERR,    VHOST_USER_GET_PROTOCOL_FEATURES,
	VHOST_USER_GET_QUEUE_NUM,    VHOST_USER_SET_PROTOCOL_FEATURES,
	VHOST_USER_SET_VRING_ENABLE, VHOST_USER_GET_CONFIG,
	VHOST_USER_SET_CONFIG,	     VHOST_USER_GET_INFLIGHT_FD,
	VHOST_USER_SET_INFLIGHT_FD,  VHOST_USER_RESET_DEVICE,
	VHOST_USER_SET_LOG_BASE,     99,
};

/* Which answers may be how long; 0: the request itself has none. */
static uint32_t answer_size(uint32_t request, uint32_t size)
{
	switch (request) {
	case VHOST_USER_GET_CONFIG:
		return size ? size : 1; /* refused: empty */
	case VHOST_USER_GET_INFLIGHT_FD:
		return sizeof(struct vhost_user_inflight);
	default:
		return 8;
	}
}

static void answer(struct fuzz_device *d, struct vhost_user_msg *msg)
{
	uint32_t request = msg->hdr.request;
	bool fd = request == VHOST_USER_GET_INFLIGHT_FD && msg->payload.inflight.mmap_size;

	(void)d;
	must((msg->hdr.flags & VHOST_USER_FLAG_VERSION_MASK) == VHOST_USER_VERSION);
	must(msg->nfds == (fd ? 1u : 0u));
	if (request == VHOST_USER_GET_CONFIG && !msg->hdr.size)
		return;
	must(msg->hdr.size == answer_size(request, msg->hdr.size));
	if (request == VHOST_USER_GET_VRING_BASE)
		must(msg->payload.state.index < QUEUES && msg->payload.state.num <= UINT16_MAX);
	if (request == VHOST_USER_GET_QUEUE_NUM)
		must(msg->payload.u64 == QUEUES);
}

static int any_fd(struct world *w, unsigned int q)
{
	switch (in_below(&w->d.in, 5)) {
	case 0:
		return w->d.memfd;
	case 1:
		return w->inflight;
	case 2:
		return w->d.call[q];
	default:
		return w->d.kick[q];
	}
}

static void fill_memory(struct world *w, struct vhost_user_msg *m)
{
	struct vhost_user_memory *mem = &m->payload.memory;
	unsigned int n = 1 + in_below(&w->d.in, 9);

	mem->nregions = n;
	m->hdr.size = (uint32_t)(8 + MIN(n, 8u) * 32);
	m->nfds = MIN(n, 8u);
	for (unsigned int i = 0; i < m->nfds; i++) {
		struct vhost_user_region *r = &mem->region[i];

		r->guest_phys_addr = FUZZ_GPA + in_below(&w->d.in, 8) * 0x8000u;
		r->memory_size = (1 + in_below(&w->d.in, 4)) * 0x8000u;
		r->userspace_addr = r->guest_phys_addr + FUZZ_USER;
		r->mmap_offset = 4096;
		m->fds[i] = in_below(&w->d.in, 8) ? w->d.memfd : any_fd(w, 0);
		if (in_below(&w->d.in, 8) == 0)
			((uint64_t *)r)[in_below(&w->d.in, 4)] = in_odd_number(&w->d.in);
	}
}

static void fill_inflight(struct world *w, struct vhost_user_msg *m)
{
	struct vhost_user_inflight *in = &m->payload.inflight;

	in->num_queues = (uint16_t)in_below(&w->d.in, 4);
	in->queue_size = (uint16_t)(1u << in_below(&w->d.in, 10));
	in->mmap_size = in_below(&w->d.in, 8) ? 4096 : in_odd_number(&w->d.in);
	in->mmap_offset = in_below(&w->d.in, 8) ? 0 : in_odd_number(&w->d.in);
	m->hdr.size = sizeof(*in);
	m->nfds = 1;
	m->fds[0] = in_below(&w->d.in, 8) ? w->inflight : any_fd(w, 0);
}

static void fill_addr(struct world *w, struct vhost_user_msg *m, unsigned int q)
{
	struct mock_driver *drv = &w->d.driver[q];
	struct vhost_user_vring_addr *a = &m->payload.addr;

	*a = (struct vhost_user_vring_addr){ .index = q,
					     .desc = FUZZ_USER + drv->desc_gpa,
					     .avail = FUZZ_USER + drv->avail_gpa,
					     .used = FUZZ_USER + drv->used_gpa };
	if (in_below(&w->d.in, 4) == 0)
		(&a->desc)[in_below(&w->d.in, 3)] = FUZZ_USER + in_u32(&w->d.in) % 0x140000;
	if (in_below(&w->d.in, 16) == 0)
		a->desc = in_odd_number(&w->d.in);
	m->hdr.size = sizeof(*a);
}

/* A message that is nearly right. */
static void fill(struct world *w, struct vhost_user_msg *m)
{
	struct input *in = &w->d.in;
	unsigned int q = in_below(in, 16) ? in_below(in, QUEUES) : in_below(in, 4);

	switch (m->hdr.request) {
	case VHOST_USER_SET_MEM_TABLE:
		fill_memory(w, m);
		return;
	case VHOST_USER_GET_INFLIGHT_FD:
	case VHOST_USER_SET_INFLIGHT_FD:
		fill_inflight(w, m);
		if (m->hdr.request == VHOST_USER_GET_INFLIGHT_FD)
			m->nfds = 0;
		return;
	case VHOST_USER_SET_VRING_ADDR:
		fill_addr(w, m, q % QUEUES);
		return;
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
		m->payload.u64 = q | (in_below(in, 8) ? 0 : VHOST_USER_VRING_NOFD);
		m->hdr.size = 8;
		m->nfds = in_below(in, 16) != 0;
		m->fds[0] = in_below(in, 16) ? w->d.kick[q % QUEUES] : any_fd(w, q % QUEUES);
		return;
	case VHOST_USER_GET_CONFIG:
	case VHOST_USER_SET_CONFIG:
		m->payload.config.offset = in_below(in, 8) ? 0 : (uint32_t)in_odd_number(in);
		m->payload.config.size = in_below(in, 8) ? in_u8(in) : (uint32_t)in_odd_number(in);
		m->hdr.size = 12 + MIN(m->payload.config.size, 256u);
		return;
	case VHOST_USER_SET_FEATURES:
		m->payload.u64 = in_below(in, 8) ? w->d.features | 1ULL << 32 : in_u64(in);
		m->payload.u64 |= in_below(in, 4) ? 1u << 30 : 0;
		m->hdr.size = 8;
		return;
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		m->payload.u64 = in_below(in, 8) ? 0x1009 : in_u64(in);
		m->hdr.size = 8;
		return;
	default:
		m->payload.state.index = q;
		m->payload.state.num = in_below(in, 4) ? in_below(in, 17) : in_u16(in);
		m->hdr.size = 8;
		return;
	}
}

static void send_one(struct world *w)
{
	struct input *in = &w->d.in;
	struct vhost_user_msg m = {
		.hdr = { .request = requests[in_below(in, ARRAY_SIZE(requests))] }
	};
	uint8_t twist = in_u8(in);

	fill(w, &m);
	if (twist & 1)
		m.hdr.flags |= VHOST_USER_FLAG_NEED_REPLY;
	if (twist >> 4 == 15)
		m.hdr.flags = in_u8(in);
	if (twist >> 4 == 14)
		m.hdr.size = MIN(in_u16(in), (uint32_t)sizeof(m.payload));
	if (twist >> 4 == 13)
		while (m.nfds < in_below(in, 9))
			m.fds[m.nfds++] = w->d.call[0];
	fuzz_send(&w->d, &m);
}

/* Bytes that are no message, or a part of one. */
static void send_raw(struct world *w)
{
	uint8_t wire[600];
	size_t len = in_u16(&w->d.in) % sizeof(wire);

	in_bytes(&w->d.in, wire, sizeof(struct vhost_user_header));
	memset(wire + sizeof(struct vhost_user_header), in_u8(&w->d.in),
	       sizeof(wire) - sizeof(struct vhost_user_header));
	send(w->d.sock, wire, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_part(struct world *w, const void *data, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = { .bytes = { 0 } };
	size_t nfds = in_below(&w->d.in, 17);
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = &control.align;

	if (nfds) {
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		for (size_t i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &w->d.call[0], sizeof(int));
	}
	if (sendmsg(w->d.sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

/* A good message, header and payload apart, with more fds than it may have. */
static void send_in_parts(struct world *w)
{
	struct vhost_user_header hdr = { .request = VHOST_USER_SET_OWNER, .flags = 1, .size = 8 };
	uint64_t payload = in_u8(&w->d.in);

	send_part(w, &hdr, sizeof(hdr));
	send_part(w, &payload, sizeof(payload));
}

/* An in-flight record as a predecessor, or an enemy, may leave it. */
static void write_record(struct world *w)
{
	static const uint16_t sizes[] = { 1, 2, 4, 8, 16, 32, 64, 128 };
	struct input *in = &w->d.in;
	struct inflight_queue q = { .version = in_below(in, 8) ? 1 : in_u16(in),
				    .desc_num = sizes[in_below(in, 8)],
				    .last_batch_head = in_u8(in),
				    .used_idx = in_u8(in) };
	struct inflight_desc desc = { .inflight = 1, .next = in_u8(in), .counter = in_u8(in) };
	unsigned int at = in_below(in, 64);

	must(pwrite(w->inflight, &q, sizeof(q), 0) == sizeof(q));
	must(pwrite(w->inflight, &desc, sizeof(desc), (off_t)(sizeof(q) + at * sizeof(desc))) ==
	     sizeof(desc));
}

/* Begin where a predecessor died: its record, of the first queue's size. */
static void hand_record_over(struct world *w)
{
	struct vhost_user_msg m = { .hdr = { .request = VHOST_USER_SET_INFLIGHT_FD,
					     .size = sizeof(m.payload.inflight) },
				    .nfds = 1,
				    .fds = { w->inflight } };
	struct inflight_queue q = { .version = 1 };
	struct inflight_desc desc = { .inflight = 1 };
	struct input *in = &w->d.in, ahead;
	unsigned int entries = in_below(in, 6);

	q.last_batch_head = in_u8(in);
	q.used_idx = (uint16_t)(0 - in_below(in, 4));
	for (; entries; entries--) {
		unsigned int at = in_below(in, 64);

		desc.next = in_u8(in);
		desc.counter = in_u8(in);
		must(pwrite(w->inflight, &desc, sizeof(desc),
			    (off_t)(sizeof(q) + at * sizeof(desc))) == sizeof(desc));
	}
	ahead = *in;
	q.desc_num = fuzz_queue_size(&ahead);
	must(pwrite(w->inflight, &q, sizeof(q), 0) == sizeof(q));
	m.payload.inflight = (struct vhost_user_inflight){ .mmap_size = 8192,
							   .num_queues = 1,
							   .queue_size = q.desc_num };
	fuzz_send(&w->d, &m);
}

static void turn(struct fuzz_device *d)
{
	struct world *w = container_of(d, struct world, d);
	unsigned int op = in_below(&d->in, 16);

	d->restart = 0;
	d->polite[0] = d->polite[1] = false;
	if (op < 11)
		send_one(w);
	else if (op < 14)
		fuzz_hostile(d, op & 1);
	else if (op == 14)
		write_record(w);
	else if (in_below(&d->in, 4) == 0)
		send_raw(w);
	else if (in_u8(&d->in) & 1)
		send_in_parts(w);
	else
		fuzz_start_queue(d, in_below(&d->in, QUEUES),
				 (uint16_t)(1u << in_below(&d->in, 8)));
}

static int entry(const struct device_seat *seat, const void *params, struct err *e)
{
	return blk_main(seat, params, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world w;
	uint8_t how;
	int fd = lowest_free_fd();

	memset(&w, 0, sizeof(w));
	fuzz_device_init(&w.d, data, len);
	how = in_u8(&w.d.in);
	w.d.nqueues = QUEUES;
	w.d.turn = turn;
	w.d.answer = answer;
	if (how & 1)
		w.d.features |= 1u << VIRTIO_RING_F_EVENT_IDX;
	if (how & 2)
		w.d.features |= 1u << VIRTIO_RING_F_INDIRECT_DESC;
	w.inflight = memfd_create("inflight", MFD_CLOEXEC);
	must(w.inflight >= 0 && ftruncate(w.inflight, 8192) == 0);
	w.params = (struct blk_params){
		.bytes = DISK_BYTES, .discard = true, .no_io_uring = true, .queues = QUEUES
	};
	w.params.fd = memfd_create("disk", MFD_CLOEXEC);
	must(w.params.fd >= 0 && ftruncate(w.params.fd, DISK_BYTES) == 0);
	for (unsigned int q = 0; q < QUEUES; q++)
		mock_init(&w.d.driver[q], w.d.mem + q * 0x10000, FUZZ_GPA + q * 0x10000, 0x10000,
			  16, how & 1);
	if (how & 8)
		hand_record_over(&w);
	/* Half of the inputs begin with a device that runs. */
	if (how & 4)
		fuzz_device_setup(&w.d);
	fuzz_device_run(&w.d, entry, &w.params);
	close(w.inflight);
	must(lowest_free_fd() == fd);
	return 0;
}
