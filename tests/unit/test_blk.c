/* test_blk.c - virtio-blk end to end: a mock driver and front end, the device
 * process's entry on a thread, a file as the disk; both engines. */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/support/mock_front_end.h"
#include "vmm/base/util.h"

#define DISK_BYTES   (4u << 20)
#define SECTOR_BYTES 512u
#define IN	     VIRTIO_BLK_T_IN
#define OUT	     VIRTIO_BLK_T_OUT

struct fixture {
	struct front_end f;
	struct blk_params p;
	char path[64];
	int fd; /* our own view of the file */
};

static int entry(const struct device_seat *seat, const void *params, struct err *e)
{
	return blk_main(seat, params, e);
}

static void run(struct fixture *t)
{
	t->p.fd = open(t->path, O_RDWR | O_CLOEXEC | (t->p.direct ? O_DIRECT : 0));
	assert_true(t->p.fd >= 0);
	front_run(&t->f, entry, &t->p);
}

static void start(struct fixture *t, uint64_t without)
{
	run(t);
	front_negotiate(&t->f, without);
	front_init_driver(&t->f, 0, 64);
	front_start_queue(&t->f, 0, 0);
}

static int setup_with(void **state, bool no_io_uring)
{
	struct fixture *t = calloc(1, sizeof(*t));
	char name[] = "test_blk.XXXXXX";

	front_init(&t->f);
	t->fd = mkostemp(name, O_CLOEXEC);
	assert_true(t->fd >= 0);
	unlink(name);
	snprintf(t->path, sizeof(t->path), "/proc/self/fd/%d", t->fd);
	assert_int_equal(ftruncate(t->fd, DISK_BYTES), 0);
	t->p = (struct blk_params){ .bytes = DISK_BYTES,
				    .discard = true,
				    .no_io_uring = no_io_uring,
				    .queues = 1,
				    .serial = "serial-0123456789xyz" };
	*state = t;
	return 0;
}

static int setup_uring(void **state)
{
	return setup_with(state, false);
}

static int setup_sync(void **state)
{
	return setup_with(state, true);
}

static int teardown(void **state)
{
	struct fixture *t = *state;

	front_release(&t->f);
	close(t->fd);
	free(t);
	return 0;
}

struct io {
	uint64_t hdr, data, status;
	uint32_t len;
	uint16_t head;
};

/* Add one request; the data buffer is new unless len is 0. */
static struct io add(struct fixture *t, unsigned int q, uint32_t type, uint64_t sector,
		     uint32_t len, bool indirect)
{
	struct mock_driver *d = &t->f.driver[q];
	struct io io = { .hdr = mock_alloc(d, 16, 16), .status = mock_alloc(d, 1, 1), .len = len };
	struct virtio_blk_outhdr hdr = { .type = type, .sector = sector };
	struct mock_buf bufs[3] = { { io.hdr, 16, false } };
	bool write = type == IN || type == VIRTIO_BLK_T_GET_ID;
	unsigned int n = 1;

	memcpy(mock_ptr(d, io.hdr), &hdr, sizeof(hdr));
	*(uint8_t *)mock_ptr(d, io.status) = 0xff;
	if (len) {
		io.data = mock_alloc(d, len, 512);
		assert_true(io.data);
		bufs[n++] = (struct mock_buf){ io.data, len, write };
	}
	bufs[n++] = (struct mock_buf){ io.status, 1, true };
	io.head = indirect ? mock_add_indirect(d, bufs, n) : mock_add(d, bufs, n);
	assert_true(io.head != UINT16_MAX);
	return io;
}

static uint8_t status_of(struct fixture *t, unsigned int q, const struct io *io)
{
	return *(uint8_t *)mock_ptr(&t->f.driver[q], io->status);
}

/* Kick and wait for this one request. */
static uint8_t finish(struct fixture *t, const struct io *io, uint32_t *ret_len)
{
	uint16_t head;
	uint32_t len;

	front_kick(&t->f, 0);
	front_collect(&t->f, 0, &head, &len);
	assert_int_equal(head, io->head);
	if (ret_len)
		*ret_len = len;
	return status_of(t, 0, io);
}

static void *data_of(struct fixture *t, const struct io *io)
{
	return mock_ptr(&t->f.driver[0], io->data);
}

static void fill(void *p, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)p)[i] = (uint8_t)(i * 7 + seed + i / 256);
}

static void write_then_read(void **state)
{
	struct fixture *t = *state;
	uint8_t expect[8192], got[8192];
	uint32_t len;
	struct io io;

	start(t, 0);
	for (int indirect = 0; indirect < 2; indirect++) {
		io = add(t, 0, OUT, 100, sizeof(expect), indirect);
		fill(expect, sizeof(expect), 3u + (unsigned int)indirect);
		memcpy(data_of(t, &io), expect, sizeof(expect));
		assert_int_equal(finish(t, &io, &len), VIRTIO_BLK_S_OK);
		assert_int_equal(len, 1);
		assert_int_equal(pread(t->fd, got, sizeof(got), 51200), sizeof(got));
		assert_memory_equal(got, expect, sizeof(got));
		io = add(t, 0, VIRTIO_BLK_T_FLUSH, 0, 0, indirect);
		assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_OK);
		io = add(t, 0, IN, 100, sizeof(got), indirect);
		assert_int_equal(finish(t, &io, &len), VIRTIO_BLK_S_OK);
		assert_int_equal(len, sizeof(got) + 1);
		assert_memory_equal(data_of(t, &io), expect, sizeof(got));
	}
	assert_int_equal(t->f.counters.requests, 6);
	assert_int_equal(t->f.counters.bytes_out, 2 * sizeof(got));
	assert_int_equal(t->f.counters.bytes_in, 2 * sizeof(got));
	assert_int_equal(t->f.counters.errors, 0);
	assert_int_equal(front_hang_up(&t->f), 0);
}

/* No layout may be assumed: header in three pieces, status in the data's
 * descriptor, data crossing a seam of the memory regions. */
static void any_layout_of_descriptors(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[0];
	struct virtio_blk_outhdr hdr = { .type = IN, .sector = 1 };
	uint64_t h, seam = FRONT_GPA + FRONT_MEM / 2 - 700;
	uint8_t *seam_host = t->f.mem + (seam - FRONT_GPA), expect[1024];
	uint16_t head;
	uint32_t len;

	start(t, 0);
	h = mock_alloc(d, 16, 16);
	fill(expect, sizeof(expect), 9);
	assert_int_equal(pwrite(t->fd, expect, sizeof(expect), 512), sizeof(expect));
	memcpy(mock_ptr(d, h), &hdr, 16);
	struct mock_buf bufs[] = {
		{ h, 1, false }, { h + 1, 10, false }, { h + 11, 5, false }, { seam, 1025, true }
	};
	memset(seam_host, 0xee, 1025);
	mock_add(d, bufs, 4);
	front_kick(&t->f, 0);
	front_collect(&t->f, 0, &head, &len);
	assert_int_equal(len, 1025);
	assert_memory_equal(seam_host, expect, 1024);
	assert_int_equal(seam_host[1024], VIRTIO_BLK_S_OK);

	/* Write: header and data in one descriptor. */
	h = mock_alloc(d, 16 + 512 + 1, 16);
	hdr.type = OUT;
	hdr.sector = 7;
	memcpy(mock_ptr(d, h), &hdr, 16);
	memset((uint8_t *)mock_ptr(d, h) + 16, 0x5a, 512);
	struct mock_buf out[] = { { h, 528, false }, { h + 528, 1, true } };
	mock_add(d, out, 2);
	front_kick(&t->f, 0);
	front_collect(&t->f, 0, &head, &len);
	assert_int_equal(*(uint8_t *)mock_ptr(d, h + 528), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(t->fd, expect, 512, 7 * 512), 512);
	assert_int_equal(expect[0], 0x5a);
	assert_int_equal(expect[511], 0x5a);
}

static void get_id(void **state)
{
	struct fixture *t = *state;
	uint32_t len;
	struct io io;

	start(t, 0);
	io = add(t, 0, VIRTIO_BLK_T_GET_ID, 0, 20, false);
	assert_int_equal(finish(t, &io, &len), VIRTIO_BLK_S_OK);
	assert_int_equal(len, 21);
	assert_memory_equal(data_of(t, &io), "serial-0123456789xyz", 20);
}

static void bad_requests_get_a_status(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t len;
		uint8_t status;
	} bad[] = {
		{ IN, DISK_BYTES / 512, 512, VIRTIO_BLK_S_IOERR },
		{ IN, DISK_BYTES / 512 - 1, 1024, VIRTIO_BLK_S_IOERR },
		{ OUT, DISK_BYTES / 512 - 1, 1024, VIRTIO_BLK_S_IOERR },
		{ IN, UINT64_MAX, 512, VIRTIO_BLK_S_IOERR },
		{ OUT, UINT64_MAX / 512 + 1, 512, VIRTIO_BLK_S_IOERR },
		{ IN, 0, 511, VIRTIO_BLK_S_IOERR },
		{ IN, 0, 0, VIRTIO_BLK_S_IOERR },
		{ OUT, 0, 0, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, 0, 8, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, 0, 32, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_WRITE_ZEROES, 0, 0, VIRTIO_BLK_S_IOERR },
		{ 77, 0, 512, VIRTIO_BLK_S_UNSUPP },
		{ UINT32_MAX, 0, 0, VIRTIO_BLK_S_UNSUPP },
	};
	struct fixture *t = *state;
	struct io io;

	start(t, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		io = add(t, 0, bad[i].type, bad[i].sector, bad[i].len, i & 1);
		assert_int_equal(finish(t, &io, NULL), bad[i].status);
	}
	assert_int_equal(t->f.counters.errors, ARRAY_SIZE(bad));
	assert_int_equal(t->f.counters.malformed, 0);
}

/* Discard and write-zeroes with the range given. */
static uint8_t range(struct fixture *t, uint32_t type, uint64_t sector, uint32_t sectors,
		     uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes r = { sector, sectors, flags };
	struct io io = add(t, 0, type, 0, sizeof(r), false);

	memcpy(data_of(t, &io), &r, sizeof(r));
	return finish(t, &io, NULL);
}

static void discard_and_write_zeroes(void **state)
{
	const uint32_t discard = VIRTIO_BLK_T_DISCARD, zeroes = VIRTIO_BLK_T_WRITE_ZEROES;
	const uint32_t end = DISK_BYTES / 512;
	struct fixture *t = *state;
	uint8_t page[4096], zero[4096] = { 0 };

	start(t, 0);
	for (unsigned int i = 0; i < 4; i++) {
		memset(page, 0xaa, sizeof(page));
		assert_int_equal(pwrite(t->fd, page, 4096, i * 4096), 4096);
	}
	assert_int_equal(range(t, discard, 8, 8, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(range(t, zeroes, 16, 8, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(range(t, zeroes, 25, 2, 1), VIRTIO_BLK_S_OK);
	for (unsigned int i = 1; i < 3; i++) {
		assert_int_equal(pread(t->fd, page, 4096, i * 4096), 4096);
		assert_memory_equal(page, zero, 4096);
	}
	assert_int_equal(pread(t->fd, page, 4096, 3 * 4096), 4096);
	assert_int_equal(page[511], 0xaa);
	assert_memory_equal(page + 512, zero, 1024);
	assert_int_equal(page[1536], 0xaa);
	assert_int_equal(range(t, discard, end - 1, 2, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(t, zeroes, end, 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(t, zeroes, 0, UINT32_MAX, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(t, discard, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(t, discard, 0, 1, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(range(t, zeroes, 0, 1, 2), VIRTIO_BLK_S_UNSUPP);
}

static void read_only_disk(void **state)
{
	struct fixture *t = *state;
	struct io io;

	t->p.read_only = true;
	start(t, 0);
	assert_true(t->f.features >> VIRTIO_BLK_F_RO & 1);
	assert_false(t->f.features >> VIRTIO_BLK_F_DISCARD & 1);
	io = add(t, 0, OUT, 0, 512, false);
	assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(t, VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0), VIRTIO_BLK_S_IOERR);
	io = add(t, 0, IN, 0, 512, false);
	assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_OK);
}

static void truncated_file_is_an_io_error(void **state)
{
	struct fixture *t = *state;
	struct io io;

	start(t, 0);
	assert_int_equal(ftruncate(t->fd, 4096 + 512), 0);
	io = add(t, 0, IN, 8, 4096, false); /* the first 512 bytes are there */
	assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_IOERR);
	io = add(t, 0, IN, 0, 4096, false);
	assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_OK);
}

/* O_DIRECT with buffers that are not aligned goes through the bounce buffer. */
static void direct_io(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[0];
	struct virtio_blk_outhdr hdr = { .type = OUT, .sector = 8 };
	const uint32_t len = 192 * 1024;
	uint64_t h, data;
	uint16_t head;
	uint32_t used;
	int fd;

	fd = open(t->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		print_message("the file system has no O_DIRECT\n");
		skip();
	}
	close(fd);
	t->p.direct = true;
	start(t, 0);
	h = mock_alloc(d, 17, 16);
	data = mock_alloc(d, len + 8, 4096) + 3;
	struct mock_buf bufs[] = { { h, 16, false }, { data, len, false }, { h + 16, 1, true } };
	for (int round = 0; round < 2; round++) {
		hdr.type = round ? IN : OUT;
		bufs[1].write = round;
		if (round)
			memset(mock_ptr(d, data), 0, len);
		else
			fill(mock_ptr(d, data), len, 5);
		memcpy(mock_ptr(d, h), &hdr, 16);
		mock_add(d, bufs, 3);
		front_kick(&t->f, 0);
		front_collect(&t->f, 0, &head, &used);
		assert_int_equal(*(uint8_t *)mock_ptr(d, h + 16), VIRTIO_BLK_S_OK);
	}
	uint8_t *expect = malloc(len);

	fill(expect, len, 5);
	assert_memory_equal(mock_ptr(d, data), expect, len);
	/* And the straight way. */
	struct io io = add(t, 0, IN, 8, 4096, false);
	/* mock_alloc aligns to 512 only, whatever the disk needs: both ways do. */
	assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_OK);
	assert_memory_equal(data_of(t, &io), expect, 4096);
	free(expect);
}

/* Many requests at once, over two queues, the ring going around. */
static void deep_queues(void **state)
{
	struct fixture *t = *state;
	uint32_t seen[2] = { 0 }, len;
	uint16_t head;

	t->p.queues = 2;
	start(t, 0);
	assert_true(t->f.features >> VIRTIO_BLK_F_MQ & 1);
	front_init_driver(&t->f, 1, 256);
	front_start_queue(&t->f, 1, 0);
	for (unsigned int round = 0; round < 20; round++) {
		struct io io[2][84];

		for (unsigned int q = 0; q < 2; q++) {
			t->f.driver[q].next_free = 64 * 1024;
			for (unsigned int i = 0; i < 20 + q * 64; i++)
				io[q][i] = add(t, q, i % 3 ? IN : OUT, (round * 7 + i) % 4096, 1024,
					       q);
			front_kick(&t->f, q);
		}
		for (unsigned int q = 0; q < 2; q++) {
			for (unsigned int i = 0; i < 20 + q * 64; i++, seen[q]++)
				front_collect(&t->f, q, &head, &len);
			for (unsigned int i = 0; i < 20 + q * 64; i++)
				assert_int_equal(status_of(t, q, &io[q][i]), VIRTIO_BLK_S_OK);
		}
	}
	assert_int_equal(seen[0], 400);
	assert_int_equal(seen[1], 84 * 20);
	assert_int_equal(t->f.counters.requests, 84 * 20 + 400);
}

static void broken_ring_is_told(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[0];
	struct io io;

	start(t, 0);
	struct mock_buf no_status = { mock_alloc(d, 16, 16), 16, false };

	mock_add(d, &no_status, 1);
	front_kick(&t->f, 0);
	assert_true(front_wait_eventfd(t->f.err[0], 5000));
	assert_int_equal(t->f.counters.malformed, 1);
	assert_int_equal(d->used->idx, 0);
	/* A reset mends it. */
	front_stop_queue(&t->f, 0);
	front_init_driver(&t->f, 0, 64);
	front_start_queue(&t->f, 0, 0);
	io = add(t, 0, IN, 0, 512, false);
	assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_OK);
	/* Requests already taken do not write to the ring once it is broken. */
	io = add(t, 0, IN, 0, 512, false);
	d->avail_idx += 100;
	front_kick(&t->f, 0);
	assert_true(front_wait_eventfd(t->f.err[0], 5000));
	front_stop_queue(&t->f, 0);
	assert_int_equal(d->used->idx, 1);
}

/* After the reply to GET_VRING_BASE nothing may be written any more. */
static void no_write_after_stop(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[0];
	uint8_t *copy = malloc(FRONT_AREA);

	start(t, 0);
	for (unsigned int round = 0; round < 10; round++) {
		uint32_t base;

		/* Not in the page cache: the reads go to the device. */
		posix_fadvise(t->fd, 0, 0, POSIX_FADV_DONTNEED);
		front_init_driver(&t->f, 0, 64);
		if (round)
			front_start_queue(&t->f, 0, 0);
		for (unsigned int i = 0; i < 16; i++)
			add(t, 0, i & 1 ? OUT : IN, i * 64, 32768, false);
		mock_publish(d);
		eventfd_write(t->f.kick[0], 1);
		base = front_stop_queue(&t->f, 0);
		memcpy(copy, d->mem, FRONT_AREA);
		assert_int_equal(base, d->used->idx);
		usleep(3000);
		assert_memory_equal(copy, d->mem, FRONT_AREA);
	}
	free(copy);
}

static void *answer_late(void *fd)
{
	static const char data[SECTOR_BYTES] = "late";

	usleep(100000);
	assert_int_equal(write(*(int *)fd, data, sizeof(data)), sizeof(data));
	return NULL;
}

/* A disk that answers when it likes, for once: a FIFO.  The reply to
 * GET_VRING_BASE waits for it. */
static void stop_waits_for_the_disk(void **state)
{
	struct fixture *t = *state;
	char name[] = "test_blk.XXXXXX", path[sizeof(name) + 8];
	pthread_t answer;
	struct io io;
	int fd;

	assert_non_null(mkdtemp(name));
	snprintf(path, sizeof(path), "%s/fifo", name);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(path);
	rmdir(name);
	snprintf(t->path, sizeof(t->path), "/proc/self/fd/%d", fd);
	start(t, 0);
	io = add(t, 0, IN, 0, SECTOR_BYTES, false);
	front_kick(&t->f, 0);
	usleep(30000);
	assert_int_equal(status_of(t, 0, &io), 0xff);
	assert_int_equal(pthread_create(&answer, NULL, answer_late, &fd), 0);
	assert_int_equal(front_stop_queue(&t->f, 0), 1);
	assert_int_equal(status_of(t, 0, &io), 0);
	assert_string_equal(data_of(t, &io), "late");
	pthread_join(answer, NULL);
	close(fd);
}

/* Stopped half way, the rest is served after a restart at the base. */
static void resumes_at_base(void **state)
{
	struct fixture *t = *state;
	uint32_t base, len;
	uint16_t head;
	struct io io;

	start(t, 0);
	io = add(t, 0, IN, 0, 512, false);
	assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_OK);
	base = front_stop_queue(&t->f, 0);
	assert_int_equal(base, 1);
	io = add(t, 0, IN, 0, 512, false);
	mock_publish(&t->f.driver[0]); /* no kick: the start must find it */
	front_start_queue(&t->f, 0, 1);
	front_collect(&t->f, 0, &head, &len);
	assert_int_equal(head, io.head);
}

static struct vhost_user_msg get_inflight(struct fixture *t)
{
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_GET_INFLIGHT_FD,
					       .size = 24 } };

	msg.payload.inflight.num_queues = 1;
	msg.payload.inflight.queue_size = 64;
	front_ask(&t->f, &msg);
	assert_int_equal(msg.nfds, 1);
	assert_true(msg.payload.inflight.mmap_size >= 16 + 64 * 16);
	return msg;
}

static void set_inflight(struct fixture *t, struct vhost_user_msg *msg)
{
	struct vhost_user_msg set = *msg;

	set.hdr = (struct vhost_user_header){ .request = VHOST_USER_SET_INFLIGHT_FD, .size = 24 };
	assert_int_equal(front_send(&t->f, &set), 0);
}

/* The device dies with requests in flight; its successor serves them again. */
static void inflight_requests_survive(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[0];
	struct vhost_user_msg area;
	struct io first, lost, later;
	uint8_t *record;
	uint16_t head;
	uint32_t len;

	run(t);
	front_negotiate(&t->f, 0);
	area = get_inflight(t);
	set_inflight(t, &area);
	front_init_driver(&t->f, 0, 64);
	front_start_queue(&t->f, 0, 0);
	first = add(t, 0, IN, 0, 512, false);
	assert_int_equal(finish(t, &first, NULL), VIRTIO_BLK_S_OK);
	record = mmap(NULL, area.payload.inflight.mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      area.fds[0], 0);
	assert_ptr_not_equal(record, MAP_FAILED);
	/* The record as it stands while the next request is out. */
	lost = add(t, 0, IN, 0, 512, false);
	later = add(t, 0, IN, 0, 512, false);
	assert_int_equal(record[16 + 16 * lost.head], 0);
	uint8_t *snapshot = malloc(area.payload.inflight.mmap_size);

	memcpy(snapshot, record, area.payload.inflight.mmap_size);
	snapshot[16 + 16 * lost.head] = 1;
	assert_int_equal(front_hang_up(&t->f), 0);
	memcpy(record, snapshot, area.payload.inflight.mmap_size);
	mock_publish(d);

	run(t);
	front_negotiate(&t->f, 0);
	set_inflight(t, &area);
	front_start_queue(&t->f, 0, 1);
	front_collect(&t->f, 0, &head, &len);
	assert_int_equal(head, lost.head);
	assert_int_equal(status_of(t, 0, &lost), VIRTIO_BLK_S_OK);
	/* What had not been popped comes from the ring as ever. */
	front_collect(&t->f, 0, &head, &len);
	assert_int_equal(head, later.head);
	assert_int_equal(status_of(t, 0, &later), VIRTIO_BLK_S_OK);
	assert_int_equal(t->f.counters.requests, 3);
	munmap(record, area.payload.inflight.mmap_size);
	free(snapshot);
	vhost_user_msg_release(&area);
}

static void hostile_driver(void **state)
{
	struct fixture *t = *state;
	uint8_t expect[512] = { 0 };
	struct io io;

	start(t, 0);
	for (unsigned int seed = 0; seed < 8; seed++)
		front_torment(&t->f, 0, 200, seed);
	io = add(t, 0, OUT, 0, 512, false);
	memset(data_of(t, &io), 0, 512);
	assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_OK);
	io = add(t, 0, IN, 0, 512, false);
	assert_int_equal(finish(t, &io, NULL), VIRTIO_BLK_S_OK);
	assert_memory_equal(data_of(t, &io), expect, 512);
	assert_int_equal(front_hang_up(&t->f), 0);
}

static uint64_t throttled(struct fixture *t)
{
	return __atomic_load_n(&t->f.counters.throttled, __ATOMIC_RELAXED);
}

/* 64 KiB at 4 KiB/s are a debt of 16 s, which only a new rate ends. */
static void rate_is_kept_and_changed(void **state)
{
	struct fixture *t = *state;
	struct io first, second;
	uint16_t head;
	uint32_t len;

	t->f.controls.bytes_per_second = 4096;
	start(t, 0);
	first = add(t, 0, IN, 0, 65536, false);
	second = add(t, 0, IN, 0, 512, false);
	assert_int_equal(finish(t, &first, NULL), VIRTIO_BLK_S_OK);
	for (int i = 0; i < 1000 && throttled(t) < 2; i++)
		usleep(10000);
	assert_true(throttled(t) >= 2);
	assert_int_equal(status_of(t, 0, &second), 0xff);
	__atomic_store_n(&t->f.controls.bytes_per_second, 0, __ATOMIC_RELAXED);
	front_collect(&t->f, 0, &head, &len);
	assert_int_equal(head, second.head);
	assert_int_equal(status_of(t, 0, &second), VIRTIO_BLK_S_OK);
	assert_int_equal(front_hang_up(&t->f), 0);
}

/* A queue that waits can be stopped, and its requests are still there. */
static void stops_while_it_waits(void **state)
{
	struct fixture *t = *state;
	struct io io;

	t->f.controls.operations_per_second = 1;
	start(t, 0);
	for (unsigned int i = 0; i < 8; i++)
		io = add(t, 0, IN, i, 512, false);
	front_kick(&t->f, 0);
	for (int i = 0; i < 1000 && throttled(t) < 1; i++)
		usleep(10000);
	assert_true(front_stop_queue(&t->f, 0) < 8);
	assert_int_equal(status_of(t, 0, &io), 0xff);
	assert_int_equal(front_hang_up(&t->f), 0);
}

static void config_space(void **state)
{
	struct fixture *t = *state;
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_GET_CONFIG, .size = 268 } };
	struct virtio_blk_config c;

	t->p.queues = 3;
	run(t);
	front_negotiate(&t->f, 0);
	msg.payload.config.size = 256;
	front_ask(&t->f, &msg);
	assert_int_equal(msg.hdr.size, 268);
	memcpy(&c, msg.payload.config.region, sizeof(c));
	assert_int_equal(c.capacity, DISK_BYTES / 512);
	assert_int_equal(c.num_queues, 3);
	assert_int_equal(c.seg_max, 126);
	assert_int_equal(front_get_u64(&t->f, VHOST_USER_GET_QUEUE_NUM), 3);
}

#define BOTH(f)                                                                                    \
	{ #f " (io_uring)", f, setup_uring, teardown, NULL },                                      \
	{                                                                                          \
#f " (preadv)", f, setup_sync, teardown, NULL                                      \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(write_then_read),
		BOTH(any_layout_of_descriptors),
		BOTH(get_id),
		BOTH(bad_requests_get_a_status),
		BOTH(discard_and_write_zeroes),
		BOTH(read_only_disk),
		BOTH(truncated_file_is_an_io_error),
		BOTH(direct_io),
		BOTH(deep_queues),
		BOTH(broken_ring_is_told),
		BOTH(no_write_after_stop),
		cmocka_unit_test_setup_teardown(stop_waits_for_the_disk, setup_uring, teardown),
		BOTH(resumes_at_base),
		BOTH(inflight_requests_survive),
		BOTH(hostile_driver),
		BOTH(rate_is_kept_and_changed),
		BOTH(stops_while_it_waits),
		BOTH(config_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
