/* test_vhost_user_backend.c - the back end's manners: what it accepts, what it
 * refuses, what ends it.  The device behind it is virtio-rng. */
#include <dirent.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/support/mock_front_end.h"
#include "vmm/base/util.h"

static const struct rng_params params;

static int entry(const struct device_seat *seat, const void *p, struct err *e)
{
	return rng_main(seat, p, e);
}

static int setup(void **state)
{
	struct front_end *f = calloc(1, sizeof(*f));

	front_init(f);
	front_run(f, entry, &params);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	front_release(*state);
	free(*state);
	return 0;
}

static void start(struct front_end *f)
{
	front_negotiate(f, 0);
	front_init_driver(f, 0, 8);
	front_start_queue(f, 0, 0);
}

/* The device answers one request. */
static void works(struct front_end *f)
{
	struct mock_buf buf = { FRONT_GPA + 0x8000, 32, true };
	uint16_t head;
	uint32_t len;

	mock_add(&f->driver[0], &buf, 1);
	front_kick(f, 0);
	front_collect(f, 0, &head, &len);
	assert_int_equal(len, 32);
}

static void hang_up_is_an_orderly_end(void **state)
{
	struct front_end *f = *state;

	start(f);
	works(f);
	assert_int_equal(front_hang_up(f), 0);
	assert_string_equal(f->e.text, "");
}

static void reconnect(void **state)
{
	struct front_end *f = *state;

	start(f);
	works(f);
	works(f);
	assert_int_equal(front_hang_up(f), 0);
	front_run(f, entry, &params);
	front_negotiate(f, 0);
	front_start_queue(f, 0, 2);
	/* Its predecessor may have died before it interrupted. */
	assert_true(front_wait_eventfd(f->call[0], 5000));
	works(f);
}

static void unknown_requests(void **state)
{
	static const uint32_t ids[] = { 0, 6, 7, 19, 20, 21, 22, 33, 36, 39, 99, UINT32_MAX };
	struct front_end *f = *state;

	front_negotiate(f, 0);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(front_u64(f, ids[i], 0), 1);
	/* Without a wish for an answer there is none. */
	struct vhost_user_msg msg = { .hdr = { .request = 99 } };

	assert_int_equal(vhost_user_send(f->sock, &msg, now_ns() + NS_PER_S), 0);
	assert_int_equal(front_get_u64(f, VHOST_USER_GET_QUEUE_NUM), 1);
}

static void features_are_checked(void **state)
{
	struct front_end *f = *state;
	const uint64_t v1 = UINT64_C(1) << VIRTIO_F_VERSION_1;

	front_negotiate(f, 0);
	assert_int_equal(front_u64(f, VHOST_USER_SET_FEATURES, 0), 1);
	assert_int_equal(front_u64(f, VHOST_USER_SET_FEATURES, v1 | 1), 1);
	assert_int_equal(front_u64(f, VHOST_USER_SET_FEATURES, v1 | UINT64_C(1) << 34), 1);
	assert_int_equal(front_u64(f, VHOST_USER_SET_FEATURES, v1), 0);
	/* Bit 30 not accepted: rings need no enabling. */
	f->features = v1;
	front_init_driver(f, 0, 8);
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_NUM, 0, 8), 0);
	assert_int_equal(front_set_addr(f, 0), 0);
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_CALL, 0, f->call[0]), 0);
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_KICK, 0, f->kick[0]), 0);
	works(f);
}

static void disabled_ring_rests(void **state)
{
	struct front_end *f = *state;
	struct mock_buf buf = { FRONT_GPA + 0x8000, 32, true };
	uint16_t head;
	uint32_t len;

	start(f);
	works(f);
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
	mock_add(&f->driver[0], &buf, 1);
	front_kick(f, 0);
	usleep(10000);
	assert_false(mock_collect(&f->driver[0], &head, &len));
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
	front_collect(f, 0, &head, &len);
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_ENABLE, 0, 2), 1);
	works(f);
}

static void geometry_is_frozen(void **state)
{
	struct front_end *f = *state;

	start(f);
	works(f);
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_NUM, 0, 16), 1);
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_BASE, 0, 5), 1);
	assert_int_equal(front_set_addr(f, 0), 0); /* the same */
	f->driver[0].used_gpa += 4;
	assert_int_equal(front_set_addr(f, 0), 1);
	f->driver[0].used_gpa -= 4;
	assert_int_equal(front_u64(f, VHOST_USER_SET_FEATURES, UINT64_C(1) << 32), 1);
	works(f);
	assert_int_equal(front_stop_queue(f, 0), 2);
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_NUM, 0, 16), 0);
}

/* What a guest may have chosen is refused, told, and can be mended. */
static void bad_geometry_is_refused(void **state)
{
	static const struct {
		uint32_t num;
		uint64_t desc, avail, used;
	} bad[] = {
		{ 3, 0, 0x1000, 0x2000 },
		{ 1024, 0, 0x1000, 0x2000 },
		{ 8, 8, 0x1000, 0x2000 },
		{ 8, 0, 0x1001, 0x2000 },
		{ 8, 0, 0x1000, 0x2002 },
		{ 8, FRONT_MEM, 0x1000, 0x2000 },
		{ 8, FRONT_MEM - 16, 0x1000, 0x2000 },
		{ 8, 0, FRONT_MEM - 2, 0x2000 },
		{ 8, 0, 0x1000, FRONT_MEM - 4 },
		{ 8, 0, 0x1000, 0 - (uint64_t)FRONT_USER },
	};
	struct front_end *f = *state;

	front_negotiate(f, 0);
	front_init_driver(f, 0, 8);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_SET_VRING_ADDR,
						       .size = 40 } };

		assert_int_equal(front_state(f, VHOST_USER_SET_VRING_NUM, 0, bad[i].num), 0);
		msg.payload.addr.desc = FRONT_USER + FRONT_GPA + bad[i].desc;
		msg.payload.addr.avail = FRONT_USER + FRONT_GPA + bad[i].avail;
		msg.payload.addr.used = FRONT_USER + FRONT_GPA + bad[i].used;
		assert_int_equal(front_send(f, &msg), 0);
		front_vring_fd(f, VHOST_USER_SET_VRING_ERR, 0, f->err[0]);
		front_vring_fd(f, VHOST_USER_SET_VRING_KICK, 0, f->kick[0]);
		assert_int_equal(front_state(f, VHOST_USER_SET_VRING_ENABLE, 0, 1), 1);
		assert_true(front_wait_eventfd(f->err[0], 1000));
		assert_int_equal(front_state(f, VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
		front_stop_queue(f, 0);
	}
	assert_int_equal(f->counters.malformed, ARRAY_SIZE(bad));
	front_start_queue(f, 0, 0);
	works(f);
}

static void memory_table_may_change(void **state)
{
	struct front_end *f = *state;

	start(f);
	works(f);
	assert_int_equal(front_mem_table(f), 0);
	works(f);
}

static void fds_may_be_withdrawn(void **state)
{
	struct front_end *f = *state;
	struct mock_buf buf = { FRONT_GPA + 0x8000, 32, true };
	uint16_t head;
	uint32_t len;

	start(f);
	works(f);
	/* We do not poll: without a kick fd the ring rests. */
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_KICK, 0, -1), 1);
	mock_add(&f->driver[0], &buf, 1);
	mock_publish(&f->driver[0]);
	eventfd_write(f->kick[0], 1);
	usleep(10000);
	assert_false(mock_collect(&f->driver[0], &head, &len));
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_KICK, 0, f->kick[0]), 0);
	front_collect(f, 0, &head, &len);
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_CALL, 0, -1), 0);
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_ERR, 0, -1), 0);
	mock_add(&f->driver[0], &buf, 1);
	front_kick(f, 0);
	while (!mock_collect(&f->driver[0], &head, &len))
		usleep(100);
}

static void reset_device(void **state)
{
	struct front_end *f = *state;

	start(f);
	works(f);
	assert_int_equal(front_u64(f, VHOST_USER_RESET_DEVICE, 0), 0);
	assert_int_equal(front_u64(f, VHOST_USER_SET_FEATURES, f->features), 0);
	front_init_driver(f, 0, 4);
	front_start_queue(f, 0, 0);
	works(f);
}

/* fds of this process, that of the device's thread included. */
static unsigned int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* A ring that is not used any more keeps nothing: a driver may have had many
 * and go on with one.  The error fd stays: front ends send it once. */
static void stopped_ring_lets_go(void **state)
{
	struct front_end *f = *state;
	unsigned int before;

	front_negotiate(f, 0);
	before = open_fds();
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_ERR, 0, f->err[0]), 0);
	front_init_driver(f, 0, 8);
	front_start_queue(f, 0, 0);
	works(f);
	assert_in_range(open_fds(), before + 3, before + 4); /* memory */
	front_stop_queue(f, 0);
	assert_in_range(open_fds(), before + 1, before + 2);
	/* One that was never started as well. */
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_CALL, 0, f->call[0]), 0);
	front_stop_queue(f, 0);
	assert_in_range(open_fds(), before + 1, before + 2);
	front_start_queue(f, 0, 1);
	works(f);
	assert_int_equal(front_u64(f, VHOST_USER_RESET_DEVICE, 0), 0);
	assert_in_range(open_fds(), before, before + 1);
}

static void config_limits(void **state)
{
	static const struct {
		uint32_t offset, size, sent, answer;
	} t[] = {
		{ 0, 256, 268, 268 }, { 255, 1, 13, 13 },	{ 256, 1, 13, 0 },
		{ 0, 0, 12, 0 },      { 0, 257, 268, 0 },	{ 1, 256, 268, 0 },
		{ 0, 8, 12, 0 },      { UINT32_MAX, 8, 20, 0 }, { 0, UINT32_MAX, 268, 0 },
	};
	struct front_end *f = *state;

	front_negotiate(f, 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_GET_CONFIG,
						       .size = t[i].sent } };

		msg.payload.config.offset = t[i].offset;
		msg.payload.config.size = t[i].size;
		front_ask(f, &msg);
		assert_int_equal(msg.hdr.size, t[i].answer);
	}
	struct vhost_user_msg set = { .hdr = { .request = VHOST_USER_SET_CONFIG, .size = 13 } };

	set.payload.config.size = 1;
	assert_int_equal(front_send(f, &set), 1);
}

/* --- what ends the process --- */

static struct vhost_user_msg message(uint32_t request, uint32_t size, uint64_t u64)
{
	struct vhost_user_msg msg = { .hdr = { .request = request, .size = size } };

	msg.payload.u64 = u64;
	return msg;
}

static void ends(struct front_end *f, const struct vhost_user_msg *msg, const char *why)
{
	struct vhost_user_msg answer;

	assert_int_equal(vhost_user_send(f->sock, msg, now_ns() + NS_PER_S), 0);
	assert_int_equal(vhost_user_recv(f->sock, &answer, now_ns() + 5 * NS_PER_S), -EPIPE);
	assert_true(front_hang_up(f) < 0);
	if (!strstr(f->e.text, why))
		print_message("%s\n", f->e.text);
	assert_non_null(strstr(f->e.text, why));
	front_run(f, entry, &params);
	front_negotiate(f, 0);
}

static void violations_end_the_process(void **state)
{
	struct front_end *f = *state;
	struct vhost_user_msg msg;

	front_negotiate(f, 0);
	msg = message(VHOST_USER_SET_VRING_NUM, 8, 1); /* queue 1 of 1 */
	ends(f, &msg, "SET_VRING_NUM (8) from the front end: queue 1 of 1");
	msg = message(VHOST_USER_GET_VRING_BASE, 8, UINT32_MAX);
	ends(f, &msg, "GET_VRING_BASE");
	msg = message(VHOST_USER_SET_VRING_ADDR, 16, 0);
	ends(f, &msg, "payload of 16 bytes");
	msg = message(VHOST_USER_SET_FEATURES, 4, 0);
	ends(f, &msg, "payload of 4 bytes");
	msg = message(VHOST_USER_SET_VRING_KICK, 8, 0);
	ends(f, &msg, "file descriptor missing");
	msg = message(VHOST_USER_SET_VRING_CALL, 8, 5);
	ends(f, &msg, "queue 5 of 1");
	msg = message(VHOST_USER_SET_PROTOCOL_FEATURES, 8, UINT64_MAX);
	ends(f, &msg, "not offered");
	msg = message(VHOST_USER_GET_FEATURES, 0, 0);
	msg.hdr.flags = VHOST_USER_FLAG_REPLY;
	ends(f, &msg, "a reply to nothing");
}

static void bad_memory_tables_end_the_process(void **state)
{
	const uint64_t page = 4096, max = UINT64_MAX & ~(page - 1);
	const struct {
		uint32_t n;
		struct vhost_user_region r[2];
	} bad[] = {
		{ 0, { { 0 } } },
		{ 9, { { 0 } } },
		{ 1, { { .memory_size = 0 } } },
		{ 1, { { .memory_size = FRONT_MEM + 2 * page } } },
		{ 1, { { .memory_size = FRONT_MEM, .mmap_offset = 2 * page } } },
		{ 1, { { .memory_size = page, .mmap_offset = max } } },
		{ 1, { { .memory_size = max, .mmap_offset = page } } },
		{ 1, { { .guest_phys_addr = max, .memory_size = 2 * page } } },
		{ 1, { { .userspace_addr = max, .memory_size = 2 * page } } },
		{ 2,
		  { { .memory_size = 2 * page },
		    { .guest_phys_addr = page, .memory_size = page } } },
	};
	struct front_end *f = *state;
	struct vhost_user_msg msg;

	front_negotiate(f, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		msg = message(VHOST_USER_SET_MEM_TABLE, 8 + 64, 0);
		msg.payload.memory.nregions = bad[i].n;
		memcpy(msg.payload.memory.region, bad[i].r, sizeof(bad[i].r));
		msg.nfds = bad[i].n > 2 || bad[i].n == 0 ? 1 : bad[i].n;
		msg.fds[0] = msg.fds[1] = f->memfd;
		ends(f, &msg, "SET_MEM_TABLE (5) from the front end: ");
	}
	/* More regions than fds; a pipe in place of a file. */
	msg.payload.memory.nregions = 2;
	msg.nfds = 1;
	ends(f, &msg, "2 regions with 1 fds");
	msg.payload.memory.nregions = 1;
	msg.payload.memory.region[0].memory_size = page;
	msg.fds[0] = f->kick[0];
	ends(f, &msg, "map memory region 0");
}

/* One interrupt for a batch, none where none is wanted. */
static void interrupts_are_batched(void **state)
{
	struct front_end *f = *state;
	struct mock_buf buf = { FRONT_GPA + 0x8000, 8, true };
	uint16_t head;
	uint32_t len;

	start(f);
	for (int i = 0; i < 8; i++)
		mock_add(&f->driver[0], &buf, 1);
	f->driver[0].avail->ring[8] = 7; /* used_event: at the last */
	front_kick(f, 0);
	assert_true(front_wait_eventfd(f->call[0], 5000));
	for (int i = 0; i < 8; i++)
		assert_true(mock_collect(&f->driver[0], &head, &len));
	assert_int_equal(f->counters.interrupts, 1);
	assert_true(f->counters.kicks <= 1); /* the first scan may have been faster */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hang_up_is_an_orderly_end),  TEST(reconnect),
		TEST(unknown_requests),		  TEST(features_are_checked),
		TEST(disabled_ring_rests),	  TEST(geometry_is_frozen),
		TEST(bad_geometry_is_refused),	  TEST(memory_table_may_change),
		TEST(fds_may_be_withdrawn),	  TEST(reset_device),
		TEST(stopped_ring_lets_go),	  TEST(config_limits),
		TEST(violations_end_the_process), TEST(bad_memory_tables_end_the_process),
		TEST(interrupts_are_batched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
