/*
 * vhost_user_backend.h - the vhost-user back end: one event loop that serves
 * the front end's messages, the rings' kicks and the device's own fds, all on
 * one thread.
 *
 * A device model is a `struct vhost_user_device`: what it offers, and a few
 * functions.  It gets chains with vhost_user_pop(), returns them with
 * virtqueue_push() on vhost_user_queue(), and shows them to the driver with
 * vhost_user_flush().
 *
 * A ring is served from the moment when it has a size, addresses, a kick fd,
 * a memory table and features, and is enabled.  Its geometry is checked then
 * and is frozen until GET_VRING_BASE or RESET_DEVICE.  It is scanned once
 * without a kick, so that a successor of a dead process misses nothing.
 *
 * A ring that breaks the rules is stopped, counted, and told to the front end
 * through its error eventfd (SET_VRING_ERR).  A front end that breaks the
 * protocol ends the process.
 *
 * Kick eventfds are watched edge-triggered and never read: every write to an
 * eventfd is an edge of its own, the counter has room for 2^64 kicks, and a
 * read could block if another holder cleared O_NONBLOCK.  A kick fd must
 * therefore be an eventfd.  Call and error eventfds are written with 1, which
 * blocks only if somebody filled the counter; the only ones who can are the
 * VM's own processes, who would stop their own interrupts.
 */
#ifndef VHOST_USER_BACKEND_H
#define VHOST_USER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/virtio/device_process.h"
#include "devices/virtio/vhost_user.h"
#include "devices/virtio/virtqueue.h"

#define VHOST_USER_MAX_QUEUES 16u

struct vhost_user_backend;

struct vhost_user_device {
	uint64_t features; /* offered; VERSION_1, INDIRECT_DESC and EVENT_IDX included */
	unsigned int nqueues;
	const void *config; /* device configuration space */
	size_t config_len;
	bool inflight; /* completes out of order: keeps in-flight records */
	void *ctx;

	/* The driver's features (a subset of the offered).  No ring runs. */
	int (*set_features)(void *ctx, uint64_t features);

	/*
	 * Serve queue q: it was kicked, started, or asked for by
	 * vhost_user_again().  Bounded work; true: call me again, after the
	 * other queues had their turn.
	 */
	bool (*process)(void *ctx, unsigned int q);

	/*
	 * Bring queue q to rest.  On return every popped chain was pushed or
	 * unpopped and nothing will write to guest memory for this queue.
	 */
	void (*quiesce)(void *ctx, unsigned int q);

	/* A device fd has one of `events` (EPOLL*). */
	void (*event)(void *ctx, unsigned int tag, uint32_t events);
};

/*
 * Allocate and set up; all memory that serving needs.  `seat` and dev->config are
 * borrowed.  NULL with *e set.  Free it after serving.
 */
struct vhost_user_backend *vhost_user_backend_new(const struct device_seat *seat,
						  const struct vhost_user_device *dev,
						  struct err *e);
void vhost_user_backend_free(struct vhost_user_backend *b);

/* Watch a fd of the device (borrowed) for `events`.  0 or -errno. */
int vhost_user_watch(struct vhost_user_backend *b, int fd, unsigned int tag, uint32_t events);

/* The same of one that is watched: the kernel looks at it now, and what is the
 * case already is an event, edge-triggered or not.  While serving. */
int vhost_user_rewatch(struct vhost_user_backend *b, int fd, unsigned int tag, uint32_t events);

/* Serve until the front end hangs up (0) or breaks the protocol (-EPROTO and
 * *e), or the loop itself fails (-errno).  All rings are at rest then. */
int vhost_user_serve(struct vhost_user_backend *b, struct err *e);

/* --- for device models, inside their functions --- */

/* The queue, for push and the notification calls.  Pushing is allowed as long
 * as a chain is out, also when the ring has been found broken meanwhile. */
struct virtqueue *vhost_user_queue(struct vhost_user_backend *b, unsigned int q);

/* virtqueue_pop() that gives nothing while the queue is not to be served, and
 * tells the front end when the ring turns out broken.  1 or 0. */
int vhost_user_pop(struct vhost_user_backend *b, unsigned int q, struct virtqueue_chain *chain,
		   struct iovec *iov, unsigned int max);

/* The ring broke a rule of the device class: stop it. */
void vhost_user_break(struct vhost_user_backend *b, unsigned int q, const char *why);

/* Publish what was pushed, and interrupt if the driver wants it. */
void vhost_user_flush(struct vhost_user_backend *b, unsigned int q);

/* Call process(q) again before sleeping. */
void vhost_user_again(struct vhost_user_backend *b, unsigned int q);

/*
 * Call process(q) again at `at_ns` (CLOCK_MONOTONIC), or some milliseconds
 * later, and never much later than a tenth of a second from now: a rate may
 * have been changed.  A kick meanwhile calls it too.
 */
void vhost_user_later(struct vhost_user_backend *b, unsigned int q, uint64_t at_ns);

/* Add to a counter of the shared page. */
#define counter_add(field, n) __atomic_fetch_add((field), (uint64_t)(n), __ATOMIC_RELAXED)

#endif
