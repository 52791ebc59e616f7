/*
 * device.h - a device process and its driver in one thread, in turns.
 *
 * The device's own entry (blk_main and its like) runs unchanged.  Where it
 * would sleep, in epoll_pwait, the driver has its turn instead: the linker's
 * --wrap brings that call here.  So a run is a function of the input alone,
 * and "the device sleeps" is a moment at which properties can be checked:
 * nothing that was offered is left lying, no interrupt is missing.
 *
 * A queue is `polite` as long as its driver has kept to the rules; only then
 * is the device held to its answers.  A hostile queue has one right: that the
 * device survives it.
 */
#ifndef FUZZ_DEVICE_H
#define FUZZ_DEVICE_H

#include "devices/virtio/device_process.h"
#include "devices/virtio/vhost_user.h"
#include "tests/fuzz/input.h"
#include "tests/unit/support/mock_driver.h"

#define FUZZ_GPA    0x100000u
#define FUZZ_REGION 0x10000u /* bytes of each of the two regions that adjoin */
#define FUZZ_MEM    (2 * FUZZ_REGION)
#define FUZZ_USER   0x700000000000u /* added to a gpa: the front end's addresses */
#define FUZZ_QUEUES 2u

struct fuzz_device {
	struct input in;
	unsigned int nqueues;
	uint64_t features; /* to be negotiated */

	/* One decision of the driver's.  Called when the device sleeps. */
	void (*turn)(struct fuzz_device *d);
	/* The device has nothing left to do: check.  Polite queues only. */
	void (*rest)(struct fuzz_device *d, unsigned int q);
	/* Queue q was set up afresh. */
	void (*fresh)(struct fuzz_device *d, unsigned int q);
	/* A message came that was not asked for by this file; may be NULL. */
	void (*answer)(struct fuzz_device *d, struct vhost_user_msg *msg);

	uint8_t *mem; /* the driver's view of guest memory */
	int memfd, sock;
	int kick[FUZZ_QUEUES], call[FUZZ_QUEUES], err[FUZZ_QUEUES];
	struct mock_driver driver[FUZZ_QUEUES];
	bool polite[FUZZ_QUEUES];
	uint32_t restart; /* queues that were told to stop */
	bool hung_up;
	struct device_counters counters;
	struct device_seat seat;
};

/* Empty memory, a connection, eventfds; features and queues must be set. */
void fuzz_device_init(struct fuzz_device *d, const uint8_t *data, size_t len);

/* One of the sizes that a queue may have. */
uint16_t fuzz_queue_size(struct input *in);

/* Negotiate and start all queues (told to the socket, nobody reads yet). */
void fuzz_device_setup(struct fuzz_device *d);

/* Run the device until the input ends.  Its result. */
int fuzz_device_run(struct fuzz_device *d,
		    int (*entry)(const struct device_seat *, const void *, struct err *),
		    const void *params);

/* Messages without a wait for the answer. */
void fuzz_send(struct fuzz_device *d, struct vhost_user_msg *msg);
void fuzz_state(struct fuzz_device *d, uint32_t request, uint32_t index, uint32_t num);
void fuzz_mem_table(struct fuzz_device *d);
void fuzz_start_queue(struct fuzz_device *d, unsigned int q, uint16_t size);

/* The parts of a turn that all devices share. */
void fuzz_publish(struct fuzz_device *d, unsigned int q, bool always_kick);
/* mock_add() or, where that was negotiated and `indirect`, its sibling. */
uint16_t fuzz_add(struct fuzz_device *d, unsigned int q, const struct mock_buf *bufs,
		  unsigned int n, bool indirect);
void fuzz_hostile(struct fuzz_device *d, unsigned int q);
void fuzz_front_end(struct fuzz_device *d, unsigned int q);

/* A wish for an interrupt was kept: look at the call eventfd and empty it. */
bool fuzz_interrupted(struct fuzz_device *d, unsigned int q);

#endif
