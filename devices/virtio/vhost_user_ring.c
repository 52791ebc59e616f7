/*
 * vhost_user_ring.c - the life of one ring of the back end: start, pause,
 * stop, broken; and what a device model does with it.
 *
 * System calls: write (call and error eventfds), epoll_ctl, close.
 */
#include "devices/virtio/vhost_user_ring.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"

#define MAX_COMPLAINTS 32u

static bool has_feature(const struct vhost_user_backend *b, unsigned int bit)
{
	return b->features >> bit & 1;
}

/* One count into a call or error eventfd.  It can only fail if the other side
 * gave us something that is no eventfd, and then it is its interrupt. */
static void signal_eventfd(int fd)
{
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		log_debug("write to an eventfd failed");
}

static bool ring_enabled(const struct vhost_user_backend *b, const struct vhost_user_ring *r)
{
	return r->enabled || !b->enable_needed;
}

bool vhost_user_ring_active(const struct vhost_user_backend *b, unsigned int q)
{
	const struct vhost_user_ring *r = &b->ring[q];

	return r->started && ring_enabled(b, r) && r->kick_fd >= 0 && virtqueue_running(&r->vq);
}

bool vhost_user_may_complain(struct vhost_user_backend *b)
{
	if (b->complaints == MAX_COMPLAINTS)
		return false;
	if (++b->complaints == MAX_COMPLAINTS)
		log_warn("%s: no more of such lines from here on", b->seat->name);
	return true;
}

static void tell_broken(struct vhost_user_backend *b, unsigned int q)
{
	struct vhost_user_ring *r = &b->ring[q];

	if (r->told)
		return;
	r->told = true;
	counter_add(&b->seat->counters->malformed, 1);
	if (vhost_user_may_complain(b))
		log_warn("%s: queue %u stopped: %s", b->seat->name, q, r->vq.why);
	signal_eventfd(r->err_fd);
}

static struct inflight_queue *ring_inflight(const struct vhost_user_backend *b, unsigned int q)
{
	if (!b->inflight.data || q >= b->inflight_queues || b->ring[q].num != b->inflight_size)
		return NULL;
	return (struct inflight_queue *)(void *)(b->inflight.data +
						 q * inflight_queue_bytes(b->inflight_size));
}

static int ring_start(struct vhost_user_backend *b, unsigned int q)
{
	struct vhost_user_ring *r = &b->ring[q];
	struct virtqueue_options options = {
		.event_idx = has_feature(b, VIRTIO_RING_F_EVENT_IDX),
		.indirect = has_feature(b, VIRTIO_RING_F_INDIRECT_DESC),
		.base = r->base,
		.inflight = ring_inflight(b, q),
	};
	int code;

	r->told = false;
	r->geometry.size = r->num;
	if (vhost_user_table_translate(&b->table, r->desc, &r->geometry.desc) < 0 ||
	    vhost_user_table_translate(&b->table, r->avail, &r->geometry.avail) < 0 ||
	    vhost_user_table_translate(&b->table, r->used, &r->geometry.used) < 0) {
		r->vq.why = "a ring address is in no memory region";
		code = -EFAULT;
	} else {
		code = virtqueue_start(&r->vq, &b->table.mem, &r->geometry, &options);
	}
	if (code < 0) {
		r->refused = true;
		tell_broken(b, q);
		return -code;
	}
	r->started = true;
	return 0;
}

int vhost_user_ring_update(struct vhost_user_backend *b, unsigned int q)
{
	struct vhost_user_ring *r = &b->ring[q];
	int code;

	if (!b->have_features || !b->table.nregions || !r->num || !r->have_addr || r->kick_fd < 0 ||
	    !ring_enabled(b, r) || r->refused)
		return 0;
	if (!r->started) {
		code = ring_start(b, q);
		if (code)
			return code;
	}
	/* Whatever was made available before we watched: no kick will come. */
	vhost_user_again(b, q);
	return 0;
}

void vhost_user_ring_pause(struct vhost_user_backend *b, unsigned int q)
{
	if (!b->ring[q].started)
		return;
	b->dev.quiesce(b->dev.ctx, q);
	vhost_user_flush(b, q);
	b->again &= ~(1u << q);
}

void vhost_user_ring_stop(struct vhost_user_backend *b, unsigned int q)
{
	struct vhost_user_ring *r = &b->ring[q];

	vhost_user_ring_pause(b, q);
	if (r->started) {
		r->base = r->vq.next_avail;
		virtqueue_stop(&r->vq);
	}
	r->started = false;
	r->refused = false;
	vhost_user_ring_set_kick(b, q, -1);
	close_fd(&r->call_fd);
}

int vhost_user_ring_set_kick(struct vhost_user_backend *b, unsigned int q, int fd)
{
	struct vhost_user_ring *r = &b->ring[q];

	if (r->kick_fd >= 0) {
		/* Others hold the eventfd too: closing ours would not end the watch. */
		epoll_ctl(b->epoll_fd, EPOLL_CTL_DEL, r->kick_fd, NULL);
		close_fd(&r->kick_fd);
	}
	if (fd < 0)
		return 0;
	r->kick_fd = fd;
	return vhost_user_epoll_add(b, fd, SOURCE_KICK, q, EPOLLIN | EPOLLET);
}

/* --- for device models --- */

struct virtqueue *vhost_user_queue(struct vhost_user_backend *b, unsigned int q)
{
	return &b->ring[q].vq;
}

int vhost_user_pop(struct vhost_user_backend *b, unsigned int q, struct virtqueue_chain *chain,
		   struct iovec *iov, unsigned int max)
{
	int r;

	if (!vhost_user_ring_active(b, q))
		return 0;
	r = virtqueue_pop(&b->ring[q].vq, chain, iov, max);
	if (r < 0) {
		tell_broken(b, q);
		return 0;
	}
	return r;
}

void vhost_user_break(struct vhost_user_backend *b, unsigned int q, const char *why)
{
	virtqueue_break(&b->ring[q].vq, why);
	tell_broken(b, q);
}

void vhost_user_flush(struct vhost_user_backend *b, unsigned int q)
{
	struct vhost_user_ring *r = &b->ring[q];

	if (!r->started || !virtqueue_publish(&r->vq) || r->call_fd < 0)
		return;
	counter_add(&b->seat->counters->interrupts, 1);
	counter_add(&b->seat->counters->syscalls, 1);
	signal_eventfd(r->call_fd);
}

void vhost_user_again(struct vhost_user_backend *b, unsigned int q)
{
	b->again |= 1u << q;
}
