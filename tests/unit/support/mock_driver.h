/*
 * mock_driver.h - the driver's side of a split virtqueue in plain memory, for
 * unit tests, benchmarks and fuzzers.  No globals, no system calls, no
 * allocation.
 *
 * The rings lie at the start of the area that it is given, buffers are taken
 * from what follows.  desc, avail and used are open to whoever wants to break
 * the rules.
 */
#ifndef MOCK_DRIVER_H
#define MOCK_DRIVER_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOCK_QUEUE_MAX 256u

struct mock_buf {
	uint64_t gpa;
	uint32_t len;
	bool write; /* by the device */
};

struct mock_driver {
	uint8_t *mem; /* where `gpa` is mapped; borrowed */
	uint64_t gpa, len;
	uint64_t next_free; /* bump allocator over the area */

	uint16_t size;
	bool event_idx;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;

	uint16_t avail_idx; /* private; published by mock_publish() */
	uint16_t kicked_idx;
	uint16_t used_idx;		    /* next to collect */
	uint16_t free_desc[MOCK_QUEUE_MAX]; /* stack */
	unsigned int nfree;
	uint16_t chain_len[MOCK_QUEUE_MAX]; /* descriptors of the chain by head */
};

/* Lay the rings out in mem[0..len), which the guest sees at `gpa`. */
void mock_init(struct mock_driver *d, uint8_t *mem, uint64_t gpa, uint64_t len, uint16_t size,
	       bool event_idx);

/* A buffer; 0 when the area is used up. */
uint64_t mock_alloc(struct mock_driver *d, uint64_t len, uint64_t align);
void *mock_ptr(const struct mock_driver *d, uint64_t gpa);

/* Put a chain into the descriptor table and the available ring (not published
 * yet).  Returns its head, or UINT16_MAX when descriptors have run out. */
uint16_t mock_add(struct mock_driver *d, const struct mock_buf *bufs, unsigned int n);
uint16_t mock_add_indirect(struct mock_driver *d, const struct mock_buf *bufs, unsigned int n);

/* Put a head into the available ring as it is. */
void mock_offer(struct mock_driver *d, uint16_t head);

/* Show the device what was added.  True: it wants a kick. */
bool mock_publish(struct mock_driver *d);

/* Take one used element; its descriptors are free again. */
bool mock_collect(struct mock_driver *d, uint16_t *ret_head, uint32_t *ret_len);

/* Ask for an interrupt at the next used element. */
void mock_want_interrupt(struct mock_driver *d);

#endif
