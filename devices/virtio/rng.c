/*
 * rng.c - virtio-rng (virtio 1.3, 5.4): one queue of writable buffers, filled
 * from the host's getrandom.
 *
 * A request is answered with at most MAX_BYTES, which the specification
 * allows ("one or more bytes"), so that one wake-up has a bound.  There is no
 * state, so a successor begins where the used ring ends.
 *
 * System calls after confine(): those of vhost_user_backend.h, and getrandom.
 */
#include "devices/virtio/device_process.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <sys/random.h>

#include "devices/virtio/vhost_user_backend.h"
#include "vmm/base/util.h"

#define BUDGET	  16u /* requests per turn */
#define MAX_IOV	  64u
#define MAX_BYTES (64u * 1024)
#define CHUNK	  4096u /* per call */

struct rng {
	const struct device_seat *seat;
	struct vhost_user_backend *backend;
	struct iovec iov[MAX_IOV];
};

/* Fill [p, p + len).  Bytes filled. */
static uint32_t fill(struct rng *rng, uint8_t *p, uint32_t len)
{
	uint32_t done = 0;
	ssize_t n;

	while (done < len) {
		n = getrandom(p + done, MIN(len - done, CHUNK), 0);
		counter_add(&rng->seat->counters->syscalls, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (uint32_t)n;
	}
	return done;
}

static uint32_t serve(struct rng *rng, const struct virtqueue_chain *chain)
{
	uint32_t total = 0;

	/* Readable buffers have no meaning here and are skipped. */
	for (unsigned int i = chain->nread; i < chain->nread + chain->nwrite; i++) {
		uint32_t want = (uint32_t)MIN(rng->iov[i].iov_len, MAX_BYTES - total);
		uint32_t got = fill(rng, rng->iov[i].iov_base, want);

		total += got;
		if (got < want || total == MAX_BYTES)
			break;
	}
	return total;
}

static bool rng_process(void *ctx, unsigned int q)
{
	struct rng *rng = ctx;
	struct device_counters *c = rng->seat->counters;
	struct virtqueue *vq = vhost_user_queue(rng->backend, q);
	struct virtqueue_chain chain;
	unsigned int n = 0;

	virtqueue_disable_notify(vq);
	for (; n < BUDGET && vhost_user_pop(rng->backend, q, &chain, rng->iov, MAX_IOV); n++) {
		uint32_t total = serve(rng, &chain);

		virtqueue_push(vq, chain.head, total);
		counter_add(&c->requests, 1);
		counter_add(total ? &c->bytes_in : &c->errors, total ? total : 1);
	}
	vhost_user_flush(rng->backend, q);
	return n == BUDGET || virtqueue_enable_notify(vq);
}

/* Nothing is ever left half done. */
static void rng_quiesce(void *ctx, unsigned int q)
{
	(void)ctx;
	(void)q;
}

static int rng_set_features(void *ctx, uint64_t features)
{
	(void)ctx;
	(void)features;
	return 0;
}

int rng_main(const struct device_seat *seat, const struct rng_params *params, struct err *e)
{
	struct rng rng = { .seat = seat };
	const struct vhost_user_device dev = {
		.features = UINT64_C(1) << VIRTIO_F_VERSION_1 | 1u << VIRTIO_RING_F_INDIRECT_DESC |
			    1u << VIRTIO_RING_F_EVENT_IDX,
		.nqueues = 1,
		.ctx = &rng,
		.set_features = rng_set_features,
		.process = rng_process,
		.quiesce = rng_quiesce,
	};
	int r;

	(void)params;
	rng.backend = vhost_user_backend_new(seat, &dev, e);
	if (!rng.backend)
		return -EIO;
	r = seat->confine(seat, e);
	if (r == 0)
		r = vhost_user_serve(rng.backend, e);
	vhost_user_backend_free(rng.backend);
	return r;
}
