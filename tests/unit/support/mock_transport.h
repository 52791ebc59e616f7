/*
 * mock_transport.h - a back end for virtio_mmio.h that checks what it is
 * handed, and register accesses as a driver makes them.
 */
#ifndef MOCK_TRANSPORT_H
#define MOCK_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/platform/virtio_mmio.h"

#define ACK	    1u
#define DRIVER	    2u
#define DRIVER_OK   4u
#define FEATURES_OK 8u
#define NEEDS_RESET 64u
#define FAILED	    128u
#define READY_TO_GO (ACK | DRIVER | FEATURES_OK)
#define RUNNING	    (READY_TO_GO | DRIVER_OK)

#define VERSION_1  (1ULL << 32)
#define OFFERED	   (VERSION_1 | (1ULL << 28) | (1ULL << 29) | 0x5)
#define QUEUE_MAX  256
#define NQUEUES	   3
#define CONFIG_LEN 21

struct mock {
	struct virtio_device_info info;
	int attach_result, activate_result, reset_result;
	int attached, activated, resets, notified, config_writes;
	uint32_t last_notify;
	bool active;
	uint64_t features;
	struct virtio_queue_config queues[VIRTIO_MAX_QUEUES];
	uint8_t config[VIRTIO_CONFIG_MAX];
	uint32_t generation;
	atomic_int pulses;
	/* Called inside activate() and reset(), where a vCPU holds the lock. */
	void (*inside)(struct mock *m);
	struct virtio_mmio *t;
};

/* On the heap; fails the test when there is no memory. */
struct mock *mock_set_up(void);
void mock_tear_down(struct mock *m);

uint32_t rd(struct mock *m, uint64_t offset);
void wr(struct mock *m, uint64_t offset, uint32_t v);
void set_status(struct mock *m, uint32_t v);
uint32_t status(struct mock *m);
void ack_features(struct mock *m, uint64_t features);
void write_queue(struct mock *m, uint32_t index, uint32_t size, uint64_t desc, uint64_t driver,
		 uint64_t device);

/* Write QueueReady and read it back. */
uint32_t make_ready(struct mock *m);

/* From reset to FEATURES_OK, the way Linux does it; and on to DRIVER_OK. */
void negotiate(struct mock *m);
void start(struct mock *m);

/* From reset to the given status, which must be one that a driver can reach. */
void bring_to(struct mock *m, uint32_t state);

#endif
