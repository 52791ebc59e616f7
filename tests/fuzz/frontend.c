/*
 * frontend.c - fuzz target: what the monitor makes of a back end's answers.
 *
 * The dialogue (vhost_user_dialogue.h) talks to a back end that answers well,
 * nearly well, or anything.  What it has agreed upon stays within the terms,
 * and a lost connection has a reason.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/fuzz/input.h"
#include "vmm/monitor/vhost_user_dialogue.h"

struct world {
	struct input in;
	struct vhost_user_dialogue d;
	struct guest_memory memory;
	int sock, memfd, event;
	bool attached;
};

static void check_why(const struct vhost_user_dialogue *d)
{
	must(d->why.text[0]);
	for (const char *p = d->why.text; *p; p++)
		must(*p >= ' ' && *p < 0x7f);
}

static void check_terms(const struct vhost_user_dialogue *d)
{
	must(d->nqueues >= 1 && d->nqueues <= d->terms.max_queues);
	must(!(d->features & ~(d->terms.feature_mask | 1ULL << 32)));
	must(d->features & 1ULL << 32);
	/* Not on this transport, or the protocol's own: never the driver's. */
	must(!(d->features & (1ULL << 26 | 1ULL << 30 | 1ULL << 33 | 1ULL << 34)));
}

/* The answer that is asked for, well formed. */
static void good_answer(struct world *w, struct vhost_user_msg *m)
{
	struct input *in = &w->in;

	switch (m->hdr.request) {
	case VHOST_USER_GET_FEATURES:
		m->payload.u64 = in_below(in, 8) ? 1ULL << 32 | 1ULL << 30 | in_u16(in)
						 : in_u64(in);
		break;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		m->payload.u64 = in_below(in, 8) ? 0x3209 : in_u64(in);
		break;
	case VHOST_USER_GET_QUEUE_NUM:
		m->payload.u64 = in_below(in, 8) ? in_below(in, 70) : in_odd_number(in);
		break;
	case VHOST_USER_GET_CONFIG:
		memset(m->payload.config.region, in_u8(in), sizeof(m->payload.config.region));
		return; /* of the request's size */
	case VHOST_USER_GET_VRING_BASE:
		m->payload.state.num = in_u16(in);
		break;
	case VHOST_USER_GET_INFLIGHT_FD:
		m->payload.inflight.mmap_size = in_below(in, 8) ? 4096 : in_odd_number(in);
		m->payload.inflight.mmap_offset = in_below(in, 8) ? 0 : in_odd_number(in);
		m->hdr.size = in_u8(in) & 1 ? 24 : 20;
		m->fds[0] = w->memfd;
		m->nfds = 1;
		return;
	default:
		m->payload.u64 = in_below(in, 8) == 0;
		break;
	}
	m->hdr.size = 8;
}

/* Take one request off the socket and answer it. */
static void answer(struct world *w, bool twist)
{
	struct input *in = &w->in;
	struct vhost_user_msg m;
	bool due;

	if (vhost_user_recv(w->sock, &m, 1) < 0)
		return;
	vhost_user_msg_release(&m);
	must((m.hdr.flags & VHOST_USER_FLAG_VERSION_MASK) == VHOST_USER_VERSION);
	switch (m.hdr.request) {
	case VHOST_USER_GET_FEATURES:
	case VHOST_USER_GET_PROTOCOL_FEATURES:
	case VHOST_USER_GET_QUEUE_NUM:
	case VHOST_USER_GET_CONFIG:
	case VHOST_USER_GET_VRING_BASE:
	case VHOST_USER_GET_INFLIGHT_FD:
		due = true;
		break;
	default:
		due = m.hdr.flags & VHOST_USER_FLAG_NEED_REPLY;
	}
	if (!due && !(twist && in_below(in, 8) == 0))
		return;
	good_answer(w, &m);
	m.hdr.flags = VHOST_USER_FLAG_REPLY;
	if (twist) {
		switch (in_below(in, 6)) {
		case 0:
			m.hdr.size = MIN(in_u16(in), (uint32_t)sizeof(m.payload));
			break;
		case 1:
			m.hdr.flags = in_u8(in);
			break;
		case 2:
			m.hdr.request = in_below(in, 36);
			break;
		case 3:
			while (m.nfds < VHOST_USER_MAX_FDS && in_u8(in) & 1)
				m.fds[m.nfds++] = w->event;
			break;
		case 4:
			m.nfds = 0;
			break;
		default:
			m.payload.state.index = in_below(in, 70);
		}
	}
	vhost_user_send(w->sock, &m, now_ns() + NS_PER_S);
}

static void send_raw(struct world *w)
{
	uint8_t wire[600] = { 0 };
	size_t len = in_u16(&w->in) % sizeof(wire);

	in_bytes(&w->in, wire, in_below(&w->in, 24));
	send(w->sock, wire, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void set_queues(struct world *w)
{
	struct vhost_user_dialogue *d = &w->d;
	uint16_t ready = in_u16(&w->in);

	memset(d->queue, 0, sizeof(d->queue));
	for (unsigned int i = 0; i < d->nqueues; i++) {
		d->kick_fd[i] = w->event;
		if (!(ready >> (i % 16) & 1))
			continue;
		d->queue[i] = (struct virtio_queue_config){
			.size = (uint16_t)(1u << in_below(&w->in, 9)),
			.ready = true,
			.desc = 0x1000,
			.driver = 0x2000,
			.device = 0x3000,
		};
	}
	d->call_fd = d->err_fd = w->event;
	d->driver_features = d->features;
}

/* The script has ended: what comes next. */
static void next_script(struct world *w)
{
	struct vhost_user_dialogue *d = &w->d;

	if (d->refused)
		check_why(d);
	if (!w->attached) {
		check_terms(d);
		w->attached = true;
	}
	if (d->running) {
		vhost_user_dialogue_begin(d, VHOST_USER_STOP);
		return;
	}
	set_queues(w);
	vhost_user_dialogue_begin(d, VHOST_USER_ACTIVATE);
}

/* Until the input ends or the connection is lost. */
static void talk(struct world *w)
{
	char text[100];

	vhost_user_dialogue_begin(&w->d, VHOST_USER_ATTACH);
	while (w->in.left) {
		int r = vhost_user_dialogue_pump(&w->d);
		unsigned int op;

		if (r == 0) {
			next_script(w);
			continue;
		}
		if (r != -EAGAIN) {
			check_why(&w->d);
			return;
		}
		vhost_user_dialogue_describe_wait(&w->d, text, sizeof(text));
		must(text[0]);
		op = in_below(&w->in, 32);
		if (op < 28)
			answer(w, false);
		else if (op < 30)
			answer(w, true);
		else if (op == 30)
			send_raw(w);
		else if (in_below(&w->in, 4) == 0)
			close_fd(&w->sock);
		if (w->sock < 0) {
			must(vhost_user_dialogue_pump(&w->d) < 0);
			check_why(&w->d);
			return;
		}
	}
}

static void set_terms(struct world *w, struct vhost_user_terms *t)
{
	static const uint32_t ids[] = { 2, 1, 4, 26 };

	*t = (struct vhost_user_terms){
		.device_id = ids[in_below(&w->in, 4)],
		.max_queues = 1 + in_below(&w->in, VIRTIO_MAX_QUEUES),
		.queue_size_max = 256,
		.feature_mask = in_u8(&w->in) & 1 ? UINT64_MAX : 1u << 28 | in_u16(&w->in),
		.config_len = in_u8(&w->in) & 1 ? in_u8(&w->in) : 0,
		.foreign = in_u8(&w->in) & 1,
		.memory = &w->memory,
		.memory_fd = w->memfd,
	};
	guest_memory_add(&w->memory, 0, 0x8000, 0, NULL);
	if (in_u8(&w->in) & 1)
		guest_memory_add(&w->memory, 0x100000, 0x8000, 0x8000, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int memfd = -1, event = -1;
	struct vhost_user_terms terms;
	static struct world w;
	int sv[2], fd;

	if (memfd < 0)
		memfd = memfd_create("guest", MFD_CLOEXEC);
	if (event < 0)
		event = eventfd(0, EFD_CLOEXEC);
	fd = lowest_free_fd();
	memset(&w, 0, sizeof(w));
	w.in = (struct input){ data, len };
	w.memfd = memfd;
	w.event = event;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	w.sock = sv[1];
	set_terms(&w, &terms);
	vhost_user_dialogue_init(&w.d, &terms, sv[0]);
	talk(&w);
	vhost_user_dialogue_release(&w.d);
	close(sv[0]);
	close_fd(&w.sock);
	must(lowest_free_fd() == fd);
	return 0;
}
