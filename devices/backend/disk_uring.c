/*
 * disk_uring.c - the io_uring engine of a disk.
 *
 * The ring is created disabled, gets its one file and its restrictions, and is
 * enabled then; from there on the kernel refuses every other operation, every
 * other file and every further registration, whoever owns this process.
 *
 * The kernel reads iovecs when a request is submitted (and copies them when it
 * goes on later), but we keep them until completion anyway, to finish what was
 * transferred only in part.
 *
 * The first request of an empty ring is held back until the next one or the
 * kick: then it is known whether it is the only one, and may be served here
 * and now (disk_inline.h). A write to the page cache may be in any case.
 *
 * Room: the completion queue holds `depth` entries or more, and no more than
 * `depth` requests are ever in flight, so it cannot overflow.
 */
#include "devices/backend/disk_engine.h"

#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "devices/backend/disk_inline.h"
#include "vmm/base/util.h"

#define SQ_ENTRIES 64u /* more submissions than this go in two calls */
#define FILE_INDEX 0   /* the registered file */

struct disk_uring {
	struct io_uring ring;
	unsigned int inflight;	   /* known to the ring, not harvested */
	struct disk_request *held; /* not known to it yet; nothing is in flight */
	struct disk_inline at_once;
};

static int restrict_ring(struct io_uring *ring)
{
	static const uint8_t allowed[] = { IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC,
					   IORING_OP_FALLOCATE };
	struct io_uring_restriction res[ARRAY_SIZE(allowed) + 2];
	unsigned int n = 0;

	memset(res, 0, sizeof(res));
	for (; n < ARRAY_SIZE(allowed); n++) {
		res[n].opcode = IORING_RESTRICTION_SQE_OP;
		res[n].sqe_op = allowed[n];
	}
	res[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	res[n++].sqe_flags = IOSQE_FIXED_FILE;
	res[n].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	res[n++].sqe_flags = IOSQE_FIXED_FILE;
	/* The named wrappers of these two are missing in some shared builds of
	 * liburing 2.3. */
	return io_uring_register((unsigned int)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, res, n);
}

static int create_ring(struct io_uring *ring, unsigned int depth)
{
	/* One thread submits, and needs no interruption to learn of what is
	 * complete: kernels from 6.0 save work then.  Older ones do without. */
	static const unsigned int wishes[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, 0
	};
	int r = -EINVAL;

	for (unsigned int i = 0; i < ARRAY_SIZE(wishes) && r == -EINVAL; i++) {
		struct io_uring_params p = { 0 };

		p.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | wishes[i];
		p.cq_entries = MAX(depth, 2 * SQ_ENTRIES);
		r = io_uring_queue_init_params(SQ_ENTRIES, ring, &p);
		if (r == 0 && !(p.features & IORING_FEAT_NODROP)) {
			io_uring_queue_exit(ring);
			r = -ENOSYS;
		}
	}
	return r;
}

int disk_uring_open(struct disk *d, unsigned int depth)
{
	struct disk_uring *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	r = create_ring(&u->ring, depth);
	if (r < 0) {
		free(u);
		return r;
	}
	r = io_uring_register_files(&u->ring, &d->fd, 1);
	if (r == 0)
		r = restrict_ring(&u->ring);
	if (r == 0)
		r = io_uring_register((unsigned int)u->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS,
				      NULL, 0);
	if (r < 0) {
		io_uring_queue_exit(&u->ring);
		free(u);
		return r;
	}
	d->uring = u;
	return 0;
}

void disk_uring_close(struct disk *d)
{
	if (!d->uring)
		return;
	io_uring_queue_exit(&d->uring->ring);
	free(d->uring);
	d->uring = NULL;
}

int disk_uring_fd(const struct disk *d)
{
	return d->uring->ring.ring_fd;
}

static void prepare(struct io_uring_sqe *sqe, struct disk_request *req)
{
	switch (req->op) {
	case DISK_READ:
		io_uring_prep_readv(sqe, FILE_INDEX, req->iov, req->niov, req->offset);
		break;
	case DISK_WRITE:
		io_uring_prep_writev2(sqe, FILE_INDEX, req->iov, req->niov, req->offset,
				      req->durable ? RWF_DSYNC : 0);
		break;
	case DISK_FLUSH:
		io_uring_prep_fsync(sqe, FILE_INDEX, IORING_FSYNC_DATASYNC);
		break;
	case DISK_DISCARD:
	case DISK_ZERO:
		io_uring_prep_fallocate(sqe, FILE_INDEX, disk_fallocate_mode(req),
					(off_t)req->offset, (off_t)req->len);
		break;
	}
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, req);
}

/*
 * Hand over what was prepared, and wait for `wait` completions.  The kernel
 * may lack memory for a moment; what it did not take stays in the queue.
 * There is no giving up: the requests are promised, and a front end that
 * waits for us has a deadline.
 */
static void enter(struct disk *d, unsigned int wait)
{
	const struct timespec pause = { .tv_nsec = NS_PER_MS };
	int r;

	do {
		d->syscalls++;
		r = wait ? io_uring_submit_and_wait(&d->uring->ring, wait)
			 : io_uring_submit(&d->uring->ring);
		if (r < 0 && r != -EINTR)
			ppoll(NULL, 0, &pause, NULL);
	} while (io_uring_sq_ready(&d->uring->ring));
}

/* Tell the ring of a request. */
static void put(struct disk *d, struct disk_request *req)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&d->uring->ring);

	if (!sqe) {
		enter(d, 0);
		sqe = io_uring_get_sqe(&d->uring->ring);
	}
	if (!sqe) { /* the kernel takes nothing now: do it ourselves */
		disk_complete(d, req, disk_run(d, req));
		return;
	}
	prepare(sqe, req);
	d->uring->inflight++;
}

/* Do it here and now. */
static void run_at_once(struct disk *d, struct disk_request *req)
{
	enum disk_op op = req->op;
	uint64_t since = now_ns();

	disk_complete(d, req, disk_run(d, req));
	disk_inline_took(&d->uring->at_once, op, now_ns() - since);
}

void disk_uring_submit(struct disk *d, struct disk_request *req)
{
	struct disk_uring *u = d->uring;
	struct disk_request *held = take_ptr(&u->held);

	if (held)
		put(d, held);
	if (disk_needs_bounce(d, req)) {
		disk_complete(d, req, disk_run(d, req));
		return;
	}
	/* Directly from and to the medium nothing is quick. */
	if (d->direct)
		put(d, req);
	else if (req->op == DISK_WRITE && !req->durable && disk_inline_may(&u->at_once, req))
		run_at_once(d, req);
	else if (u->inflight == 0 && (req->op != DISK_WRITE || req->durable))
		u->held = req;
	else
		put(d, req);
}

/* Read what the page cache has.  False: the rest is for the ring. */
static bool read_cached(struct disk *d, struct disk_request *req)
{
	ssize_t n = preadv2(d->fd, req->iov, (int)req->niov, (off_t)req->offset, RWF_NOWAIT);

	d->syscalls++;
	if (n > 0)
		disk_advance(req, (size_t)n);
	if (n <= 0 || req->len)
		return false;
	disk_complete(d, req, 0);
	return true;
}

/* The held request is the only one. */
static void submit_only(struct disk *d)
{
	struct disk_uring *u = d->uring;
	struct disk_request *req = take_ptr(&u->held);
	enum disk_op op = req->op;

	if (!disk_inline_may(&u->at_once, req)) {
		put(d, req);
	} else if (op == DISK_READ) {
		if (read_cached(d, req)) {
			disk_inline_took(&u->at_once, op, 0);
			return;
		}
		disk_inline_took(&u->at_once, op, UINT64_MAX);
		put(d, req);
	} else {
		run_at_once(d, req);
	}
}

void disk_uring_kick(struct disk *d)
{
	if (d->uring->held)
		submit_only(d);
	if (io_uring_sq_ready(&d->uring->ring))
		enter(d, 0);
}

/* One request has come back with `res`: complete it, or go on with it. */
static void come_back(struct disk *d, struct disk_request *req, int res)
{
	if (res == -EINTR || res == -EAGAIN) {
		if (++req->tries < DISK_MAX_TRIES) {
			disk_uring_submit(d, req);
			return;
		}
	}
	if (req->op == DISK_DISCARD || req->op == DISK_ZERO) {
		if (res == -EOPNOTSUPP) {
			res = disk_run(d, req);
		} else if (res == 0 && req->durable) {
			/* Done, but nothing made it durable. */
			req->op = DISK_FLUSH;
			req->tries = 0;
			disk_uring_submit(d, req);
			return;
		}
	} else if (req->op != DISK_FLUSH && res >= 0) {
		/* 0 bytes: the file ends before the disk does. */
		disk_advance(req, MIN((size_t)res, req->len));
		if (res > 0 && req->len) {
			disk_uring_submit(d, req);
			return;
		}
		res = req->len ? -EIO : 0;
	}
	disk_complete(d, req, res);
}

void disk_uring_harvest(struct disk *d)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&d->uring->ring, &cqe) == 0) {
		struct disk_request *req = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&d->uring->ring, cqe);
		d->uring->inflight--;
		come_back(d, req, res);
	}
	disk_uring_kick(d); /* what goes on */
}

void disk_uring_drain(struct disk *d)
{
	disk_uring_kick(d);
	while (d->uring->inflight) {
		enter(d, 1);
		disk_uring_harvest(d);
	}
}
