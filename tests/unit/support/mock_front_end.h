/*
 * mock_front_end.h - a vhost-user front end for tests: guest memory in a
 * memfd, a socket pair, a mock driver per queue, and the device under test on
 * a thread of its own.  Every wait has a limit; failures are cmocka failures.
 */
#ifndef MOCK_FRONT_END_H
#define MOCK_FRONT_END_H

#include <pthread.h>

#include "devices/virtio/device_process.h"
#include "devices/virtio/vhost_user.h"
#include "tests/unit/support/mock_driver.h"

#define FRONT_MEM    (8u << 20)	     /* bytes of guest memory */
#define FRONT_GPA    0x100000u	     /* where it begins */
#define FRONT_USER   0x700000000000u /* added to a gpa: the front end's addresses */
#define FRONT_AREA   (1u << 20)	     /* bytes of it per queue */
#define FRONT_QUEUES 4u

struct front_end {
	int sock, memfd;
	uint8_t *mem;
	struct mock_driver driver[FRONT_QUEUES];
	int kick[FRONT_QUEUES], call[FRONT_QUEUES], err[FRONT_QUEUES];
	uint64_t features;

	/* the device */
	struct device_seat seat;
	struct device_counters counters;
	struct device_controls controls;
	int (*main)(const struct device_seat *seat, const void *params, struct err *e);
	const void *params;
	pthread_t thread;
	bool running;
	int result;
	struct err e;
};

/* Make memory and eventfds. */
void front_init(struct front_end *f);
void front_release(struct front_end *f);

/* Start the device on a thread (again, after it has ended); hang up and wait
 * for its result. */
void front_run(struct front_end *f,
	       int (*entry)(const struct device_seat *, const void *, struct err *),
	       const void *params);
int front_hang_up(struct front_end *f);

/* One message; waits for the acknowledgement and returns its value. */
uint64_t front_send(struct front_end *f, struct vhost_user_msg *msg);
/* One message with an answer of its own, which replaces it. */
void front_ask(struct front_end *f, struct vhost_user_msg *msg);

uint64_t front_u64(struct front_end *f, uint32_t request, uint64_t value);
uint64_t front_get_u64(struct front_end *f, uint32_t request);
uint64_t front_state(struct front_end *f, uint32_t request, uint32_t index, uint32_t num);
uint64_t front_vring_fd(struct front_end *f, uint32_t request, uint32_t index, int fd);

/* Features (all offered but those in `without`), protocol features, memory. */
void front_negotiate(struct front_end *f, uint64_t without);
uint64_t front_mem_table(struct front_end *f);

/* Set up and enable queue q; its driver must be initialised. */
void front_start_queue(struct front_end *f, unsigned int q, uint16_t base);
uint64_t front_set_addr(struct front_end *f, unsigned int q);
uint32_t front_stop_queue(struct front_end *f, unsigned int q);

/* A fresh driver in the queue's area. */
void front_init_driver(struct front_end *f, unsigned int q, uint16_t size);

/* Publish what was added, and kick if the device wants it. */
void front_kick(struct front_end *f, unsigned int q);

/*
 * Be a hostile driver on queue q for a while: descriptors, tables and indices
 * that are almost right, changed while the device works.  Deterministic but
 * for the device's timing.  The device must survive; the ring is restarted
 * whenever it has been found broken.
 */
void front_torment(struct front_end *f, unsigned int q, unsigned int rounds, uint32_t seed);

/* Wait for a used element / for an eventfd. */
void front_collect(struct front_end *f, unsigned int q, uint16_t *ret_head, uint32_t *ret_len);
bool front_wait_eventfd(int fd, unsigned int ms);

#endif
