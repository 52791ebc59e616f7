/*
 * blk.c - virtio-blk (virtio 1.3, 5.2) in a device process.
 *
 * A request is a chain: a 16-byte header and the data to write, readable; then
 * the data to read and one status byte, writable.  How these bytes are spread
 * over descriptors is the driver's business (2.7.4): the header is gathered,
 * the status is the last writable byte, the rest is data.
 *
 * Requests in flight live in a fixed pool, shared by all queues; what a request
 * needs until it completes (its iovecs, its place in the ring, the address of
 * its status byte) is in its slot.  A queue that finds the pool empty is taken
 * up again when a slot is free.  Slots are used last in, first out, so that
 * memory is touched only as deep as the guest's queue depth goes.
 *
 * Left out on purpose: CONFIG_WCE, topology, secure erase, zoned, lifetime.
 *
 * System calls after confine(): those of vhost_user_backend.h and disk.h.
 */
#include "devices/virtio/device_process.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/backend/disk.h"
#include "devices/virtio/iov.h"
#include "devices/virtio/patience.h"
#include "devices/virtio/rate.h"
#include "devices/virtio/vhost_user_backend.h"
#include "vmm/base/util.h"

#define SECTOR 512u
#define DEPTH  256u /* requests in flight, over all queues */

/* As offered to the driver: data segments of a request. */
#define SEG_MAX		    126u
/* Header and status besides, and buffers cut at a memory region's end. */
#define IOV_MAX_PER_REQUEST (SEG_MAX + 10u)

#define BUDGET		  64u	     /* requests of one queue per turn */
#define BUDGET_SYNC	  8u	     /* the same, of an engine that waits for each */
#define MAX_DISCARD_BYTES (1 * GIB)  /* one range */
#define MAX_ZEROES_BYTES  (16 * MIB) /* may have to be written */

struct blk_request {
	struct disk_request io; /* first: the disk gives back its address */
	unsigned int queue;
	uint16_t head;
	uint8_t *status;   /* in guest memory */
	uint32_t data_len; /* bytes that success writes to the guest, without the status */
	uint32_t sent_len; /* bytes that success takes from the guest */
	struct iovec *iov; /* IOV_MAX_PER_REQUEST of them */
	struct blk_request *next_free;
};

struct blk {
	const struct device_seat *seat;
	const struct blk_params *params;
	struct disk *disk;
	struct vhost_user_backend *backend;
	struct virtio_blk_config config;
	bool write_back; /* the driver flushes; otherwise every write is durable */

	struct blk_request *slots, *free; /* DEPTH of them; those used and free again */
	unsigned int fresh;		  /* slots from here on were never used */
	struct iovec *iovs;
	uint32_t dirty;	  /* queues with something to publish */
	uint32_t starved; /* queues that found no slot */
	uint32_t waiting; /* queues that wait for their rate */
	struct rate bytes, operations;
	uint64_t syscalls; /* of the disk, told to the counters */
	struct patience patience;
};

static void tell_queues(struct blk *blk)
{
	uint32_t dirty = blk->dirty;
	uint64_t now = disk_syscalls(blk->disk);

	blk->dirty = 0;
	for (; dirty; dirty &= dirty - 1)
		vhost_user_flush(blk->backend, (unsigned int)__builtin_ctz(dirty));
	counter_add(&blk->seat->counters->syscalls, now - blk->syscalls);
	blk->syscalls = now;
}

static struct blk_request *get_slot(struct blk *blk)
{
	struct blk_request *r = blk->free;

	if (r) {
		blk->free = r->next_free;
		return r;
	}
	if (blk->fresh == DEPTH)
		return NULL;
	r = &blk->slots[blk->fresh];
	r->iov = &blk->iovs[blk->fresh * IOV_MAX_PER_REQUEST];
	blk->fresh++;
	return r;
}

static void put_slot(struct blk *blk, struct blk_request *r)
{
	r->next_free = blk->free;
	blk->free = r;
}

/* Return the chain: status, used element, slot. */
static void finish(struct blk *blk, struct blk_request *r, uint8_t status)
{
	struct device_counters *c = blk->seat->counters;
	bool ok = status == VIRTIO_BLK_S_OK;
	/* "len" counts from the first writable byte: after a failure nobody
	 * knows how much of the data was written, so none is claimed. */
	uint32_t written = ok || !r->data_len ? r->data_len + 1 : 0;

	*r->status = status;
	virtqueue_push(vhost_user_queue(blk->backend, r->queue), r->head, written);
	blk->dirty |= 1u << r->queue;
	counter_add(&c->requests, 1);
	if (!ok)
		counter_add(&c->errors, 1);
	else if (r->io.op == DISK_READ)
		counter_add(&c->bytes_in, r->data_len);
	else
		counter_add(&c->bytes_out, r->sent_len);
	put_slot(blk, r);
	for (; blk->starved; blk->starved &= blk->starved - 1)
		vhost_user_again(blk->backend, (unsigned int)__builtin_ctz(blk->starved));
}

static void reap(struct blk *blk)
{
	struct disk_request *io;

	while ((io = disk_reap(blk->disk))) {
		struct blk_request *r = container_of(io, struct blk_request, io);
		uint8_t status = VIRTIO_BLK_S_OK;

		if (io->result == -EOPNOTSUPP)
			status = VIRTIO_BLK_S_UNSUPP;
		else if (io->result < 0)
			status = VIRTIO_BLK_S_IOERR;
		finish(blk, r, status);
	}
}

/* Do [sector, sector + len) lie on the disk?  Then their byte offset. */
static bool on_disk(const struct blk *blk, uint64_t sector, uint64_t len, uint64_t *ret_offset)
{
	uint64_t capacity = blk->config.capacity;

	if (len == 0 || len % SECTOR || sector > capacity || len / SECTOR > capacity - sector)
		return false;
	*ret_offset = sector * SECTOR;
	return true;
}

/* IN and OUT.  `data` is the chain's part that is data.  A status, or -1: the
 * request is ready for the disk. */
static int prepare_transfer(struct blk *blk, struct blk_request *r, enum disk_op op,
			    uint64_t sector, struct iov_cursor data, uint32_t len)
{
	if (op == DISK_WRITE && blk->params->read_only)
		return VIRTIO_BLK_S_IOERR;
	if (!on_disk(blk, sector, len, &r->io.offset))
		return VIRTIO_BLK_S_IOERR;
	r->io.op = op;
	r->io.len = len;
	r->io.iov = data.iov;
	r->io.niov = data.count;
	r->io.durable = op == DISK_WRITE && !blk->write_back;
	if (op == DISK_READ)
		r->data_len = len;
	else
		r->sent_len = len;
	return -1;
}

/* DISCARD and WRITE_ZEROES: one range, as offered. */
static int prepare_range(struct blk *blk, struct blk_request *r, uint32_t type,
			 struct iov_cursor data)
{
	struct virtio_blk_discard_write_zeroes range;
	bool zero = type == VIRTIO_BLK_T_WRITE_ZEROES;
	uint32_t known = zero ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
	uint64_t len;

	if (blk->params->read_only)
		return VIRTIO_BLK_S_IOERR;
	if (!zero && !blk->params->discard)
		return VIRTIO_BLK_S_UNSUPP;
	if (iov_take(&data, sizeof(range), &range, NULL) != sizeof(range) || data.count)
		return VIRTIO_BLK_S_IOERR;
	if (range.flags & ~known)
		return VIRTIO_BLK_S_UNSUPP;
	len = (uint64_t)range.num_sectors * SECTOR;
	if (len > (zero ? MAX_ZEROES_BYTES : MAX_DISCARD_BYTES) ||
	    !on_disk(blk, range.sector, len, &r->io.offset))
		return VIRTIO_BLK_S_IOERR;
	r->io.op = zero ? DISK_ZERO : DISK_DISCARD;
	r->io.len = len;
	r->io.unmap = (range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) && blk->params->discard;
	r->io.durable = !blk->write_back;
	return -1;
}

static int get_id(struct blk *blk, struct blk_request *r, struct iov_cursor data)
{
	char id[VIRTIO_BLK_ID_BYTES] = { 0 };

	memcpy(id, blk->params->serial, MIN(strlen(blk->params->serial), sizeof(id)));
	r->io.op = DISK_READ;
	r->data_len = (uint32_t)iov_take(&data, sizeof(id), NULL, id);
	return VIRTIO_BLK_S_OK;
}

/*
 * Decode a chain whose header was taken off.  `out`: readable data; `in`:
 * writable data, without the status.  Returns a status: the request is over;
 * or -1: the disk has to serve it.
 */
static int decode(struct blk *blk, struct blk_request *r, const struct virtio_blk_outhdr *hdr,
		  struct iov_cursor out, uint32_t out_len, struct iov_cursor in, uint32_t in_len)
{
	switch (hdr->type) {
	case VIRTIO_BLK_T_IN:
		return prepare_transfer(blk, r, DISK_READ, hdr->sector, in, in_len);
	case VIRTIO_BLK_T_OUT:
		return prepare_transfer(blk, r, DISK_WRITE, hdr->sector, out, out_len);
	case VIRTIO_BLK_T_FLUSH:
		r->io.op = DISK_FLUSH;
		return -1;
	case VIRTIO_BLK_T_GET_ID:
		return get_id(blk, r, in);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return prepare_range(blk, r, hdr->type, out);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* --- rates --- */

static bool is_limited(const struct blk *blk)
{
	const struct device_controls *c = blk->seat->controls;

	return c && (__atomic_load_n(&c->bytes_per_second, __ATOMIC_RELAXED) ||
		     __atomic_load_n(&c->operations_per_second, __ATOMIC_RELAXED));
}

/* May queue q begin with a request?  If not, it is called when it may. */
static bool may_begin(struct blk *blk, unsigned int q)
{
	const struct device_controls *c = blk->seat->controls;
	uint64_t now, at = UINT64_MAX;
	bool ready;

	if (!is_limited(blk))
		return true;
	now = now_ns();
	ready = rate_ready(&blk->bytes, &c->bytes_per_second, now, &at);
	ready &= rate_ready(&blk->operations, &c->operations_per_second, now, &at);
	if (ready)
		return true;
	blk->waiting |= 1u << q;
	vhost_user_later(blk->backend, q, at);
	return false;
}

/* Discards move no data, and a request that was refused has none. */
static void charge(struct blk *blk, const struct blk_request *r, bool served)
{
	uint64_t now;

	if (!is_limited(blk))
		return;
	now = now_ns();
	rate_charge(&blk->operations, 1, now);
	if (served && r->io.op != DISK_DISCARD && r->io.op != DISK_FLUSH)
		rate_charge(&blk->bytes, r->io.len, now);
}

/* Begin with the chain in slot r.  False: the ring is broken now. */
static bool start(struct blk *blk, struct blk_request *r, const struct virtqueue_chain *chain)
{
	struct iov_cursor out = { r->iov, chain->nread };
	struct iov_cursor in = { r->iov + chain->nread, chain->nwrite };
	struct virtio_blk_outhdr hdr;
	struct iovec *last;
	int status;

	r->head = chain->head;
	r->data_len = r->sent_len = 0;
	r->io = (struct disk_request){ .op = DISK_READ };
	if (!chain->nwrite) {
		/* Nowhere to put a status.  Returned all the same, so that it
		 * is not out when the ring is stopped. */
		vhost_user_break(blk->backend, r->queue, "request without a status byte");
		virtqueue_push(vhost_user_queue(blk->backend, r->queue), r->head, 0);
		return false;
	}
	last = &in.iov[in.count - 1];
	r->status = (uint8_t *)last->iov_base + --last->iov_len;
	if (!last->iov_len)
		in.count--;
	if (iov_take(&out, sizeof(hdr), &hdr, NULL) != sizeof(hdr))
		status = VIRTIO_BLK_S_IOERR;
	else
		status = decode(blk, r, &hdr, out, chain->read_bytes - (uint32_t)sizeof(hdr), in,
				chain->write_bytes - 1);
	charge(blk, r, status < 0);
	if (status >= 0)
		finish(blk, r, (uint8_t)status);
	else
		disk_submit(blk->disk, &r->io);
	return true;
}

/* Take some requests, *ret_n of them.  True: there may be more. */
static bool take_requests(struct blk *blk, unsigned int q, uint32_t *ret_n)
{
	struct virtqueue_chain chain;

	/* An engine that waits for each request should not let the guest wait
	 * for all of them. */
	unsigned int budget = disk_event_fd(blk->disk) < 0 ? BUDGET_SYNC : BUDGET;

	for (; *ret_n < budget; ++*ret_n) {
		struct blk_request *r = may_begin(blk, q) ? get_slot(blk) : NULL;

		if (blk->waiting >> q & 1)
			return false;
		if (!r) {
			blk->starved |= 1u << q;
			return false;
		}
		r->queue = q;
		if (!vhost_user_pop(blk->backend, q, &chain, r->iov, IOV_MAX_PER_REQUEST) ||
		    !start(blk, r, &chain)) {
			put_slot(blk, r);
			return false;
		}
	}
	return true;
}

static bool blk_process(void *ctx, unsigned int q)
{
	struct blk *blk = ctx;
	struct virtqueue *vq = vhost_user_queue(blk->backend, q);
	uint32_t n = 0;
	bool more;

	virtqueue_disable_notify(vq);
	blk->waiting &= ~(1u << q);
	more = take_requests(blk, q, &n);
	disk_kick(blk->disk);
	reap(blk); /* what the page cache had is complete already */
	tell_queues(blk);
	counter_add(&blk->seat->counters->syscalls, patience_serve(&blk->patience, n));
	if ((blk->starved | blk->waiting) >> q & 1)
		return false; /* finish() calls for us, or the time that has come */
	return more || virtqueue_enable_notify(vq);
}

static void blk_event(void *ctx, unsigned int tag, uint32_t events)
{
	struct blk *blk = ctx;

	(void)tag;
	(void)events;
	reap(blk);
	tell_queues(blk);
}

/* Nothing can be called back from the kernel half way: wait for it.  The front
 * end has a deadline, and a way to end us. */
static void blk_quiesce(void *ctx, unsigned int q)
{
	struct blk *blk = ctx;

	(void)q;
	disk_drain(blk->disk);
	reap(blk);
	tell_queues(blk);
}

static int blk_set_features(void *ctx, uint64_t features)
{
	struct blk *blk = ctx;

	blk->write_back = features >> VIRTIO_BLK_F_FLUSH & 1;
	return 0;
}

#define BIT(n) (UINT64_C(1) << (n))

static uint64_t offered_features(const struct blk_params *p)
{
	uint64_t f = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
		     BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_BLK_F_SEG_MAX) |
		     BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH);

	if (p->queues > 1)
		f |= BIT(VIRTIO_BLK_F_MQ);
	if (p->read_only)
		return f | BIT(VIRTIO_BLK_F_RO);
	f |= BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	if (p->discard)
		f |= BIT(VIRTIO_BLK_F_DISCARD);
	return f;
}

static void fill_config(struct blk *blk)
{
	const struct blk_params *p = blk->params;
	struct virtio_blk_config *c = &blk->config;

	c->capacity = p->bytes / SECTOR;
	c->seg_max = SEG_MAX;
	c->blk_size = disk_block_size(blk->disk);
	c->num_queues = p->queues;
	if (p->read_only)
		return;
	c->max_write_zeroes_sectors = MAX_ZEROES_BYTES / SECTOR;
	c->max_write_zeroes_seg = 1;
	c->write_zeroes_may_unmap = p->discard;
	if (p->discard) {
		c->max_discard_sectors = MAX_DISCARD_BYTES / SECTOR;
		c->max_discard_seg = 1;
		c->discard_sector_alignment = c->blk_size / SECTOR;
	}
}

#define SLOTS_BYTES (DEPTH * sizeof(struct blk_request))
#define IOVS_BYTES  (DEPTH * IOV_MAX_PER_REQUEST * sizeof(struct iovec))

/* Mapped, because malloc would touch it to clear it: pages that were never
 * used cost nothing. */
static int make_slots(struct blk *blk, struct err *e)
{
	void *p = mmap(NULL, SLOTS_BYTES + IOVS_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_errno(e, "%s: memory for requests", blk->seat->name);
	blk->slots = p;
	blk->iovs = (struct iovec *)(void *)((uint8_t *)p + SLOTS_BYTES);
	return 0;
}

static int run(struct blk *blk, struct err *e)
{
	const struct device_seat *seat = blk->seat;
	const struct disk_params disk = { .fd = blk->params->fd,
					  .direct = blk->params->direct,
					  .try_io_uring = !blk->params->no_io_uring,
					  .depth = DEPTH,
					  .name = seat->name };
	struct vhost_user_device dev = { .features = offered_features(blk->params),
					 .nqueues = blk->params->queues,
					 .config = &blk->config,
					 .config_len = sizeof(blk->config),
					 .inflight = true,
					 .ctx = blk,
					 .set_features = blk_set_features,
					 .process = blk_process,
					 .quiesce = blk_quiesce,
					 .event = blk_event };
	int r;

	blk->disk = disk_new(&disk, e);
	if (!blk->disk)
		return -EIO;
	fill_config(blk);
	blk->backend = vhost_user_backend_new(seat, &dev, e);
	if (!blk->backend)
		return -EIO;
	if (disk_event_fd(blk->disk) >= 0) {
		r = vhost_user_watch(blk->backend, disk_event_fd(blk->disk), 0, EPOLLIN);
		if (r < 0)
			return err_code(e, r, "%s: watch the disk", seat->name);
	}
	r = seat->confine(seat, e);
	return r < 0 ? r : vhost_user_serve(blk->backend, e);
}

int blk_main(const struct device_seat *seat, const struct blk_params *params, struct err *e)
{
	struct blk blk = { .seat = seat, .params = params };
	int r;

	if (params->queues == 0 || params->queues > VHOST_USER_MAX_QUEUES || params->bytes % SECTOR)
		r = err_set(e, EINVAL, "%s: %u queues, %llu bytes", seat->name, params->queues,
			    (unsigned long long)params->bytes);
	else
		r = make_slots(&blk, e);
	if (r == 0)
		r = run(&blk, e);
	vhost_user_backend_free(blk.backend);
	disk_free(blk.disk);
	if (blk.slots)
		munmap(blk.slots, SLOTS_BYTES + IOVS_BYTES);
	close(params->fd);
	return r;
}
