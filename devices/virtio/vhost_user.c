/*
 * vhost_user.c - see vhost_user.h.
 *
 * The socket is a Unix stream: a message may arrive in pieces, and its fds
 * arrive with its first byte.  Both ends hold the same open file description
 * as somebody who may be hostile, who could clear O_NONBLOCK on it: every
 * call here therefore carries MSG_DONTWAIT and waits in ppoll, where the
 * deadline counts.  Any thread may call; two threads must not use the same
 * direction of a socket at the same time.
 *
 * System calls: sendmsg, recvmsg, ppoll, close (surplus fds); clock_gettime
 * through the vDSO, as a call where there is none.
 */
#include "devices/virtio/vhost_user.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "vmm/base/util.h"

static_assert(sizeof(struct vhost_user_header) == VHOST_USER_HEADER_LEN, "wire layout");
static_assert(sizeof(struct vhost_user_memory) == 8 + 8 * 32, "wire layout");
static_assert(offsetof(struct vhost_user_config, region) == VHOST_USER_CONFIG_HEADER_LEN,
	      "wire layout");
static_assert(offsetof(struct vhost_user_inflight, queue_size) + 2 == VHOST_USER_INFLIGHT_LEN,
	      "wire layout");

/* Room for the fds of one message, aligned as the kernel wants it. */
union fd_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(VHOST_USER_MAX_FDS * sizeof(int))];
};

/* Wait until `events` may be true.  0, -ETIMEDOUT or -errno.  A signal ends
 * the wait early; the caller's retry then finds out. */
static int wait_for(int sock, short events, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = sock, .events = events };
	struct timespec ts, *timeout = NULL;
	uint64_t now;

	if (deadline_ns) {
		now = now_ns();
		if (now >= deadline_ns)
			return -ETIMEDOUT;
		ts.tv_sec = (time_t)((deadline_ns - now) / NS_PER_S);
		ts.tv_nsec = (long)((deadline_ns - now) % NS_PER_S);
		timeout = &ts;
	}
	if (ppoll(&p, 1, timeout, NULL) < 0 && errno != EINTR)
		return neg_errno();
	return 0;
}

/* What the errno of a failed call means to the callers' loops: 0 try again,
 * or the final result. */
static int after_failure(int sock, short events, uint64_t deadline_ns)
{
	switch (errno) {
	case EINTR:
		return 0;
	case EAGAIN:
		return wait_for(sock, events, deadline_ns);
	case ECONNRESET:
		return -EPIPE;
	default:
		return neg_errno();
	}
}

/* Put the fds of *msg into *control and hang it on *mh. */
static void attach_fds(struct msghdr *mh, union fd_control *control,
		       const struct vhost_user_msg *msg)
{
	size_t bytes = msg->nfds * sizeof(int);
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	mh->msg_control = control;
	mh->msg_controllen = CMSG_SPACE(bytes);
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(c), msg->fds, bytes);
}

int vhost_user_send(int sock, const struct vhost_user_msg *msg, uint64_t deadline_ns)
{
	uint8_t wire[sizeof(struct vhost_user_header) + sizeof(union vhost_user_payload)];
	struct vhost_user_header hdr = msg->hdr;
	union fd_control control;
	size_t len, done = 0;
	ssize_t n;
	int r;

	if (hdr.size > sizeof(msg->payload) || msg->nfds > VHOST_USER_MAX_FDS)
		return -EINVAL;
	hdr.flags = (hdr.flags & ~VHOST_USER_FLAG_VERSION_MASK) | VHOST_USER_VERSION;
	memcpy(wire, &hdr, sizeof(hdr));
	memcpy(wire + sizeof(hdr), &msg->payload, hdr.size);
	len = sizeof(hdr) + hdr.size;

	while (done < len) {
		struct iovec iov = { .iov_base = wire + done, .iov_len = len - done };
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

		if (done == 0 && msg->nfds)
			attach_fds(&mh, &control, msg);
		n = sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0) {
			r = after_failure(sock, POLLOUT, deadline_ns);
			if (r < 0)
				return r;
			continue;
		}
		done += (size_t)n;
	}
	return 0;
}

/* Move the fds that came with *mh into *msg; close what does not fit. */
static void collect_fds(struct msghdr *mh, struct vhost_user_msg *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t count;
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (msg->nfds < VHOST_USER_MAX_FDS)
				msg->fds[msg->nfds++] = fd;
			else
				close(fd);
		}
	}
}

/* Fill `len` bytes of `data`; fds are added to *msg. */
static int recv_part(int sock, void *data, size_t len, struct vhost_user_msg *msg,
		     uint64_t deadline_ns)
{
	union fd_control control;
	size_t done = 0;
	ssize_t n;
	int r;

	while (done < len) {
		struct iovec iov = { .iov_base = (uint8_t *)data + done, .iov_len = len - done };
		struct msghdr mh = { .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = &control,
				     .msg_controllen = sizeof(control) };

		n = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0) {
			r = after_failure(sock, POLLIN, deadline_ns);
			if (r < 0)
				return r;
			continue;
		}
		collect_fds(&mh, msg);
		if (n == 0)
			return -EPIPE;
		done += (size_t)n;
	}
	return 0;
}

int vhost_user_recv(int sock, struct vhost_user_msg *ret_msg, uint64_t deadline_ns)
{
	struct vhost_user_msg msg;
	int r;

	memset(&msg, 0, sizeof(msg));
	r = recv_part(sock, &msg.hdr, sizeof(msg.hdr), &msg, deadline_ns);
	if (r < 0)
		goto out;
	r = -EPROTO;
	if ((msg.hdr.flags & VHOST_USER_FLAG_VERSION_MASK) != VHOST_USER_VERSION ||
	    msg.hdr.size > sizeof(msg.payload))
		goto out;
	r = recv_part(sock, &msg.payload, msg.hdr.size, &msg, deadline_ns);
out:
	if (r < 0)
		vhost_user_msg_release(&msg);
	else
		*ret_msg = msg;
	return r;
}

void vhost_user_msg_release(struct vhost_user_msg *msg)
{
	for (unsigned int i = 0; i < msg->nfds; i++)
		close_fd(&msg->fds[i]);
	msg->nfds = 0;
}

int vhost_user_msg_take_fd(struct vhost_user_msg *msg, unsigned int index)
{
	return index < msg->nfds ? take_fd(&msg->fds[index]) : -1;
}

const char *vhost_user_request_name(uint32_t request)
{
	static const char *const names[] = {
		[VHOST_USER_GET_FEATURES] = "GET_FEATURES",
		[VHOST_USER_SET_FEATURES] = "SET_FEATURES",
		[VHOST_USER_SET_OWNER] = "SET_OWNER",
		[VHOST_USER_RESET_OWNER] = "RESET_OWNER",
		[VHOST_USER_SET_MEM_TABLE] = "SET_MEM_TABLE",
		[VHOST_USER_SET_LOG_BASE] = "SET_LOG_BASE",
		[VHOST_USER_SET_LOG_FD] = "SET_LOG_FD",
		[VHOST_USER_SET_VRING_NUM] = "SET_VRING_NUM",
		[VHOST_USER_SET_VRING_ADDR] = "SET_VRING_ADDR",
		[VHOST_USER_SET_VRING_BASE] = "SET_VRING_BASE",
		[VHOST_USER_GET_VRING_BASE] = "GET_VRING_BASE",
		[VHOST_USER_SET_VRING_KICK] = "SET_VRING_KICK",
		[VHOST_USER_SET_VRING_CALL] = "SET_VRING_CALL",
		[VHOST_USER_SET_VRING_ERR] = "SET_VRING_ERR",
		[VHOST_USER_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
		[VHOST_USER_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
		[VHOST_USER_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
		[VHOST_USER_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
		[VHOST_USER_GET_CONFIG] = "GET_CONFIG",
		[VHOST_USER_SET_CONFIG] = "SET_CONFIG",
		[VHOST_USER_GET_INFLIGHT_FD] = "GET_INFLIGHT_FD",
		[VHOST_USER_SET_INFLIGHT_FD] = "SET_INFLIGHT_FD",
		[VHOST_USER_RESET_DEVICE] = "RESET_DEVICE",
	};

	if (request < ARRAY_SIZE(names) && names[request])
		return names[request];
	return "unknown request";
}
