/*
 * vhost_user_channel.h - vhost-user messages over a socket, without waiting.
 *
 * The message layer of devices/virtio/vhost_user.h waits (to a deadline) for
 * the rest of a message.  The control thread serves many devices and must
 * not: one that sends half a header would hold up all others.  A channel
 * keeps what has arrived so far, and what could not be sent yet.
 *
 * The peer is hostile: nothing beyond *ret_msg is written, fds that do not
 * fit are closed, and every call carries MSG_DONTWAIT because the other
 * holder of the socket could clear O_NONBLOCK.
 *
 * One thread.  System calls: sendmsg, recvmsg, close (surplus fds).
 */
#ifndef MONITOR_VHOST_USER_CHANNEL_H
#define MONITOR_VHOST_USER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/virtio/vhost_user.h"

struct vhost_user_channel {
	int sock; /* borrowed */
	struct vhost_user_msg in;
	size_t in_have; /* bytes of `in`'s header and payload that have arrived */
	struct vhost_user_msg out;
	size_t out_done, out_len; /* bytes; equal: nothing is waiting */
};

void vhost_user_channel_init(struct vhost_user_channel *ch, int sock);

/* Close the fds of a half-received message.  The socket stays open. */
void vhost_user_channel_release(struct vhost_user_channel *ch);

/*
 * Send one message; its fds are borrowed and must stay open until it has
 * gone.  0: it has; -EAGAIN: the socket is full, the rest goes with
 * vhost_user_channel_flush(); -EPIPE: the peer is gone; -errno.
 * Only while nothing is waiting.
 */
int vhost_user_channel_send(struct vhost_user_channel *ch, const struct vhost_user_msg *msg);

/* Go on with what is waiting.  Results as above; 0 if nothing was. */
int vhost_user_channel_flush(struct vhost_user_channel *ch);

static inline bool vhost_user_channel_waiting(const struct vhost_user_channel *ch)
{
	return ch->out_done < ch->out_len;
}

/*
 * Take one message out.  0: *ret_msg, whose fds are the caller's; -EAGAIN:
 * not (wholly) there yet; -EPIPE: the peer has closed; -EPROTO: a header
 * that is not vhost-user version 1 or promises more than a message can hold
 * (ch->in.hdr tells which); -errno.  After a failure other than -EAGAIN the
 * channel is useless.
 */
int vhost_user_channel_recv(struct vhost_user_channel *ch, struct vhost_user_msg *ret_msg);

#endif
