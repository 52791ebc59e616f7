/*
 * disk.c - a disk: 4 KiB read and written at random places, 1 MiB at a time in a
 * row, and a write with fsync, of 63 MiB that were written before.  One request
 * at a time, past the page cache (O_DIRECT) of whoever's kernel this is, where
 * its file system can do that.
 *
 * What it is given is one file of the host's.  Behind `none` it is that file,
 * and behind the process walls too, in a root directory that is the host's
 * own (no overlay).  Behind `vm` it is the guest's disk, a block device without
 * a file system: there the guest's block layer, virtio-blk and Bulkhead's device
 * process come in, and the file system is the host's alone.
 *
 * What it does not show: many requests at a time; a guest's file system; what
 * page caches make faster; and where the host's file system has no O_DIRECT (a
 * tmpfs before Linux 6.6) no disk at all, but that file system's memory, which
 * the report says.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/compare/disk_file.h"
#include "vmm/compare/workloads/workloads.h"

#define SMALL 4096
#define LARGE (1 << 20)

struct disk {
	int fd, failed;
	uint64_t random;
	off_t next;  /* in a row */
	char *block; /* of LARGE bytes, at an address that O_DIRECT takes */
};

static off_t somewhere(struct disk *d)
{
	d->random ^= d->random << 13;
	d->random ^= d->random >> 7;
	d->random ^= d->random << 17;
	return DISK_FILE_FIRST +
	       (off_t)(d->random % ((DISK_FILE_SIZE - DISK_FILE_FIRST) / SMALL)) * SMALL;
}

static off_t next(struct disk *d)
{
	d->next += LARGE;
	if (d->next >= DISK_FILE_SIZE)
		d->next = DISK_FILE_FIRST;
	return d->next;
}

/* The first failure's errno is what is told. */
static void check(struct disk *d, int good)
{
	if (!good && !d->failed)
		d->failed = errno ? errno : EIO;
}

static void read_small(void *ctx, uint64_t n)
{
	struct disk *d = ctx;

	while (n--)
		check(d, pread(d->fd, d->block, SMALL, somewhere(d)) == SMALL);
}

static void write_small(void *ctx, uint64_t n)
{
	struct disk *d = ctx;

	while (n--)
		check(d, pwrite(d->fd, d->block, SMALL, somewhere(d)) == SMALL);
}

static void read_large(void *ctx, uint64_t n)
{
	struct disk *d = ctx;

	while (n--)
		check(d, pread(d->fd, d->block, LARGE, next(d)) == LARGE);
}

static void write_large(void *ctx, uint64_t n)
{
	struct disk *d = ctx;

	while (n--)
		check(d, pwrite(d->fd, d->block, LARGE, next(d)) == LARGE);
}

static void write_sync(void *ctx, uint64_t n)
{
	struct disk *d = ctx;

	while (n--)
		check(d,
		      pwrite(d->fd, d->block, SMALL, somewhere(d)) == SMALL && fsync(d->fd) == 0);
}

static int open_disk(struct disk *d, const char *path)
{
	d->random = 88172645463325252;
	d->block = aligned_alloc(SMALL, LARGE);
	if (!d->block)
		return workload_fail("memory");
	d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d->fd < 0 && errno == EINVAL)
		d->fd = open(path, O_RDWR | O_CLOEXEC);
	if (d->fd < 0 || pread(d->fd, d->block, SMALL, 0) != SMALL)
		return workload_fail(path);
	if (memcmp(d->block, DISK_FILE_MAGIC, sizeof(DISK_FILE_MAGIC) - 1) != 0) {
		fprintf(stderr, "%s is not what was made for this: nothing is written\n", path);
		return 1;
	}
	return 0;
}

static double megabytes(double ns)
{
	return (double)LARGE / ns * 1000;
}

int workload_disk(const char *path)
{
	struct disk d = { .fd = -1 };

	if (open_disk(&d, path) != 0)
		return 1;
	workload_tell("read-4K", workload_rate(read_small, &d) / 1000);
	workload_tell("write-4K", workload_rate(write_small, &d) / 1000);
	workload_tell("read-1M", megabytes(workload_rate(read_large, &d)));
	workload_tell("write-1M", megabytes(workload_rate(write_large, &d)));
	workload_tell("write-fsync", workload_rate(write_sync, &d) / 1000);
	errno = d.failed;
	return d.failed ? workload_fail(path) : 0;
}
