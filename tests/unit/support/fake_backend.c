/* fake_backend.c - see fake_backend.h. */
#include "tests/unit/support/fake_backend.h"

#include <linux/virtio_config.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <time.h>

#include "vmm/base/util.h"

void fake_backend_init(struct fake_backend *f)
{
	memset(f, 0, sizeof(*f));
	f->features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VHOST_USER_F_PROTOCOL_FEATURES |
		      1ULL << 9 | 1ULL << 6;
	f->protocol = 1ULL << VHOST_USER_PROTOCOL_F_MQ | 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK |
		      1ULL << VHOST_USER_PROTOCOL_F_CONFIG;
	f->queue_num = 4;
	f->sock = -1;
	f->joined = true;
	for (size_t i = 0; i < sizeof(f->config); i++)
		f->config[i] = (uint8_t)(i + 1);
	for (size_t i = 0; i < FAKE_QUEUES; i++)
		f->queue[i].kick = f->queue[i].call = f->queue[i].err = -1;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

static void replace(int *fd, struct vhost_user_msg *m)
{
	close_fd(fd);
	*fd = vhost_user_msg_take_fd(m, 0);
}

/* Bytes that no message layer would send. */
static void send_raw(struct fake_backend *f, const void *data, size_t len)
{
	if (send(f->sock, data, len, MSG_NOSIGNAL) < 0)
		return;
}

static void send_many_fds(struct fake_backend *f, struct vhost_user_msg *m)
{
	char control[CMSG_SPACE(32 * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = &m->hdr, .iov_len = sizeof(m->hdr) };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(32 * sizeof(int));
	for (size_t i = 0; i < 32; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &f->sock, sizeof(int));
	/* With the header, and again with the payload. */
	if (sendmsg(f->sock, &mh, MSG_NOSIGNAL) < 0)
		return;
	iov = (struct iovec){ .iov_base = &m->payload, .iov_len = m->hdr.size };
	if (sendmsg(f->sock, &mh, MSG_NOSIGNAL) < 0)
		return;
}

/* Change the answer, or send something of its own.  True: send *m. */
static bool play(struct fake_backend *f, struct vhost_user_msg *m)
{
	switch (f->trick) {
	case FAKE_SLOW:
		sleep_ms(f->delay_ms);
		break;
	case FAKE_LONG:
		m->hdr.size += 4;
		break;
	case FAKE_SHORT:
		m->hdr.size -= 4;
		break;
	case FAKE_EMPTY:
		m->hdr.size = 0;
		break;
	case FAKE_HUGE:
	case FAKE_OVERSIZE:
		m->hdr.size = f->trick == FAKE_HUGE ? 1u << 30 : f->amount;
		m->hdr.flags |= VHOST_USER_VERSION;
		send_raw(f, &m->hdr, sizeof(m->hdr));
		return false;
	case FAKE_FDS:
		m->fds[m->nfds++] = f->sock;
		break;
	case FAKE_MANY_FDS:
		m->hdr.flags |= VHOST_USER_VERSION;
		send_many_fds(f, m);
		return false;
	case FAKE_OTHER:
		m->hdr.request = VHOST_USER_SET_CONFIG;
		break;
	case FAKE_REQUEST:
		m->hdr.flags &= ~VHOST_USER_FLAG_REPLY;
		break;
	case FAKE_TWICE:
		vhost_user_send(f->sock, m, now_ns() + NS_PER_S);
		break;
	case FAKE_HALF:
		m->hdr.flags |= VHOST_USER_VERSION;
		send_raw(f, &m->hdr, 7);
		f->silent = true;
		return false;
	case FAKE_VERSION:
		m->hdr.flags = (m->hdr.flags & ~VHOST_USER_FLAG_VERSION_MASK) | 2;
		send_raw(f, &m->hdr, sizeof(m->hdr));
		return false;
	case FAKE_NACK:
		m->payload.u64 = 1;
		break;
	case FAKE_INDEX:
		m->payload.state.index++;
		break;
	case FAKE_NO_FD:
		m->nfds = 0;
		break;
	default:
		break;
	}
	return true;
}

static void answer(struct fake_backend *f, struct vhost_user_msg *m, bool trick)
{
	m->hdr.flags = VHOST_USER_FLAG_REPLY;
	if (f->silent || (trick && !play(f, m)))
		return;
	vhost_user_send(f->sock, m, now_ns() + NS_PER_S);
}

static void answer_u64(struct fake_backend *f, uint32_t request, uint64_t value, bool trick)
{
	struct vhost_user_msg m = { .hdr = { .request = request, .size = 8 } };

	m.payload.u64 = value;
	answer(f, &m, trick);
}

static void answer_config(struct fake_backend *f, struct vhost_user_msg *m, bool trick)
{
	uint32_t size = MIN(m->payload.config.size, (uint32_t)VHOST_USER_CONFIG_MAX);

	memcpy(m->payload.config.region, f->config, size);
	answer(f, m, trick);
}

static void answer_inflight(struct fake_backend *f, struct vhost_user_msg *m, bool trick)
{
	int fd = memfd_create("inflight", MFD_CLOEXEC);

	m->payload.inflight.mmap_size = 4096;
	m->fds[0] = fd;
	m->nfds = 1;
	answer(f, m, trick);
	m->nfds = 0;
	close(fd);
}

static void take_vring_fd(struct fake_backend *f, struct vhost_user_msg *m)
{
	struct fake_queue *q = &f->queue[m->payload.u64 % FAKE_QUEUES];

	if (m->hdr.request == VHOST_USER_SET_VRING_KICK)
		replace(&q->kick, m);
	else if (m->hdr.request == VHOST_USER_SET_VRING_CALL)
		replace(&q->call, m);
	else
		replace(&q->err, m);
}

static void take_memory(struct fake_backend *f, const struct vhost_user_msg *m)
{
	f->memory = m->payload.memory;
	f->memory_fds = m->nfds;
}

static void take_state(struct fake_backend *f, const struct vhost_user_msg *m)
{
	struct fake_queue *q = &f->queue[m->payload.state.index % FAKE_QUEUES];

	if (m->hdr.request == VHOST_USER_SET_VRING_NUM)
		q->num = m->payload.state.num;
	else if (m->hdr.request == VHOST_USER_SET_VRING_BASE)
		q->base = m->payload.state.num;
	else
		q->enabled = m->payload.state.num;
}

/* Requests without an answer of their own. */
static void obey(struct fake_backend *f, struct vhost_user_msg *m, bool trick)
{
	uint32_t request = m->hdr.request;

	switch (request) {
	case VHOST_USER_SET_FEATURES:
		f->driver_features = m->payload.u64;
		break;
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		f->driver_protocol = m->payload.u64;
		break;
	case VHOST_USER_SET_MEM_TABLE:
		take_memory(f, m);
		break;
	case VHOST_USER_SET_VRING_ADDR:
		f->queue[m->payload.addr.index % FAKE_QUEUES].addr = m->payload.addr;
		break;
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
		take_vring_fd(f, m);
		break;
	case VHOST_USER_SET_VRING_NUM:
	case VHOST_USER_SET_VRING_BASE:
	case VHOST_USER_SET_VRING_ENABLE:
		take_state(f, m);
		break;
	case VHOST_USER_SET_INFLIGHT_FD:
		f->inflight = m->payload.inflight;
		f->inflight_came_back = m->nfds == 1;
		break;
	default:
		break;
	}
	if (m->hdr.flags & VHOST_USER_FLAG_NEED_REPLY)
		answer_u64(f, request, 0, trick);
}

static void serve_message(struct fake_backend *f, struct vhost_user_msg *m, bool trick)
{
	uint32_t request = m->hdr.request;

	switch (request) {
	case VHOST_USER_GET_FEATURES:
		answer_u64(f, request, f->features, trick);
		break;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		answer_u64(f, request, f->protocol, trick);
		break;
	case VHOST_USER_GET_QUEUE_NUM:
		answer_u64(f, request, f->queue_num, trick);
		break;
	case VHOST_USER_GET_CONFIG:
		answer_config(f, m, trick);
		break;
	case VHOST_USER_GET_INFLIGHT_FD:
		answer_inflight(f, m, trick);
		break;
	case VHOST_USER_GET_VRING_BASE:
		m->payload.state.num = 0;
		answer(f, m, trick);
		break;
	default:
		obey(f, m, trick);
		break;
	}
}

/* Note the request.  True: the trick is due. */
static bool note(struct fake_backend *f, uint32_t request)
{
	unsigned int n, before = 0;

	n = atomic_load(&f->total);
	if (n < FAKE_LOG_MAX)
		f->log[n] = request;
	if (request < FAKE_REQUESTS)
		before = atomic_fetch_add(&f->seen[request], 1);
	atomic_fetch_add(&f->total, 1);
	return f->trick != FAKE_NONE && request == f->at && before >= f->skip;
}

/* Established back ends take the area as C lays it out, and nothing shorter. */
static bool has_right_size(const struct vhost_user_msg *m)
{
	return (m->hdr.request != VHOST_USER_GET_INFLIGHT_FD &&
		m->hdr.request != VHOST_USER_SET_INFLIGHT_FD) ||
	       m->hdr.size == sizeof(struct vhost_user_inflight);
}

static void *serve(void *arg)
{
	struct fake_backend *f = arg;
	struct pollfd hangup = { .fd = f->sock };
	struct vhost_user_msg m;

	while (vhost_user_recv(f->sock, &m, now_ns() + 20 * NS_PER_S) == 0) {
		bool trick = note(f, m.hdr.request);

		bool end = trick && (f->trick == FAKE_DIE || f->trick == FAKE_DEAF);

		if (end || !has_right_size(&m)) {
			vhost_user_msg_release(&m);
			if (end && f->trick == FAKE_DEAF)
				poll(&hangup, 1, 20000);
			break;
		}
		if (trick && f->trick == FAKE_SILENT)
			f->silent = true;
		serve_message(f, &m, trick);
		vhost_user_msg_release(&m);
	}
	close_fd(&f->sock);
	return NULL;
}

void fake_backend_start(struct fake_backend *f, int sock)
{
	f->sock = sock;
	f->joined = pthread_create(&f->thread, NULL, serve, f) != 0;
}

void fake_backend_join(struct fake_backend *f)
{
	if (!f->joined)
		pthread_join(f->thread, NULL);
	f->joined = true;
}

void fake_backend_release(struct fake_backend *f)
{
	for (size_t i = 0; i < FAKE_QUEUES; i++) {
		close_fd(&f->queue[i].kick);
		close_fd(&f->queue[i].call);
		close_fd(&f->queue[i].err);
	}
}

pid_t fake_backend_fork(struct fake_backend *f, int sock, int *ret_pidfd)
{
	pid_t pid = fork();

	if (pid == 0) {
		/* Copies of other ends would hide hang-ups. */
		f->sock = dup2(sock, 3);
		close_range(4, ~0u, 0);
		serve(f);
		_exit(0);
	}
	close(sock);
	*ret_pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	return pid;
}
