/*
 * disk.h - the disk behind a block device: requests go in, completed requests
 * come out, in any order.
 *
 * Two engines serve the same interface: io_uring, and plain preadv2/pwritev2
 * where the host refuses io_uring.  The io_uring is restricted before it is
 * enabled to the operations that a disk needs, on the one registered file: a
 * process whose filter allows io_uring_enter can open or connect nothing
 * through it.
 *
 *	disk_submit() ... disk_submit(), disk_kick(), disk_reap() until NULL
 *
 * One thread.  A request, its iovecs and the buffers that they point to belong
 * to the disk from submit until reap gives the request back.
 *
 * System calls after disk_new():
 *	io_uring_enter			submit, and wait in disk_drain()
 *	preadv2, pwritev2		the other engine; bounced and fallback I/O;
 *					a write that is alone (disk_inline.h)
 *	fdatasync, fallocate		the other engine; what io_uring refused; a
 *					flush that is alone
 *	ioctl BLKDISCARD, BLKZEROOUT	block devices whose driver does not take
 *					fallocate
 *	ppoll (no fds, 1 ms)		the kernel has no memory for a submission
 */
#ifndef BACKEND_DISK_H
#define BACKEND_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/base/err.h"

enum disk_op {
	DISK_READ,
	DISK_WRITE,
	DISK_FLUSH,   /* everything completed so far is on the medium */
	DISK_DISCARD, /* the content may be lost */
	DISK_ZERO,    /* reads as zeros afterwards */
};

struct disk_request {
	enum disk_op op;   /* a durable DISCARD or ZERO becomes a FLUSH while being served */
	bool durable;	   /* all but READ, FLUSH: on the medium before completion */
	bool unmap;	   /* ZERO: may give the space back */
	struct iovec *iov; /* READ, WRITE; changed while being served */
	unsigned int niov; /* 1..1024 */
	uint64_t offset;   /* bytes; in range of the disk as the caller knows it */
	uint64_t len;	   /* READ, WRITE: the sum of the iovecs; > 0 but for FLUSH */

	int result; /* 0 or -errno, once reaped */

	/* private */
	struct disk_request *next;
	unsigned int tries;
};

struct disk_params {
	int fd; /* borrowed */
	bool direct;
	bool try_io_uring;
	unsigned int depth; /* requests in flight at the most */
	const char *name;   /* for messages; borrowed */
};

struct disk;

/* NULL with *e set.  A host without io_uring is told in one log line and
 * served by the other engine. */
struct disk *disk_new(const struct disk_params *params, struct err *e);
void disk_free(struct disk *disk); /* nothing may be in flight */

/* Readable (EPOLLIN) when disk_reap() has something; -1: never needed, all is
 * complete when disk_kick() returns. */
int disk_event_fd(const struct disk *disk);

/* The unit of I/O that is served without detours: 512 or more. */
uint32_t disk_block_size(const struct disk *disk);

void disk_submit(struct disk *disk, struct disk_request *req);
void disk_kick(struct disk *disk);
struct disk_request *disk_reap(struct disk *disk);

/* Wait until everything submitted is complete; reap then gives all of it. */
void disk_drain(struct disk *disk);

/* System calls made so far. */
uint64_t disk_syscalls(const struct disk *disk);

#endif
