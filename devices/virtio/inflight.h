/*
 * inflight.h - the shared record of the chains that a device has popped and
 * not yet returned, in the layout of the vhost-user protocol ("Inflight I/O
 * tracking", split virtqueues), so that a successor of a dead device process
 * can serve them again.
 *
 * The record is shared with the front end, which may write anything into it:
 * it is read once, at resume, and every field is checked then.  While the
 * device runs it only writes.
 */
#ifndef INFLIGHT_H
#define INFLIGHT_H

#include <stddef.h>
#include <stdint.h>

struct inflight_desc {
	uint8_t inflight; /* 1: the chain with this head is out */
	uint8_t padding[5];
	uint16_t next;	  /* links the last batch of returned chains */
	uint64_t counter; /* order of popping */
};

struct inflight_queue {
	uint64_t features;
	uint16_t version; /* 1; 0: never used */
	uint16_t desc_num;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct inflight_desc desc[];
};

/* Bytes of one queue's record, a multiple of a cache line. */
size_t inflight_queue_bytes(unsigned int queue_size);

/*
 * Take the record over for a queue whose used index is `used_idx`.  A record
 * that was never used is set up.  *ret_heads (room for queue_size entries)
 * gets the heads to serve again, oldest first; *ret_counter the next order
 * number.  Returns their count, or -EINVAL when the record contradicts itself
 * or the queue.
 */
int inflight_resume(struct inflight_queue *q, uint16_t queue_size, uint16_t used_idx,
		    uint16_t *ret_heads, uint64_t *ret_counter);

/* An ordered stop: nothing is out; the record is as if never used. */
void inflight_clear(struct inflight_queue *q);

/* A chain was popped; before anything is done for it. */
void inflight_popped(struct inflight_queue *q, uint16_t head, uint64_t counter);

/* A chain was put into the used ring, which is not yet published. */
void inflight_returned(struct inflight_queue *q, uint16_t head);

/* The used ring was published: `heads` are the `count` chains since the last
 * time, used_idx the index that the driver sees now. */
void inflight_published(struct inflight_queue *q, const uint16_t *heads, unsigned int count,
			uint16_t used_idx);

#endif
