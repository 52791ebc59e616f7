/* vhost_user_channel.c - see vhost_user_channel.h. */
#include "vmm/monitor/vhost_user_channel.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "vmm/base/util.h"

/* Room for the fds of one message, aligned as the kernel wants it. */
union fd_space {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(VHOST_USER_MAX_FDS * sizeof(int))];
};

void vhost_user_channel_init(struct vhost_user_channel *ch, int sock)
{
	memset(ch, 0, sizeof(*ch));
	ch->sock = sock;
}

void vhost_user_channel_release(struct vhost_user_channel *ch)
{
	vhost_user_msg_release(&ch->in);
	ch->in_have = 0;
	ch->out_done = ch->out_len = 0;
}

static int socket_errno(void)
{
	return errno == ECONNRESET ? -EPIPE : neg_errno();
}

/* What is left of header and payload from byte `from` on, up to `to`. */
static unsigned int pieces(struct vhost_user_msg *msg, size_t from, size_t to, struct iovec iov[2])
{
	const size_t hdr_len = sizeof(msg->hdr);
	unsigned int n = 0;

	if (from < hdr_len)
		iov[n++] = (struct iovec){ (uint8_t *)&msg->hdr + from, MIN(hdr_len, to) - from };
	if (to > hdr_len) {
		size_t start = from > hdr_len ? from - hdr_len : 0;

		iov[n++] = (struct iovec){ (uint8_t *)&msg->payload + start, to - hdr_len - start };
	}
	return n;
}

int vhost_user_channel_send(struct vhost_user_channel *ch, const struct vhost_user_msg *msg)
{
	if (vhost_user_channel_waiting(ch))
		return -EBUSY;
	if (msg->hdr.size > sizeof(msg->payload) || msg->nfds > VHOST_USER_MAX_FDS)
		return -EINVAL;
	ch->out = *msg;
	ch->out.hdr.flags = (msg->hdr.flags & ~VHOST_USER_FLAG_VERSION_MASK) | VHOST_USER_VERSION;
	ch->out_done = 0;
	ch->out_len = sizeof(msg->hdr) + msg->hdr.size;
	return vhost_user_channel_flush(ch);
}

/* The fds travel with the first byte. */
static void put_fds(struct msghdr *mh, union fd_space *space, const struct vhost_user_msg *msg)
{
	struct cmsghdr *c;

	memset(space, 0, sizeof(*space));
	mh->msg_control = space;
	mh->msg_controllen = CMSG_SPACE(msg->nfds * sizeof(int));
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(msg->nfds * sizeof(int));
	memcpy(CMSG_DATA(c), msg->fds, msg->nfds * sizeof(int));
}

int vhost_user_channel_flush(struct vhost_user_channel *ch)
{
	while (vhost_user_channel_waiting(ch)) {
		union fd_space space;
		struct iovec iov[2];
		struct msghdr mh = { .msg_iov = iov };
		ssize_t n;

		mh.msg_iovlen = pieces(&ch->out, ch->out_done, ch->out_len, iov);
		if (ch->out_done == 0 && ch->out.nfds)
			put_fds(&mh, &space, &ch->out);
		n = sendmsg(ch->sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return socket_errno();
		}
		ch->out_done += (size_t)n;
	}
	return 0;
}

static void keep_fds(struct vhost_user_msg *msg, struct msghdr *mh)
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

/* Bring ch->in up to `want` bytes; never reads into the next message. */
static int fill(struct vhost_user_channel *ch, size_t want)
{
	while (ch->in_have < want) {
		union fd_space space;
		struct iovec iov[2];
		struct msghdr mh = { .msg_iov = iov,
				     .msg_control = &space,
				     .msg_controllen = sizeof(space) };
		ssize_t n;

		mh.msg_iovlen = pieces(&ch->in, ch->in_have, want, iov);
		n = recvmsg(ch->sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return socket_errno();
		}
		keep_fds(&ch->in, &mh);
		if (n == 0)
			return -EPIPE;
		ch->in_have += (size_t)n;
	}
	return 0;
}

int vhost_user_channel_recv(struct vhost_user_channel *ch, struct vhost_user_msg *ret_msg)
{
	const struct vhost_user_header *hdr = &ch->in.hdr;
	int r;

	r = fill(ch, sizeof(*hdr));
	if (r < 0)
		return r;
	if ((hdr->flags & VHOST_USER_FLAG_VERSION_MASK) != VHOST_USER_VERSION ||
	    hdr->size > sizeof(ch->in.payload))
		return -EPROTO;
	r = fill(ch, sizeof(*hdr) + hdr->size);
	if (r < 0)
		return r;
	*ret_msg = ch->in;
	memset(&ch->in, 0, sizeof(ch->in));
	ch->in_have = 0;
	return 0;
}
