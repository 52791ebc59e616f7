/* mock_driver.c - see mock_driver.h. */
#include "tests/unit/support/mock_driver.h"

#include <string.h>

uint64_t mock_alloc(struct mock_driver *d, uint64_t len, uint64_t align)
{
	uint64_t at = (d->next_free + align - 1) & ~(align - 1);

	if (at > d->len || len > d->len - at)
		return 0;
	d->next_free = at + len;
	return d->gpa + at;
}

void *mock_ptr(const struct mock_driver *d, uint64_t gpa)
{
	return d->mem + (gpa - d->gpa);
}

void mock_init(struct mock_driver *d, uint8_t *mem, uint64_t gpa, uint64_t len, uint16_t size,
	       bool event_idx)
{
	memset(d, 0, sizeof(*d));
	d->mem = mem;
	d->gpa = gpa;
	d->len = len;
	d->size = size;
	d->event_idx = event_idx;
	d->desc_gpa = mock_alloc(d, 16u * size, 16);
	d->avail_gpa = mock_alloc(d, 6u + 2u * size, 2);
	d->used_gpa = mock_alloc(d, 6u + 8u * size, 4);
	memset(mem, 0, d->next_free);
	d->desc = mock_ptr(d, d->desc_gpa);
	d->avail = mock_ptr(d, d->avail_gpa);
	d->used = mock_ptr(d, d->used_gpa);
	while (d->nfree < size) {
		d->free_desc[d->nfree] = (uint16_t)(size - 1 - d->nfree);
		d->nfree++;
	}
}

static void fill_desc(struct vring_desc *desc, const struct mock_buf *buf)
{
	desc->addr = buf->gpa;
	desc->len = buf->len;
	desc->flags = buf->write ? VRING_DESC_F_WRITE : 0;
	desc->next = 0;
}

void mock_offer(struct mock_driver *d, uint16_t head)
{
	d->avail->ring[d->avail_idx++ & (d->size - 1)] = head;
}

uint16_t mock_add(struct mock_driver *d, const struct mock_buf *bufs, unsigned int n)
{
	uint16_t head;

	if (n == 0 || n > d->nfree)
		return UINT16_MAX;
	head = d->free_desc[d->nfree - 1];
	for (unsigned int i = 0; i < n; i++) {
		struct vring_desc *desc = &d->desc[d->free_desc[--d->nfree]];

		fill_desc(desc, &bufs[i]);
		if (i + 1 < n) {
			desc->flags |= VRING_DESC_F_NEXT;
			desc->next = d->free_desc[d->nfree - 1];
		}
	}
	d->chain_len[head] = (uint16_t)n;
	mock_offer(d, head);
	return head;
}

uint16_t mock_add_indirect(struct mock_driver *d, const struct mock_buf *bufs, unsigned int n)
{
	uint64_t table_gpa = mock_alloc(d, n * sizeof(struct vring_desc), 16);
	struct mock_buf whole = { table_gpa, (uint32_t)(n * sizeof(struct vring_desc)), false };
	struct vring_desc *table = mock_ptr(d, table_gpa);
	uint16_t head;

	if (!table_gpa)
		return UINT16_MAX;
	for (unsigned int i = 0; i < n; i++) {
		fill_desc(&table[i], &bufs[i]);
		if (i + 1 < n) {
			table[i].flags |= VRING_DESC_F_NEXT;
			table[i].next = (uint16_t)(i + 1);
		}
	}
	head = mock_add(d, &whole, 1);
	if (head != UINT16_MAX)
		d->desc[head].flags = VRING_DESC_F_INDIRECT;
	return head;
}

bool mock_publish(struct mock_driver *d)
{
	uint16_t old = d->kicked_idx, event;

	__atomic_store_n(&d->avail->idx, d->avail_idx, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	d->kicked_idx = d->avail_idx;
	if (!d->event_idx)
		return !(__atomic_load_n(&d->used->flags, __ATOMIC_RELAXED) &
			 VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n((uint16_t *)(void *)&d->used->ring[d->size], __ATOMIC_RELAXED);
	return vring_need_event(event, d->avail_idx, old);
}

static void free_chain(struct mock_driver *d, uint16_t head)
{
	uint16_t index = head;

	for (unsigned int n = d->chain_len[head]; n; n--) {
		d->free_desc[d->nfree++] = index;
		index = d->desc[index].next;
	}
	d->chain_len[head] = 0;
}

bool mock_collect(struct mock_driver *d, uint16_t *ret_head, uint32_t *ret_len)
{
	const struct vring_used_elem *elem = &d->used->ring[d->used_idx & (d->size - 1)];

	if (__atomic_load_n(&d->used->idx, __ATOMIC_ACQUIRE) == d->used_idx)
		return false;
	*ret_head = (uint16_t)elem->id;
	*ret_len = elem->len;
	d->used_idx++;
	if (elem->id < d->size)
		free_chain(d, (uint16_t)elem->id);
	return true;
}

void mock_want_interrupt(struct mock_driver *d)
{
	if (d->event_idx)
		__atomic_store_n(&d->avail->ring[d->size], d->used_idx, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
