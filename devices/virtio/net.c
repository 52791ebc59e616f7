/*
 * net.c - virtio-net (virtio 1.3, 5.1) in a device process: one pair of queues
 * over a tap.
 *
 * Frames are never copied here: a frame is sent with one writev from the
 * guest's buffers and received with one readv into them.  The tap wants no
 * more than that, because it speaks the driver's own 12-byte header.
 *
 * Receiving.  How long the next frame is becomes known only by reading it.  So
 * a window of receive buffers is kept popped, enough for the largest frame that
 * the guest accepts, and behind them in the vector stands a private buffer, the
 * spill.  A frame that ran into the spill (the guest has little to offer just
 * now) waits there, with its first part in the window, until the guest has
 * added buffers; so no frame is cut or dropped for want of buffers.  Without
 * MRG_RXBUF a frame has exactly one buffer, and one that does not fit is
 * dropped and counted.
 *
 * Waiting.  The tap is watched edge-triggered: `readable` remembers an edge
 * until a read says EAGAIN.  Without buffers nothing is read and the guest is
 * asked for a kick; without frames nothing is asked of the guest.
 *
 * Left out on purpose: control queue, several queue pairs, link status, UFO,
 * ECN, USO, hash reports.
 *
 * System calls after confine(): those of vhost_user_backend.h; readv and
 * writev on the tap; epoll_ctl when it is full; ioctl TUNSETOFFLOAD once per
 * SET_FEATURES.
 */
#include "devices/virtio/device_process.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "devices/backend/tap.h"
#include "devices/virtio/iov.h"
#include "devices/virtio/patience.h"
#include "devices/virtio/rate.h"
#include "devices/virtio/vhost_user_backend.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"

#define TAP_EVENTS (EPOLLIN | EPOLLOUT | EPOLLET)

#define RX 0u
#define TX 1u

#define BUDGET	    64u	 /* frames of one direction per turn */
#define TX_IOV	    256u /* buffers of one chain */
#define CHAIN_IOV   128u /* the same, receiving */
#define WINDOW	    64u	 /* receive chains kept popped */
#define WINDOW_IOV  384u
#define ETHER_HDR   18u /* with a VLAN tag */
#define LARGEST	    (TAP_HEADER_LEN + ETHER_HDR + 65535u)
#define SPILL_BYTES (68u * 1024)

static_assert(sizeof(struct virtio_net_hdr_v1) == TAP_HEADER_LEN, "the tap's header");

struct rx_chain {
	uint16_t head;
	uint16_t ndesc;
	uint16_t niov;
	uint32_t bytes;
};

/* The window: chain[first, first + count), whose buffers are iov[first_iov,
 * first_iov + niov), one after the other. */
struct rx_window {
	unsigned int first, count, first_iov, niov;
	unsigned int ndesc; /* of the ring, that its chains take */
	uint32_t bytes;
	struct rx_chain chain[WINDOW];
	struct iovec iov[WINDOW_IOV + 1]; /* and the spill */
};

struct net {
	const struct device_seat *seat;
	const struct net_params *params;
	struct vhost_user_backend *backend;
	struct virtio_net_config config;
	bool mergeable, readable, tx_blocked, complained;
	uint32_t want; /* bytes that the window should hold */

	struct rx_window rx;
	uint8_t *spill;
	uint32_t held, held_in_window; /* a frame that ran into the spill: its
					  length, and how much is in the window */
	struct rate rate[2];	       /* RX, TX */
	struct patience patience;
	uint32_t received; /* frames since it was told last */
	struct iovec tx_iov[TX_IOV];
};

static struct device_counters *counters(const struct net *net)
{
	return net->seat->counters;
}

/* The tap says something that a working tap does not.  Told once. */
static void complain(struct net *net, const char *what, int code)
{
	if (!net->complained)
		log_warn("%s: %s: %s", net->seat->name, what, strerror(code));
	net->complained = true;
}

/* --- rates --- */

static bool is_limited(const struct net *net)
{
	const struct device_controls *c = net->seat->controls;

	return c && __atomic_load_n(&c->bytes_per_second, __ATOMIC_RELAXED);
}

/* May a frame go in direction q?  If not, q is called when it may. */
static bool may_pass(struct net *net, unsigned int q)
{
	uint64_t at = UINT64_MAX;

	if (!is_limited(net) ||
	    rate_ready(&net->rate[q], &net->seat->controls->bytes_per_second, now_ns(), &at))
		return true;
	vhost_user_later(net->backend, q, at);
	return false;
}

static void charge(struct net *net, unsigned int q, uint32_t bytes)
{
	if (is_limited(net))
		rate_charge(&net->rate[q], bytes, now_ns());
}

/* --- receive window --- */

static void window_compact(struct rx_window *w)
{
	memmove(w->chain, w->chain + w->first, w->count * sizeof(w->chain[0]));
	memmove(w->iov, w->iov + w->first_iov, w->niov * sizeof(w->iov[0]));
	w->first = w->first_iov = 0;
}

static bool window_full(const struct rx_window *w)
{
	return w->count == WINDOW || w->niov > WINDOW_IOV - CHAIN_IOV;
}

/* Pop until the window holds `want` bytes, or is full, or the ring is empty. */
static void window_fill(struct net *net, uint32_t want)
{
	struct rx_window *w = &net->rx;
	struct virtqueue_chain c;

	while (w->bytes < want && !window_full(w)) {
		if (w->first + w->count == WINDOW ||
		    w->first_iov + w->niov > WINDOW_IOV - CHAIN_IOV)
			window_compact(w);
		if (!vhost_user_pop(net->backend, RX, &c, &w->iov[w->first_iov + w->niov],
				    CHAIN_IOV))
			return;
		if (c.nread || !c.nwrite) {
			vhost_user_break(net->backend, RX, "receive buffer that is not writable");
			virtqueue_unpop(vhost_user_queue(net->backend, RX), c.head);
			return;
		}
		w->chain[w->first + w->count++] = (struct rx_chain){
			.head = c.head,
			.ndesc = c.ndesc,
			.niov = (uint16_t)c.nwrite,
			/* No frame is longer, and the sums stay small. */
			.bytes = MIN(c.write_bytes, LARGEST),
		};
		w->ndesc += c.ndesc;
		w->niov += c.nwrite;
		w->bytes += w->chain[w->first + w->count - 1].bytes;
	}
}

/* Overwrite [at, at + len) of the window's bytes. */
static void window_write(struct rx_window *w, size_t at, const void *data, size_t len)
{
	struct iovec *v = &w->iov[w->first_iov];
	const uint8_t *p = data;

	for (; len; v++) {
		size_t part;

		if (at >= v->iov_len) {
			at -= v->iov_len;
			continue;
		}
		part = MIN(len, v->iov_len - at);
		memcpy((uint8_t *)v->iov_base + at, p, part);
		p += part;
		len -= part;
		at = 0;
	}
}

/* Return the first chain, `used` bytes of it filled. */
static void window_push_first(struct net *net, uint32_t used)
{
	struct rx_window *w = &net->rx;
	const struct rx_chain *c = &w->chain[w->first];

	virtqueue_push(vhost_user_queue(net->backend, RX), c->head, used);
	w->first++;
	w->count--;
	w->first_iov += c->niov;
	w->ndesc -= c->ndesc;
	w->niov -= c->niov;
	w->bytes -= c->bytes;
}

/* A frame of `len` bytes lies in the window: give it to the guest. */
static void deliver(struct net *net, uint32_t len)
{
	struct rx_window *w = &net->rx;
	uint32_t covered = 0;
	uint16_t n = 0;

	for (; covered < len; n++)
		covered += w->chain[w->first + n].bytes;
	/* The tap leaves this field of the header alone. */
	window_write(w, offsetof(struct virtio_net_hdr_v1, num_buffers), &n, sizeof(n));
	counter_add(&counters(net)->requests, 1);
	counter_add(&counters(net)->bytes_in, len - TAP_HEADER_LEN);
	charge(net, RX, len - TAP_HEADER_LEN);
	while (len) {
		uint32_t part = MIN(len, w->chain[w->first].bytes);

		window_push_first(net, part);
		len -= part;
	}
}

/* Has the ring room for one more chain like the last one? */
static bool can_grow(const struct rx_window *w, const struct virtqueue *vq)
{
	unsigned int next = w->count ? w->chain[w->first + w->count - 1].ndesc : 1;

	return !window_full(w) && w->ndesc + next <= vq->size;
}

/* A frame waits in the spill.  True: it has found its way (or its end). */
static bool deliver_held(struct net *net)
{
	struct rx_window *w = &net->rx;

	window_fill(net, net->held);
	if (w->bytes < net->held) {
		/* More than this the guest can never offer at once. */
		if (can_grow(w, vhost_user_queue(net->backend, RX)))
			return false;
		counter_add(&counters(net)->errors, 1);
		net->held = 0;
		return true;
	}
	window_write(w, net->held_in_window, net->spill, net->held - net->held_in_window);
	deliver(net, net->held);
	net->held = 0;
	return true;
}

enum rx_result { RX_FRAME, RX_NO_FRAME, RX_NO_BUFFER };

static enum rx_result receive_one(struct net *net)
{
	struct rx_window *w = &net->rx;
	struct iovec *iov, saved;
	uint32_t room;
	unsigned int niov;
	ssize_t n;

	if (net->held)
		return deliver_held(net) ? RX_FRAME : RX_NO_BUFFER;
	window_fill(net, net->mergeable ? net->want : 1);
	/* A broken ring takes nothing: leave the frame where it is. */
	if (!w->count || !virtqueue_running(vhost_user_queue(net->backend, RX)))
		return RX_NO_BUFFER;
	iov = &w->iov[w->first_iov];
	niov = net->mergeable ? w->niov : w->chain[w->first].niov;
	room = net->mergeable ? w->bytes : w->chain[w->first].bytes;
	saved = iov[niov]; /* without MRG_RXBUF the next chain begins there */
	iov[niov] = (struct iovec){ .iov_base = net->spill, .iov_len = SPILL_BYTES };
	n = readv(net->params->tap_fd, iov, (int)niov + 1);
	iov[niov] = saved;
	counter_add(&counters(net)->syscalls, 1);
	if (n < 0) {
		if (errno == EINTR)
			return RX_FRAME;
		if (errno != EAGAIN)
			complain(net, "read from the tap", errno);
		net->readable = false;
		return RX_NO_FRAME;
	}
	if (n <= TAP_HEADER_LEN || n > LARGEST || (!net->mergeable && n > room)) {
		counter_add(&counters(net)->errors, 1);
	} else if (n > room) {
		net->held = (uint32_t)n;
		net->held_in_window = room;
	} else {
		deliver(net, (uint32_t)n);
	}
	return RX_FRAME;
}

/* Both: *ret_n frames, and whether there may be more to do. */
static bool receive(struct net *net, unsigned int *ret_n)
{
	struct virtqueue *vq = vhost_user_queue(net->backend, RX);
	enum rx_result result = RX_FRAME;

	virtqueue_disable_notify(vq);
	while (*ret_n < BUDGET && (net->readable || net->held) && result == RX_FRAME) {
		if (!may_pass(net, RX)) {
			vhost_user_flush(net->backend, RX);
			return false;
		}
		result = receive_one(net);
		*ret_n += result == RX_FRAME;
	}
	vhost_user_flush(net->backend, RX);
	if (result == RX_NO_BUFFER)
		return virtqueue_enable_notify(vq);
	return *ret_n == BUDGET;
}

/* --- sending --- */

/* False: the tap takes nothing now. */
static bool send_one(struct net *net, const struct virtqueue_chain *c)
{
	ssize_t n;

	if (c->read_bytes <= TAP_HEADER_LEN || c->read_bytes > LARGEST) {
		counter_add(&counters(net)->errors, 1);
		return true;
	}
	/* The header in front is the guest's and may change until the kernel
	 * has copied it; the kernel trusts no field of it. */
	do {
		n = writev(net->params->tap_fd, net->tx_iov, (int)c->nread);
		counter_add(&counters(net)->syscalls, 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) {
		/* EINVAL is a header that makes no sense: the guest's affair. */
		if (errno != EINVAL)
			complain(net, "write to the tap", errno);
		counter_add(&counters(net)->errors, 1);
		return true;
	}
	counter_add(&counters(net)->requests, 1);
	counter_add(&counters(net)->bytes_out, c->read_bytes - TAP_HEADER_LEN);
	charge(net, TX, c->read_bytes - TAP_HEADER_LEN);
	return true;
}

/*
 * Let the tap's next edge call transmit().  A tap wakes those who wait to write
 * only if somebody has looked at it while it was full (tun_chr_poll() leaves a
 * mark for tun_sock_write_space()); that a write has failed leaves none.
 */
static void wait_for_tap(struct net *net)
{
	int r = vhost_user_rewatch(net->backend, net->params->tap_fd, 0, TAP_EVENTS);

	counter_add(&counters(net)->syscalls, 1);
	if (r < 0)
		complain(net, "watch the tap", -r);
}

static bool transmit(struct net *net, unsigned int *ret_n)
{
	struct virtqueue *vq = vhost_user_queue(net->backend, TX);
	struct virtqueue_chain c;
	bool waits = false;

	net->tx_blocked = false;
	virtqueue_disable_notify(vq);
	for (; *ret_n < BUDGET; ++*ret_n) {
		waits = !may_pass(net, TX);
		if (waits || !vhost_user_pop(net->backend, TX, &c, net->tx_iov, TX_IOV))
			break;
		if (!send_one(net, &c)) {
			virtqueue_unpop(vq, c.head);
			net->tx_blocked = true;
			wait_for_tap(net);
			break;
		}
		virtqueue_push(vq, c.head, 0);
	}
	vhost_user_flush(net->backend, TX);
	if (net->tx_blocked || waits)
		return false; /* the tap's next edge calls, or the time that has come */
	return *ret_n == BUDGET || virtqueue_enable_notify(vq);
}

/* --- the device --- */

static bool net_process(void *ctx, unsigned int q)
{
	struct net *net = ctx;
	unsigned int n = 0;
	bool more = q == RX ? receive(net, &n) : transmit(net, &n);

	/* What has been received counts with what is sent next: who waits for the
	 * answer to each frame is told by that from who has many on their way. */
	if (q == RX)
		net->received += n;
	else if (n > 0) {
		counter_add(&counters(net)->syscalls,
			    patience_serve(&net->patience, n + net->received));
		net->received = 0;
	}
	return more;
}

static void net_event(void *ctx, unsigned int tag, uint32_t events)
{
	struct net *net = ctx;

	(void)tag;
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
		net->readable = true;
		vhost_user_again(net->backend, RX);
	}
	if ((events & EPOLLOUT) && net->tx_blocked)
		vhost_user_again(net->backend, TX);
}

/* Give the window back, last first; a frame held back is lost. */
static void net_quiesce(void *ctx, unsigned int q)
{
	struct net *net = ctx;
	struct rx_window *w = &net->rx;

	if (q != RX)
		return;
	while (w->count)
		virtqueue_unpop(vhost_user_queue(net->backend, RX),
				w->chain[w->first + --w->count].head);
	w->first = w->first_iov = w->niov = w->ndesc = 0;
	w->bytes = 0;
	if (net->held)
		counter_add(&counters(net)->errors, 1);
	net->held = 0;
}

#define BIT(n) (UINT64_C(1) << (n))

/* All or nothing: a tap that refuses leaves what was agreed upon before. */
static int net_set_features(void *ctx, uint64_t f)
{
	struct net *net = ctx;
	bool tso = f & (BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6));
	uint32_t mtu = net->params->mtu ? net->params->mtu : 1500;
	int r = 0;

	if (net->params->offloads)
		r = tap_set_offload(net->params->tap_fd, f & BIT(VIRTIO_NET_F_GUEST_CSUM),
				    f & BIT(VIRTIO_NET_F_GUEST_TSO4),
				    f & BIT(VIRTIO_NET_F_GUEST_TSO6));
	if (r < 0) {
		log_error("%s: set the tap's offloads: %s", net->seat->name, strerror(-r));
		return r;
	}
	net->mergeable = f & BIT(VIRTIO_NET_F_MRG_RXBUF);
	net->want = tso ? LARGEST : TAP_HEADER_LEN + ETHER_HDR + mtu;
	return 0;
}

static uint64_t offered_features(const struct net_params *p)
{
	uint64_t f = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
		     BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_MRG_RXBUF) |
		     BIT(VIRTIO_NET_F_MAC);

	if (p->mtu)
		f |= BIT(VIRTIO_NET_F_MTU);
	if (p->offloads)
		f |= BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
		     BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |
		     BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6);
	return f;
}

static int run(struct net *net, struct err *e)
{
	const struct device_seat *seat = net->seat;
	struct vhost_user_device dev = { .features = offered_features(net->params),
					 .nqueues = 2,
					 .config = &net->config,
					 .config_len = sizeof(net->config),
					 .ctx = net,
					 .set_features = net_set_features,
					 .process = net_process,
					 .quiesce = net_quiesce,
					 .event = net_event };
	int r;

	/* Touched only by frames that find too few buffers. */
	net->spill =
		mmap(NULL, SPILL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (net->spill == MAP_FAILED) {
		net->spill = NULL;
		return err_errno(e, "%s: memory", seat->name);
	}
	net->backend = vhost_user_backend_new(seat, &dev, e);
	if (!net->backend)
		return -EIO;
	r = vhost_user_watch(net->backend, net->params->tap_fd, 0, TAP_EVENTS);
	if (r < 0)
		return err_code(e, r, "%s: watch the tap", seat->name);
	r = seat->confine(seat, e);
	return r < 0 ? r : vhost_user_serve(net->backend, e);
}

int net_main(const struct device_seat *seat, const struct net_params *params, struct err *e)
{
	_cleanup_free_ struct net *net = calloc(1, sizeof(*net));
	int r;

	if (!net) {
		close(params->tap_fd);
		return err_set(e, ENOMEM, "%s: out of memory", seat->name);
	}
	net->seat = seat;
	net->params = params;
	memcpy(net->config.mac, params->mac, sizeof(params->mac));
	net->config.mtu = params->mtu;
	net->config.max_virtqueue_pairs = 1;
	r = run(net, e);
	vhost_user_backend_free(net->backend);
	if (net->spill)
		munmap(net->spill, SPILL_BYTES);
	close(params->tap_fd);
	return r;
}
