/*
 * test_vhost_user_frontend_lies.c - the front end against back ends that are
 * silent, slow, lying or dead, at every step.
 */
#include "vmm/monitor/vhost_user_frontend.h"

#include <linux/virtio_config.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/support/frontend_world.h"
#include "vmm/base/util.h"

static const struct virtio_backend_ops *const ops = &vhost_user_frontend_ops;

/* --- lies --- */

struct lie {
	uint32_t at;
	enum fake_trick trick;
	const char *why;
};

static const struct lie attach_lies[] = {
	{ VHOST_USER_GET_FEATURES, FAKE_LONG, "GET_FEATURES answered 12 bytes, 8 expected" },
	{ VHOST_USER_GET_FEATURES, FAKE_SHORT, "GET_FEATURES answered 4 bytes, 8 expected" },
	{ VHOST_USER_GET_FEATURES, FAKE_EMPTY, "GET_FEATURES answered 0 bytes, 8 expected" },
	{ VHOST_USER_GET_FEATURES, FAKE_HUGE, "answered 1073741824 bytes, 8 expected" },
	{ VHOST_USER_GET_FEATURES, FAKE_FDS, "answered GET_FEATURES with 1 fds, 0 expected" },
	{ VHOST_USER_GET_FEATURES, FAKE_MANY_FDS, "answered GET_FEATURES with 8 fds" },
	{ VHOST_USER_GET_FEATURES, FAKE_OTHER, "answered GET_FEATURES with SET_CONFIG (25)" },
	{ VHOST_USER_GET_FEATURES, FAKE_REQUEST, "the answer to GET_FEATURES was due" },
	{ VHOST_USER_GET_FEATURES, FAKE_TWICE, "answered GET_PROTOCOL_FEATURES with GET_FEATURES" },
	{ VHOST_USER_GET_FEATURES, FAKE_VERSION, "is not vhost-user version 1" },
	{ VHOST_USER_GET_FEATURES, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_GET_PROTOCOL_FEATURES, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_PROTOCOL_FEATURES, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_GET_QUEUE_NUM, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_GET_QUEUE_NUM, FAKE_LONG, "GET_QUEUE_NUM answered 12 bytes, 8 expected" },
	{ VHOST_USER_GET_CONFIG, FAKE_LONG, "GET_CONFIG answered 76 bytes, 72 expected" },
	{ VHOST_USER_GET_CONFIG, FAKE_OVERSIZE, "GET_CONFIG answered 300 bytes, 72 expected" },
	{ VHOST_USER_GET_CONFIG, FAKE_EMPTY, "refused GET_CONFIG of 60 bytes" },
	{ VHOST_USER_GET_CONFIG, FAKE_NACK, "GET_CONFIG answered 0 bytes from 1 on" },
	{ VHOST_USER_GET_CONFIG, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_OWNER, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_MEM_TABLE, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_MEM_TABLE, FAKE_NACK, "refused SET_MEM_TABLE" },
	{ VHOST_USER_SET_MEM_TABLE, FAKE_FDS, "answered SET_MEM_TABLE with 1 fds, 0 expected" },
	{ VHOST_USER_SET_MEM_TABLE, FAKE_TWICE, "nobody asked for: SET_MEM_TABLE (5)" },
};

static void lies_at_attach(void **state)
{
	struct world *w = *state;
	unsigned int before = count_fds();

	for (size_t i = 0; i < ARRAY_SIZE(attach_lies); i++) {
		device_play(&w->dev, attach_lies[i].at, attach_lies[i].trick);
		w->dev.fake.amount = 300;
		device_start(w, i % 2 ? FOREIGN : OWN);
		/* Foreign ones are not asked for both at once. */
		if (attach_lies[i].trick == FAKE_TWICE && i % 2)
			assert_true(reaches(&w->dev.lost, 1));
		else
			assert_lost(&w->dev, attach_lies[i].why);
		assert_false(w->dev.unsafe);
		assert_int_equal(ops->reset(w->dev.fe), -ENODEV);
		world_release(w);
		world_init(w);
		assert_int_equal(count_fds(), before);
	}
}

static const struct lie activate_lies[] = {
	{ VHOST_USER_SET_FEATURES, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_FEATURES, FAKE_OTHER, "answered SET_FEATURES with SET_CONFIG" },
	{ VHOST_USER_GET_INFLIGHT_FD, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_GET_INFLIGHT_FD, FAKE_NO_FD, "GET_INFLIGHT_FD with 0 fds, 1 expected" },
	{ VHOST_USER_GET_INFLIGHT_FD, FAKE_FDS, "GET_INFLIGHT_FD with 2 fds, 1 expected" },
	{ VHOST_USER_GET_INFLIGHT_FD, FAKE_EMPTY, "GET_INFLIGHT_FD answered 0 bytes" },
	{ VHOST_USER_SET_INFLIGHT_FD, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_VRING_NUM, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_VRING_BASE, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_VRING_ADDR, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_VRING_CALL, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_VRING_ERR, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_VRING_KICK, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_VRING_ENABLE, FAKE_DIE, "has closed its connection" },
	{ VHOST_USER_SET_VRING_ENABLE, FAKE_SHORT, "SET_VRING_ENABLE answered 4 bytes" },
	{ VHOST_USER_SET_VRING_ENABLE, FAKE_SILENT, "no answer to SET_VRING_ENABLE within 60 ms" },
	{ VHOST_USER_SET_VRING_ADDR, FAKE_HALF, "no answer to SET_VRING_ADDR within 60 ms" },
};

static void lies_at_activation(void **state)
{
	struct world *w = *state;
	unsigned int before = count_fds();

	for (size_t i = 0; i < ARRAY_SIZE(activate_lies); i++) {
		device_play(&w->dev, activate_lies[i].at, activate_lies[i].trick);
		w->dev.fake.protocol |= FEATURE(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
		w->dev.params.activate_ms = 60;
		device_start(w, OWN);
		assert_int_equal(device_attach(&w->dev), 0);
		assert_int_equal(device_activate(&w->dev), -ENODEV);
		assert_lost(&w->dev, activate_lies[i].why);
		assert_false(w->dev.unsafe);
		assert_int_equal(ops->reset(w->dev.fe), -ENODEV);
		world_release(w);
		world_init(w);
		assert_int_equal(count_fds(), before);
	}
}

static void unasked_message_while_running(void **state)
{
	struct world *w = *state;

	/* The second of two enabled queues is the last message. */
	device_play(&w->dev, VHOST_USER_SET_VRING_ENABLE, FAKE_TWICE);
	w->dev.fake.skip = 1;
	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	device_activate(&w->dev);
	assert_lost(&w->dev, "nobody asked for: SET_VRING_ENABLE (18)");
}

static void refused_activation_can_be_reset(void **state)
{
	struct world *w = *state;

	device_play(&w->dev, VHOST_USER_SET_VRING_ADDR, FAKE_NACK);
	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(device_activate(&w->dev), -EIO);
		assert_int_equal(ops->reset(w->dev.fe), 0);
	}
	assert_int_equal(w->dev.lost, 0);
}

/* --- reset --- */

static bool is_dead(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

static void late_stop_is_waited_for(void **state)
{
	struct world *w = *state;
	uint64_t before;

	device_play(&w->dev, VHOST_USER_GET_VRING_BASE, FAKE_SLOW);
	w->dev.fake.delay_ms = 40;
	device_start(w, CHILD);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), 0);
	before = now_ns();
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_true(now_ns() - before >= 80 * NS_PER_MS);
	assert_false(is_dead(w->dev.pid));
	assert_int_equal(w->dev.lost, 0);
}

static void reset_kills_what_does_not_obey(void **state)
{
	static const struct lie lies[] = {
		{ VHOST_USER_GET_VRING_BASE, FAKE_SILENT, "no answer to GET_VRING_BASE within 60" },
		{ VHOST_USER_GET_VRING_BASE, FAKE_DEAF, "no answer to GET_VRING_BASE within 60" },
		{ VHOST_USER_GET_VRING_BASE, FAKE_HALF, "no answer to GET_VRING_BASE within 60" },
		{ VHOST_USER_GET_VRING_BASE, FAKE_LONG, "GET_VRING_BASE answered 12 bytes" },
		{ VHOST_USER_GET_VRING_BASE, FAKE_INDEX, "of queue 0 answered for queue 1" },
		{ VHOST_USER_GET_VRING_BASE, FAKE_DIE, "" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		device_play(&w->dev, lies[i].at, lies[i].trick);
		w->dev.params.reset_ms = 60;
		device_start(w, CHILD);
		assert_int_equal(device_attach(&w->dev), 0);
		assert_int_equal(device_activate(&w->dev), 0);
		assert_int_equal(ops->reset(w->dev.fe), -ENODEV);
		assert_true(is_dead(w->dev.pid));
		assert_lost(&w->dev, lies[i].why);
		assert_false(w->dev.unsafe);
		assert_int_equal(ops->reset(w->dev.fe), -ENODEV);
		world_release(w);
		world_init(w);
	}
}

struct resetter {
	struct device *dev;
	pthread_t thread;
	_Atomic unsigned int returned;
	int result;
};

static void *reset_thread(void *arg)
{
	struct resetter *r = arg;

	r->result = ops->reset(r->dev->fe);
	atomic_store(&r->returned, 1);
	return NULL;
}

/* Nobody knows when it stops writing: the guest must not go on. */
static void foreign_back_end_that_does_not_stop_is_unsafe(void **state)
{
	struct world *w = *state;
	struct resetter r = { .dev = &w->dev };

	device_play(&w->dev, VHOST_USER_GET_VRING_BASE, FAKE_SILENT);
	w->dev.params.reset_ms = 30;
	device_start(w, FOREIGN);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), 0);
	assert_int_equal(pthread_create(&r.thread, NULL, reset_thread, &r), 0);
	assert_true(reaches(&w->dev.lost, 1));
	assert_true(w->dev.unsafe);
	sleep_ms(30);
	assert_int_equal(atomic_load(&r.returned), 0);
	world_stop(w);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.result, -ESHUTDOWN);
	assert_int_equal(ops->reset(w->dev.fe), -ESHUTDOWN);
	assert_int_equal(device_activate(&w->dev), -ESHUTDOWN);
	assert_int_equal(device_attach(&w->dev), -ESHUTDOWN);
}

static void others_go_on_meanwhile(void **state)
{
	struct world *w = *state;
	struct resetter r = { .dev = &w->dev };

	device_play(&w->dev, VHOST_USER_GET_VRING_BASE, FAKE_HALF);
	w->dev.params.reset_ms = 1500;
	device_make(&w->dev, CHILD);
	device_make(&w->other, CHILD);
	world_start(w);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), 0);
	assert_int_equal(pthread_create(&r.thread, NULL, reset_thread, &r), 0);
	assert_int_equal(device_attach(&w->other), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(device_activate(&w->other), 0);
		assert_int_equal(ops->reset(w->other.fe), 0);
	}
	assert_int_equal(atomic_load(&r.returned), 0);
	assert_int_equal(kill(w->dev.pid, SIGKILL), 0);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.result, -ENODEV);
	assert_int_equal(w->other.lost, 0);
}

/* --- death, errors --- */

static void death_while_running_is_noticed(void **state)
{
	struct world *w = *state;

	device_start(w, CHILD);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), 0);
	assert_int_equal(kill(w->dev.pid, SIGKILL), 0);
	assert_lost(&w->dev, "blk0: ");
	assert_int_equal(ops->reset(w->dev.fe), -ENODEV);
	ops->notify(w->dev.fe, 0);
	assert_int_not_equal(vhost_user_frontend_kick_fd(w->dev.fe, 0), -1);
}

/* The socket may outlive the process, in somebody's hands. */
static void exit_counts_without_a_hang_up(void **state)
{
	struct world *w = *state;

	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(kill(w->dev.pid, SIGKILL), 0);
	assert_lost(&w->dev, "blk0: its process has ended");
}

static void signal_error(struct device *d, unsigned int times)
{
	uint64_t one = 1;

	for (unsigned int i = 0; i < times; i++)
		assert_int_equal(write(d->fake.queue[0].err, &one, sizeof(one)), sizeof(one));
}

static void broken_ring_needs_a_reset(void **state)
{
	struct world *w = *state;

	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	for (unsigned int round = 1; round <= 3; round++) {
		assert_int_equal(device_activate(&w->dev), 0);
		assert_int_equal(atomic_load(&w->dev.needs_reset), round - 1);
		signal_error(&w->dev, 3);
		assert_true(reaches(&w->dev.needs_reset, round));
		assert_int_equal(ops->reset(w->dev.fe), 0);
		assert_int_equal(atomic_load(&w->dev.needs_reset), round);
	}
	/* Late: no ring runs. */
	signal_error(&w->dev, 1);
	sleep_ms(5);
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_int_equal(atomic_load(&w->dev.needs_reset), 3);
	assert_int_equal(w->dev.lost, 0);
}

static void error_flood_ends_the_device(void **state)
{
	struct world *w = *state;

	device_start(w, OWN);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(device_activate(&w->dev), 0);
	for (int i = 0; i < 200000 && !atomic_load(&w->dev.lost); i++)
		signal_error(&w->dev, 1);
	assert_lost(&w->dev, "floods its error eventfd");
	assert_int_equal(atomic_load(&w->dev.needs_reset), 1);
}

static void silent_back_end_is_no_device(void **state)
{
	struct world *w = *state;
	uint64_t before = now_ns();

	device_play(&w->dev, VHOST_USER_GET_CONFIG, FAKE_SILENT);
	w->dev.params.attach_ms = 60;
	device_start(w, CHILD);
	assert_int_equal(device_attach(&w->dev), -ENODEV);
	assert_true(now_ns() - before >= 50 * NS_PER_MS);
	assert_lost(&w->dev, "blk0: no answer to GET_CONFIG within 60 ms");
	assert_int_equal(ops->reset(w->dev.fe), -ENODEV);
	assert_true(is_dead(w->dev.pid));
}

/* It answers nothing and takes nothing: the socket is full. */
static void deaf_back_end_is_told_apart(void **state)
{
	struct virtio_queue_config all[VIRTIO_MAX_QUEUES];
	struct world *w = *state;
	int small = 1;

	for (unsigned int i = 0; i < VIRTIO_MAX_QUEUES; i++)
		all[i] = two_queues[0];
	device_play(&w->dev, VHOST_USER_SET_FEATURES, FAKE_DEAF);
	w->dev.params.max_queues = VIRTIO_MAX_QUEUES;
	w->dev.params.activate_ms = 60;
	w->dev.fake.queue_num = VIRTIO_MAX_QUEUES;
	device_make(&w->dev, OWN);
	assert_int_equal(setsockopt(w->dev.params.sock, SOL_SOCKET, SO_SNDBUF, &small, 4), 0);
	world_start(w);
	assert_int_equal(device_attach(&w->dev), 0);
	assert_int_equal(ops->activate(w->dev.fe, FEATURE(VIRTIO_F_VERSION_1), all), -ENODEV);
	assert_lost(&w->dev, "blk0: does not take SET_VRING_");
}

/* --- noise --- */

/* Bytes without sense, some of them with a header that has. */
static void send_noise(int sock, unsigned int seed)
{
	uint8_t bytes[200];
	struct vhost_user_header hdr;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
	if (bytes[0] & 1) {
		hdr = (struct vhost_user_header){ .request = bytes[1] % 40u,
						  .flags = 1 | (bytes[2] & 4u),
						  .size = bytes[3] % 32u };
		if (bytes[0] & 2)
			hdr.request = VHOST_USER_GET_FEATURES;
		memcpy(bytes, &hdr, sizeof(hdr));
	}
	assert_int_equal(send(sock, bytes, 12 + bytes[150] % 180u, MSG_NOSIGNAL),
			 12 + bytes[150] % 180u);
}

static void noise_ends_the_device_and_nothing_else(void **state)
{
	struct world *w = *state;
	struct err e;
	int sv[2];

	for (unsigned int seed = 0; seed < 200; seed++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
		send_noise(sv[1], seed);
		w->dev.params.sock = sv[0];
		w->dev.params.attach_ms = 5;
		w->dev.fe = vhost_user_frontend_new(&w->dev.params, &e);
		assert_non_null(w->dev.fe);
		world_start(w);
		assert_int_equal(device_attach(&w->dev), -ENODEV);
		assert_int_equal(ops->reset(w->dev.fe), -ENODEV);
		assert_int_equal(w->dev.lost, 1);
		close(sv[1]);
		world_release(w);
		world_init(w);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lies_at_attach),
		TEST(lies_at_activation),
		TEST(unasked_message_while_running),
		TEST(refused_activation_can_be_reset),
		TEST(late_stop_is_waited_for),
		TEST(reset_kills_what_does_not_obey),
		TEST(foreign_back_end_that_does_not_stop_is_unsafe),
		TEST(others_go_on_meanwhile),
		TEST(death_while_running_is_noticed),
		TEST(exit_counts_without_a_hang_up),
		TEST(broken_ring_needs_a_reset),
		TEST(error_flood_ends_the_device),
		TEST(silent_back_end_is_no_device),
		TEST(deaf_back_end_is_told_apart),
		TEST(noise_ends_the_device_and_nothing_else),
	};

	return cmocka_run_group_tests_name("vhost_user_frontend_lies", tests, NULL, NULL);
}
