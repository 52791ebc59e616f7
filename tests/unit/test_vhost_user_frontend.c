/*
 * test_vhost_user_frontend.c - the front end against back ends that behave,
 * fakes and a real device process, and what it makes of their claims.
 */
#include "vmm/monitor/vhost_user_frontend.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "devices/virtio/device_process.h"
#include "tests/unit/support/frontend_world.h"
#include "tests/unit/support/mock_driver.h"
#include "vmm/base/util.h"

static const struct virtio_backend_ops *const ops = &vhost_user_frontend_ops;

/* --- a back end that behaves --- */

static void attach_tells_what_was_agreed(void **state)
{
	struct world *w = *state;
	struct virtio_device_info info;
	uint8_t config[8];

	device_start(w, OWN);
	assert_int_equal(ops->attach(w->dev.fe, &info), 0);
	assert_int_equal(info.device_id, VIRTIO_ID_BLOCK);
	assert_int_equal(info.features, FEATURE(VIRTIO_F_VERSION_1) | FEATURE(6));
	assert_int_equal(info.nqueues, 4);
	assert_int_equal(info.queue_size_max, 256);
	assert_int_equal(info.config_len, CONFIG_LEN);
	ops->config_read(w->dev.fe, CONFIG_LEN - 8, config, 8);
	assert_int_equal(config[7], CONFIG_LEN);
	assert_int_equal(ops->config_generation(w->dev.fe), 0);
	ops->config_write(w->dev.fe, 0, config, 8);
	assert_int_equal(device_attach(&w->dev), 0);
	world_end(w);
	assert_int_equal(w->dev.fake.memory.nregions, 2);
	assert_int_equal(w->dev.fake.memory_fds, 2);
	assert_int_equal(w->dev.fake.memory.region[1].guest_phys_addr, 4 * GIB);
	assert_int_equal(w->dev.fake.memory.region[1].userspace_addr, 4 * GIB);
	assert_int_equal(w->dev.fake.memory.region[1].memory_size, 2 * MIB);
	assert_int_equal(w->dev.fake.memory.region[1].mmap_offset, 1 * MIB);
	assert_int_equal(w->dev.lost, 0);
}

/* What goes out at once, before an answer. */
static void handshake_takes_two_round_trips(void **state)
{
	struct world *w = *state;

	device_play(&w->dev, VHOST_USER_GET_FEATURES, FAKE_SILENT);
	device_start(w, OWN);
	assert_true(reaches(&w->dev.fake.total, 2));
	world_end(w);
	assert_int_equal(w->dev.fake.log[1], VHOST_USER_GET_PROTOCOL_FEATURES);
	world_release(w);
	world_init(w);

	device_play(&w->dev, VHOST_USER_GET_QUEUE_NUM, FAKE_SILENT);
	device_start(w, OWN);
	assert_true(reaches(&w->dev.fake.total, 7));
	world_end(w);
	assert_int_equal(w->dev.fake.log[2], VHOST_USER_SET_PROTOCOL_FEATURES);
	assert_int_equal(w->dev.fake.log[6], VHOST_USER_SET_MEM_TABLE);
}

/* One round trip: SET_FEATURES and seven messages for each of two queues. */
static void activation_does_not_wait_between_messages(void **state)
{
	struct world *w = *state;

	device_play(&w->dev, VHOST_USER_SET_FEATURES, FAKE_SILENT);
	w->dev.params.activate_ms = 100;
	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), -ENODEV);
	world_end(w);
	assert_int_equal(w->dev.fake.total, 7 + 1 + 2 * 7);
	assert_int_equal(w->dev.fake.log[21], VHOST_USER_SET_VRING_ENABLE);
}

/* The protocol's text: not before the feature bit has been seen. */
static void foreign_back_end_is_asked_in_order(void **state)
{
	struct world *w = *state;

	device_play(&w->dev, VHOST_USER_GET_FEATURES, FAKE_SILENT);
	w->dev.params.attach_ms = 50;
	device_start(w, FOREIGN);
	assert_lost(&w->dev, "no answer to GET_FEATURES within 50 ms");
	assert_int_equal(w->dev.fake.total, 1);
}

static void activation_hands_the_queues_over(void **state)
{
	struct world *w = *state;
	const struct fake_queue *q = w->dev.fake.queue;
	struct pollfd p;

	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), 0);
	ops->notify(w->dev.fe, 2);
	ops->notify(w->dev.fe, VIRTIO_MAX_QUEUES);
	world_stop(w);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_SET_VRING_KICK], 2);
	assert_int_equal(w->dev.fake.driver_features,
			 FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VHOST_USER_F_PROTOCOL_FEATURES));
	assert_int_equal(q[0].num, 128);
	assert_int_equal(q[0].addr.desc, 0x1000);
	assert_int_equal(q[0].addr.avail, 0x2000);
	assert_int_equal(q[0].addr.used, 0x3000);
	assert_int_equal(q[2].num, 64);
	assert_int_equal(q[2].addr.used, 0x7000);
	assert_true(q[2].enabled);
	assert_true(q[2].call >= 0 && q[2].err >= 0);
	assert_int_equal(q[1].kick, -1);
	p = (struct pollfd){ .fd = q[2].kick, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 1);
	p = (struct pollfd){ .fd = q[0].kick, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_not_equal(vhost_user_frontend_kick_fd(w->dev.fe, 3), -1);
	assert_int_equal(vhost_user_frontend_kick_fd(w->dev.fe, 4), -1);
	assert_int_not_equal(vhost_user_frontend_call_fd(w->dev.fe), -1);
	assert_string_equal(vhost_user_frontend_name(w->dev.fe), "blk0");
}

static void reset_storm_grows_nothing(void **state)
{
	struct world *w = *state;
	unsigned int before = 0;

	w->dev.fake.protocol |= FEATURE(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
	device_start(w, CHILD);
	assert_int_equal(device_attach(&w->dev), 0);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(ops->reset(w->dev.fe), 0);
		assert_int_equal(device_activate(&w->dev), 0);
		assert_int_equal(ops->reset(w->dev.fe), 0);
		if (i == 0)
			before = count_fds();
	}
	assert_int_equal(count_fds(), before);
	assert_int_equal(w->dev.lost, 0);
}

static void inflight_area_goes_back(void **state)
{
	struct world *w = *state;

	w->dev.fake.protocol |= FEATURE(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), 0);
	world_end(w);
	assert_true(w->dev.fake.inflight_came_back);
	assert_int_equal(w->dev.fake.inflight.mmap_size, 4096);
	assert_int_equal(w->dev.fake.inflight.num_queues, 4);
	assert_int_equal(w->dev.fake.inflight.queue_size, 128);
}

/* Without acknowledgements another request serves as the barrier. */
static void plain_foreign_back_end_works(void **state)
{
	struct world *w = *state;

	w->dev.fake.features = FEATURE(VIRTIO_F_VERSION_1);
	w->dev.params.config_len = 0;
	device_start(w, FOREIGN);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_GET_FEATURES], 2);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_SET_VRING_ENABLE], 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_GET_PROTOCOL_FEATURES], 0);
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_GET_VRING_BASE], 1);
}

static void operations_out_of_order_are_refused(void **state)
{
	struct world *w = *state;

	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(ops->activate(w->dev.fe, FEATURE(5), two_queues), -EINVAL);
	assert_int_equal(device_activate(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), -EINVAL);
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_int_equal(w->dev.lost, 0);
}

static void activation_without_queues(void **state)
{
	static const struct virtio_queue_config none[VIRTIO_MAX_QUEUES];
	struct world *w = *state;

	/* An in-flight area for no queue is something that nobody can give. */
	w->dev.fake.protocol |= FEATURE(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(ops->activate(w->dev.fe, FEATURE(VIRTIO_F_VERSION_1), none), 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_GET_INFLIGHT_FD], 0);
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_GET_VRING_BASE], 0);
}

/* 64 queues do not fit into a small socket buffer at once.  No answer wakes
 * the front end up: there are no acknowledgements. */
static void full_socket_is_waited_for(void **state)
{
	struct virtio_queue_config all[VIRTIO_MAX_QUEUES];
	struct world *w = *state;
	int small = 1;

	for (unsigned int i = 0; i < VIRTIO_MAX_QUEUES; i++)
		all[i] = two_queues[0];
	w->dev.params.max_queues = VIRTIO_MAX_QUEUES;
	w->dev.fake.queue_num = VIRTIO_MAX_QUEUES;
	w->dev.fake.protocol &= ~FEATURE(VHOST_USER_PROTOCOL_F_REPLY_ACK);
	device_make(&w->dev, OWN);
	assert_int_equal(setsockopt(w->dev.params.sock, SOL_SOCKET, SO_SNDBUF, &small, 4), 0);
	world_start(w);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(ops->activate(w->dev.fe, FEATURE(VIRTIO_F_VERSION_1), all), 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_SET_VRING_KICK], VIRTIO_MAX_QUEUES);
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_GET_VRING_BASE], VIRTIO_MAX_QUEUES);
	world_end(w);
	assert_int_equal(w->dev.fake.queue[63].num, 128);
}

/* --- claims --- */

static void claims_are_checked(void **state)
{
	static const struct {
		uint64_t features_off, protocol_off, queue_num;
		const char *why; /* NULL: accepted */
		unsigned int nqueues;
	} cases[] = {
		{ FEATURE(VIRTIO_F_VERSION_1), 0, 4, "does not offer VIRTIO_F_VERSION_1", 0 },
		{ FEATURE(VHOST_USER_F_PROTOCOL_FEATURES), 0, 4, "offers no protocol features", 0 },
		{ 0, FEATURE(VHOST_USER_PROTOCOL_F_CONFIG), 4, "VHOST_USER_PROTOCOL_F_CONFIG", 0 },
		{ 0, 0, 0, "offers no queue", 0 },
		{ 0, 0, 2, NULL, 2 },
		{ 0, 0, UINT64_MAX, NULL, 4 },
		{ 0, FEATURE(VHOST_USER_PROTOCOL_F_MQ), 0, NULL, 1 },
	};
	struct world *w = *state;
	struct virtio_device_info info;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		w->dev.fake.features &= ~cases[i].features_off;
		w->dev.fake.protocol &= ~cases[i].protocol_off;
		w->dev.fake.queue_num = cases[i].queue_num;
		device_start(w, OWN);
		if (cases[i].why) {
			assert_lost(&w->dev, cases[i].why);
		} else {
			assert_int_equal(ops->attach(w->dev.fe, &info), 0);
			assert_int_equal(info.nqueues, cases[i].nqueues);
		}
		world_release(w);
		world_init(w);
	}
}

/* The mask is not trusted with what the front end cannot carry. */
static void unserved_features_are_never_offered(void **state)
{
	struct world *w = *state;
	struct virtio_device_info info;

	w->dev.fake.features = UINT64_MAX;
	w->dev.params.feature_mask = UINT64_MAX;
	device_start(w, OWN);
	assert_int_equal(ops->attach(w->dev.fe, &info), 0);
	assert_false(info.features & (FEATURE(26) | FEATURE(30) | FEATURE(33) | FEATURE(34)));
	assert_true(info.features & FEATURE(28));
}

/* The fake offers everything: what of it reaches the driver? */
static uint64_t offered(struct world *w, uint32_t device_id, size_t config_len)
{
	struct virtio_device_info info;

	w->dev.fake.features = UINT64_MAX;
	w->dev.fake.queue_num = 3;
	w->dev.params.feature_mask = UINT64_MAX;
	w->dev.params.device_id = device_id;
	w->dev.params.config_len = config_len;
	w->dev.params.max_queues = 2;
	device_start(w, FOREIGN);
	assert_int_equal(ops->attach(w->dev.fe, &info), 0);
	return info.features;
}

/* A driver that is offered the control queue asks for it and gives the device
 * up; fields behind what we read of the config space are all ones to it. */
static void network_that_offers_more_than_is_served(void **state)
{
	static const uint8_t withheld[] = { 2,	17, 18, 19, 20, 21, 22, 23,
					    50, 51, 52, 53, 57, 60, 63 };
	static const uint8_t passed_on[] = { 0, 1, 3, 5, 7, 8, 11, 12, 15, 16, 28, 29, 32 };
	uint64_t features = offered(*state, VIRTIO_ID_NET, 12);

	for (size_t i = 0; i < ARRAY_SIZE(withheld); i++)
		assert_false(features & FEATURE(withheld[i]));
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		assert_true(features & FEATURE(passed_on[i]));
}

/* passt's, DPDK's: the front end is to know the address.  Ours always tell. */
static void network_without_config_space(void **state)
{
	static const struct {
		uint64_t features_off, protocol_off;
	} cases[] = { { FEATURE(VHOST_USER_F_PROTOCOL_FEATURES), 0 },
		      { 0, FEATURE(VHOST_USER_PROTOCOL_F_CONFIG) } };
	const uint64_t fields = FEATURE(3) | FEATURE(5) | FEATURE(16), other = FEATURE(15);
	struct world *w = *state;
	struct virtio_device_info info;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		bool own = i & 1;

		w->dev.params.device_id = VIRTIO_ID_NET;
		w->dev.params.config_len = 12;
		w->dev.params.max_queues = 2;
		w->dev.params.feature_mask = UINT64_MAX;
		w->dev.fake.features |= fields | other;
		w->dev.fake.features &= ~cases[i / 2].features_off;
		w->dev.fake.protocol &= ~cases[i / 2].protocol_off;
		device_start(w, own ? OWN : FOREIGN);
		if (own) {
			assert_lost(&w->dev, "cannot tell its config space");
		} else {
			assert_int_equal(ops->attach(w->dev.fe, &info), 0);
			assert_int_equal(info.config_len, 0);
			assert_int_equal(info.features & (fields | other), other);
			assert_int_equal(device_activate(&w->dev), 0);
			assert_int_equal(w->dev.fake.seen[VHOST_USER_GET_CONFIG], 0);
		}
		world_release(w);
		world_init(w);
	}
}

static void disk_that_offers_more_than_is_served(void **state)
{
	static const uint8_t passed_on[] = { 1, 2, 4, 5, 6, 9, 10, 12, 13, 14, 15, 28, 29, 32 };
	uint64_t features = offered(*state, VIRTIO_ID_BLOCK, 60);

	assert_false(features & (FEATURE(16) | FEATURE(17)));
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		assert_true(features & FEATURE(passed_on[i]));
}

/* A driver believes the config space and fails at a queue that is not there. */
static void disk_tells_no_more_queues_than_it_has(void **state)
{
	static const struct {
		uint8_t told;
		uint64_t protocol_off, queue_num;
		uint8_t seen;
	} cases[] = {
		{ 3, 0, 4, 3 },	  /* less than there are is its own affair */
		{ 16, 0, 16, 4 }, /* more than we take */
		{ 4, FEATURE(VHOST_USER_PROTOCOL_F_MQ), 0, 1 },
	};
	struct world *w = *state;
	struct virtio_device_info info;
	uint8_t seen[4];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		w->dev.fake.config[34] = cases[i].told;
		w->dev.fake.config[35] = 0;
		w->dev.fake.queue_num = cases[i].queue_num;
		w->dev.fake.protocol &= ~cases[i].protocol_off;
		device_start(w, FOREIGN);
		assert_int_equal(ops->attach(w->dev.fe, &info), 0);
		ops->config_read(w->dev.fe, 33, seen, sizeof(seen));
		assert_int_equal(seen[0], 34);
		assert_int_equal(seen[1], cases[i].seen);
		assert_int_equal(seen[2], 0);
		assert_int_equal(seen[3], 37);
		world_release(w);
		world_init(w);
	}
}

static void network_queues_come_in_pairs(void **state)
{
	struct world *w = *state;
	struct virtio_device_info info;

	w->dev.params.device_id = VIRTIO_ID_NET;
	w->dev.params.max_queues = 2;
	w->dev.fake.queue_num = 1;
	device_start(w, OWN);
	assert_int_equal(ops->attach(w->dev.fe, &info), 0);
	assert_int_equal(info.nqueues, 2);
}

static void bad_parameters_are_refused(void **state)
{
	struct world *w = *state;
	struct err e;

	w->dev.params.sock = dup(0);
	w->dev.params.max_queues = VIRTIO_MAX_QUEUES + 1;
	assert_null(vhost_user_frontend_new(&w->dev.params, &e));
	w->dev.params.max_queues = 1;
	w->dev.params.sock = dup(0);
	w->dev.params.queue_size_max = 3;
	assert_null(vhost_user_frontend_new(&w->dev.params, &e));
	w->dev.params.queue_size_max = 4;
	w->dev.params.sock = dup(0);
	w->dev.params.config_len = VIRTIO_CONFIG_MAX + 1;
	assert_null(vhost_user_frontend_new(&w->dev.params, &e));
	assert_string_equal(e.text, "blk0: config space of 257 bytes");
}

/* --- a real one --- */

static int no_confinement(const struct device_seat *seat, struct err *e)
{
	(void)seat;
	(void)e;
	return 0;
}

/* An entropy device in a process of its own, as the product has it. */
static void make_real_device(struct world *w, struct device *d)
{
	static struct device_counters counters;
	const struct rng_params rng = { 0 };
	struct device_seat seat = { .name = "rng0",
				    .counters = &counters,
				    .confine = no_confinement };
	struct err e;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	d->pid = fork();
	if (d->pid == 0) {
		seat.vhost_sock = dup2(sv[1], 3);
		close_range(4, ~0u, 0);
		_exit(rng_main(&seat, &rng, &e) < 0);
	}
	close(sv[1]);
	d->params.sock = sv[0];
	d->params.pidfd = pidfd_open(d->pid, 0);
	d->params.device_id = VIRTIO_ID_RNG;
	d->params.feature_mask = 0;
	d->params.max_queues = 1;
	d->params.config_len = 0;
	d->fe = vhost_user_frontend_new(&d->params, &e);
	assert_non_null(d->fe);
	world_start(w);
}

/* One buffer through the ring, with the kick and call eventfds. */
static void fetch_entropy(struct device *d, struct mock_driver *driver)
{
	struct mock_buf buf = { .len = 64, .write = true };
	struct pollfd call = { .fd = vhost_user_frontend_call_fd(d->fe), .events = POLLIN };
	uint64_t count;
	uint32_t len;
	uint16_t head;

	buf.gpa = mock_alloc(driver, 64, 16);
	mock_add(driver, &buf, 1);
	mock_publish(driver);
	ops->notify(d->fe, 0);
	assert_int_equal(poll(&call, 1, 2000), 1);
	assert_int_equal(read(call.fd, &count, sizeof(count)), sizeof(count));
	assert_true(mock_collect(driver, &head, &len));
	assert_int_equal(len, 64);
}

static void real_device_process_is_driven(void **state)
{
	struct world *w = *state;
	struct virtio_queue_config q = { .size = 8, .ready = true };
	struct mock_driver driver;
	uint8_t *mem;

	mem = mmap(NULL, 1 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, w->memory_fd, 0);
	assert_ptr_not_equal(mem, MAP_FAILED);
	make_real_device(w, &w->dev);
	assert_int_equal(device_attach(&w->dev), 0);
	for (int round = 0; round < 3; round++) {
		memset(mem, 0, 64 * KIB);
		mock_init(&driver, mem, 0, 64 * KIB, 8, false);
		q.desc = driver.desc_gpa;
		q.driver = driver.avail_gpa;
		q.device = driver.used_gpa;
		assert_int_equal(ops->activate(w->dev.fe, FEATURE(VIRTIO_F_VERSION_1), &q), 0);
		fetch_entropy(&w->dev, &driver);
		fetch_entropy(&w->dev, &driver);
		/* A head beyond the table: the ring breaks, a reset mends it. */
		mock_offer(&driver, 200);
		mock_publish(&driver);
		ops->notify(w->dev.fe, 0);
		assert_true(reaches(&w->dev.needs_reset, (unsigned int)round + 1));
		assert_int_equal(ops->reset(w->dev.fe), 0);
	}
	/* Addresses outside of guest memory break the ring, too. */
	q.desc = 64 * GIB;
	assert_int_equal(ops->activate(w->dev.fe, FEATURE(VIRTIO_F_VERSION_1), &q), 0);
	assert_true(reaches(&w->dev.needs_reset, 4));
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_int_equal(w->dev.lost, 0);
	munmap(mem, 1 * MIB);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attach_tells_what_was_agreed),
		TEST(handshake_takes_two_round_trips),
		TEST(activation_does_not_wait_between_messages),
		TEST(foreign_back_end_is_asked_in_order),
		TEST(activation_hands_the_queues_over),
		TEST(reset_storm_grows_nothing),
		TEST(inflight_area_goes_back),
		TEST(plain_foreign_back_end_works),
		TEST(operations_out_of_order_are_refused),
		TEST(activation_without_queues),
		TEST(full_socket_is_waited_for),
		TEST(claims_are_checked),
		TEST(unserved_features_are_never_offered),
		TEST(network_that_offers_more_than_is_served),
		TEST(network_without_config_space),
		TEST(disk_that_offers_more_than_is_served),
		TEST(disk_tells_no_more_queues_than_it_has),
		TEST(network_queues_come_in_pairs),
		TEST(bad_parameters_are_refused),
		TEST(real_device_process_is_driven),
	};

	return cmocka_run_group_tests_name("vhost_user_frontend", tests, NULL, NULL);
}
