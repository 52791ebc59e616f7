/*
 * frontend_world.h - for tests of the vhost-user front end: a loop in a thread
 * of its own, guest memory, and devices whose other end is a fake.
 */
#ifndef FRONTEND_WORLD_H
#define FRONTEND_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/unit/support/fake_backend.h"
#include "vmm/base/loop.h"
#include "vmm/monitor/vhost_user_frontend.h"

#define FEATURE(n) (1ULL << (n))
#define CONFIG_LEN 60

/* A foreign one (a thread here, no pidfd), one of our own (the same thread,
 * with the pidfd of a child that stands for its process), or one that runs in
 * a child. */
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
	struct loop *loop;
	pthread_t control; /* runs the loop */
	bool running;
	struct guest_memory memory;
	int memory_fd;
	struct device dev, other;
};

/* Blk0 and blk1, 4 queues, deadlines of 2 s; change fake and params, then
 * device_start().  world_end() stops all and lets the records be read. */
void world_init(struct world *w);
void world_start(struct world *w);
void world_stop(struct world *w);
void world_end(struct world *w);
void world_release(struct world *w);
int world_setup(void **state);
int world_teardown(void **state);

/* Connect the two ends; the handshake has not begun. */
void device_make(struct device *d, enum kind kind);

/* Make w->dev, run the loop and begin the handshake. */
void device_start(struct world *w, enum kind kind);

int device_attach(struct device *d);

/* With queues 0 and 2 of two_queues. */
int device_activate(struct device *d);
extern const struct virtio_queue_config two_queues[VIRTIO_MAX_QUEUES];

/* Let the fake play a trick. */
void device_play(struct device *d, uint32_t at, enum fake_trick trick);

/* It is lost, once, with `why` in the reason, and all operations fail. */
void assert_lost(struct device *d, const char *why);

void sleep_ms(unsigned int ms);

/* Wait up to 2 s for a count to reach `n`. */
bool reaches(_Atomic unsigned int *count, unsigned int n);

/* Open fds of this process. */
unsigned int count_fds(void);

#endif
