/*
 * vhost_user_backend.c - the back end's messages and its event loop; see
 * vhost_user_backend.h.  Protocol: "Vhost-user Protocol" of the QEMU project.
 *
 * Left out on purpose: dirty logging, IOMMU, postcopy, in-band notifications,
 * the back end's own request channel, packed rings.  They are not offered.
 *
 * System calls after confine(), besides those of vhost_user.c,
 * vhost_user_memory.c and vhost_user_ring.c: epoll_pwait.
 */
#include "devices/virtio/vhost_user_backend.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "devices/virtio/vhost_user_ring.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"

#define PEER_DEADLINE_NS (5 * NS_PER_S) /* half a message, or a full socket */
#define EVENTS_PER_WAIT	 16
#define LATER_MAX_NS	 (100 * NS_PER_MS)
#define ROUNDS_PER_WAIT	 4 /* of busy queues, before the next look at events */

/* How a request was dealt with; negative: the front end broke the protocol
 * (or we cannot go on), and *e says how. */
enum outcome {
	DONE,	 /* acknowledge with 0 if asked */
	REFUSED, /* acknowledge with 1 if asked */
	REPLIED, /* the answer was sent */
};

static uint64_t own_protocol_features(const struct vhost_user_backend *b)
{
	uint64_t f = 1u << VHOST_USER_PROTOCOL_F_MQ | 1u << VHOST_USER_PROTOCOL_F_REPLY_ACK |
		     1u << VHOST_USER_PROTOCOL_F_CONFIG | 1u << VHOST_USER_PROTOCOL_F_RESET_DEVICE;

	if (b->inflight_fd >= 0)
		f |= 1u << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD;
	return f;
}

static int epoll_change(struct vhost_user_backend *b, int op, int fd, enum vhost_user_source source,
			unsigned int index, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = (uint64_t)source << 32 | index };

	return epoll_ctl(b->epoll_fd, op, fd, &ev) < 0 ? neg_errno() : 0;
}

int vhost_user_epoll_add(struct vhost_user_backend *b, int fd, enum vhost_user_source source,
			 unsigned int index, uint32_t events)
{
	return epoll_change(b, EPOLL_CTL_ADD, fd, source, index, events);
}

int vhost_user_watch(struct vhost_user_backend *b, int fd, unsigned int tag, uint32_t events)
{
	return vhost_user_epoll_add(b, fd, SOURCE_DEVICE, tag, events);
}

int vhost_user_rewatch(struct vhost_user_backend *b, int fd, unsigned int tag, uint32_t events)
{
	return epoll_change(b, EPOLL_CTL_MOD, fd, SOURCE_DEVICE, tag, events);
}

/* The area for GET_INFLIGHT_FD, made now because no memfd can be made later.
 * Sealed, so that nobody can take the pages away under us. */
static int make_inflight(struct vhost_user_backend *b, struct err *e)
{
	size_t bytes = b->dev.nqueues * inflight_queue_bytes(VIRTQUEUE_SIZE_MAX);
	int r;

	b->inflight_fd = memfd_create("bulkhead-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (b->inflight_fd < 0 || ftruncate(b->inflight_fd, (off_t)bytes) < 0 ||
	    fcntl(b->inflight_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_errno(e, "%s: memory for the in-flight record", b->seat->name);
	r = shared_map_open(&b->inflight_own, b->inflight_fd, 0, bytes);
	if (r < 0)
		return err_code(e, r, "%s: map the in-flight record", b->seat->name);
	return 0;
}

struct vhost_user_backend *vhost_user_backend_new(const struct device_seat *seat,
						  const struct vhost_user_device *dev,
						  struct err *e)
{
	struct vhost_user_backend *b = calloc(1, sizeof(*b) + dev->nqueues * sizeof(b->ring[0]));

	if (!b) {
		err_set(e, ENOMEM, "%s: out of memory", seat->name);
		return NULL;
	}
	b->seat = seat;
	b->dev = *dev;
	b->inflight_fd = -1;
	b->enable_needed = true;
	for (unsigned int q = 0; q < dev->nqueues; q++)
		b->ring[q].kick_fd = b->ring[q].call_fd = b->ring[q].err_fd = -1;
	b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll_fd < 0) {
		err_errno(e, "%s: epoll_create1", seat->name);
		goto fail;
	}
	if (vhost_user_epoll_add(b, seat->vhost_sock, SOURCE_SOCKET, 0, EPOLLIN) < 0) {
		err_errno(e, "%s: watch the vhost-user socket", seat->name);
		goto fail;
	}
	if (dev->inflight && make_inflight(b, e) < 0)
		goto fail;
	return b;
fail:
	vhost_user_backend_free(b);
	return NULL;
}

void vhost_user_backend_free(struct vhost_user_backend *b)
{
	if (!b)
		return;
	for (unsigned int q = 0; q < b->dev.nqueues; q++) {
		vhost_user_ring_set_kick(b, q, -1);
		close_fd(&b->ring[q].call_fd);
		close_fd(&b->ring[q].err_fd);
	}
	vhost_user_table_close(&b->table);
	shared_map_close(&b->inflight);
	shared_map_close(&b->inflight_own);
	close_fd(&b->inflight_fd);
	close_fd(&b->epoll_fd);
	free(b);
}

/* --- answers --- */

/* Send *msg back with `size` bytes of payload (and its fds). */
static int reply(struct vhost_user_backend *b, struct vhost_user_msg *msg, size_t size,
		 struct err *e)
{
	struct vhost_user_msg out = *msg;
	int r;

	out.hdr.flags = VHOST_USER_FLAG_REPLY;
	out.hdr.size = (uint32_t)size;
	r = vhost_user_send(b->seat->vhost_sock, &out, now_ns() + PEER_DEADLINE_NS);
	if (r < 0)
		return err_code(e, r, "%s: answer %s", b->seat->name,
				vhost_user_request_name(msg->hdr.request));
	return REPLIED;
}

static int reply_u64(struct vhost_user_backend *b, struct vhost_user_msg *msg, uint64_t value,
		     struct err *e)
{
	vhost_user_msg_release(msg);
	msg->payload.u64 = value;
	return reply(b, msg, sizeof(value), e);
}

/* --- requests: features --- */

static int get_features(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	return reply_u64(b, msg, b->dev.features | 1u << VHOST_USER_F_PROTOCOL_FEATURES, e);
}

static bool any_started(const struct vhost_user_backend *b)
{
	for (unsigned int q = 0; q < b->dev.nqueues; q++)
		if (b->ring[q].started)
			return true;
	return false;
}

/* Try to start every ring, after something that all of them waited for. */
static int update_all(struct vhost_user_backend *b)
{
	int outcome = DONE;

	for (unsigned int q = 0; q < b->dev.nqueues; q++)
		if (vhost_user_ring_update(b, q))
			outcome = REFUSED;
	return outcome;
}

static int set_features(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	const uint64_t protocol = 1u << VHOST_USER_F_PROTOCOL_FEATURES;
	uint64_t f = msg->payload.u64 & ~protocol;

	(void)e;
	/* Front ends send the same features again to switch dirty logging;
	 * others cannot take effect on rings that run. */
	if (any_started(b))
		return f == b->features ? DONE : REFUSED;
	if (f & ~b->dev.features || !(f >> VIRTIO_F_VERSION_1 & 1)) {
		if (vhost_user_may_complain(b))
			log_warn("%s: features 0x%llx refused (0x%llx offered, VERSION_1 needed)",
				 b->seat->name, (unsigned long long)f,
				 (unsigned long long)b->dev.features);
		b->have_features = false;
		return REFUSED;
	}
	if (b->dev.set_features(b->dev.ctx, f) < 0) {
		b->have_features = false;
		return REFUSED;
	}
	b->features = f;
	b->have_features = true;
	b->enable_needed = msg->payload.u64 & protocol;
	return update_all(b);
}

static int get_protocol_features(struct vhost_user_backend *b, struct vhost_user_msg *msg,
				 struct err *e)
{
	return reply_u64(b, msg, own_protocol_features(b), e);
}

static int set_protocol_features(struct vhost_user_backend *b, struct vhost_user_msg *msg,
				 struct err *e)
{
	if (msg->payload.u64 & ~own_protocol_features(b))
		return err_set(e, EPROTO, "protocol features that were not offered");
	b->protocol_features = msg->payload.u64;
	return DONE;
}

static int get_queue_num(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	return reply_u64(b, msg, b->dev.nqueues, e);
}

static int nothing_to_do(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	(void)b;
	(void)msg;
	(void)e;
	return DONE;
}

static int reset_device(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	(void)msg;
	(void)e;
	for (unsigned int q = 0; q < b->dev.nqueues; q++) {
		struct vhost_user_ring *r = &b->ring[q];

		vhost_user_ring_stop(b, q);
		close_fd(&r->err_fd);
		r->enabled = r->have_addr = false;
		r->num = r->base = 0;
	}
	b->have_features = false;
	b->features = 0;
	return DONE;
}

/* --- requests: memory --- */

static int set_mem_table(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	struct vhost_user_table table;
	int r;

	r = vhost_user_table_open(&table, msg, e);
	if (r < 0)
		return r;
	for (unsigned int q = 0; q < b->dev.nqueues; q++)
		vhost_user_ring_pause(b, q);
	vhost_user_table_close(&b->table);
	b->table = table;
	for (unsigned int q = 0; q < b->dev.nqueues; q++) {
		struct vhost_user_ring *ring = &b->ring[q];

		if (ring->started && virtqueue_running(&ring->vq) &&
		    virtqueue_remap(&ring->vq, &b->table.mem, &ring->geometry) < 0)
			vhost_user_break(b, q, ring->vq.why);
	}
	return update_all(b);
}

static int get_inflight_fd(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	struct vhost_user_inflight *in = &msg->payload.inflight;
	size_t bytes = in->num_queues * inflight_queue_bytes(in->queue_size);
	int r;

	vhost_user_msg_release(msg);
	in->mmap_size = in->mmap_offset = 0;
	if (b->inflight_fd >= 0 && in->num_queues && in->num_queues <= b->dev.nqueues &&
	    in->queue_size && in->queue_size <= VIRTQUEUE_SIZE_MAX && !any_started(b)) {
		/* The front end asks for a new, empty record. */
		memset(b->inflight_own.data, 0, bytes);
		in->mmap_size = bytes;
		msg->fds[0] = b->inflight_fd;
		msg->nfds = 1;
	}
	r = reply(b, msg, sizeof(*in), e);
	msg->nfds = 0; /* ours, lent */
	return r;
}

static int set_inflight_fd(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	const struct vhost_user_inflight *in = &msg->payload.inflight;
	struct shared_map map;
	int r;

	if (!b->dev.inflight || any_started(b) || in->num_queues > b->dev.nqueues ||
	    in->queue_size > VIRTQUEUE_SIZE_MAX || in->mmap_offset % 8 ||
	    in->mmap_size < in->num_queues * inflight_queue_bytes(in->queue_size))
		return REFUSED;
	r = shared_map_open(&map, msg->fds[0], in->mmap_offset, in->mmap_size);
	if (r < 0)
		return err_code(e, r, "map the in-flight record");
	shared_map_close(&b->inflight);
	b->inflight = map;
	b->inflight_queues = in->num_queues;
	b->inflight_size = in->queue_size;
	return DONE;
}

/* --- requests: rings (index checked by the table below) --- */

static int set_vring_num(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	struct vhost_user_ring *r = &b->ring[msg->payload.state.index];

	(void)e;
	if (r->started)
		return r->num == msg->payload.state.num ? DONE : REFUSED;
	r->num = msg->payload.state.num;
	r->refused = false;
	return vhost_user_ring_update(b, msg->payload.state.index) ? REFUSED : DONE;
}

static int set_vring_addr(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	const struct vhost_user_vring_addr *a = &msg->payload.addr;
	struct vhost_user_ring *r = &b->ring[a->index];

	(void)e;
	if (r->started)
		return r->desc == a->desc && r->avail == a->avail && r->used == a->used ? DONE
											: REFUSED;
	r->desc = a->desc;
	r->avail = a->avail;
	r->used = a->used;
	r->have_addr = true;
	r->refused = false;
	return vhost_user_ring_update(b, a->index) ? REFUSED : DONE;
}

static int set_vring_base(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	struct vhost_user_ring *r = &b->ring[msg->payload.state.index];

	(void)e;
	if (r->started || msg->payload.state.num > UINT16_MAX)
		return REFUSED;
	r->base = (uint16_t)msg->payload.state.num;
	r->refused = false;
	return DONE;
}

static int get_vring_base(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	struct vhost_user_vring_state *s = &msg->payload.state;

	vhost_user_msg_release(msg);
	vhost_user_ring_stop(b, s->index);
	s->num = b->ring[s->index].base;
	return reply(b, msg, sizeof(*s), e);
}

static int set_vring_enable(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	const struct vhost_user_vring_state *s = &msg->payload.state;

	(void)e;
	if (s->num > 1)
		return REFUSED;
	b->ring[s->index].enabled = s->num;
	if (s->num)
		return vhost_user_ring_update(b, s->index) ? REFUSED : DONE;
	vhost_user_ring_pause(b, s->index);
	return DONE;
}

/* The fd of a kick, call or err message; -1 when its flag says there is none. */
static int vring_fd(struct vhost_user_msg *msg)
{
	return msg->payload.u64 & VHOST_USER_VRING_NOFD ? -1 : vhost_user_msg_take_fd(msg, 0);
}

/* No fd means "poll instead"; we do not: such a ring rests until it has one. */
static int set_vring_kick(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	unsigned int q = msg->payload.u64 & VHOST_USER_VRING_INDEX_MASK;
	int fd = vring_fd(msg), r;

	if (fd < 0)
		vhost_user_ring_pause(b, q);
	r = vhost_user_ring_set_kick(b, q, fd);
	if (r < 0)
		return err_code(e, r, "watch the kick fd of queue %u", q);
	return vhost_user_ring_update(b, q) || fd < 0 ? REFUSED : DONE;
}

static int set_vring_call(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	struct vhost_user_ring *r = &b->ring[msg->payload.u64 & VHOST_USER_VRING_INDEX_MASK];

	(void)e;
	close_fd(&r->call_fd);
	r->call_fd = vring_fd(msg);
	return DONE;
}

static int set_vring_err(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	struct vhost_user_ring *r = &b->ring[msg->payload.u64 & VHOST_USER_VRING_INDEX_MASK];

	(void)e;
	close_fd(&r->err_fd);
	r->err_fd = vring_fd(msg);
	return DONE;
}

/* --- requests: config space --- */

static int get_config(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	struct vhost_user_config *c = &msg->payload.config;

	vhost_user_msg_release(msg);
	if (c->size == 0 || c->size > VHOST_USER_CONFIG_MAX ||
	    c->offset > VHOST_USER_CONFIG_MAX - c->size ||
	    msg->hdr.size < VHOST_USER_CONFIG_HEADER_LEN + c->size)
		return reply(b, msg, 0, e); /* the protocol's way to say no */
	/* Front ends ask for the largest layout they know: zeros behind ours. */
	memset(c->region, 0, sizeof(c->region));
	if (c->offset < b->dev.config_len)
		memcpy(c->region, (const uint8_t *)b->dev.config + c->offset,
		       MIN(c->size, b->dev.config_len - c->offset));
	return reply(b, msg, VHOST_USER_CONFIG_HEADER_LEN + c->size, e);
}

/* No device here has a writable field. */
static int set_config(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	(void)b;
	(void)msg;
	(void)e;
	return REFUSED;
}

/* --- dispatch --- */

/* Where a message holds its ring index. */
enum ring_index { NO_RING, IN_STATE, IN_U64 };

static const struct request {
	int (*handle)(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e);
	uint32_t size_min;
	enum ring_index ring;
	unsigned int fds_min; /* unless VHOST_USER_VRING_NOFD is set */
} requests[] = {
	[VHOST_USER_GET_FEATURES] = { .handle = get_features },
	[VHOST_USER_SET_FEATURES] = { .handle = set_features, .size_min = 8 },
	[VHOST_USER_SET_OWNER] = { .handle = nothing_to_do },
	[VHOST_USER_RESET_OWNER] = { .handle = nothing_to_do },
	[VHOST_USER_SET_MEM_TABLE] = { .handle = set_mem_table, .size_min = 40, .fds_min = 1 },
	[VHOST_USER_SET_VRING_NUM] = { .handle = set_vring_num, .size_min = 8, .ring = IN_STATE },
	[VHOST_USER_SET_VRING_ADDR] = { set_vring_addr, 40, IN_STATE, 0 },
	[VHOST_USER_SET_VRING_BASE] = { .handle = set_vring_base, .size_min = 8, .ring = IN_STATE },
	[VHOST_USER_GET_VRING_BASE] = { .handle = get_vring_base, .size_min = 8, .ring = IN_STATE },
	[VHOST_USER_SET_VRING_KICK] = { set_vring_kick, 8, IN_U64, 1 },
	[VHOST_USER_SET_VRING_CALL] = { set_vring_call, 8, IN_U64, 1 },
	[VHOST_USER_SET_VRING_ERR] = { set_vring_err, 8, IN_U64, 1 },
	[VHOST_USER_GET_PROTOCOL_FEATURES] = { .handle = get_protocol_features },
	[VHOST_USER_SET_PROTOCOL_FEATURES] = { .handle = set_protocol_features, .size_min = 8 },
	[VHOST_USER_GET_QUEUE_NUM] = { .handle = get_queue_num },
	[VHOST_USER_SET_VRING_ENABLE] = { set_vring_enable, 8, IN_STATE, 0 },
	[VHOST_USER_GET_CONFIG] = { get_config, VHOST_USER_CONFIG_HEADER_LEN, NO_RING, 0 },
	[VHOST_USER_SET_CONFIG] = { set_config, VHOST_USER_CONFIG_HEADER_LEN, NO_RING, 0 },
	[VHOST_USER_GET_INFLIGHT_FD] = { .handle = get_inflight_fd,
					 .size_min = VHOST_USER_INFLIGHT_LEN },
	[VHOST_USER_SET_INFLIGHT_FD] = { .handle = set_inflight_fd,
					 .size_min = VHOST_USER_INFLIGHT_LEN,
					 .fds_min = 1 },
	[VHOST_USER_RESET_DEVICE] = { .handle = reset_device },
};

/* Does the message have the shape that its request demands?  0 or -EPROTO. */
static int check_shape(const struct vhost_user_backend *b, const struct request *q,
		       const struct vhost_user_msg *msg, struct err *e)
{
	uint32_t index = 0;
	bool nofd = false;

	if (msg->hdr.flags & VHOST_USER_FLAG_REPLY)
		return err_set(e, EPROTO, "a reply to nothing");
	if (msg->hdr.size < q->size_min)
		return err_set(e, EPROTO, "payload of %u bytes", msg->hdr.size);
	if (q->ring == IN_STATE) {
		index = msg->payload.state.index;
	} else if (q->ring == IN_U64) {
		index = msg->payload.u64 & VHOST_USER_VRING_INDEX_MASK;
		nofd = msg->payload.u64 & VHOST_USER_VRING_NOFD;
	}
	if (q->ring != NO_RING && index >= b->dev.nqueues)
		return err_set(e, EPROTO, "queue %u of %u", index, b->dev.nqueues);
	if (!nofd && msg->nfds < q->fds_min)
		return err_set(e, EPROTO, "file descriptor missing");
	return 0;
}

static int dispatch(struct vhost_user_backend *b, struct vhost_user_msg *msg, struct err *e)
{
	uint32_t id = msg->hdr.request;
	bool need_reply = msg->hdr.flags & VHOST_USER_FLAG_NEED_REPLY;
	int outcome = REFUSED;

	if (id < ARRAY_SIZE(requests) && requests[id].handle) {
		outcome = check_shape(b, &requests[id], msg, e);
		if (outcome == 0)
			outcome = requests[id].handle(b, msg, e);
	}
	if (outcome < 0) {
		err_context(e, "%s: %s (%u) from the front end", b->seat->name,
			    vhost_user_request_name(id), id);
		return outcome;
	}
	if (outcome == REFUSED)
		log_debug("%s: %s (%u) refused", b->seat->name, vhost_user_request_name(id), id);
	if (outcome == REPLIED || !need_reply ||
	    !(b->protocol_features >> VHOST_USER_PROTOCOL_F_REPLY_ACK & 1))
		return 0;
	outcome = reply_u64(b, msg, outcome == REFUSED, e);
	return outcome < 0 ? outcome : 0;
}

/* One message.  0, -EPIPE (the front end has hung up), or -errno with *e. */
static int serve_message(struct vhost_user_backend *b, struct err *e)
{
	struct vhost_user_msg msg;
	int r;

	r = vhost_user_recv(b->seat->vhost_sock, &msg, now_ns() + PEER_DEADLINE_NS);
	if (r == -EPIPE)
		return r;
	if (r < 0)
		return err_code(e, r, "%s: receive from the front end", b->seat->name);
	r = dispatch(b, &msg, e);
	vhost_user_msg_release(&msg);
	return r;
}

static int serve_event(struct vhost_user_backend *b, const struct epoll_event *ev, struct err *e)
{
	unsigned int index = (uint32_t)ev->data.u64;

	switch ((enum vhost_user_source)(ev->data.u64 >> 32)) {
	case SOURCE_SOCKET:
		return serve_message(b, e);
	case SOURCE_KICK:
		counter_add(&b->seat->counters->kicks, 1);
		vhost_user_again(b, index);
		return 0;
	case SOURCE_DEVICE:
		b->dev.event(b->dev.ctx, index, ev->events);
		return 0;
	}
	return 0;
}

static void serve_queues(struct vhost_user_backend *b)
{
	uint32_t todo = b->again;

	b->again = 0;
	for (unsigned int q = 0; q < b->dev.nqueues; q++) {
		if (!(todo >> q & 1) || !vhost_user_ring_active(b, q))
			continue;
		if (b->dev.process(b->dev.ctx, q))
			vhost_user_again(b, q);
	}
}

void vhost_user_later(struct vhost_user_backend *b, unsigned int q, uint64_t at_ns)
{
	at_ns = MIN(at_ns, now_ns() + LATER_MAX_NS);
	if (!b->later || at_ns < b->later_at)
		b->later_at = at_ns;
	b->later |= 1u << q;
	counter_add(&b->seat->counters->throttled, 1);
}

/* How long to sleep, in ms, -1: until something happens; what was to be done
 * later is to be done now if its time has come. */
static int patience(struct vhost_user_backend *b)
{
	uint64_t now;

	if (b->again)
		return 0;
	if (!b->later)
		return -1;
	now = now_ns();
	if (now < b->later_at)
		return (int)((b->later_at - now + NS_PER_MS - 1) / NS_PER_MS);
	b->again |= b->later;
	b->later = 0;
	return 0;
}

int vhost_user_serve(struct vhost_user_backend *b, struct err *e)
{
	struct epoll_event ev[EVENTS_PER_WAIT];
	int n, r = 0;

	while (r == 0) {
		n = epoll_pwait(b->epoll_fd, ev, EVENTS_PER_WAIT, patience(b), NULL);
		counter_add(&b->seat->counters->syscalls, 1);
		if (n < 0 && errno != EINTR)
			r = err_errno(e, "%s: wait for events", b->seat->name);
		for (int i = 0; i < n && r == 0; i++)
			r = serve_event(b, &ev[i], e);
		for (unsigned int i = 0; r == 0 && b->again && i < ROUNDS_PER_WAIT; i++)
			serve_queues(b);
	}
	for (unsigned int q = 0; q < b->dev.nqueues; q++)
		vhost_user_ring_stop(b, q);
	return r == -EPIPE ? 0 : r;
}
