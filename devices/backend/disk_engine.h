/*
 * disk_engine.h - private to disk.c (common part, synchronous engine) and
 * disk_uring.c.
 */
#ifndef BACKEND_DISK_ENGINE_H
#define BACKEND_DISK_ENGINE_H

#include <stddef.h>

#include "devices/backend/disk.h"

struct disk_uring;

struct disk {
	int fd;
	bool direct, block_device;
	uint32_t block_size;   /* of the file's offsets */
	uint32_t memory_align; /* of buffers, when direct */
	uint8_t *bounce;       /* DISK_BOUNCE_LEN, aligned; when direct */
	uint64_t syscalls;

	struct disk_request *done, **done_tail; /* complete, not reaped */
	struct disk_uring *uring;		/* NULL: synchronous */
};

#define DISK_BOUNCE_LEN 65536u
#define DISK_MAX_TRIES	16 /* of one step that the kernel interrupts */

/* Hand a request over to reap. */
void disk_complete(struct disk *disk, struct disk_request *req, int result);

/* Serve it here and now. */
int disk_run(struct disk *disk, struct disk_request *req);

/* Must it go through the bounce buffer? */
bool disk_needs_bounce(const struct disk *disk, const struct disk_request *req);

/* `n` bytes of a READ or WRITE are done: drop them from the front. */
void disk_advance(struct disk_request *req, size_t n);

/* fallocate's mode for a DISCARD or ZERO. */
int disk_fallocate_mode(const struct disk_request *req);

/* --- disk_uring.c --- */

/* 0 or -errno: the host does not offer what we need. */
int disk_uring_open(struct disk *disk, unsigned int depth);
void disk_uring_close(struct disk *disk);
int disk_uring_fd(const struct disk *disk);
void disk_uring_submit(struct disk *disk, struct disk_request *req);
void disk_uring_kick(struct disk *disk);
void disk_uring_harvest(struct disk *disk);
void disk_uring_drain(struct disk *disk);

#endif
