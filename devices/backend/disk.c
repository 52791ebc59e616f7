/*
 * disk.c - see disk.h: what both engines share, and the synchronous one.
 *
 * With O_DIRECT the kernel wants buffers aligned; a guest may give any.  Such
 * a request is copied through one preallocated buffer, synchronously: real
 * drivers align, so it need not be fast, only right.
 */
#include "devices/backend/disk.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "devices/backend/disk_engine.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"

#define UNKNOWN_DIRECT_ALIGN 4096u /* a host that does not tell: safe anywhere */

static bool valid_unit(uint32_t n)
{
	return n >= 512 && n <= 65536 && !(n & (n - 1));
}

/* What O_DIRECT wants of this file. */
static void probe_direct(struct disk *d)
{
	struct statx stx = { 0 };

	if (!d->direct)
		return;
	d->memory_align = UNKNOWN_DIRECT_ALIGN;
	if (!d->block_device)
		d->block_size = UNKNOWN_DIRECT_ALIGN;
#ifdef STATX_DIOALIGN
	if (statx(d->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_offset_align) {
		d->memory_align = MAX(stx.stx_dio_mem_align, 1u);
		if (valid_unit(stx.stx_dio_offset_align))
			d->block_size = stx.stx_dio_offset_align;
	}
#endif
}

static int probe(struct disk *d, struct err *e)
{
	struct stat st;
	int sector;

	if (fstat(d->fd, &st) < 0)
		return err_errno(e, "fstat of the disk");
	d->block_device = S_ISBLK(st.st_mode);
	d->block_size = 512;
	if (d->block_device && ioctl(d->fd, BLKSSZGET, &sector) == 0 && sector > 0 &&
	    valid_unit((uint32_t)sector))
		d->block_size = (uint32_t)sector;
	probe_direct(d);
	if (!d->direct)
		return 0;
	/* Anonymous and page-aligned; costs nothing until it is used. */
	d->bounce = mmap(NULL, DISK_BOUNCE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (d->bounce == MAP_FAILED) {
		d->bounce = NULL;
		return err_errno(e, "bounce buffer");
	}
	return 0;
}

struct disk *disk_new(const struct disk_params *params, struct err *e)
{
	struct disk *d = calloc(1, sizeof(*d));
	int r;

	if (!d) {
		err_set(e, ENOMEM, "%s: out of memory", params->name);
		return NULL;
	}
	d->fd = params->fd;
	d->direct = params->direct;
	d->done_tail = &d->done;
	if (probe(d, e) < 0) {
		err_context(e, "%s", params->name);
		disk_free(d);
		return NULL;
	}
	if (params->try_io_uring) {
		r = disk_uring_open(d, params->depth);
		if (r < 0)
			log_info("%s: no io_uring (%s): using preadv and pwritev", params->name,
				 strerror(-r));
	}
	return d;
}

void disk_free(struct disk *d)
{
	if (!d)
		return;
	disk_uring_close(d);
	if (d->bounce)
		munmap(d->bounce, DISK_BOUNCE_LEN);
	free(d);
}

int disk_event_fd(const struct disk *d)
{
	return d->uring ? disk_uring_fd(d) : -1;
}

uint32_t disk_block_size(const struct disk *d)
{
	return d->block_size;
}

uint64_t disk_syscalls(const struct disk *d)
{
	return d->syscalls;
}

void disk_complete(struct disk *d, struct disk_request *req, int result)
{
	req->result = result;
	req->next = NULL;
	*d->done_tail = req;
	d->done_tail = &req->next;
}

void disk_submit(struct disk *d, struct disk_request *req)
{
	req->tries = 0;
	if (d->uring)
		disk_uring_submit(d, req);
	else
		disk_complete(d, req, disk_run(d, req));
}

void disk_kick(struct disk *d)
{
	if (d->uring)
		disk_uring_kick(d);
}

struct disk_request *disk_reap(struct disk *d)
{
	struct disk_request *req;

	if (!d->done && d->uring)
		disk_uring_harvest(d);
	req = d->done;
	if (!req)
		return NULL;
	d->done = req->next;
	if (!d->done)
		d->done_tail = &d->done;
	return req;
}

void disk_drain(struct disk *d)
{
	if (d->uring)
		disk_uring_drain(d);
}

void disk_advance(struct disk_request *req, size_t n)
{
	req->offset += n;
	req->len -= n;
	while (n) {
		size_t part = MIN(n, req->iov->iov_len);

		req->iov->iov_base = (uint8_t *)req->iov->iov_base + part;
		req->iov->iov_len -= part;
		n -= part;
		if (req->iov->iov_len == 0) {
			req->iov++;
			req->niov--;
		}
	}
}

bool disk_needs_bounce(const struct disk *d, const struct disk_request *req)
{
	uintptr_t addrs = 0, lens = 0;

	if (!d->direct || (req->op != DISK_READ && req->op != DISK_WRITE))
		return false;
	for (unsigned int i = 0; i < req->niov; i++) {
		addrs |= (uintptr_t)req->iov[i].iov_base;
		lens |= req->iov[i].iov_len;
	}
	/* Each buffer's length must keep to the file's blocks, too. */
	return addrs & (d->memory_align - 1) || lens & (d->block_size - 1);
}

/* One preadv2 or pwritev2.  Bytes (> 0) or -errno. */
static ssize_t transfer(struct disk *d, const struct disk_request *req, const struct iovec *iov,
			unsigned int niov)
{
	int flags = req->durable ? RWF_DSYNC : 0;
	unsigned int tries = 0;
	ssize_t n;

	do {
		d->syscalls++;
		n = req->op == DISK_READ
			    ? preadv2(d->fd, iov, (int)niov, (off_t)req->offset, 0)
			    : pwritev2(d->fd, iov, (int)niov, (off_t)req->offset, flags);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN) && ++tries < DISK_MAX_TRIES);
	if (n < 0)
		return neg_errno();
	/* The file is shorter than the disk: somebody cut it. */
	return n == 0 ? -EIO : n;
}

/* Copy between the bounce buffer and the front of the request's iovecs. */
static void bounce_copy(struct disk *d, const struct disk_request *req, size_t len)
{
	uint8_t *p = d->bounce;

	for (const struct iovec *v = req->iov; len; v++) {
		size_t part = MIN(len, v->iov_len);

		if (req->op == DISK_READ)
			memcpy(v->iov_base, p, part);
		else
			memcpy(p, v->iov_base, part);
		p += part;
		len -= part;
	}
}

static int run_transfer(struct disk *d, struct disk_request *req)
{
	bool bounced = disk_needs_bounce(d, req);
	ssize_t n;

	while (req->len) {
		if (bounced) {
			struct iovec v = { .iov_base = d->bounce,
					   .iov_len = MIN(req->len, DISK_BOUNCE_LEN) };

			if (req->op == DISK_WRITE)
				bounce_copy(d, req, v.iov_len);
			n = transfer(d, req, &v, 1);
			if (n > 0 && req->op == DISK_READ)
				bounce_copy(d, req, (size_t)n);
		} else {
			n = transfer(d, req, req->iov, req->niov);
		}
		if (n < 0)
			return (int)n;
		disk_advance(req, (size_t)n);
	}
	return 0;
}

static int flush(struct disk *d)
{
	d->syscalls++;
	return fdatasync(d->fd) < 0 ? neg_errno() : 0;
}

/* Zeros the plain way, where the file system cannot do better.  Not durable. */
static int write_zeros(struct disk *d, const struct disk_request *req)
{
	static const uint8_t zeros[4096] __attribute__((aligned(4096)));
	struct disk_request w = { .op = DISK_WRITE };
	uint64_t left = req->len, offset = req->offset;
	struct iovec iov[64];
	int r;

	while (left) {
		uint64_t part = MIN(left, sizeof(zeros) * ARRAY_SIZE(iov));

		w.offset = offset;
		w.len = part;
		w.iov = iov;
		for (w.niov = 0; part; w.niov++) {
			/* Only read from; iovecs know no const. */
			iov[w.niov].iov_base = (void *)(uintptr_t)zeros;
			iov[w.niov].iov_len = MIN(part, sizeof(zeros));
			part -= iov[w.niov].iov_len;
		}
		offset += w.len;
		left -= w.len;
		r = run_transfer(d, &w);
		if (r < 0)
			return r;
	}
	return 0;
}

int disk_fallocate_mode(const struct disk_request *req)
{
	if (req->op == DISK_DISCARD || req->unmap)
		return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
}

static int change_range(struct disk *d, const struct disk_request *req)
{
	uint64_t range[2] = { req->offset, req->len };
	int r;

	d->syscalls++;
	do
		r = fallocate(d->fd, disk_fallocate_mode(req), (off_t)req->offset, (off_t)req->len);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return neg_errno();
	if (d->block_device) {
		d->syscalls++;
		if (ioctl(d->fd, req->op == DISK_ZERO ? BLKZEROOUT : BLKDISCARD, range) == 0)
			return 0;
		if (errno != EOPNOTSUPP)
			return neg_errno();
	}
	return req->op == DISK_ZERO ? write_zeros(d, req) : -EOPNOTSUPP;
}

/* No flag of fallocate() or the ioctls makes them durable. */
static int run_range(struct disk *d, const struct disk_request *req)
{
	int r = change_range(d, req);

	return r == 0 && req->durable ? flush(d) : r;
}

int disk_run(struct disk *d, struct disk_request *req)
{
	switch (req->op) {
	case DISK_READ:
	case DISK_WRITE:
		return run_transfer(d, req);
	case DISK_FLUSH:
		return flush(d);
	case DISK_DISCARD:
	case DISK_ZERO:
		return run_range(d, req);
	}
	return -EOPNOTSUPP;
}
