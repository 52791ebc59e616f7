/*
 * blk.c - fuzz target: virtio-blk behind its virtqueue.
 *
 * Requests of a driver that keeps to the rules are held against a model of
 * the disk: each comes back once, with the status and the bytes that the
 * model says.  In between the driver is hostile.
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <sys/mman.h>

#include "tests/fuzz/device.h"

#define SECTORS	   64u
#define DISK_BYTES (SECTORS * 512)
#define SERIAL	   "0123456789abcdefghij"

struct request {
	bool out; /* offered, not come back */
	uint32_t type, len, in_bytes;
	uint64_t sector, data, status;
};

struct world {
	struct fuzz_device d;
	struct blk_params params;
	int disk_fd;
	uint8_t model[DISK_BYTES];
	struct request request[MOCK_QUEUE_MAX]; /* by head */
	unsigned int nout;
};

static bool on_disk(uint64_t sector, uint64_t len)
{
	return len && len % 512 == 0 && sector <= SECTORS && len / 512 <= SECTORS - sector;
}

/* A range request's data, which the driver leaves as it is. */
static struct virtio_blk_discard_write_zeroes range_of(struct world *w, const struct request *r)
{
	struct virtio_blk_discard_write_zeroes range = { 0 };

	if (r->len)
		memcpy(&range, mock_ptr(&w->d.driver[0], r->data), MIN(r->len, sizeof(range)));
	return range;
}

static uint8_t range_status(struct world *w, const struct request *r, bool zero)
{
	struct virtio_blk_discard_write_zeroes range = range_of(w, r);

	if (w->params.read_only)
		return VIRTIO_BLK_S_IOERR;
	if (!zero && !w->params.discard)
		return VIRTIO_BLK_S_UNSUPP;
	if (r->len != sizeof(range))
		return VIRTIO_BLK_S_IOERR;
	if (range.flags & ~(zero ? 1u : 0u))
		return VIRTIO_BLK_S_UNSUPP;
	if (!on_disk(range.sector, range.num_sectors * 512ULL))
		return VIRTIO_BLK_S_IOERR;
	memset(w->model + range.sector * 512, 0, range.num_sectors * 512ULL);
	return VIRTIO_BLK_S_OK;
}

/* What the model says, and does. */
static uint8_t expected(struct world *w, const struct request *r)
{
	uint8_t *data = r->data ? mock_ptr(&w->d.driver[0], r->data) : NULL;

	switch (r->type) {
	case VIRTIO_BLK_T_IN:
		if (!on_disk(r->sector, r->len))
			return VIRTIO_BLK_S_IOERR;
		must(memcmp(data, w->model + r->sector * 512, r->len) == 0);
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_OUT:
		if (w->params.read_only || !on_disk(r->sector, r->len))
			return VIRTIO_BLK_S_IOERR;
		memcpy(w->model + r->sector * 512, data, r->len);
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_FLUSH:
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		must(!data || memcmp(data, SERIAL, MIN(r->len, 20u)) == 0);
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_DISCARD:
		return range_status(w, r, false);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return range_status(w, r, true);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static void check(struct world *w, uint16_t head, uint32_t written)
{
	struct request *r = &w->request[head];
	uint8_t status;

	must(head < w->d.driver[0].size && r->out);
	status = *(uint8_t *)mock_ptr(&w->d.driver[0], r->status);
	must(status == expected(w, r));
	if (status == VIRTIO_BLK_S_OK && r->type == VIRTIO_BLK_T_IN)
		must(written == r->len + 1);
	else if (status == VIRTIO_BLK_S_OK && r->type == VIRTIO_BLK_T_GET_ID)
		must(written == MIN(r->in_bytes, 20u) + 1);
	else
		must(written <= 1);
	r->out = false;
	w->nout--;
}

/* The engine is synchronous: whoever sleeps has served all that it knows of. */
static void rest(struct fuzz_device *d, unsigned int q)
{
	struct world *w = container_of(d, struct world, d);
	struct mock_driver *drv = &d->driver[q];
	bool wanted = drv->used->idx != drv->used_idx, interrupted = fuzz_interrupted(d, q);
	uint32_t len;
	uint16_t head;

	must(!wanted || interrupted);
	while (mock_collect(drv, &head, &len))
		check(w, head, len);
	must(drv->used_idx == drv->kicked_idx);
	mock_want_interrupt(drv);
	if (!w->nout && drv->avail_idx == drv->kicked_idx)
		drv->next_free = 0x2000;
}

static void fresh(struct fuzz_device *d, unsigned int q)
{
	struct world *w = container_of(d, struct world, d);

	(void)q;
	memset(w->request, 0, sizeof(w->request));
	w->nout = 0;
	/* A hostile driver may have written anything. */
	must(pread_all(w->disk_fd, w->model, DISK_BYTES, 0) == 0);
	d->driver[0].next_free = 0x2000;
	mock_want_interrupt(&d->driver[0]);
}

/* Cut [gpa, gpa + len) into up to three buffers behind bufs[*n]. */
static void cut(struct input *in, struct mock_buf *bufs, unsigned int *n, uint64_t gpa,
		uint32_t len, bool write)
{
	for (unsigned int pieces = in_below(in, 3); pieces && len > 1; pieces--) {
		uint32_t part = 1 + in_u16(in) % (len - 1);

		bufs[(*n)++] = (struct mock_buf){ gpa, part, write };
		gpa += part;
		len -= part;
	}
	if (len)
		bufs[(*n)++] = (struct mock_buf){ gpa, len, write };
}

static uint32_t data_len(struct input *in, uint32_t type)
{
	static const uint32_t odd[] = { 0, 1, 20, 511, 513, 16 };

	if (type == VIRTIO_BLK_T_DISCARD || type == VIRTIO_BLK_T_WRITE_ZEROES)
		return in_below(in, 8) ? 16 : in_below(in, 40);
	if (type == VIRTIO_BLK_T_FLUSH)
		return 0;
	if (in_below(in, 4) == 0)
		return odd[in_below(in, ARRAY_SIZE(odd))];
	return 512 * (1 + in_below(in, 12));
}

static void fill(struct input *in, const struct request *r, uint8_t *data)
{
	if (r->type == VIRTIO_BLK_T_DISCARD || r->type == VIRTIO_BLK_T_WRITE_ZEROES) {
		struct virtio_blk_discard_write_zeroes range = {
			.sector = in_below(in, SECTORS + 4),
			.num_sectors = in_below(in, 16),
			.flags = in_below(in, 4),
		};

		if (in_below(in, 16) == 0)
			range.sector = in_odd_number(in);
		memset(data, 0, r->len);
		memcpy(data, &range, MIN(r->len, sizeof(range)));
	} else {
		memset(data, in_u8(in), r->len);
	}
}

/* One request by the rules, though not always a sensible one. */
static void add_request(struct world *w)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_IN,	     VIRTIO_BLK_T_OUT,
					  VIRTIO_BLK_T_FLUSH,	     VIRTIO_BLK_T_GET_ID,
					  VIRTIO_BLK_T_OUT,	     VIRTIO_BLK_T_DISCARD,
					  VIRTIO_BLK_T_WRITE_ZEROES, 77 };
	struct mock_driver *drv = &w->d.driver[0];
	struct input *in = &w->d.in;
	struct request r = { .out = true, .type = types[in_below(in, ARRAY_SIZE(types))] };
	bool write = r.type == VIRTIO_BLK_T_IN || r.type == VIRTIO_BLK_T_GET_ID;
	struct virtio_blk_outhdr hdr = { .type = r.type };
	struct mock_buf bufs[12];
	unsigned int n = 0;
	uint64_t at;
	uint16_t head;

	r.sector = in_below(in, SECTORS + 4);
	if (in_below(in, 16) == 0)
		r.sector = in_odd_number(in);
	hdr.sector = r.sector;
	r.len = data_len(in, r.type);
	at = mock_alloc(drv, 16 + r.len + 1, 1);
	if (!at)
		return;
	memcpy(mock_ptr(drv, at), &hdr, sizeof(hdr));
	cut(in, bufs, &n, at, sizeof(hdr), false);
	if (r.len) {
		r.data = at + 16;
		fill(in, &r, mock_ptr(drv, r.data));
		cut(in, bufs, &n, r.data, r.len, write);
	}
	r.in_bytes = write ? r.len : 0;
	r.status = at + 16 + r.len;
	*(uint8_t *)mock_ptr(drv, r.status) = 0xee;
	bufs[n++] = (struct mock_buf){ r.status, 1, true };
	head = fuzz_add(&w->d, 0, bufs, n, in_u8(in) & 1);
	if (head == UINT16_MAX)
		return;
	w->request[head] = r;
	w->nout++;
}

static void turn(struct fuzz_device *d)
{
	struct world *w = container_of(d, struct world, d);
	unsigned int op = in_below(&d->in, 16);

	if (op < 12 && d->polite[0]) {
		for (unsigned int n = 1 + op / 4; n; n--)
			add_request(w);
		fuzz_publish(d, 0, false);
	} else if (op < 14) {
		fuzz_hostile(d, 0);
	} else {
		fuzz_front_end(d, 0);
	}
}

static int entry(const struct device_seat *seat, const void *params, struct err *e)
{
	return blk_main(seat, params, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world w;
	uint8_t how;
	int fd = lowest_free_fd();

	memset(&w, 0, sizeof(w));
	fuzz_device_init(&w.d, data, len);
	how = in_u8(&w.d.in);
	w.d.nqueues = 1;
	w.d.turn = turn;
	w.d.rest = rest;
	w.d.fresh = fresh;
	if (how & 1)
		w.d.features |= 1u << VIRTIO_RING_F_EVENT_IDX;
	if (how & 2)
		w.d.features |= 1u << VIRTIO_RING_F_INDIRECT_DESC;
	if (how & 4)
		w.d.features |= 1u << VIRTIO_BLK_F_FLUSH;
	w.params = (struct blk_params){ .bytes = DISK_BYTES,
					.read_only = how >> 4 == 15,
					.discard = how & 8,
					.no_io_uring = true,
					.queues = 1,
					.serial = SERIAL };
	w.params.fd = memfd_create("disk", MFD_CLOEXEC);
	must(w.params.fd >= 0 && ftruncate(w.params.fd, DISK_BYTES) == 0);
	w.disk_fd = dup(w.params.fd);
	fuzz_device_setup(&w.d);
	must(fuzz_device_run(&w.d, entry, &w.params) == 0);
	close(w.disk_fd);
	must(lowest_free_fd() == fd);
	return 0;
}
