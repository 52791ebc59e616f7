/*
 * inflight.c - see inflight.h.
 *
 * Crash consistency: the writer may be killed between any two stores.  Stores
 * to shared memory that were executed are seen by the successor in program
 * order, so it is enough that the compiler keeps them in order: each is a
 * release store (free on x86-64).  The protocol's trick for the one hazard,
 * dying between publishing used->idx and clearing the marks, is the list of
 * the last batch: a successor that finds used->idx ahead of used_idx clears
 * the marks of that many chains itself.
 */
#include "devices/virtio/inflight.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/base/util.h"

#define INFLIGHT_VERSION 1

#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define load(p)	    __atomic_load_n((p), __ATOMIC_RELAXED)

size_t inflight_queue_bytes(unsigned int queue_size)
{
	return ALIGN_UP(sizeof(struct inflight_queue) + queue_size * sizeof(struct inflight_desc),
			(size_t)64);
}

/* Clear the marks of the batch whose publication the predecessor survived. */
static int finish_last_batch(struct inflight_queue *q, uint16_t queue_size, uint16_t used_idx)
{
	uint16_t count = (uint16_t)(used_idx - load(&q->used_idx));
	uint16_t head = load(&q->last_batch_head);

	if (count > queue_size)
		return -EINVAL;
	for (; count; count--) {
		if (head >= queue_size)
			return -EINVAL;
		store(&q->desc[head].inflight, (uint8_t)0);
		head = load(&q->desc[head].next);
	}
	store(&q->used_idx, used_idx);
	return 0;
}

/* Insertion sort: at most 256 entries, once in a device's life. */
static void insert_by_counter(uint16_t *heads, uint64_t *counters, unsigned int count,
			      uint16_t head, uint64_t counter)
{
	unsigned int at = count;

	for (; at > 0 && counters[at - 1] > counter; at--) {
		heads[at] = heads[at - 1];
		counters[at] = counters[at - 1];
	}
	heads[at] = head;
	counters[at] = counter;
}

int inflight_resume(struct inflight_queue *q, uint16_t queue_size, uint16_t used_idx,
		    uint16_t *ret_heads, uint64_t *ret_counter)
{
	uint64_t counters[256], counter;
	int count = 0, r;

	if (queue_size > ARRAY_SIZE(counters))
		return -EINVAL;
	*ret_counter = 0;
	if (load(&q->version) == 0) {
		memset(q, 0, inflight_queue_bytes(queue_size));
		q->desc_num = queue_size;
		q->used_idx = used_idx;
		store(&q->version, (uint16_t)INFLIGHT_VERSION);
		return 0;
	}
	if (load(&q->version) != INFLIGHT_VERSION || load(&q->desc_num) != queue_size)
		return -EINVAL;
	r = finish_last_batch(q, queue_size, used_idx);
	if (r < 0)
		return r;
	for (uint16_t head = 0; head < queue_size; head++) {
		if (!load(&q->desc[head].inflight))
			continue;
		counter = load(&q->desc[head].counter);
		insert_by_counter(ret_heads, counters, (unsigned int)count, head, counter);
		count++;
	}
	if (count)
		*ret_counter = counters[count - 1] + 1;
	return count;
}

void inflight_clear(struct inflight_queue *q)
{
	store(&q->version, (uint16_t)0);
}

void inflight_popped(struct inflight_queue *q, uint16_t head, uint64_t counter)
{
	store(&q->desc[head].counter, counter);
	store(&q->desc[head].inflight, (uint8_t)1);
}

void inflight_returned(struct inflight_queue *q, uint16_t head)
{
	store(&q->desc[head].next, load(&q->last_batch_head));
	store(&q->last_batch_head, head);
}

void inflight_published(struct inflight_queue *q, const uint16_t *heads, unsigned int count,
			uint16_t used_idx)
{
	for (unsigned int i = 0; i < count; i++)
		store(&q->desc[heads[i]].inflight, (uint8_t)0);
	store(&q->used_idx, used_idx);
}
