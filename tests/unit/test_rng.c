/* test_rng.c - virtio-rng end to end. */
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <cmocka.h>

#include "tests/unit/support/mock_front_end.h"
#include "vmm/base/util.h"

static int entry(const struct device_seat *seat, const void *params, struct err *e)
{
	return rng_main(seat, params, e);
}

static int setup(void **state)
{
	static const struct rng_params params;
	struct front_end *f = calloc(1, sizeof(*f));

	front_init(f);
	front_run(f, entry, &params);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	front_release(*state);
	free(*state);
	return 0;
}

static void start(struct front_end *f, uint64_t without)
{
	front_negotiate(f, without);
	front_init_driver(f, 0, 8);
	front_start_queue(f, 0, 0);
}

static uint32_t ask(struct front_end *f, uint64_t gpa, uint32_t len)
{
	struct mock_buf buf = { gpa, len, true };
	uint16_t head, got;
	uint32_t filled;

	head = mock_add(&f->driver[0], &buf, 1);
	front_kick(f, 0);
	front_collect(f, 0, &got, &filled);
	assert_int_equal(got, head);
	return filled;
}

/* Bytes that are not the one that the buffer was filled with. */
static unsigned int changed(const uint8_t *p, size_t len)
{
	unsigned int n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] != 0x55;
	return n;
}

static void buffers_are_filled(void **state)
{
	struct front_end *f = *state;
	const uint64_t without[] = { 0, 1u << VIRTIO_RING_F_EVENT_IDX };
	uint64_t gpa;
	uint8_t *p;

	for (unsigned int i = 0; i < 2; i++) {
		start(f, without[i]);
		gpa = mock_alloc(&f->driver[0], 5000, 8);
		p = mock_ptr(&f->driver[0], gpa);
		for (unsigned int round = 0; round < 50; round++) {
			memset(p, 0x55, 5000);
			assert_int_equal(ask(f, gpa, 64), 64);
			assert_int_equal(changed(p + 64, 5000 - 64), 0);
			assert_true(changed(p, 64) > 40);
			assert_int_equal(ask(f, gpa, 5000), 5000);
			assert_true(changed(p, 5000) > 4800);
		}
		front_stop_queue(f, 0);
	}
	assert_int_equal(f->counters.bytes_in, 2 * 50 * 5064);
}

static void one_request_has_a_bound(void **state)
{
	struct front_end *f = *state;
	uint8_t *p;
	uint64_t gpa;

	start(f, 0);
	gpa = mock_alloc(&f->driver[0], 200000, 8);
	p = mock_ptr(&f->driver[0], gpa);
	memset(p, 0x55, 200000);
	assert_int_equal(ask(f, gpa, 200000), 65536);
	assert_int_equal(changed(p + 65536, 200000 - 65536), 0);
}

static void odd_requests_come_back_empty(void **state)
{
	struct front_end *f = *state;
	struct mock_buf readable = { FRONT_GPA + 0x8000, 64, false };
	uint16_t head;
	uint32_t len;

	start(f, 0);
	mock_add(&f->driver[0], &readable, 1);
	front_kick(f, 0);
	front_collect(f, 0, &head, &len);
	assert_int_equal(len, 0);
	assert_int_equal(f->counters.errors, 1);
}

#define RNG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RNG_TEST(buffers_are_filled),
		RNG_TEST(one_request_has_a_bound),
		RNG_TEST(odd_requests_come_back_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
