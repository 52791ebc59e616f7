/* virtqueue.c - see virtqueue.h, whose head holds the theory of operation. */
#include "devices/virtio/virtqueue.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "vmm/base/util.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rings are little-endian");

/*
 * All loads and stores of the shared rings go through these.
 *
 * ring_acquire_u16  pairs with the driver's write barrier between filling
 *                   descriptors and ring entries and storing avail->idx:
 *                   what the index covers is visible after it.
 * ring_release_u16  pairs with the driver's read barrier after loading
 *                   used->idx: buffers and entries are visible before it.
 * ring_fence        a full barrier between a store and a later load of the
 *                   other side's word.  Partner: the driver's full barrier
 *                   between storing avail->idx and loading avail_event or
 *                   used->flags (kicks), and between storing used_event and
 *                   loading used->idx (interrupts).  Without it both sides
 *                   could miss the other's store and wait for ever.
 * ring_fetch, ring_store: one access, no order.
 */
static uint16_t ring_acquire_u16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void ring_release_u16(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static void ring_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#define ring_fetch(p)	 __atomic_load_n((p), __ATOMIC_RELAXED)
#define ring_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

static struct vring_desc fetch_desc(const struct vring_desc *d)
{
	return (struct vring_desc){ .addr = ring_fetch(&d->addr),
				    .len = ring_fetch(&d->len),
				    .flags = ring_fetch(&d->flags),
				    .next = ring_fetch(&d->next) };
}

/* An indirect table may begin at any address: nothing in 2.7.5.3 asks for an
 * alignment, and Linux gives what kmalloc() gives. */
struct table_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
} __attribute__((packed));

static_assert(sizeof(struct table_desc) == sizeof(struct vring_desc), "wire layout");

/* Atomic loads want an alignment; volatile ones are made once all the same.
 * That a word may tear matters to nobody: what came is checked, then used. */
static struct vring_desc fetch_table_desc(const volatile struct table_desc *d)
{
	return (struct vring_desc){
		.addr = d->addr, .len = d->len, .flags = d->flags, .next = d->next
	};
}

/* used_event and avail_event stand behind the entries of the two rings. */
static uint16_t *used_event(const struct virtqueue *vq)
{
	struct vring_avail *avail = vq->avail;

	return &avail->ring[vq->size];
}

static uint16_t *avail_event(const struct virtqueue *vq)
{
	struct vring_used *used = vq->used;

	return (uint16_t *)(void *)&used->ring[vq->size];
}

static size_t desc_bytes(uint32_t size)
{
	return size * sizeof(struct vring_desc);
}

static size_t avail_bytes(uint32_t size)
{
	return sizeof(struct vring_avail) + size * sizeof(uint16_t) + sizeof(uint16_t);
}

static size_t used_bytes(uint32_t size)
{
	return sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) + sizeof(uint16_t);
}

static bool head_is_out(const struct virtqueue *vq, uint16_t head)
{
	return vq->out[head / 64] >> (head % 64) & 1;
}

static void mark_out(struct virtqueue *vq, uint16_t head)
{
	vq->out[head / 64] |= UINT64_C(1) << (head % 64);
	vq->nout++;
}

static void mark_returned(struct virtqueue *vq, uint16_t head)
{
	assert(head < vq->size && head_is_out(vq, head));
	vq->out[head / 64] &= ~(UINT64_C(1) << (head % 64));
	vq->nout--;
}

int virtqueue_break(struct virtqueue *vq, const char *why)
{
	if (!vq->why)
		vq->why = why;
	return -EBADMSG;
}

static int refuse(struct virtqueue *vq, int code, const char *why)
{
	vq->why = why;
	vq->desc = NULL;
	return -code;
}

int virtqueue_remap(struct virtqueue *vq, const struct guest_memory *mem,
		    const struct virtqueue_geometry *g)
{
	assert(vq->nout == 0);
	vq->mem = mem;
	vq->desc = guest_memory_range(mem, g->desc, desc_bytes(g->size));
	vq->avail = guest_memory_range(mem, g->avail, avail_bytes(g->size));
	vq->used = guest_memory_range(mem, g->used, used_bytes(g->size));
	if (!vq->desc || !vq->avail || !vq->used)
		return refuse(vq, EFAULT, "a ring is not in guest memory");
	return 0;
}

/* Where to begin: after `base`, or where a predecessor died. */
static int set_indices(struct virtqueue *vq, const struct virtqueue_options *options)
{
	const struct vring_used *used = vq->used;
	int count = 0;

	vq->next_used = vq->published = ring_fetch(&used->idx);
	vq->next_avail = options->base;
	vq->inflight = options->inflight;
	if (vq->inflight) {
		count = inflight_resume(vq->inflight, vq->size, vq->next_used, vq->resume,
					&vq->inflight_counter);
		if (count < 0)
			return refuse(vq, EINVAL, "the in-flight record contradicts the ring");
		/* Every chain taken was recorded before it was served. */
		vq->next_avail = (uint16_t)(vq->next_used + count);
	}
	vq->nresume = (uint16_t)count;
	if ((uint16_t)(vq->next_avail - vq->next_used) > vq->size)
		return refuse(vq, EINVAL, "the used index contradicts the ring's base");
	vq->seen_avail = vq->next_avail;
	/* A predecessor may have died between publishing and interrupting. */
	vq->force_interrupt = vq->next_avail != 0;
	return 0;
}

int virtqueue_start(struct virtqueue *vq, const struct guest_memory *mem,
		    const struct virtqueue_geometry *g, const struct virtqueue_options *options)
{
	int r;

	memset(vq, 0, offsetof(struct virtqueue, resume));
	if (g->size == 0 || g->size > VIRTQUEUE_SIZE_MAX || (g->size & (g->size - 1)))
		return refuse(vq, EINVAL, "queue size is not a power of two in 1..256");
	if (g->desc.addr % 16 || g->avail.addr % 2 || g->used.addr % 4)
		return refuse(vq, EINVAL, "a ring is misaligned");
	vq->size = (uint16_t)g->size;
	vq->event_idx = options->event_idx;
	vq->indirect = options->indirect;
	r = virtqueue_remap(vq, mem, g);
	if (r < 0)
		return r;
	return set_indices(vq, options);
}

void virtqueue_stop(struct virtqueue *vq)
{
	assert(vq->nout == 0);
	/* Nothing is out, so the record has nothing to say any more, and the
	 * driver may begin at index 0 next time. */
	if (vq->inflight)
		inflight_clear(vq->inflight);
	vq->desc = vq->avail = vq->used = NULL;
	vq->mem = NULL;
	vq->inflight = NULL;
}

/* The state of one walk. */
struct walk {
	struct virtqueue *vq;
	struct virtqueue_chain *chain;
	struct iovec *iov;
	unsigned int max;
};

/* Add one descriptor's buffer to the chain. */
static int walk_buffer(struct walk *w, const struct vring_desc *d)
{
	bool write = d->flags & VRING_DESC_F_WRITE;
	uint32_t *sum = write ? &w->chain->write_bytes : &w->chain->read_bytes;
	uint64_t addr = d->addr, left = d->len, got;

	if (left == 0)
		return virtqueue_break(w->vq, "empty buffer");
	if (!write && w->chain->nwrite)
		return virtqueue_break(w->vq, "readable buffer after a writable one");
	if (__builtin_add_overflow(*sum, d->len, sum))
		return virtqueue_break(w->vq, "chain of more than 4 GiB");
	while (left) {
		unsigned int n = w->chain->nread + w->chain->nwrite;
		void *host = guest_memory_prefix(w->vq->mem, GPA(addr), left, &got);

		if (!host)
			return virtqueue_break(w->vq, "buffer outside guest memory");
		if (n == w->max)
			return virtqueue_break(w->vq, "chain with too many buffers");
		w->iov[n] = (struct iovec){ .iov_base = host, .iov_len = got };
		if (write)
			w->chain->nwrite++;
		else
			w->chain->nread++;
		/* May wrap to 0 only when left becomes 0 or the next look-up
		 * starts at address 0: caught by the test below. */
		left -= got;
		if (left && addr + got < addr)
			return virtqueue_break(w->vq, "buffer wraps around");
		addr += got;
	}
	return 0;
}

/*
 * The chain in an indirect table.  The specification forbids chains longer
 * than the queue, but Linux puts what the device class allows (seg_max + 2)
 * into an indirect table whatever the queue's size, so the bound here is the
 * table's own length, and iovec room ends the walk long before.
 */
static int walk_indirect(struct walk *w, const struct vring_desc *table)
{
	uint32_t count = table->len / (uint32_t)sizeof(struct vring_desc), index = 0;
	const struct table_desc *base;

	if (!w->vq->indirect)
		return virtqueue_break(w->vq, "indirect descriptor was not negotiated");
	if (table->flags & VRING_DESC_F_NEXT)
		return virtqueue_break(w->vq, "indirect descriptor with a next one");
	if (table->len == 0 || table->len % sizeof(struct vring_desc))
		return virtqueue_break(w->vq, "odd length of an indirect table");
	if (count > w->max)
		return virtqueue_break(w->vq, "indirect table too long");
	base = guest_memory_range(w->vq->mem, GPA(table->addr), table->len);
	if (!base)
		return virtqueue_break(w->vq, "indirect table outside guest memory");
	for (uint32_t steps = 0; steps < count; steps++) {
		struct vring_desc d = fetch_table_desc(&base[index]);
		int r;

		if (d.flags & VRING_DESC_F_INDIRECT)
			return virtqueue_break(w->vq, "indirect descriptor in an indirect table");
		r = walk_buffer(w, &d);
		if (r < 0 || !(d.flags & VRING_DESC_F_NEXT))
			return r;
		index = d.next;
		if (index >= count)
			return virtqueue_break(w->vq, "next index outside an indirect table");
	}
	return virtqueue_break(w->vq, "loop in an indirect table");
}

static int walk_chain(struct walk *w, uint16_t head)
{
	const struct vring_desc *table = w->vq->desc;
	uint32_t index = head;

	for (uint32_t steps = 0; steps < w->vq->size; steps++) {
		struct vring_desc d = fetch_desc(&table[index]);
		int r;

		w->chain->ndesc++;
		if (d.flags & VRING_DESC_F_INDIRECT)
			return walk_indirect(w, &d);
		r = walk_buffer(w, &d);
		if (r < 0 || !(d.flags & VRING_DESC_F_NEXT))
			return r;
		index = d.next;
		if (index >= w->vq->size)
			return virtqueue_break(w->vq, "next index outside the queue");
	}
	return virtqueue_break(w->vq, "chain longer than the queue");
}

/* The next head: one that a predecessor left, or from the available ring.
 * 1, 0 (none) or -EBADMSG. */
static int next_head(struct virtqueue *vq, uint16_t *ret_head)
{
	const struct vring_avail *avail = vq->avail;

	if (vq->next_resume < vq->nresume) {
		*ret_head = vq->resume[vq->next_resume];
		return 1;
	}
	if (vq->seen_avail == vq->next_avail) {
		vq->seen_avail = ring_acquire_u16(&avail->idx);
		/* Neither back, nor past what the driver can own: no more than
		 * `size` chains beyond the used index that it has seen, which
		 * is what batch[] relies on. */
		if ((uint16_t)(vq->seen_avail - vq->next_avail) > vq->size ||
		    (uint16_t)(vq->seen_avail - vq->published) > vq->size)
			return virtqueue_break(vq, "available index jumped past the queue");
		if (vq->seen_avail == vq->next_avail)
			return 0;
	}
	*ret_head = ring_fetch(&avail->ring[vq->next_avail & (vq->size - 1)]);
	return 1;
}

int virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *ret_chain, struct iovec *iov,
		  unsigned int max)
{
	struct virtqueue_chain chain = { 0 };
	struct walk w = { .vq = vq, .chain = &chain, .iov = iov, .max = max };
	int r;

	if (!virtqueue_running(vq))
		return 0;
	r = next_head(vq, &chain.head);
	if (r <= 0)
		return r;
	if (chain.head >= vq->size)
		return virtqueue_break(vq, "head index outside the queue");
	if (head_is_out(vq, chain.head))
		return virtqueue_break(vq, "the same head twice");
	r = walk_chain(&w, chain.head);
	if (r < 0)
		return r;
	mark_out(vq, chain.head);
	if (vq->next_resume < vq->nresume) {
		vq->next_resume++;
	} else {
		if (vq->inflight)
			inflight_popped(vq->inflight, chain.head, vq->inflight_counter++);
		vq->next_avail++;
	}
	*ret_chain = chain;
	return 1;
}

void virtqueue_unpop(struct virtqueue *vq, uint16_t head)
{
	assert(!vq->inflight);
	mark_returned(vq, head);
	vq->next_avail--;
}

void virtqueue_push(struct virtqueue *vq, uint16_t head, uint32_t written)
{
	struct vring_used *used = vq->used;
	struct vring_used_elem *elem = &used->ring[vq->next_used & (vq->size - 1)];

	mark_returned(vq, head);
	if (!virtqueue_running(vq))
		return; /* broken meanwhile: the driver will reset the device */
	ring_store(&elem->id, head);
	ring_store(&elem->len, written);
	vq->batch[(uint16_t)(vq->next_used - vq->published)] = head;
	vq->next_used++;
	if (vq->inflight)
		inflight_returned(vq->inflight, head);
}

/* Does the driver want to hear of next_used having moved past `old`? */
static bool wants_interrupt(struct virtqueue *vq, uint16_t old)
{
	const struct vring_avail *avail = vq->avail;

	if (vq->force_interrupt) {
		vq->force_interrupt = false;
		return true;
	}
	if (vq->next_used == old)
		return false;
	if (vq->event_idx)
		return vring_need_event(ring_fetch(used_event(vq)), vq->next_used, old);
	return !(ring_fetch(&avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

bool virtqueue_publish(struct virtqueue *vq)
{
	struct vring_used *used = vq->used;
	uint16_t old = vq->published;

	if (!virtqueue_running(vq) || (vq->next_used == old && !vq->force_interrupt))
		return false;
	ring_release_u16(&used->idx, vq->next_used);
	if (vq->inflight)
		inflight_published(vq->inflight, vq->batch, (uint16_t)(vq->next_used - old),
				   vq->next_used);
	vq->published = vq->next_used;
	ring_fence();
	return wants_interrupt(vq, old);
}

void virtqueue_disable_notify(struct virtqueue *vq)
{
	struct vring_used *used = vq->used;

	/* With EVENT_IDX a stale avail_event says the same. */
	if (virtqueue_running(vq) && !vq->event_idx)
		ring_store(&used->flags, (uint16_t)VRING_USED_F_NO_NOTIFY);
}

bool virtqueue_enable_notify(struct virtqueue *vq)
{
	const struct vring_avail *avail = vq->avail;
	struct vring_used *used = vq->used;

	if (!virtqueue_running(vq))
		return false;
	if (vq->event_idx)
		ring_store(avail_event(vq), vq->next_avail);
	else
		ring_store(&used->flags, (uint16_t)0);
	ring_fence();
	return vq->next_resume < vq->nresume || ring_acquire_u16(&avail->idx) != vq->next_avail;
}
