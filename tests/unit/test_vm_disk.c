/* test_vm_disk.c - which files are taken as disks, and who may share them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/walls/vm_disk.h"

static char dir[] = "/tmp/bulkhead-disk-XXXXXX";
static char path[64];

static void make_file(off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static int try_open(bool read_only, struct blk_params *ret, struct err *e)
{
	struct vm_disk_request rq = {
		.path = path, .id = "disk0", .read_only = read_only, .queues = 2
	};

	return vm_disk_open(&rq, ret, e);
}

static void test_what_it_found(void **state)
{
	struct blk_params p;

	(void)state;
	make_file(1 << 20);
	assert_int_equal(try_open(true, &p, NULL), 0);
	assert_int_equal(p.bytes, 1 << 20);
	assert_true(p.read_only);
	assert_false(p.discard);
	assert_int_equal(p.queues, 2);
	assert_string_equal(p.serial, "disk0");
	assert_int_equal(fcntl(p.fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY);
	assert_true(fcntl(p.fd, F_GETFD) & FD_CLOEXEC);
	close(p.fd);
}

static void test_refusals(void **state)
{
	struct blk_params p = { .fd = -2 };
	struct err e = { "" };

	(void)state;
	unlink(path);
	assert_int_equal(try_open(false, &p, &e), -ENOENT);
	assert_non_null(strstr(e.text, path));
	make_file(0);
	assert_int_equal(try_open(false, &p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "empty"));
	make_file(1000);
	assert_int_equal(try_open(false, &p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "512"));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(try_open(true, &p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "neither"));
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(try_open(true, &p, &e), -EINVAL);
	rmdir(path);
}

/* Readers share, a writer is alone; the lock goes with the description. */
static void test_locks(void **state)
{
	struct blk_params reader, second, writer;
	struct err e = { "" };
	int copy;

	(void)state;
	make_file(4096);
	assert_int_equal(try_open(true, &reader, NULL), 0);
	assert_int_equal(try_open(true, &second, NULL), 0);
	close(second.fd);
	assert_int_equal(try_open(false, &writer, &e), -EBUSY);
	assert_non_null(strstr(e.text, "in use"));
	close(reader.fd);
	assert_int_equal(try_open(false, &writer, NULL), 0);
	assert_int_equal(try_open(true, &reader, &e), -EBUSY);
	/* As the supervisor does: the device's process has it, we close ours. */
	copy = dup(writer.fd);
	close(writer.fd);
	assert_int_equal(try_open(false, &second, &e), -EBUSY);
	close(copy);
	assert_int_equal(try_open(false, &second, NULL), 0);
	close(second.fd);
}

static int of_killed = -1;

static void let_go(int signal)
{
	(void)signal;
	close(of_killed);
}

/* The kernel lets go of a killed machine's disk some time after its last process. */
static void test_lock_of_a_killed_machine(void **state)
{
	const struct itimerval soon = { .it_value.tv_usec = 20000 };
	struct blk_params killed, next;

	(void)state;
	make_file(4096);
	assert_int_equal(try_open(false, &killed, NULL), 0);
	of_killed = killed.fd;
	signal(SIGALRM, let_go);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(try_open(false, &next, NULL), 0);
	close(next.fd);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/disk", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_found),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_lock_of_a_killed_machine),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
