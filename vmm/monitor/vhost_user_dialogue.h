/*
 * vhost_user_dialogue.h - what the monitor says to a back end, in which order,
 * and which answers it takes.
 *
 * Three scripts: ATTACH (who are you, here is guest memory), ACTIVATE (these
 * are the queues), STOP (hands off).  A script is a table of steps; messages
 * are sent without waiting for the answers to earlier ones, but for the few
 * steps that need to know them, so ATTACH takes two round trips.  Answers come
 * in the order of the requests.  A back end of our own is asked for its
 * protocol features before it has said that it has any; one that somebody
 * else wrote is asked afterwards, as the protocol's text wants it.
 *
 * The back end is not trusted.  An answer that nobody asked for, of the wrong
 * kind, of the wrong size, with fds where none belong or without those that
 * do, and a claim that cannot be served are errors that end the connection,
 * each with a line that says what was wrong.
 *
 * Knows nothing of threads, processes and time: that is the front end's part.
 */
#ifndef MONITOR_VHOST_USER_DIALOGUE_H
#define MONITOR_VHOST_USER_DIALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "devices/platform/virtio_mmio.h"
#include "vmm/base/err.h"
#include "vmm/monitor/vhost_user_channel.h"

/* What the configuration says about the device. */
struct vhost_user_terms {
	uint32_t device_id;		   /* virtio 1.3, 5 */
	unsigned int max_queues;	   /* 1..VIRTIO_MAX_QUEUES: more will not be used */
	uint16_t queue_size_max;	   /* entries */
	uint64_t feature_mask;		   /* virtio features that may be offered to the driver */
	size_t config_len;		   /* bytes of config space, up to VIRTIO_CONFIG_MAX;
					    * becomes 0 when the back end can do without */
	bool foreign;			   /* a back end that somebody else wrote */
	const struct guest_memory *memory; /* gpa, size, file_offset of its regions */
	int memory_fd;
};

/* A queue is set up with its address, then acknowledged twice. */
#define VHOST_USER_EXPECT_MAX (2 * VIRTIO_MAX_QUEUES + 8)

struct vhost_user_expect {
	uint8_t request;
	uint8_t queue;
	bool ack;     /* an acknowledgement: zero or not */
	bool barrier; /* only that it comes counts */
};

struct vhost_user_step;

struct vhost_user_dialogue {
	struct vhost_user_terms terms;

	/* Agreed upon in ATTACH, constant afterwards. */
	bool features_known;
	bool has_protocol; /* VHOST_USER_F_PROTOCOL_FEATURES */
	uint64_t features; /* what the driver may be offered */
	uint64_t protocol; /* protocol features in use */
	unsigned int nqueues;
	uint8_t config[VIRTIO_CONFIG_MAX];

	/* For ACTIVATE; set by the caller before it begins. */
	uint64_t driver_features;
	struct virtio_queue_config queue[VIRTIO_MAX_QUEUES];
	int kick_fd[VIRTIO_MAX_QUEUES];
	int call_fd, err_fd;
	int inflight_fd; /* owned; -1: none */
	struct vhost_user_inflight inflight;

	/* Queues that the back end may be working on: bit by queue. */
	uint64_t running;

	/* A request was refused (in words in `why`), the connection is fine. */
	bool refused;
	struct err why; /* of a refusal or of a lost connection; without the name */

	/* Progress. */
	struct vhost_user_channel channel;
	const struct vhost_user_step *step; /* NULL: no script is running */
	uint64_t queues_left;		    /* of the group of steps that is repeated per queue */
	unsigned int current;		    /* queue of that group */
	const struct vhost_user_step *group;
	struct vhost_user_expect expect[VHOST_USER_EXPECT_MAX];
	unsigned int expect_first, nexpect;
};

enum vhost_user_script { VHOST_USER_ATTACH, VHOST_USER_ACTIVATE, VHOST_USER_STOP };

/* `sock` is borrowed; fds in *d are -1 until the caller sets them. */
void vhost_user_dialogue_init(struct vhost_user_dialogue *d, const struct vhost_user_terms *terms,
			      int sock);
void vhost_user_dialogue_release(struct vhost_user_dialogue *d);

/* Begin a script; none is running.  STOP stops what is in d->running. */
void vhost_user_dialogue_begin(struct vhost_user_dialogue *d, enum vhost_user_script script);

/*
 * Say and hear as much as can be without waiting.  0: the script has ended
 * (look at d->refused); -EAGAIN: not yet, or no script is running; anything
 * else: the connection is useless, d->why says why.
 */
int vhost_user_dialogue_pump(struct vhost_user_dialogue *d);

/* The socket is full: pump again when it can be written. */
bool vhost_user_dialogue_wants_out(const struct vhost_user_dialogue *d);

/* What is being waited for, for a message: "no answer to GET_CONFIG". */
void vhost_user_dialogue_describe_wait(const struct vhost_user_dialogue *d, char *out, size_t size);

#endif
