/*
 * test_disk.c - the disk's engines by themselves: what the restricted ring
 * refuses, and the plain way to write zeros.
 *
 * The engine's source is included, to reach the ring as its owner would.
 */
#include "devices/backend/disk_uring.c"

#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#define BYTES (2u << 20)

static int make_file(void)
{
	char path[] = "test_disk.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, BYTES), 0);
	return fd;
}

static struct disk *open_disk(int fd, bool uring)
{
	const struct disk_params p = {
		.fd = fd, .try_io_uring = uring, .depth = 16, .name = "disk"
	};
	struct err e = { "" };
	struct disk *d = disk_new(&p, &e);

	assert_string_equal(e.text, "");
	assert_non_null(d);
	return d;
}

/* What one prepared entry of the ring comes to. */
static int result_of(struct disk *d, struct io_uring_sqe *sqe)
{
	struct io_uring_cqe *cqe;
	int res;

	(void)sqe;
	assert_int_equal(io_uring_submit(&d->uring->ring), 1);
	assert_int_equal(io_uring_wait_cqe(&d->uring->ring, &cqe), 0);
	res = cqe->res;
	io_uring_cqe_seen(&d->uring->ring, cqe);
	return res;
}

static void owned_ring_can_do_nothing_else(void **state)
{
	int fd = make_file(), other = make_file(), r;
	struct disk *d = open_disk(fd, true);
	struct iovec iov = { .iov_base = &r, .iov_len = sizeof(r) };
	struct io_uring_sqe *sqe;
	struct io_uring *ring;

	(void)state;
	if (!d->uring) {
		print_message("this host refuses io_uring\n");
		disk_free(d);
		skip();
	}
	ring = &d->uring->ring;
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_readv(sqe, FILE_INDEX, &iov, 1, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	assert_int_equal(result_of(d, sqe), sizeof(r));

	sqe = io_uring_get_sqe(ring); /* a file that is not registered */
	io_uring_prep_readv(sqe, other, &iov, 1, 0);
	assert_int_equal(result_of(d, sqe), -EACCES);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	assert_int_equal(result_of(d, sqe), -EACCES);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	assert_int_equal(result_of(d, sqe), -EACCES);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_socket(sqe, 1, 1, 0, 0);
	assert_int_equal(result_of(d, sqe), -EACCES);
	r = io_uring_register_files_update(ring, 0, &other, 1);
	assert_int_equal(r, -EACCES);
	disk_free(d);
	close(fd);
	close(other);
}

static void run_one(struct disk *d, struct disk_request *req)
{
	disk_submit(d, req);
	disk_kick(d);
	disk_drain(d);
	assert_ptr_equal(disk_reap(d), req);
	assert_null(disk_reap(d));
}

static void zeros_without_help(void **state)
{
	static uint8_t block[BYTES];

	(void)state;
	for (int uring = 0; uring < 2; uring++) {
		/* A memfd has no ZERO_RANGE: the zeros are written. */
		int fd = memfd_create("disk", MFD_CLOEXEC);
		struct disk_request req = { .op = DISK_ZERO, .offset = 1536, .len = 1000448 };
		struct disk *d;

		memset(block, 0xaa, sizeof(block));
		assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
		d = open_disk(fd, uring);
		run_one(d, &req);
		assert_int_equal(req.result, 0);
		assert_int_equal(pread(fd, block, sizeof(block), 0), sizeof(block));
		for (size_t i = 0; i < sizeof(block); i++)
			assert_int_equal(block[i], i < 1536 || i >= 1536 + 1000448 ? 0xaa : 0);
		disk_free(d);
		close(fd);
	}
}

static unsigned int flushes;

/* The C library's, for the disk as well: to count. */
int fdatasync(int fd)
{
	flushes++;
	return (int)syscall(SYS_fdatasync, fd);
}

/* A driver that does not flush finds a range on the medium as it does a write.
 * A disk's first flush is served at once, so that it is counted here. */
static void durable_ranges_are_flushed(void **state)
{
	(void)state;
	for (unsigned int pass = 0; pass < 16; pass++) {
		/* One knows ZERO_RANGE, the other has its zeros written. */
		int fd = pass & 1 ? make_file() : memfd_create("disk", MFD_CLOEXEC);
		struct disk_request req = { .op = pass & 2 ? DISK_ZERO : DISK_DISCARD,
					    .durable = pass & 4,
					    .offset = 4096,
					    .len = 65536 };
		struct disk *d;

		assert_int_equal(ftruncate(fd, BYTES), 0);
		d = open_disk(fd, pass & 8);
		flushes = 0;
		run_one(d, &req);
		assert_int_equal(req.result, 0);
		assert_int_equal(flushes, pass & 4 ? 1 : 0);
		disk_free(d);
		close(fd);
	}
}

/* One that failed has nothing to flush. */
static void failed_range_is_an_error(void **state)
{
	(void)state;
	for (int uring = 0; uring < 2; uring++) {
		int fd = memfd_create("disk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		struct disk_request req = { .op = DISK_DISCARD, .durable = true, .len = 4096 };
		struct disk *d;

		assert_int_equal(ftruncate(fd, BYTES), 0);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
		d = open_disk(fd, uring);
		flushes = 0;
		run_one(d, &req);
		assert_int_equal(req.result, -EPERM);
		assert_int_equal(flushes, 0);
		disk_free(d);
		close(fd);
	}
}

/* One write after the other, and several at once: all of them are done and come
 * back, whether or not somebody kicks before the drain. */
static void alone_and_together(void **state)
{
	static uint8_t data[16][4096], got[4096];
	struct disk_request req[16];
	struct iovec iov[16];

	(void)state;
	for (unsigned int pass = 0; pass < 64; pass++) {
		int fd = make_file();
		struct disk *d = open_disk(fd, pass & 1);
		unsigned int n = 1 + pass / 4, back = 0;

		for (unsigned int i = 0; i < n; i++) {
			memset(data[i], (int)(pass + i + 1), sizeof(data[i]));
			iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
			req[i] = (struct disk_request){ .op = DISK_WRITE,
							.iov = &iov[i],
							.niov = 1,
							.offset = i * 4096,
							.len = 4096 };
			disk_submit(d, &req[i]);
		}
		if (pass & 2)
			disk_kick(d);
		disk_drain(d);
		for (; disk_reap(d); back++)
			;
		assert_int_equal(back, n);
		for (unsigned int i = 0; i < n; i++) {
			assert_int_equal(req[i].result, 0);
			assert_int_equal(pread(fd, got, sizeof(got), i * 4096), sizeof(got));
			assert_memory_equal(got, data[i], sizeof(got));
		}
		disk_free(d);
		close(fd);
	}
}

/* What a worker thread of the kernel serves, and nobody has kicked. */
static void drain_takes_what_is_held(void **state)
{
	(void)state;
	for (int uring = 0; uring < 2; uring++) {
		int fd = make_file();
		struct disk *d = open_disk(fd, uring);

		for (int i = 0; i < 100; i++) {
			struct disk_request req = { .op = DISK_ZERO, .len = BYTES };

			disk_submit(d, &req);
			disk_drain(d);
			assert_ptr_equal(disk_reap(d), &req);
			assert_int_equal(req.result, 0);
		}
		disk_free(d);
		close(fd);
	}
}

static void errors_are_results(void **state)
{
	(void)state;
	for (int uring = 0; uring < 2; uring++) {
		int fd = make_file(), ro;
		uint8_t buf[512] = { 0 };
		struct iovec iov = { buf, sizeof(buf) };
		struct disk_request req = {
			.op = DISK_WRITE, .iov = &iov, .niov = 1, .len = sizeof(buf)
		};
		char path[64];
		struct disk *d;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ro = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(ro >= 0);
		d = open_disk(ro, uring);
		run_one(d, &req);
		assert_int_equal(req.result, -EBADF);
		disk_free(d);
		close(ro);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owned_ring_can_do_nothing_else),
		cmocka_unit_test(zeros_without_help),
		cmocka_unit_test(durable_ranges_are_flushed),
		cmocka_unit_test(failed_range_is_an_error),
		cmocka_unit_test(alone_and_together),
		cmocka_unit_test(drain_takes_what_is_held),
		cmocka_unit_test(errors_are_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
