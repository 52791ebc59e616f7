/*
 * virtqueue.h - the device's side of a split virtqueue (virtio 1.3, 2.7) with
 * INDIRECT_DESC and EVENT_IDX.
 *
 * Theory of operation
 * -------------------
 * The driver owns the descriptor table and the available ring, the device
 * owns the used ring; all three lie in guest memory, where a hostile guest
 * may change any byte at any moment.  Hence:
 *
 * - The geometry (size, three addresses) is checked and translated once, by
 *   virtqueue_start(), and is not looked at again until virtqueue_stop().
 * - Every load from the rings is one load into a local, an atomic one but for
 *   indirect tables; only the local is checked and used.  What we must remember
 *   (our two indices, which heads are out) is private memory, never read back
 *   from the ring.
 * - A ring that breaks the rules is a state of the device, not an accident:
 *   the queue becomes broken, `why` says in what way, and from then on pop
 *   finds nothing and push does nothing, until the queue is started anew.
 *
 * A chain goes: pop -> (device serves it) -> push -> publish, or unpop.  Each
 * popped chain is pushed or unpopped exactly once; the head's bit in `out`
 * enforces it and makes a driver that offers the same head twice malformed.
 *
 * Notifications: publish() says whether the driver wants an interrupt for the
 * whole batch.  A device that has emptied the ring calls
 * virtqueue_enable_notify() and, when that says that more came in between,
 * goes on.  With EVENT_IDX a kick costs the driver one exit per enable.
 *
 * Nothing here allocates, blocks, logs or calls the system.  Not thread-safe.
 * The rings are little-endian, as is every host that we build for.
 */
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/guest_memory.h"
#include "devices/virtio/inflight.h"

#define VIRTQUEUE_SIZE_MAX 256u

struct virtqueue_geometry {
	uint32_t size; /* entries */
	gpa_t desc, avail, used;
};

struct virtqueue_options {
	bool event_idx, indirect; /* what was negotiated */
	uint16_t base;		  /* first available index to serve */
	/* Shared record of this queue or NULL.  When it is there, service begins
	 * with what it holds and goes on behind that; `base` is not used. */
	struct inflight_queue *inflight;
};

struct virtqueue {
	const struct guest_memory *mem; /* borrowed while started */
	void *desc, *avail, *used;	/* translated; NULL: stopped */
	uint16_t size;
	bool event_idx, indirect;

	uint16_t next_avail;  /* free-running: the next entry to pop */
	uint16_t seen_avail;  /* the driver's index when last fetched */
	uint16_t next_used;   /* free-running: the next entry to fill */
	uint16_t published;   /* what the driver sees of next_used */
	bool force_interrupt; /* the next publish interrupts whatever the driver says */
	const char *why;      /* broken: the rule that was broken; or NULL */
	uint64_t out[VIRTQUEUE_SIZE_MAX / 64]; /* heads popped and not returned */
	unsigned int nout;

	struct inflight_queue *inflight;
	uint64_t inflight_counter;
	uint16_t nresume, next_resume;
	uint16_t resume[VIRTQUEUE_SIZE_MAX]; /* heads to serve again */
	uint16_t batch[VIRTQUEUE_SIZE_MAX];  /* heads pushed since the last publish */
};

/*
 * A popped chain as iovecs over guest memory: `nread` that the device may
 * read, then `nwrite` that it may write.  The iovecs are in the array that
 * was given to pop.  What they point to is the guest's and changes at will.
 */
struct virtqueue_chain {
	uint16_t head;
	uint16_t ndesc; /* of the ring's own table: an indirect table takes one */
	unsigned int nread, nwrite;
	uint32_t read_bytes, write_bytes;
};

/*
 * Check the geometry and start.  `mem` must stay as it is until
 * virtqueue_stop() or virtqueue_remap().
 * 0; -EINVAL (size not a power of two in 1..256, misaligned ring, an index or
 * a record that contradicts the ring) or -EFAULT (ring not in memory): the
 * queue stays stopped and vq->why says which.
 */
int virtqueue_start(struct virtqueue *vq, const struct guest_memory *mem,
		    const struct virtqueue_geometry *geometry,
		    const struct virtqueue_options *options);

/* Forget the rings; the in-flight record is marked unused.  No chain may be
 * out. */
void virtqueue_stop(struct virtqueue *vq);

/* The memory's mappings have changed: translate the rings again.  0 or
 * -EFAULT (stopped then).  No chain may be out. */
int virtqueue_remap(struct virtqueue *vq, const struct guest_memory *mem,
		    const struct virtqueue_geometry *geometry);

/*
 * Take the next available chain.  `iov` has room for `max` entries.
 *
 * 1: *ret_chain and iov[] describe it.  Guaranteed: every iovec lies in guest
 *    memory, none is empty, readable ones come first, the sums fit uint32_t,
 *    and the walk took a bounded number of steps.  Not guaranteed, the caller
 *    must check: that there is any readable or any writable byte, any layout
 *    of what the bytes mean, that two iovecs do not overlap, that the content
 *    stays the same.  A buffer that crosses from one memory region into the
 *    next is given as two iovecs.
 * 0: nothing available (or the queue is stopped or broken).
 * -EBADMSG: the queue has just become broken.
 */
int virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *ret_chain, struct iovec *iov,
		  unsigned int max);

/* Return the chain popped last, unserved: the next pop gives it again.  Only
 * in reverse order of popping, and not on a queue with an in-flight record. */
void virtqueue_unpop(struct virtqueue *vq, uint16_t head);

/* Return a chain to the driver; `written` bytes were written from the start of
 * its writable part.  The driver does not see it before publish. */
void virtqueue_push(struct virtqueue *vq, uint16_t head, uint32_t written);

/* Show the driver all that was pushed.  True: it wants an interrupt. */
bool virtqueue_publish(struct virtqueue *vq);

/* Ask the driver (not) to kick.  enable returns true when a chain came in
 * before the driver could know: pop again, no kick will come for it. */
void virtqueue_disable_notify(struct virtqueue *vq);
bool virtqueue_enable_notify(struct virtqueue *vq);

/* Declare the ring broken, for a rule that only the device knows. */
int virtqueue_break(struct virtqueue *vq, const char *why);

static inline bool virtqueue_running(const struct virtqueue *vq)
{
	return vq->desc && !vq->why;
}

#endif
