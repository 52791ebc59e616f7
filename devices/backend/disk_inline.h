/*
 * disk_inline.h - whether a request of a disk is served here and now.
 *
 * Most file systems let io_uring neither write to the page cache nor flush
 * without waiting: the kernel hands each such request to a worker thread, which
 * costs a wake-up there, another back, and two switches between them.  The
 * device's process can as well do it itself: a write to the page cache whatever
 * else is out, for it is a copy and no more; what waits for the medium (a flush,
 * a write that is to be durable) while nothing else is out. But what waits must
 * not hold up requests that come meanwhile: so only small writes, and only for
 * as long as they prove quick. What was slow goes to the ring for a while, longer
 * each time; then it is tried again.
 *
 * A read that the page cache can answer needs no worker in either way, but
 * costs less without the ring.  It never waits; where the cache has not got it,
 * that is a slow one, too.
 *
 * One thread.  Zeroed is ready.
 */
#ifndef BACKEND_DISK_INLINE_H
#define BACKEND_DISK_INLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/backend/disk.h"

#define DISK_INLINE_BYTES     (16u * 1024)   /* writes of no more than this */
#define DISK_INLINE_SLOW_NS   (200u * 1000u) /* longer than this is slow */
#define DISK_INLINE_PAUSE_MIN 64u	     /* requests for the ring after a slow one */
#define DISK_INLINE_PAUSE_MAX 4096u

struct disk_inline {
	struct disk_inline_kind {
		uint32_t left;	/* requests that still go to the ring */
		uint32_t pause; /* how many those were; less with each quick one */
	} read, write, flush;
};

/* May `req` be served at once, as said above?  Counts it if not. */
bool disk_inline_may(struct disk_inline *in, const struct disk_request *req);

/* A request of this operation was, in `ns`.  UINT64_MAX: it could not be. */
void disk_inline_took(struct disk_inline *in, enum disk_op op, uint64_t ns);

#endif
