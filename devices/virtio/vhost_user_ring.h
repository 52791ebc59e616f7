/*
 * vhost_user_ring.h - private to the back end: its state, and the life of a
 * ring.  vhost_user_backend.c (messages, loop) and vhost_user_ring.c share it.
 */
#ifndef VHOST_USER_RING_H
#define VHOST_USER_RING_H

#include "devices/virtio/vhost_user_backend.h"
#include "devices/virtio/vhost_user_memory.h"

struct vhost_user_ring {
	struct virtqueue vq;
	/* What the front end said; taken over when the ring starts. */
	uint32_t num;
	uint16_t base;
	bool have_addr, enabled;
	uint64_t desc, avail, used; /* user addresses */
	struct virtqueue_geometry geometry;
	int kick_fd, call_fd, err_fd; /* owned; -1: none */

	bool started; /* vq is started, or was found broken */
	bool refused; /* could not start: not tried again until reconfigured */
	bool told;    /* the front end knows that it is broken */
};

struct vhost_user_backend {
	const struct device_seat *seat;
	struct vhost_user_device dev;
	int epoll_fd;

	uint64_t features;	    /* without bit 30 */
	uint64_t protocol_features; /* accepted */
	bool have_features, enable_needed;

	struct vhost_user_table table;

	int inflight_fd; /* the area that GET_INFLIGHT_FD hands out; -1: none */
	struct shared_map inflight_own;
	struct shared_map inflight; /* the one in use (SET_INFLIGHT_FD) */
	uint16_t inflight_queues, inflight_size;

	uint32_t again;		       /* queues to process before sleeping */
	uint32_t later;		       /* queues to process at `later_at` */
	uint64_t later_at;	       /* ns */
	unsigned int complaints;       /* lines about the guest logged so far */
	struct vhost_user_ring ring[]; /* dev.nqueues */
};

/* What an event of the loop's epoll belongs to (high half of its data). */
enum vhost_user_source { SOURCE_SOCKET, SOURCE_KICK, SOURCE_DEVICE };

int vhost_user_epoll_add(struct vhost_user_backend *b, int fd, enum vhost_user_source source,
			 unsigned int index, uint32_t events);

/* May one more line about what the guest did be logged?  A guest can go on
 * doing it for ever. */
bool vhost_user_may_complain(struct vhost_user_backend *b);

/* The ring is served now. */
bool vhost_user_ring_active(const struct vhost_user_backend *b, unsigned int q);

/* Start ring q if nothing is missing any more.  0 (also: something is
 * missing); or a positive errno: the geometry was refused. */
int vhost_user_ring_update(struct vhost_user_backend *b, unsigned int q);

/* Bring to rest, keeping its place (pause), or for good (stop: the base to
 * go on from is in ring.base then; kick and call fd are closed, since front
 * ends send them at each start, and the error fd is kept, since they do not). */
void vhost_user_ring_pause(struct vhost_user_backend *b, unsigned int q);
void vhost_user_ring_stop(struct vhost_user_backend *b, unsigned int q);

/* Replace the kick fd (owned from here on; -1: none). */
int vhost_user_ring_set_kick(struct vhost_user_backend *b, unsigned int q, int fd);

#endif
