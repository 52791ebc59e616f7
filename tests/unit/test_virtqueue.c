/* test_virtqueue.c - the device's side of a split ring against a mock driver,
 * well-behaved and not. */
#include "devices/virtio/virtqueue.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "tests/unit/support/mock_driver.h"
#include "vmm/base/util.h"

#define MEM_LEN	   0x10000u
#define SECOND_GPA 0x10000u /* adjoins the first region, mapped elsewhere */
#define IOVS	   20u

struct fixture {
	struct guest_memory gm;
	uint8_t *mem, *mem2;
	struct mock_driver d;
	struct virtqueue vq;
	struct virtqueue_geometry g;
	struct virtqueue_chain chain;
	struct iovec iov[IOVS];
};

static int restart(struct fixture *f, uint16_t size, bool event_idx)
{
	struct virtqueue_options o = { .event_idx = event_idx, .indirect = true };

	mock_init(&f->d, f->mem, 0, MEM_LEN, size, event_idx);
	f->g = (struct virtqueue_geometry){ .size = size,
					    .desc = GPA(f->d.desc_gpa),
					    .avail = GPA(f->d.avail_gpa),
					    .used = GPA(f->d.used_gpa) };
	return virtqueue_start(&f->vq, &f->gm, &f->g, &o);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->mem = aligned_alloc(4096, MEM_LEN);
	f->mem2 = aligned_alloc(4096, 4096);
	assert_int_equal(guest_memory_add(&f->gm, 0, MEM_LEN, 0, f->mem), 0);
	assert_int_equal(guest_memory_add(&f->gm, SECOND_GPA, 4096, MEM_LEN, f->mem2), 0);
	assert_int_equal(restart(f, 8, false), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->mem);
	free(f->mem2);
	free(f);
	return 0;
}

static int pop(struct fixture *f)
{
	return virtqueue_pop(&f->vq, &f->chain, f->iov, IOVS);
}

static void chain_of_three(void **state)
{
	struct fixture *f = *state;
	struct mock_buf bufs[] = { { 0x4000, 16, false },
				   { 0x5000, 512, true },
				   { 0x6000, 1, true } };
	uint16_t head, got;
	uint32_t len;

	for (int indirect = 0; indirect < 2; indirect++) {
		head = indirect ? mock_add_indirect(&f->d, bufs, 3) : mock_add(&f->d, bufs, 3);
		assert_int_equal(pop(f), 0); /* not published */
		mock_publish(&f->d);
		assert_int_equal(pop(f), 1);
		assert_int_equal(f->chain.head, head);
		assert_int_equal(f->chain.nread, 1);
		assert_int_equal(f->chain.nwrite, 2);
		assert_int_equal(f->chain.read_bytes, 16);
		assert_int_equal(f->chain.write_bytes, 513);
		assert_ptr_equal(f->iov[1].iov_base, f->mem + 0x5000);
		virtqueue_push(&f->vq, head, 513);
		assert_false(mock_collect(&f->d, &got, &len)); /* not published */
		assert_true(virtqueue_publish(&f->vq));
		assert_true(mock_collect(&f->d, &got, &len));
		assert_int_equal(got, head);
		assert_int_equal(len, 513);
	}
}

static void direct_then_indirect(void **state)
{
	struct fixture *f = *state;
	struct mock_buf bufs[] = { { 0x4000, 16, false }, { 0x4100, 16, false } };
	struct vring_desc *table = mock_ptr(&f->d, 0x5000);
	uint16_t head = mock_add(&f->d, bufs, 2);
	uint16_t second = f->d.desc[head].next;

	table[0] = (struct vring_desc){ .addr = 0x6000, .len = 7, .flags = VRING_DESC_F_WRITE };
	f->d.desc[second] =
		(struct vring_desc){ .addr = 0x5000, .len = 16, .flags = VRING_DESC_F_INDIRECT };
	mock_publish(&f->d);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.nread, 1);
	assert_int_equal(f->chain.nwrite, 1);
	assert_int_equal(f->chain.ndesc, 2);
	assert_int_equal(f->chain.write_bytes, 7);
}

/* The specification asks for no alignment of tables, and drivers give what
 * their allocator gives. */
static void indirect_table_anywhere(void **state)
{
	const struct vring_desc table[] = {
		{ .addr = 0x6000, .len = 9, .flags = VRING_DESC_F_NEXT, .next = 2 },
		{ .addr = 0x40000000, .len = 1 },
		{ .addr = 0x7000, .len = 7, .flags = VRING_DESC_F_WRITE, .next = 9 },
	};
	struct mock_buf whole = { 0, sizeof(table), false };
	struct fixture *f = *state;

	for (uint64_t odd = 0; odd < 16; odd++) {
		assert_int_equal(restart(f, 8, false), 0);
		whole.gpa = 0x5000 + odd;
		memcpy(f->mem + whole.gpa, table, sizeof(table));
		f->d.desc[mock_add(&f->d, &whole, 1)].flags = VRING_DESC_F_INDIRECT;
		mock_publish(&f->d);
		assert_int_equal(pop(f), 1);
		assert_int_equal(f->chain.read_bytes, 9);
		assert_int_equal(f->chain.write_bytes, 7);
		assert_ptr_equal(f->iov[0].iov_base, f->mem + 0x6000);
		assert_ptr_equal(f->iov[1].iov_base, f->mem + 0x7000);
	}
}

static void buffer_over_a_seam_is_split(void **state)
{
	struct fixture *f = *state;
	struct mock_buf buf = { SECOND_GPA - 100, 300, true };

	mock_add(&f->d, &buf, 1);
	mock_publish(&f->d);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.nwrite, 2);
	assert_int_equal(f->iov[0].iov_len, 100);
	assert_ptr_equal(f->iov[1].iov_base, f->mem2);
	assert_int_equal(f->iov[1].iov_len, 200);
}

static void whole_ring_in_one_batch(void **state)
{
	struct fixture *f = *state;
	struct mock_buf buf = { 0x4000, 8, true };
	uint16_t head;
	uint32_t len;

	/* Many times around, so that the 16-bit indices wrap. */
	for (unsigned int round = 0; round < 70000 / 8; round++) {
		for (int i = 0; i < 8; i++)
			assert_true(mock_add(&f->d, &buf, 1) != UINT16_MAX);
		mock_publish(&f->d);
		while (pop(f) == 1)
			virtqueue_push(&f->vq, f->chain.head, 8);
		virtqueue_publish(&f->vq);
		for (int i = 0; i < 8; i++)
			assert_true(mock_collect(&f->d, &head, &len));
	}
	assert_null(f->vq.why);
}

static void unpop_gives_it_again(void **state)
{
	struct fixture *f = *state;
	struct mock_buf buf = { 0x4000, 8, true };
	uint16_t first = mock_add(&f->d, &buf, 1), second = mock_add(&f->d, &buf, 1);

	mock_publish(&f->d);
	assert_int_equal(pop(f), 1);
	assert_int_equal(pop(f), 1);
	virtqueue_unpop(&f->vq, second);
	virtqueue_unpop(&f->vq, first);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, first);
	virtqueue_unpop(&f->vq, first);
}

static void event_index_interrupts(void **state)
{
	struct fixture *f = *state;
	struct mock_buf buf = { 0x4000, 8, true };
	uint16_t *used_event;

	assert_int_equal(restart(f, 8, true), 0);
	used_event = &f->d.avail->ring[8];
	*used_event = 1; /* interrupt me when index 1 is used */
	for (int i = 0; i < 3; i++)
		mock_add(&f->d, &buf, 1);
	mock_publish(&f->d);
	assert_int_equal(pop(f), 1);
	virtqueue_push(&f->vq, f->chain.head, 8);
	assert_false(virtqueue_publish(&f->vq));
	assert_int_equal(pop(f), 1);
	virtqueue_push(&f->vq, f->chain.head, 8);
	assert_true(virtqueue_publish(&f->vq));
	assert_false(virtqueue_publish(&f->vq)); /* nothing new */
	assert_int_equal(pop(f), 1);
	virtqueue_push(&f->vq, f->chain.head, 8);
	assert_false(virtqueue_publish(&f->vq));
}

static void kicks_only_when_asked(void **state)
{
	struct fixture *f = *state;
	struct mock_buf buf = { 0x4000, 8, true };

	for (int event_idx = 0; event_idx < 2; event_idx++) {
		assert_int_equal(restart(f, 8, event_idx), 0);
		assert_false(virtqueue_enable_notify(&f->vq));
		mock_add(&f->d, &buf, 1);
		assert_true(mock_publish(&f->d));
		virtqueue_disable_notify(&f->vq);
		mock_add(&f->d, &buf, 1);
		assert_false(mock_publish(&f->d));
		/* What came in meanwhile is seen, or a kick follows: never neither. */
		assert_int_equal(pop(f), 1);
		assert_true(virtqueue_enable_notify(&f->vq));
		assert_int_equal(pop(f), 1);
		assert_false(virtqueue_enable_notify(&f->vq));
	}
}

static void interrupts_suppressed_by_flag(void **state)
{
	struct fixture *f = *state;
	struct mock_buf buf = { 0x4000, 8, true };

	f->d.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	mock_add(&f->d, &buf, 1);
	mock_publish(&f->d);
	assert_int_equal(pop(f), 1);
	virtqueue_push(&f->vq, f->chain.head, 8);
	assert_false(virtqueue_publish(&f->vq));
}

/* --- rules broken --- */

static void set(struct fixture *f, unsigned int i, uint64_t addr, uint32_t len, unsigned int flags,
		uint16_t next)
{
	f->d.desc[i] = (struct vring_desc){
		.addr = addr, .len = len, .flags = (uint16_t)flags, .next = next
	};
}

static struct vring_desc *table_at(struct fixture *f, uint64_t gpa, unsigned int entries)
{
	struct vring_desc *t = mock_ptr(&f->d, gpa);

	for (unsigned int i = 0; i < entries; i++)
		t[i] = (struct vring_desc){ .addr = 0x6000,
					    .len = 8,
					    .flags = VRING_DESC_F_NEXT,
					    .next = (uint16_t)(i + 1) };
	t[entries - 1].flags = 0;
	return t;
}

#define NEXT  VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIR VRING_DESC_F_INDIRECT

static void loop_of_two(struct fixture *f)
{
	set(f, 0, 0x4000, 8, NEXT, 1);
	set(f, 1, 0x4000, 8, NEXT, 0);
}
static void loop_on_itself(struct fixture *f)
{
	set(f, 0, 0x4000, 8, NEXT, 0);
}
static void next_outside(struct fixture *f)
{
	set(f, 0, 0x4000, 8, NEXT, 8);
}
static void empty_buffer(struct fixture *f)
{
	set(f, 0, 0x4000, 0, 0, 0);
}
static void beyond_memory(struct fixture *f)
{
	set(f, 0, SECOND_GPA + 4096 - 4, 8, 0, 0);
}
static void outside_memory(struct fixture *f)
{
	set(f, 0, 0x40000000, 8, 0, 0);
}
static void end_of_address_space(struct fixture *f)
{
	set(f, 0, UINT64_MAX - 3, 8, 0, 0);
}
static void huge_length(struct fixture *f)
{
	set(f, 0, 0x4000, UINT32_MAX, WRITE, 0);
}
static void readable_after_writable(struct fixture *f)
{
	set(f, 0, 0x4000, 8, WRITE | NEXT, 1);
	set(f, 1, 0x4000, 8, 0, 0);
}
static void indirect_with_next(struct fixture *f)
{
	table_at(f, 0x5000, 1);
	set(f, 0, 0x5000, 16, INDIR | NEXT, 1);
}
static void indirect_empty(struct fixture *f)
{
	set(f, 0, 0x5000, 0, INDIR, 0);
}
static void indirect_odd_length(struct fixture *f)
{
	table_at(f, 0x5000, 2);
	set(f, 0, 0x5000, 24, INDIR, 0);
}
static void indirect_oversized(struct fixture *f)
{
	set(f, 0, 0x5000, 16 * (IOVS + 1), INDIR, 0);
}
static void indirect_4_gib(struct fixture *f)
{
	set(f, 0, 0x5000, 0xfffffff0, INDIR, 0);
}
static void indirect_outside(struct fixture *f)
{
	set(f, 0, 0x40000000, 16, INDIR, 0);
}
static void indirect_over_seam(struct fixture *f)
{
	set(f, 0, SECOND_GPA - 16, 32, INDIR, 0);
}
static void indirect_in_indirect(struct fixture *f)
{
	table_at(f, 0x5000, 1)->flags = INDIR;
	set(f, 0, 0x5000, 16, INDIR, 0);
}
static void indirect_loop(struct fixture *f)
{
	struct vring_desc *t = table_at(f, 0x5000, 2);

	t[1].flags = NEXT;
	t[1].next = 0;
	set(f, 0, 0x5000, 32, INDIR, 0);
}
static void indirect_next_outside(struct fixture *f)
{
	struct vring_desc *t = table_at(f, 0x5000, 2);

	t[1].flags = NEXT;
	t[1].next = 2;
	set(f, 0, 0x5000, 32, INDIR, 0);
}
static void too_many_after_indirect(struct fixture *f)
{
	set(f, 0, 0x4000, 8, NEXT, 1);
	table_at(f, 0x5000, IOVS);
	set(f, 1, 0x5000, 16 * IOVS, INDIR, 0);
}
static void head_outside(struct fixture *f)
{
	f->d.avail->ring[0] = 8;
}
static void head_far_outside(struct fixture *f)
{
	f->d.avail->ring[0] = UINT16_MAX;
}
static void index_jump(struct fixture *f)
{
	set(f, 0, 0x4000, 8, 0, 0);
	f->d.avail_idx = 9;
}
static void index_backwards(struct fixture *f)
{
	f->d.avail_idx = UINT16_MAX;
}

static const struct {
	void (*make)(struct fixture *f);
	const char *why;
} malformed[] = {
	{ loop_of_two, "chain longer than the queue" },
	{ loop_on_itself, "chain longer than the queue" },
	{ next_outside, "next index outside the queue" },
	{ empty_buffer, "empty buffer" },
	{ beyond_memory, "buffer outside guest memory" },
	{ outside_memory, "buffer outside guest memory" },
	{ end_of_address_space, "buffer outside guest memory" },
	{ huge_length, "buffer outside guest memory" },
	{ readable_after_writable, "readable buffer after a writable one" },
	{ indirect_with_next, "indirect descriptor with a next one" },
	{ indirect_empty, "odd length of an indirect table" },
	{ indirect_odd_length, "odd length of an indirect table" },
	{ indirect_oversized, "indirect table too long" },
	{ indirect_4_gib, "indirect table too long" },
	{ indirect_outside, "indirect table outside guest memory" },
	{ indirect_over_seam, "indirect table outside guest memory" },
	{ indirect_in_indirect, "indirect descriptor in an indirect table" },
	{ indirect_loop, "loop in an indirect table" },
	{ indirect_next_outside, "next index outside an indirect table" },
	{ too_many_after_indirect, "chain with too many buffers" },
	{ head_outside, "head index outside the queue" },
	{ head_far_outside, "head index outside the queue" },
	{ index_jump, "available index jumped past the queue" },
	{ index_backwards, "available index jumped past the queue" },
};

static void every_broken_rule_is_found(void **state)
{
	struct fixture *f = *state;
	uint16_t used_before;

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		assert_int_equal(restart(f, 8, false), 0);
		mock_offer(&f->d, 0);
		malformed[i].make(f);
		mock_publish(&f->d);
		used_before = f->d.used->idx;
		assert_int_equal(pop(f), -EBADMSG);
		assert_string_equal(f->vq.why, malformed[i].why);
		/* Broken for good: nothing comes, nothing goes. */
		assert_int_equal(pop(f), 0);
		assert_false(virtqueue_publish(&f->vq));
		assert_false(virtqueue_enable_notify(&f->vq));
		assert_int_equal(f->d.used->idx, used_before);
		assert_int_equal(f->vq.nout, 0);
		virtqueue_stop(&f->vq);
	}
}

/* With chains out, an index that goes back stays near the published one. */
static void index_goes_back_while_chains_are_out(void **state)
{
	struct fixture *f = *state;
	struct mock_buf buf = { 0x4000, 16, true };

	for (unsigned int i = 0; i < 2; i++)
		mock_add(&f->d, &buf, 1);
	mock_publish(&f->d);
	assert_int_equal(pop(f), 1);
	assert_int_equal(pop(f), 1);
	mock_add(&f->d, &buf, 1); /* what would be served by mistake */
	f->d.avail_idx = 1;
	mock_publish(&f->d);
	assert_int_equal(pop(f), -EBADMSG);
}

/* The same large buffer three times: each is sound, their sum is not. */
static void sums_fit_32_bits(void **state)
{
	const uint64_t len = 1536 * MIB, gpa = 4 * GIB;
	struct fixture *f = *state;
	struct mock_buf bufs[] = { { gpa, (uint32_t)len, true },
				   { gpa, (uint32_t)len, true },
				   { gpa, (uint32_t)len, true } };
	void *large =
		mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(large, MAP_FAILED);
	assert_int_equal(guest_memory_add(&f->gm, gpa, len, 0, large), 0);
	mock_add(&f->d, bufs, 2);
	mock_publish(&f->d);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.write_bytes, 2 * len);
	virtqueue_push(&f->vq, f->chain.head, 0);
	mock_add(&f->d, bufs, 3);
	mock_publish(&f->d);
	assert_int_equal(pop(f), -EBADMSG);
	munmap(large, len);
}

static void indirect_must_be_negotiated(void **state)
{
	struct fixture *f = *state;
	struct virtqueue_options o = { .indirect = false };
	struct mock_buf buf = { 0x4000, 8, true };

	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), 0);
	mock_add_indirect(&f->d, &buf, 1);
	mock_publish(&f->d);
	assert_int_equal(pop(f), -EBADMSG);
}

static void same_head_twice(void **state)
{
	struct fixture *f = *state;
	struct mock_buf buf = { 0x4000, 8, true };
	uint16_t head = mock_add(&f->d, &buf, 1);

	mock_offer(&f->d, head);
	mock_publish(&f->d);
	assert_int_equal(pop(f), 1);
	assert_int_equal(pop(f), -EBADMSG);
	assert_string_equal(f->vq.why, "the same head twice");
	/* The first one is still ours to return, which does nothing. */
	virtqueue_push(&f->vq, head, 8);
	assert_false(virtqueue_publish(&f->vq));
	assert_int_equal(f->d.used->idx, 0);
	virtqueue_stop(&f->vq);
}

/* Pushed but not published, offered again: the batch must stay in bounds. */
static void index_runs_ahead_of_publication(void **state)
{
	struct fixture *f = *state;
	struct mock_buf buf = { 0x4000, 8, true };

	for (int i = 0; i < 8; i++)
		mock_add(&f->d, &buf, 1);
	mock_publish(&f->d);
	while (pop(f) == 1)
		virtqueue_push(&f->vq, f->chain.head, 8);
	f->d.avail_idx += 8;
	mock_publish(&f->d);
	assert_int_equal(pop(f), -EBADMSG);
	assert_string_equal(f->vq.why, "available index jumped past the queue");
}

static void geometry_is_checked(void **state)
{
	static const struct {
		uint32_t size;
		uint64_t desc, avail, used;
		int result;
	} t[] = {
		{ 8, 0, 0x1000, 0x2000, 0 },
		{ 1, 0, 0x1000, 0x2000, 0 },
		{ 256, 0, 0x2000, 0x3000, 0 },
		{ 0, 0, 0x1000, 0x2000, -EINVAL },
		{ 3, 0, 0x1000, 0x2000, -EINVAL },
		{ 512, 0, 0x4000, 0x8000, -EINVAL },
		{ 65544, 0, 0x1000, 0x2000, -EINVAL },
		{ 8, 8, 0x1000, 0x2000, -EINVAL },
		{ 8, 0, 0x1001, 0x2000, -EINVAL },
		{ 8, 0, 0x1000, 0x2002, -EINVAL },
		{ 8, 0x20000000, 0x1000, 0x2000, -EFAULT },
		{ 8, 0, SECOND_GPA - 2, 0x2000, -EFAULT },
		{ 8, 0, 0x1000, SECOND_GPA + 4096 - 4, -EFAULT },
		{ 8, UINT64_MAX - 15, 0x1000, 0x2000, -EFAULT },
	};
	struct fixture *f = *state;
	struct virtqueue_options o = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct virtqueue_geometry g = { .size = t[i].size,
						.desc = GPA(t[i].desc),
						.avail = GPA(t[i].avail),
						.used = GPA(t[i].used) };

		memset(f->mem, 0, MEM_LEN);
		assert_int_equal(virtqueue_start(&f->vq, &f->gm, &g, &o), t[i].result);
		assert_int_equal(virtqueue_running(&f->vq), t[i].result == 0);
		assert_int_equal(f->vq.why == NULL, t[i].result == 0);
	}
}

static void base_must_fit_used_index(void **state)
{
	struct fixture *f = *state;
	struct virtqueue_options o = { .base = 100 };

	f->d.used->idx = 100;
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), 0);
	f->d.used->idx = 101;
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), -EINVAL);
	f->d.used->idx = 91;
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), -EINVAL);
}

/* --- in-flight records --- */

static void record_survives_a_death(void **state)
{
	struct fixture *f = *state;
	struct inflight_queue *record = calloc(1, inflight_queue_bytes(8));
	struct virtqueue_options o = { .inflight = record };
	struct mock_buf buf = { 0x4000, 8, true };
	uint16_t head[5];

	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), 0);
	for (int i = 0; i < 5; i++)
		head[i] = mock_add(&f->d, &buf, 1);
	mock_publish(&f->d);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pop(f), 1);
	/* The third is returned; the second too, but death comes between the
	 * used index and the clearing of its mark. */
	virtqueue_push(&f->vq, head[2], 8);
	virtqueue_publish(&f->vq);
	virtqueue_push(&f->vq, head[1], 8);
	f->d.used->idx = 2;

	memset(&f->vq, 0, sizeof(f->vq));
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), 0);
	for (int i = 0; i < 3; i++) {
		static const int order[] = { 0, 3, 4 };

		assert_true(virtqueue_enable_notify(&f->vq));
		assert_int_equal(pop(f), 1);
		assert_int_equal(f->chain.head, head[order[i]]);
		virtqueue_push(&f->vq, f->chain.head, 8);
	}
	assert_int_equal(pop(f), 0);
	assert_true(virtqueue_publish(&f->vq));
	assert_int_equal(f->d.used->idx, 5);
	for (int i = 0; i < 8; i++)
		assert_int_equal(record->desc[i].inflight, 0);
	virtqueue_stop(&f->vq);
	/* An ordered stop leaves nothing: the driver may begin anew. */
	f->d.used->idx = f->d.avail->idx = 0;
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), 0);
	free(record);
}

static void false_records_are_refused(void **state)
{
	struct fixture *f = *state;
	struct inflight_queue *record = calloc(1, inflight_queue_bytes(8));
	struct virtqueue_options o = { .inflight = record };

	record->version = 2;
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), -EINVAL);
	record->version = 1;
	record->desc_num = 16;
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), -EINVAL);
	record->desc_num = 8;
	record->used_idx = 1; /* ahead of the ring */
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), -EINVAL);
	record->used_idx = UINT16_MAX;
	record->last_batch_head = 8;
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), -EINVAL);
	record->last_batch_head = 7;
	assert_int_equal(virtqueue_start(&f->vq, &f->gm, &f->g, &o), 0);
	free(record);
}

#define VQ_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VQ_TEST(chain_of_three),
		VQ_TEST(direct_then_indirect),
		VQ_TEST(indirect_table_anywhere),
		VQ_TEST(buffer_over_a_seam_is_split),
		VQ_TEST(whole_ring_in_one_batch),
		VQ_TEST(unpop_gives_it_again),
		VQ_TEST(event_index_interrupts),
		VQ_TEST(kicks_only_when_asked),
		VQ_TEST(interrupts_suppressed_by_flag),
		VQ_TEST(every_broken_rule_is_found),
		VQ_TEST(index_goes_back_while_chains_are_out),
		VQ_TEST(sums_fit_32_bits),
		VQ_TEST(indirect_must_be_negotiated),
		VQ_TEST(same_head_twice),
		VQ_TEST(index_runs_ahead_of_publication),
		VQ_TEST(geometry_is_checked),
		VQ_TEST(base_must_fit_used_index),
		VQ_TEST(record_survives_a_death),
		VQ_TEST(false_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
