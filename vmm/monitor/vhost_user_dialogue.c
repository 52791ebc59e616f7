/*
 * vhost_user_dialogue.c - see vhost_user_dialogue.h.
 *
 * Protocol: the "Vhost-user Protocol" text of the QEMU project.
 */
#include "vmm/monitor/vhost_user_dialogue.h"

#include <assert.h>
#include <endian.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/util.h"

#define BIT(n) (1ULL << (n))

/*
 * Features that this front end cannot carry, whatever the configuration
 * allows: the dirty log (26), the protocol's own bit (30), addresses that an
 * IOMMU translates (33), packed rings, whose base is not 0 (34), data in
 * notifications, which the ioeventfds would not match (38), and the reset of
 * a single queue (40).
 */
#define UNSERVED_FEATURES                                                                          \
	(BIT(26) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(33) | BIT(34) | BIT(38) | BIT(40))

/*
 * Of a network: what needs the control queue (virtio 1.3, 5.1.3.1), which is
 * not there, as queues are taken in pairs.  A driver that is offered it asks
 * for it and gives the whole device up.  50 to 53 are statistics of the device,
 * hashes of tunnels, and the two kinds of coalescing.
 */
#define NET_CONTROL_FEATURES                                                                       \
	(BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | BIT(VIRTIO_NET_F_CTRL_VQ) |                       \
	 BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_VLAN) |                                 \
	 BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) |                      \
	 BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | BIT(50) | BIT(51) | BIT(52) |    \
	 BIT(53) | BIT(VIRTIO_NET_F_HASH_REPORT) | BIT(VIRTIO_NET_F_RSS))

#define END_OF(type, field) (offsetof(type, field) + sizeof(((type *)NULL)->field))
#define BLK_END(field)	    END_OF(struct virtio_blk_config, field)
#define NET_END(field)	    END_OF(struct virtio_net_config, field)

/*
 * Where in the config space the fields of a feature end.  Behind what is
 * served the transport answers with all ones, and a driver would believe them.
 */
static const struct {
	uint32_t device_id;
	unsigned int feature;
	size_t end;
} config_fields[] = {
	{ VIRTIO_ID_NET, VIRTIO_NET_F_MAC, NET_END(mac) },
	{ VIRTIO_ID_NET, VIRTIO_NET_F_STATUS, NET_END(status) },
	{ VIRTIO_ID_NET, VIRTIO_NET_F_MTU, NET_END(mtu) },
	{ VIRTIO_ID_NET, VIRTIO_NET_F_SPEED_DUPLEX, NET_END(duplex) },
	{ VIRTIO_ID_BLOCK, VIRTIO_BLK_F_SIZE_MAX, BLK_END(size_max) },
	{ VIRTIO_ID_BLOCK, VIRTIO_BLK_F_SEG_MAX, BLK_END(seg_max) },
	{ VIRTIO_ID_BLOCK, VIRTIO_BLK_F_GEOMETRY, BLK_END(geometry) },
	{ VIRTIO_ID_BLOCK, VIRTIO_BLK_F_BLK_SIZE, BLK_END(blk_size) },
	{ VIRTIO_ID_BLOCK, VIRTIO_BLK_F_TOPOLOGY, BLK_END(opt_io_size) },
	{ VIRTIO_ID_BLOCK, VIRTIO_BLK_F_CONFIG_WCE, BLK_END(wce) },
	{ VIRTIO_ID_BLOCK, VIRTIO_BLK_F_MQ, BLK_END(num_queues) },
	{ VIRTIO_ID_BLOCK, VIRTIO_BLK_F_DISCARD, BLK_END(discard_sector_alignment) },
	{ VIRTIO_ID_BLOCK, VIRTIO_BLK_F_WRITE_ZEROES, BLK_END(write_zeroes_may_unmap) },
	{ VIRTIO_ID_BLOCK, 16, 72 }, /* SECURE_ERASE */
	{ VIRTIO_ID_BLOCK, 17, 96 }, /* ZONED */
};

static_assert(VIRTIO_MAX_QUEUES <= 64, "queue sets are 64-bit words");
static_assert(GUEST_MEMORY_MAX_REGIONS <= VHOST_USER_MAX_FDS, "one fd per region");
static_assert(GUEST_MEMORY_MAX_REGIONS <= ARRAY_SIZE(((struct vhost_user_memory *)0)->region),
	      "one message for all regions");
static_assert(VIRTIO_CONFIG_MAX <= VHOST_USER_CONFIG_MAX, "one message for the config space");

enum {
	STEP_ANSWERED = 1,	  /* has an answer of its own */
	STEP_ACKED = 2,		  /* is acknowledged, where that was agreed upon */
	STEP_BARRIER = 4,	  /* if wanted: needs all answers so far */
	STEP_BARRIER_FOREIGN = 8, /* the same, with a back end that is not ours */
	STEP_QUEUE = 16,	  /* of a group that is repeated for each queue */
	STEP_IGNORED = 32,	  /* the answer's value does not matter */
};

struct vhost_user_step {
	uint32_t request; /* 0: end of the script */
	unsigned int flags;
	bool (*wanted)(const struct vhost_user_dialogue *d); /* NULL: always */
	void (*fill)(const struct vhost_user_dialogue *d, struct vhost_user_msg *m);
};

static bool has(const struct vhost_user_dialogue *d, unsigned int protocol_feature)
{
	return d->protocol & BIT(protocol_feature);
}

static void fill_u64(struct vhost_user_msg *m, uint64_t value)
{
	m->payload.u64 = value;
	m->hdr.size = sizeof(value);
}

static void fill_state(struct vhost_user_msg *m, unsigned int index, unsigned int num)
{
	m->payload.state = (struct vhost_user_vring_state){ .index = index, .num = num };
	m->hdr.size = sizeof(m->payload.state);
}

static void fill_vring_fd(struct vhost_user_msg *m, unsigned int index, int fd)
{
	fill_u64(m, index);
	m->fds[0] = fd;
	m->nfds = 1;
}

/* --- ATTACH --- */

/* True as long as it is not known: the step's barrier then waits for it. */
static bool may_have_protocol(const struct vhost_user_dialogue *d)
{
	return !d->features_known || d->has_protocol;
}

static bool has_protocol(const struct vhost_user_dialogue *d)
{
	return d->has_protocol;
}

static bool has_mq(const struct vhost_user_dialogue *d)
{
	return has(d, VHOST_USER_PROTOCOL_F_MQ);
}

static bool has_config(const struct vhost_user_dialogue *d)
{
	return has(d, VHOST_USER_PROTOCOL_F_CONFIG);
}

static void fill_protocol(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	fill_u64(m, d->protocol);
}

/* The request has the size of the answer. */
static void fill_config(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	m->payload.config.size = (uint32_t)d->terms.config_len;
	m->hdr.size = (uint32_t)(VHOST_USER_CONFIG_HEADER_LEN + d->terms.config_len);
}

static void fill_memory(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	const struct guest_memory *gm = d->terms.memory;

	m->payload.memory.nregions = gm->nregions;
	for (unsigned int i = 0; i < gm->nregions; i++) {
		m->payload.memory.region[i] = (struct vhost_user_region){
			.guest_phys_addr = gm->region[i].gpa,
			.memory_size = gm->region[i].size,
			.userspace_addr = gm->region[i].gpa,
			.mmap_offset = gm->region[i].file_offset,
		};
		m->fds[i] = d->terms.memory_fd;
	}
	m->nfds = gm->nregions;
	m->hdr.size = (uint32_t)(offsetof(struct vhost_user_memory, region) +
				 gm->nregions * sizeof(struct vhost_user_region));
}

static const struct vhost_user_step attach_script[] = {
	{ VHOST_USER_GET_FEATURES, STEP_ANSWERED, NULL, NULL },
	{ VHOST_USER_GET_PROTOCOL_FEATURES, STEP_ANSWERED | STEP_BARRIER_FOREIGN, may_have_protocol,
	  NULL },
	/* The one barrier: everything below depends on what is agreed upon. */
	{ VHOST_USER_SET_PROTOCOL_FEATURES, STEP_BARRIER, may_have_protocol, fill_protocol },
	{ VHOST_USER_GET_QUEUE_NUM, STEP_ANSWERED, has_mq, NULL },
	{ VHOST_USER_GET_CONFIG, STEP_ANSWERED, has_config, fill_config },
	{ VHOST_USER_SET_OWNER, 0, NULL, NULL },
	{ VHOST_USER_SET_MEM_TABLE, STEP_ACKED, NULL, fill_memory },
	{ 0, 0, NULL, NULL },
};

/* --- ACTIVATE --- */

static uint64_t ready_queues(const struct vhost_user_dialogue *d)
{
	uint64_t set = 0;

	for (unsigned int i = 0; i < d->nqueues; i++)
		if (d->queue[i].ready)
			set |= BIT(i);
	return set;
}

/* A driver may start a device without any queue: there is no area for none. */
static bool has_inflight(const struct vhost_user_dialogue *d)
{
	return has(d, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) && ready_queues(d);
}

static bool has_no_acks(const struct vhost_user_dialogue *d)
{
	return !has(d, VHOST_USER_PROTOCOL_F_REPLY_ACK);
}

static void fill_features(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	uint64_t own = d->has_protocol ? BIT(VHOST_USER_F_PROTOCOL_FEATURES) : 0;

	fill_u64(m, d->driver_features | own);
}

/* As large as the largest queue needs: one size stands for all. */
static void fill_inflight_wish(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	struct vhost_user_inflight *wish = &m->payload.inflight;

	wish->num_queues = (uint16_t)d->nqueues;
	for (unsigned int i = 0; i < d->nqueues; i++)
		if (d->queue[i].ready)
			wish->queue_size = MAX(wish->queue_size, d->queue[i].size);
	/* With the padding at its end: many a back end wants C's size. */
	m->hdr.size = sizeof(*wish);
}

static void fill_inflight(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	fill_inflight_wish(d, m);
	m->payload.inflight.mmap_size = d->inflight.mmap_size;
	m->payload.inflight.mmap_offset = d->inflight.mmap_offset;
	m->fds[0] = d->inflight_fd;
	m->nfds = 1;
}

static void fill_num(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	fill_state(m, d->current, d->queue[d->current].size);
}

static void fill_base(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	fill_state(m, d->current, 0);
}

static void fill_addr(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	const struct virtio_queue_config *q = &d->queue[d->current];

	m->payload.addr = (struct vhost_user_vring_addr){
		.index = d->current, .desc = q->desc, .used = q->device, .avail = q->driver
	};
	m->hdr.size = sizeof(m->payload.addr);
}

static void fill_call(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	fill_vring_fd(m, d->current, d->call_fd);
}

static void fill_err(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	fill_vring_fd(m, d->current, d->err_fd);
}

static void fill_kick(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	fill_vring_fd(m, d->current, d->kick_fd[d->current]);
}

static void fill_enable(const struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	fill_state(m, d->current, 1);
}

/*
 * The kick comes after everything that a ring needs: it starts the ring, and
 * a back end may remember from an earlier activation that it is enabled.
 */
static const struct vhost_user_step activate_script[] = {
	{ VHOST_USER_SET_FEATURES, STEP_ACKED, NULL, fill_features },
	{ VHOST_USER_GET_INFLIGHT_FD, STEP_ANSWERED, has_inflight, fill_inflight_wish },
	{ VHOST_USER_SET_INFLIGHT_FD, STEP_ACKED | STEP_BARRIER, has_inflight, fill_inflight },
	{ VHOST_USER_SET_VRING_NUM, STEP_QUEUE, NULL, fill_num },
	{ VHOST_USER_SET_VRING_BASE, STEP_QUEUE, NULL, fill_base },
	{ VHOST_USER_SET_VRING_ADDR, STEP_QUEUE | STEP_ACKED, NULL, fill_addr },
	{ VHOST_USER_SET_VRING_CALL, STEP_QUEUE, NULL, fill_call },
	{ VHOST_USER_SET_VRING_ERR, STEP_QUEUE, NULL, fill_err },
	{ VHOST_USER_SET_VRING_KICK, STEP_QUEUE, NULL, fill_kick },
	{ VHOST_USER_SET_VRING_ENABLE, STEP_QUEUE | STEP_ACKED, has_protocol, fill_enable },
	{ VHOST_USER_GET_FEATURES, STEP_ANSWERED | STEP_IGNORED, has_no_acks, NULL },
	{ 0, 0, NULL, NULL },
};

/* --- STOP: a back end that has answered has let go of the ring --- */

static const struct vhost_user_step stop_script[] = {
	{ VHOST_USER_GET_VRING_BASE, STEP_QUEUE | STEP_ANSWERED, NULL, fill_base },
	{ 0, 0, NULL, NULL },
};

void vhost_user_dialogue_init(struct vhost_user_dialogue *d, const struct vhost_user_terms *terms,
			      int sock)
{
	memset(d, 0, sizeof(*d));
	d->terms = *terms;
	d->call_fd = d->err_fd = d->inflight_fd = -1;
	for (unsigned int i = 0; i < VIRTIO_MAX_QUEUES; i++)
		d->kick_fd[i] = -1;
	vhost_user_channel_init(&d->channel, sock);
}

void vhost_user_dialogue_release(struct vhost_user_dialogue *d)
{
	vhost_user_channel_release(&d->channel);
	close_fd(&d->inflight_fd);
}

void vhost_user_dialogue_begin(struct vhost_user_dialogue *d, enum vhost_user_script script)
{
	static const struct vhost_user_step *const scripts[] = {
		[VHOST_USER_ATTACH] = attach_script,
		[VHOST_USER_ACTIVATE] = activate_script,
		[VHOST_USER_STOP] = stop_script,
	};

	assert(!d->step && !d->nexpect);
	d->step = scripts[script];
	d->group = NULL;
	d->queues_left = script == VHOST_USER_STOP ? d->running : ready_queues(d);
	d->refused = false;
	d->why.text[0] = '\0';
}

/* --- saying --- */

/* Go to the step that follows; at the end of a group that may be its begin. */
static void advance(struct vhost_user_dialogue *d)
{
	bool in_group = d->step->flags & STEP_QUEUE;

	d->step++;
	if (!in_group || (d->step->flags & STEP_QUEUE))
		return;
	d->queues_left &= d->queues_left - 1;
	if (d->queues_left)
		d->step = d->group;
}

/* At a group's first step: skip it all when there is no queue. */
static void enter_group(struct vhost_user_dialogue *d)
{
	if (!(d->step->flags & STEP_QUEUE))
		return;
	if (!d->group)
		d->group = d->step;
	while (!d->queues_left && (d->step->flags & STEP_QUEUE))
		d->step++;
	if (d->queues_left)
		d->current = (unsigned int)__builtin_ctzll(d->queues_left);
}

static void push_expect(struct vhost_user_dialogue *d, bool ack)
{
	unsigned int i = (d->expect_first + d->nexpect) % VHOST_USER_EXPECT_MAX;

	assert(d->nexpect < VHOST_USER_EXPECT_MAX);
	d->nexpect++;
	d->expect[i] = (struct vhost_user_expect){
		.request = (uint8_t)d->step->request,
		.queue = (uint8_t)d->current,
		.ack = ack,
		.barrier = d->step->flags & STEP_IGNORED,
	};
}

static int say_step(struct vhost_user_dialogue *d)
{
	const struct vhost_user_step *step = d->step;
	struct vhost_user_msg m;

	memset(&m, 0, sizeof(m));
	m.hdr.request = step->request;
	if (step->fill)
		step->fill(d, &m);
	if (step->flags & STEP_ANSWERED) {
		push_expect(d, false);
	} else if ((step->flags & STEP_ACKED) && !has_no_acks(d)) {
		m.hdr.flags |= VHOST_USER_FLAG_NEED_REPLY;
		push_expect(d, true);
	}
	/* Before it is sent: from then on nobody knows. */
	if (step->request == VHOST_USER_SET_VRING_KICK)
		d->running |= BIT(d->current);
	return vhost_user_channel_send(&d->channel, &m);
}

static bool must_wait(const struct vhost_user_dialogue *d)
{
	unsigned int flags = d->step->flags;

	return d->nexpect &&
	       ((flags & STEP_BARRIER) || ((flags & STEP_BARRIER_FOREIGN) && d->terms.foreign));
}

/* 0: all is said that can be now; -EAGAIN: the socket is full; -errno. */
static int say(struct vhost_user_dialogue *d)
{
	int r;

	r = vhost_user_channel_flush(&d->channel);
	if (r < 0)
		return r;
	while (d->step && d->step->request) {
		enter_group(d);
		if (!d->step->request)
			break;
		if (!d->step->wanted || d->step->wanted(d)) {
			if (must_wait(d))
				break;
			r = say_step(d);
		}
		advance(d);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- hearing --- */

static bool size_is_right(const struct vhost_user_dialogue *d, const struct vhost_user_expect *x,
			  uint32_t size, size_t *ret_expected)
{
	size_t want = sizeof(uint64_t);

	if (!x->ack && x->request == VHOST_USER_GET_CONFIG)
		want = VHOST_USER_CONFIG_HEADER_LEN + d->terms.config_len;
	if (!x->ack && x->request == VHOST_USER_GET_VRING_BASE)
		want = sizeof(struct vhost_user_vring_state);
	*ret_expected = want;
	if (!x->ack && x->request == VHOST_USER_GET_INFLIGHT_FD) {
		*ret_expected = VHOST_USER_INFLIGHT_LEN;
		return size == VHOST_USER_INFLIGHT_LEN ||
		       size == sizeof(struct vhost_user_inflight);
	}
	return size == want;
}

/* Is this the header of the answer that is due? */
static int check_header(struct vhost_user_dialogue *d, const struct vhost_user_header *hdr)
{
	const struct vhost_user_expect *x = &d->expect[d->expect_first];
	const char *name = vhost_user_request_name(hdr->request);
	size_t expected;

	if ((hdr->flags & VHOST_USER_FLAG_VERSION_MASK) != VHOST_USER_VERSION)
		return err_set(&d->why, EPROTO, "sent a message that is not vhost-user version 1");
	if (!d->nexpect)
		return err_set(&d->why, EPROTO, "sent a message that nobody asked for: %s (%u)",
			       name, hdr->request);
	if (hdr->request != x->request)
		return err_set(&d->why, EPROTO, "answered %s with %s (%u)",
			       vhost_user_request_name(x->request), name, hdr->request);
	if (!(hdr->flags & VHOST_USER_FLAG_REPLY))
		return err_set(&d->why, EPROTO, "sent a request where the answer to %s was due",
			       name);
	if (!size_is_right(d, x, hdr->size, &expected)) {
		if (hdr->size == 0 && x->request == VHOST_USER_GET_CONFIG)
			return err_set(&d->why, EPROTO, "refused GET_CONFIG of %zu bytes",
				       d->terms.config_len);
		return err_set(&d->why, EPROTO, "%s answered %u bytes, %zu expected", name,
			       hdr->size, expected);
	}
	return 0;
}

/* Features of the device type for which a queue or a field is missing. */
static uint64_t unserved_by_type(const struct vhost_user_terms *t)
{
	uint64_t f = t->device_id == VIRTIO_ID_NET ? NET_CONTROL_FEATURES : 0;

	for (size_t i = 0; i < ARRAY_SIZE(config_fields); i++)
		if (config_fields[i].device_id == t->device_id &&
		    config_fields[i].end > t->config_len)
			f |= BIT(config_fields[i].feature);
	return f;
}

/*
 * A network that somebody else serves can do without a config space: its
 * address, link and MTU are then not told, and the driver makes up its own.
 */
static int do_without_config(struct vhost_user_dialogue *d, const char *why)
{
	if (!d->terms.foreign || d->terms.device_id != VIRTIO_ID_NET)
		return err_set(&d->why, ENOTSUP, "cannot tell its config space: %s", why);
	d->terms.config_len = 0;
	d->features &= ~unserved_by_type(&d->terms);
	return 0;
}

static int hear_features(struct vhost_user_dialogue *d, uint64_t offered)
{
	uint64_t allowed = d->terms.feature_mask | BIT(VIRTIO_F_VERSION_1);

	if (!(offered & BIT(VIRTIO_F_VERSION_1)))
		return err_set(&d->why, ENOTSUP, "does not offer VIRTIO_F_VERSION_1");
	d->features_known = true;
	d->features = offered & allowed & ~(UNSERVED_FEATURES | unserved_by_type(&d->terms));
	d->has_protocol = offered & BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	/* Without MQ the number of queues is what the device type implies. */
	d->nqueues = MIN(d->terms.max_queues, d->terms.device_id == VIRTIO_ID_NET ? 2u : 1u);
	if (!d->has_protocol && d->terms.config_len)
		return do_without_config(d, "offers no protocol features");
	return 0;
}

static int hear_protocol(struct vhost_user_dialogue *d, uint64_t offered)
{
	uint64_t use = BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);

	if (!d->has_protocol)
		return 0; /* asked too early; there is nothing to agree upon */
	if (d->terms.config_len)
		use |= BIT(VHOST_USER_PROTOCOL_F_CONFIG);
	/* Only block requests may complete out of order. */
	if (d->terms.device_id == VIRTIO_ID_BLOCK)
		use |= BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
	d->protocol = offered & use;
	if (d->terms.config_len && !has_config(d))
		return do_without_config(d, "no VHOST_USER_PROTOCOL_F_CONFIG");
	return 0;
}

/* Back ends for networks are known to count pairs of queues. */
static int hear_queue_num(struct vhost_user_dialogue *d, uint64_t num)
{
	uint64_t each = d->terms.device_id == VIRTIO_ID_NET ? 2 : 1;

	if (num < 1)
		return err_set(&d->why, EPROTO, "offers no queue");
	d->nqueues = (unsigned int)MIN(num, d->terms.max_queues / each) * (unsigned int)each;
	d->nqueues = MAX(d->nqueues, 1u);
	return 0;
}

/*
 * virtio 1.3, 5.2.4: num_queues, where VIRTIO_BLK_F_MQ is offered.  The back
 * end may serve more than are used here, and a driver that asks for a queue
 * that is not there gives the whole device up.
 */
static void limit_disk_queues(struct vhost_user_dialogue *d)
{
	size_t at = offsetof(struct virtio_blk_config, num_queues);
	uint16_t n;

	if (d->terms.config_len < at + sizeof(n))
		return;
	memcpy(&n, d->config + at, sizeof(n));
	n = htole16(MIN(le16toh(n), (uint16_t)d->nqueues));
	memcpy(d->config + at, &n, sizeof(n));
}

static int hear_config(struct vhost_user_dialogue *d, const struct vhost_user_config *c)
{
	if (c->offset != 0 || c->size != d->terms.config_len)
		return err_set(&d->why, EPROTO,
			       "GET_CONFIG answered %u bytes from %u on, %zu from 0 expected",
			       c->size, c->offset, d->terms.config_len);
	memcpy(d->config, c->region, d->terms.config_len);
	if (d->terms.device_id == VIRTIO_ID_BLOCK)
		limit_disk_queues(d);
	return 0;
}

static int hear_vring_base(struct vhost_user_dialogue *d, const struct vhost_user_expect *x,
			   const struct vhost_user_vring_state *s)
{
	if (s->index != x->queue)
		return err_set(&d->why, EPROTO, "GET_VRING_BASE of queue %u answered for queue %u",
			       x->queue, s->index);
	d->running &= ~BIT(x->queue);
	return 0;
}

/* We never map it: it goes back as it came. */
static int hear_inflight(struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	if (m->payload.inflight.mmap_size == 0)
		return err_set(&d->why, EPROTO, "GET_INFLIGHT_FD answered an empty area");
	close_fd(&d->inflight_fd);
	d->inflight_fd = vhost_user_msg_take_fd(m, 0);
	d->inflight = m->payload.inflight;
	return 0;
}

static int hear_ack(struct vhost_user_dialogue *d, const struct vhost_user_expect *x, uint64_t code)
{
	if (!code || d->refused)
		return 0;
	d->refused = true;
	if (x->request == VHOST_USER_SET_VRING_ADDR || x->request == VHOST_USER_SET_VRING_ENABLE)
		err_set(&d->why, EIO, "refused %s of queue %u", vhost_user_request_name(x->request),
			x->queue);
	else
		err_set(&d->why, EIO, "refused %s", vhost_user_request_name(x->request));
	return 0;
}

static int hear_answer(struct vhost_user_dialogue *d, const struct vhost_user_expect *x,
		       struct vhost_user_msg *m)
{
	if (x->ack)
		return hear_ack(d, x, m->payload.u64);
	if (x->barrier)
		return 0;
	switch (x->request) {
	case VHOST_USER_GET_FEATURES:
		return hear_features(d, m->payload.u64);
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		return hear_protocol(d, m->payload.u64);
	case VHOST_USER_GET_QUEUE_NUM:
		return hear_queue_num(d, m->payload.u64);
	case VHOST_USER_GET_CONFIG:
		return hear_config(d, &m->payload.config);
	case VHOST_USER_GET_VRING_BASE:
		return hear_vring_base(d, x, &m->payload.state);
	case VHOST_USER_GET_INFLIGHT_FD:
		return hear_inflight(d, m);
	default:
		return err_set(&d->why, EPROTO, "answered %u", x->request);
	}
}

static int hear_message(struct vhost_user_dialogue *d, struct vhost_user_msg *m)
{
	struct vhost_user_expect x;
	unsigned int nfds;
	int r;

	r = check_header(d, &m->hdr);
	if (r < 0)
		return r;
	x = d->expect[d->expect_first];
	nfds = !x.ack && x.request == VHOST_USER_GET_INFLIGHT_FD ? 1 : 0;
	if (m->nfds != nfds)
		return err_set(&d->why, EPROTO, "answered %s with %u fds, %u expected",
			       vhost_user_request_name(x.request), m->nfds, nfds);
	d->expect_first = (d->expect_first + 1) % VHOST_USER_EXPECT_MAX;
	d->nexpect--;
	return hear_answer(d, &x, m);
}

/* One message: 1: heard; 0: none is there; -errno and d->why. */
static int hear(struct vhost_user_dialogue *d)
{
	struct vhost_user_msg m;
	int r;

	r = vhost_user_channel_recv(&d->channel, &m);
	if (r == -EAGAIN)
		return 0;
	if (r == -EPIPE)
		return err_set(&d->why, EPIPE, "has closed its connection");
	if (r == -EPROTO) {
		r = check_header(d, &d->channel.in.hdr);
		return r < 0 ? r : err_set(&d->why, EPROTO, "sent a message that is too long");
	}
	if (r < 0)
		return err_code(&d->why, r, "receive");
	r = hear_message(d, &m);
	vhost_user_msg_release(&m);
	return r < 0 ? r : 1;
}

int vhost_user_dialogue_pump(struct vhost_user_dialogue *d)
{
	int r, heard;

	do {
		r = say(d);
		if (r == -EPIPE)
			return err_set(&d->why, EPIPE, "has closed its connection");
		if (r < 0 && r != -EAGAIN)
			return err_code(&d->why, r, "send");
		heard = hear(d);
		if (heard < 0)
			return heard;
	} while (heard);
	if (!d->step || d->step->request || d->nexpect || vhost_user_dialogue_wants_out(d))
		return -EAGAIN;
	d->step = NULL;
	return 0;
}

bool vhost_user_dialogue_wants_out(const struct vhost_user_dialogue *d)
{
	return vhost_user_channel_waiting(&d->channel);
}

void vhost_user_dialogue_describe_wait(const struct vhost_user_dialogue *d, char *out, size_t size)
{
	uint32_t request = d->channel.out.hdr.request;

	if (vhost_user_dialogue_wants_out(d)) {
		snprintf(out, size, "does not take %s", vhost_user_request_name(request));
		return;
	}
	if (d->nexpect)
		request = d->expect[d->expect_first].request;
	snprintf(out, size, "no answer to %s", vhost_user_request_name(request));
}
