/*
 * test_vhost_user_frontend.c - the front end against a back end that behaves,
 * and against ones that are silent, slow, lying or dead.
 *
 * Three kinds of back end: a foreign one (a thread here, no pidfd), one of our
 * own (the same thread, with the pidfd of a child that stands for its process)
 * and one in a child of its own.
 */
#include "vmm/monitor/vhost_user_frontend.h"

#include <dirent.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/support/fake_backend.h"
#include "vmm/base/util.h"
#include "vmm/monitor/control_thread.h"

#define FEATURE(n) (1ULL << (n))
#define CONFIG_LEN 60

enum kind { FOREIGN, OWN, CHILD };

struct device {
	struct fake_backend fake;
	struct vhost_user_frontend_params params;
	struct vhost_user_frontend *fe;
	pid_t pid; /* of the child; 0: none */

	/* what the callbacks told; the strings are safe after lost is seen */
	_Atomic unsigned int lost, needs_reset;
	bool unsafe;
	char why[ERR_TEXT_MAX];
};

struct world {
	struct control_thread control;
	struct guest_memory memory;
	int memory_fd;
	struct device dev, other;
};

static const struct virtio_backend_ops *const ops = &vhost_user_frontend_ops;

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

static void note_lost(void *ctx, struct vhost_user_frontend *fe, const char *why, bool unsafe)
{
	struct device *d = ctx;

	(void)fe;
	snprintf(d->why, sizeof(d->why), "%s", why);
	d->unsafe = unsafe;
	atomic_fetch_add(&d->lost, 1);
}

static void note_needs_reset(void *ctx, struct vhost_user_frontend *fe, const char *why)
{
	struct device *d = ctx;

	(void)fe;
	(void)why;
	atomic_fetch_add(&d->needs_reset, 1);
}

/* Wait up to 2 s for a count to reach `n`. */
static bool reaches(_Atomic unsigned int *count, unsigned int n)
{
	for (int i = 0; i < 2000; i++) {
		if (atomic_load(count) >= n)
			return true;
		sleep_ms(1);
	}
	return false;
}

static void device_init(struct world *w, struct device *d, const char *name)
{
	fake_backend_init(&d->fake);
	d->params = (struct vhost_user_frontend_params){
		.name = name,
		.device_id = VIRTIO_ID_BLOCK,
		.pidfd = -1,
		.memory = &w->memory,
		.memory_fd = w->memory_fd,
		.max_queues = 4,
		.queue_size_max = 256,
		.feature_mask = FEATURE(6) | FEATURE(VHOST_USER_F_PROTOCOL_FEATURES),
		.config_len = CONFIG_LEN,
		.attach_ms = 2000,
		.activate_ms = 2000,
		.reset_ms = 2000,
		.loop = w->control.loop,
		.on_lost = note_lost,
		.on_needs_reset = note_needs_reset,
		.ctx = d,
	};
}

static pid_t fork_idle_child(int *ret_pidfd)
{
	pid_t pid = fork();

	if (pid == 0) {
		close_range(3, ~0u, 0); /* its copies would hide hang-ups */
		for (;;)
			pause();
	}
	*ret_pidfd = pidfd_open(pid, 0);
	return pid;
}

/* Connect the two ends; the handshake has not begun. */
static void device_make(struct device *d, enum kind kind)
{
	struct err e;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	if (kind == OWN)
		d->pid = fork_idle_child(&d->params.pidfd);
	if (kind == CHILD)
		d->pid = fake_backend_fork(&d->fake, sv[1], &d->params.pidfd);
	else
		fake_backend_start(&d->fake, sv[1]);
	d->params.sock = sv[0];
	d->fe = vhost_user_frontend_new(&d->params, &e);
	assert_non_null(d->fe);
}

static void world_start(struct world *w)
{
	struct err e;

	assert_int_equal(control_thread_start(&w->control, &e), 0);
}

static void device_start(struct world *w, enum kind kind)
{
	device_make(&w->dev, kind);
	world_start(w);
	assert_int_equal(vhost_user_frontend_start(w->dev.fe), 0);
}

static void device_end(struct device *d)
{
	vhost_user_frontend_free(d->fe);
	d->fe = NULL;
	fake_backend_join(&d->fake);
	fake_backend_release(&d->fake);
	if (d->pid > 0) {
		kill(d->pid, SIGKILL);
		waitpid(d->pid, NULL, 0);
	}
	d->pid = 0;
}

static void end(struct world *w)
{
	control_thread_stop(&w->control);
	device_end(&w->dev);
	device_end(&w->other);
}

static void world_init(struct world *w)
{
	struct err e;

	memset(w, 0, sizeof(*w));
	assert_int_equal(control_thread_init(&w->control, &e), 0);
	w->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(guest_memory_add(&w->memory, 0, 1 * MIB, 0, NULL), 0);
	assert_int_equal(guest_memory_add(&w->memory, 4 * GIB, 2 * MIB, 1 * MIB, NULL), 0);
	device_init(w, &w->dev, "blk0");
	device_init(w, &w->other, "blk1");
}

static void world_release(struct world *w)
{
	end(w);
	control_thread_release(&w->control);
	close_fd(&w->memory_fd);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_init(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_release(*state);
	free(*state);
	return 0;
}

static int attach(struct device *d)
{
	struct virtio_device_info info;

	return ops->attach(d->fe, &info);
}

/* Queues 0 and 2 are ready. */
static const struct virtio_queue_config two_queues[VIRTIO_MAX_QUEUES] = {
	[0] = { .size = 128, .ready = true, .desc = 0x1000, .driver = 0x2000, .device = 0x3000 },
	[2] = { .size = 64, .ready = true, .desc = 0x5000, .driver = 0x6000, .device = 0x7000 },
};

static int activate(struct device *d)
{
	return ops->activate(d->fe, FEATURE(VIRTIO_F_VERSION_1), two_queues);
}

static void play(struct device *d, uint32_t at, enum fake_trick trick)
{
	d->fake.at = at;
	d->fake.trick = trick;
}

static void assert_lost(struct device *d, const char *why)
{
	assert_true(reaches(&d->lost, 1));
	if (!strstr(d->why, why))
		print_error("\"%s\" where \"%s\" was expected\n", d->why, why);
	assert_non_null(strstr(d->why, why));
	assert_memory_equal(d->why, "blk", 3);
	assert_int_equal(attach(d), -ENODEV);
	assert_int_equal(activate(d), -ENODEV);
	assert_int_equal(atomic_load(&d->lost), 1);
}

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
	assert_int_equal(attach(&w->dev), 0);
	end(w);
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

	play(&w->dev, VHOST_USER_GET_FEATURES, FAKE_SILENT);
	device_start(w, OWN);
	assert_true(reaches(&w->dev.fake.total, 2));
	end(w);
	assert_int_equal(w->dev.fake.log[1], VHOST_USER_GET_PROTOCOL_FEATURES);
	world_release(w);
	world_init(w);

	play(&w->dev, VHOST_USER_GET_QUEUE_NUM, FAKE_SILENT);
	device_start(w, OWN);
	assert_true(reaches(&w->dev.fake.total, 7));
	end(w);
	assert_int_equal(w->dev.fake.log[2], VHOST_USER_SET_PROTOCOL_FEATURES);
	assert_int_equal(w->dev.fake.log[6], VHOST_USER_SET_MEM_TABLE);
}

/* One round trip: SET_FEATURES and seven messages for each of two queues. */
static void activation_does_not_wait_between_messages(void **state)
{
	struct world *w = *state;

	play(&w->dev, VHOST_USER_SET_FEATURES, FAKE_SILENT);
	w->dev.params.activate_ms = 100;
	device_start(w, OWN);
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(activate(&w->dev), -ENODEV);
	end(w);
	assert_int_equal(w->dev.fake.total, 7 + 1 + 2 * 7);
	assert_int_equal(w->dev.fake.log[21], VHOST_USER_SET_VRING_ENABLE);
}

/* The protocol's text: not before the feature bit has been seen. */
static void foreign_back_end_is_asked_in_order(void **state)
{
	struct world *w = *state;

	play(&w->dev, VHOST_USER_GET_FEATURES, FAKE_SILENT);
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
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(activate(&w->dev), 0);
	ops->notify(w->dev.fe, 2);
	ops->notify(w->dev.fe, VIRTIO_MAX_QUEUES);
	control_thread_stop(&w->control);
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

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void reset_storm_grows_nothing(void **state)
{
	struct world *w = *state;
	unsigned int before = 0;

	w->dev.fake.protocol |= FEATURE(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
	device_start(w, CHILD);
	assert_int_equal(attach(&w->dev), 0);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(ops->reset(w->dev.fe), 0);
		assert_int_equal(activate(&w->dev), 0);
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
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(activate(&w->dev), 0);
	end(w);
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
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(activate(&w->dev), 0);
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
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(ops->activate(w->dev.fe, FEATURE(5), two_queues), -EINVAL);
	assert_int_equal(activate(&w->dev), 0);
	assert_int_equal(activate(&w->dev), -EINVAL);
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_int_equal(w->dev.lost, 0);
}

static void activation_without_queues(void **state)
{
	static const struct virtio_queue_config none[VIRTIO_MAX_QUEUES];
	struct world *w = *state;

	device_start(w, OWN);
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(ops->activate(w->dev.fe, FEATURE(VIRTIO_F_VERSION_1), none), 0);
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_GET_VRING_BASE], 0);
}

/* 64 queues do not fit into a small socket buffer at once. */
static void full_socket_is_waited_for(void **state)
{
	struct virtio_queue_config all[VIRTIO_MAX_QUEUES];
	struct world *w = *state;
	int small = 1;

	for (unsigned int i = 0; i < VIRTIO_MAX_QUEUES; i++)
		all[i] = two_queues[0];
	w->dev.params.max_queues = VIRTIO_MAX_QUEUES;
	w->dev.fake.queue_num = VIRTIO_MAX_QUEUES;
	w->dev.fake.delay_ms = 20;
	play(&w->dev, VHOST_USER_SET_FEATURES, FAKE_SLOW);
	device_make(&w->dev, OWN);
	assert_int_equal(setsockopt(w->dev.params.sock, SOL_SOCKET, SO_SNDBUF, &small, 4), 0);
	world_start(w);
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(ops->activate(w->dev.fe, FEATURE(VIRTIO_F_VERSION_1), all), 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_SET_VRING_KICK], VIRTIO_MAX_QUEUES);
	assert_int_equal(ops->reset(w->dev.fe), 0);
	assert_int_equal(w->dev.fake.seen[VHOST_USER_GET_VRING_BASE], VIRTIO_MAX_QUEUES);
	end(w);
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
		play(&w->dev, attach_lies[i].at, attach_lies[i].trick);
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
		play(&w->dev, activate_lies[i].at, activate_lies[i].trick);
		w->dev.fake.protocol |= FEATURE(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
		w->dev.params.activate_ms = 60;
		device_start(w, OWN);
		assert_int_equal(attach(&w->dev), 0);
		assert_int_equal(activate(&w->dev), -ENODEV);
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
	play(&w->dev, VHOST_USER_SET_VRING_ENABLE, FAKE_TWICE);
	w->dev.fake.skip = 1;
	device_start(w, OWN);
	assert_int_equal(attach(&w->dev), 0);
	activate(&w->dev);
	assert_lost(&w->dev, "nobody asked for: SET_VRING_ENABLE (18)");
}

static void refused_activation_can_be_reset(void **state)
{
	struct world *w = *state;

	play(&w->dev, VHOST_USER_SET_VRING_ADDR, FAKE_NACK);
	device_start(w, OWN);
	assert_int_equal(attach(&w->dev), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(activate(&w->dev), -EIO);
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

	play(&w->dev, VHOST_USER_GET_VRING_BASE, FAKE_SLOW);
	w->dev.fake.delay_ms = 40;
	device_start(w, CHILD);
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(activate(&w->dev), 0);
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
		play(&w->dev, lies[i].at, lies[i].trick);
		w->dev.params.reset_ms = 60;
		device_start(w, CHILD);
		assert_int_equal(attach(&w->dev), 0);
		assert_int_equal(activate(&w->dev), 0);
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

	play(&w->dev, VHOST_USER_GET_VRING_BASE, FAKE_SILENT);
	w->dev.params.reset_ms = 30;
	device_start(w, FOREIGN);
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(activate(&w->dev), 0);
	assert_int_equal(pthread_create(&r.thread, NULL, reset_thread, &r), 0);
	assert_true(reaches(&w->dev.lost, 1));
	assert_true(w->dev.unsafe);
	sleep_ms(30);
	assert_int_equal(atomic_load(&r.returned), 0);
	control_thread_stop(&w->control);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.result, -ESHUTDOWN);
	assert_int_equal(ops->reset(w->dev.fe), -ESHUTDOWN);
	assert_int_equal(activate(&w->dev), -ESHUTDOWN);
	assert_int_equal(attach(&w->dev), -ESHUTDOWN);
}

static void others_go_on_meanwhile(void **state)
{
	struct world *w = *state;
	struct resetter r = { .dev = &w->dev };

	play(&w->dev, VHOST_USER_GET_VRING_BASE, FAKE_HALF);
	w->dev.params.reset_ms = 1500;
	device_make(&w->dev, CHILD);
	device_make(&w->other, CHILD);
	world_start(w);
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(activate(&w->dev), 0);
	assert_int_equal(pthread_create(&r.thread, NULL, reset_thread, &r), 0);
	assert_int_equal(attach(&w->other), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(activate(&w->other), 0);
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
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(activate(&w->dev), 0);
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
	assert_int_equal(attach(&w->dev), 0);
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
	assert_int_equal(attach(&w->dev), 0);
	for (unsigned int round = 1; round <= 3; round++) {
		assert_int_equal(activate(&w->dev), 0);
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
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(activate(&w->dev), 0);
	for (int i = 0; i < 200000 && !atomic_load(&w->dev.lost); i++)
		signal_error(&w->dev, 1);
	assert_lost(&w->dev, "floods its error eventfd");
	assert_int_equal(atomic_load(&w->dev.needs_reset), 1);
}

static void silent_back_end_is_no_device(void **state)
{
	struct world *w = *state;
	uint64_t before = now_ns();

	play(&w->dev, VHOST_USER_GET_CONFIG, FAKE_SILENT);
	w->dev.params.attach_ms = 60;
	device_start(w, CHILD);
	assert_int_equal(attach(&w->dev), -ENODEV);
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
	play(&w->dev, VHOST_USER_SET_FEATURES, FAKE_DEAF);
	w->dev.params.max_queues = VIRTIO_MAX_QUEUES;
	w->dev.params.activate_ms = 60;
	w->dev.fake.queue_num = VIRTIO_MAX_QUEUES;
	device_make(&w->dev, OWN);
	assert_int_equal(setsockopt(w->dev.params.sock, SOL_SOCKET, SO_SNDBUF, &small, 4), 0);
	world_start(w);
	assert_int_equal(attach(&w->dev), 0);
	assert_int_equal(ops->activate(w->dev.fe, FEATURE(VIRTIO_F_VERSION_1), all), -ENODEV);
	assert_lost(&w->dev, "blk0: does not take SET_VRING_");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		TEST(network_queues_come_in_pairs),
		TEST(bad_parameters_are_refused),
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
	};

	return cmocka_run_group_tests_name("vhost_user_frontend", tests, NULL, NULL);
}
