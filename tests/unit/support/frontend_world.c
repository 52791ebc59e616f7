/* frontend_world.c - see frontend_world.h. */
#include "tests/unit/support/frontend_world.h"

#include <dirent.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"

static const struct virtio_backend_ops *const ops = &vhost_user_frontend_ops;

void sleep_ms(unsigned int ms)
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

bool reaches(_Atomic unsigned int *count, unsigned int n)
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
		.loop = w->loop,
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

void device_make(struct device *d, enum kind kind)
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

static void *control_main(void *arg)
{
	struct world *w = arg;

	loop_run(w->loop);
	return NULL;
}

void world_start(struct world *w)
{
	assert_int_equal(pthread_create(&w->control, NULL, control_main, w), 0);
	w->running = true;
}

void world_stop(struct world *w)
{
	loop_stop(w->loop);
	if (w->running)
		pthread_join(w->control, NULL);
	w->running = false;
}

void device_start(struct world *w, enum kind kind)
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

void world_end(struct world *w)
{
	world_stop(w);
	device_end(&w->dev);
	device_end(&w->other);
}

void world_init(struct world *w)
{
	struct err e;

	memset(w, 0, sizeof(*w));
	w->loop = loop_new(&e);
	assert_non_null(w->loop);
	w->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(w->memory_fd, 3 * MIB), 0);
	assert_int_equal(guest_memory_add(&w->memory, 0, 1 * MIB, 0, NULL), 0);
	assert_int_equal(guest_memory_add(&w->memory, 4 * GIB, 2 * MIB, 1 * MIB, NULL), 0);
	device_init(w, &w->dev, "blk0");
	device_init(w, &w->other, "blk1");
}

void world_release(struct world *w)
{
	world_end(w);
	loop_free(w->loop);
	close_fd(&w->memory_fd);
}

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_init(w);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	world_release(*state);
	free(*state);
	return 0;
}

int device_attach(struct device *d)
{
	struct virtio_device_info info;

	return ops->attach(d->fe, &info);
}

const struct virtio_queue_config two_queues[VIRTIO_MAX_QUEUES] = {
	[0] = { .size = 128, .ready = true, .desc = 0x1000, .driver = 0x2000, .device = 0x3000 },
	[2] = { .size = 64, .ready = true, .desc = 0x5000, .driver = 0x6000, .device = 0x7000 },
};

int device_activate(struct device *d)
{
	return ops->activate(d->fe, FEATURE(VIRTIO_F_VERSION_1), two_queues);
}

void device_play(struct device *d, uint32_t at, enum fake_trick trick)
{
	d->fake.at = at;
	d->fake.trick = trick;
}

void assert_lost(struct device *d, const char *why)
{
	assert_true(reaches(&d->lost, 1));
	if (!strstr(d->why, why))
		print_error("\"%s\" where \"%s\" was expected\n", d->why, why);
	assert_non_null(strstr(d->why, why));
	assert_memory_equal(d->why, "blk", 3);
	assert_int_equal(device_attach(d), -ENODEV);
	assert_int_equal(device_activate(d), -ENODEV);
	assert_int_equal(atomic_load(&d->lost), 1);
}

unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
