/*
 * files.c - a file below /tmp: 4 KiB written and read at random places, 1 MiB
 * at a time in a row, and fsync. Behind `process` and `vm` /tmp is memory, of
 * the host or of the guest; behind `none` it is whatever the host has there.
 * So these rows say what a program sees that uses the file system that it is
 * given, and nothing of a disk.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/compare/workloads/workloads.h"

#define FILE_SIZE (16 << 20)
#define SMALL	  4096
#define LARGE	  (1 << 20)

struct file {
	int fd, failed;
	uint64_t random;
	char block[LARGE];
};

static off_t somewhere(struct file *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return (off_t)(f->random % (FILE_SIZE / SMALL)) * SMALL;
}

static void write_small(void *ctx, uint64_t n)
{
	struct file *f = ctx;

	while (n--)
		f->failed |= pwrite(f->fd, f->block, SMALL, somewhere(f)) != SMALL;
}

static void read_small(void *ctx, uint64_t n)
{
	struct file *f = ctx;

	while (n--)
		f->failed |= pread(f->fd, f->block, SMALL, somewhere(f)) != SMALL;
}

static void read_large(void *ctx, uint64_t n)
{
	struct file *f = ctx;

	for (uint64_t i = 0; i < n; i++)
		f->failed |= pread(f->fd, f->block, LARGE,
				   (off_t)(i % (FILE_SIZE / LARGE)) * LARGE) != LARGE;
}

static void write_sync(void *ctx, uint64_t n)
{
	struct file *f = ctx;

	while (n--)
		f->failed |= pwrite(f->fd, f->block, SMALL, somewhere(f)) != SMALL || fsync(f->fd);
}

int workload_files(void)
{
	char path[] = "/tmp/bulkhead-workload.XXXXXX";
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return workload_fail("calloc");
	f->random = 88172645463325252;
	f->fd = mkstemp(path);
	if (f->fd < 0)
		return workload_fail(path);
	unlink(path);
	for (int i = 0; i < FILE_SIZE / LARGE; i++)
		f->failed |= write(f->fd, f->block, LARGE) != LARGE;
	workload_tell("write-4K", workload_rate(write_small, f) / 1000);
	workload_tell("read-4K", workload_rate(read_small, f) / 1000);
	workload_tell("read-1M", (double)LARGE / workload_rate(read_large, f));
	workload_tell("write-fsync", workload_rate(write_sync, f) / 1000);
	return f->failed ? workload_fail("the file below /tmp") : 0;
}
