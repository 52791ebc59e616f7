/*
 * fake_backend.h - a vhost-user back end for tests of the front end: answers
 * well, or plays one trick at one request.  Hangs up on an in-flight area of
 * another size than C's, as DPDK does.
 *
 * Runs in a thread of the test or in a forked child.  Set the claims and the
 * trick before it starts; read what it has seen after fake_backend_join(),
 * the atomic counts at any time.
 */
#ifndef FAKE_BACKEND_H
#define FAKE_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "devices/virtio/vhost_user.h"

#define FAKE_QUEUES   64
#define FAKE_LOG_MAX  512
#define FAKE_REQUESTS 48

enum fake_trick {
	FAKE_NONE,
	FAKE_SILENT,   /* reads on, but never sends again */
	FAKE_DEAF,     /* neither reads nor sends until the connection closes */
	FAKE_DIE,      /* closes its socket (a child exits) */
	FAKE_SLOW,     /* answers after delay_ms */
	FAKE_LONG,     /* 4 bytes too many */
	FAKE_SHORT,    /* 4 bytes too few */
	FAKE_EMPTY,    /* no payload */
	FAKE_HUGE,     /* a header that promises 1 GiB */
	FAKE_OVERSIZE, /* a header that promises `amount` bytes */
	FAKE_FDS,      /* an fd beside the answer */
	FAKE_MANY_FDS, /* more fds than a message can carry */
	FAKE_OTHER,    /* answers another request */
	FAKE_REQUEST,  /* the answer without the reply flag */
	FAKE_TWICE,    /* the answer, and again */
	FAKE_HALF,     /* the first 7 bytes of the answer, then silence */
	FAKE_VERSION,  /* version 2 of the protocol */
	FAKE_NACK,     /* acknowledges with 1 */
	FAKE_INDEX,    /* the answer of another queue */
	FAKE_NO_FD,    /* leaves the answer's fd away */
};

struct fake_queue {
	struct vhost_user_vring_addr addr;
	uint32_t num, base;
	bool enabled;
	int kick, call, err; /* owned; -1 */
};

struct fake_backend {
	/* claims */
	uint64_t features, protocol, queue_num;
	uint8_t config[VHOST_USER_CONFIG_MAX];
	/* the trick, played each time `at` is asked, from the skip-th on */
	uint32_t at;
	enum fake_trick trick;
	unsigned int skip, delay_ms, amount;

	/* what it has seen */
	uint32_t log[FAKE_LOG_MAX]; /* requests in order; the first ones */
	_Atomic unsigned int seen[FAKE_REQUESTS];
	_Atomic unsigned int total;
	uint64_t driver_features, driver_protocol;
	struct vhost_user_memory memory;
	unsigned int memory_fds;
	struct vhost_user_inflight inflight;
	bool inflight_came_back;
	struct fake_queue queue[FAKE_QUEUES];

	int sock; /* owned */
	bool silent;
	pthread_t thread;
	bool joined;
};

/* A well-behaved block device with REPLY_ACK, CONFIG, MQ and no inflight. */
void fake_backend_init(struct fake_backend *f);

/* Serve in a thread; takes `sock` over. */
void fake_backend_start(struct fake_backend *f, int sock);

/* Wait for its end, which comes when the front end closes the socket. */
void fake_backend_join(struct fake_backend *f);

/* Close the fds that it was sent; after join. */
void fake_backend_release(struct fake_backend *f);

/* Serve in a forked child, which keeps `sock` only.  Returns its pid;
 * *ret_pidfd is owned by the caller. */
pid_t fake_backend_fork(struct fake_backend *f, int sock, int *ret_pidfd);

#endif
