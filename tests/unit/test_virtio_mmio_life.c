/*
 * test_virtio_mmio_life.c - the transport over time: interrupts, activation,
 * loss, reset, and drivers that mean no good, on several threads.
 */
#include "devices/platform/virtio_mmio.h"

#include <errno.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/support/mock_transport.h"
#include "vmm/base/util.h"

/* --- interrupts, loss, reset --- */

static void test_interrupt_status(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	negotiate(m);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	/* A change before DRIVER_OK is told when the driver gets there. */
	virtio_mmio_config_changed(m->t);
	assert_int_equal(atomic_load(&m->pulses), 0);
	set_status(m, RUNNING);
	assert_int_equal(atomic_load(&m->pulses), 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	wr(m, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	wr(m, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	virtio_mmio_config_changed(m->t);
	assert_int_equal(atomic_load(&m->pulses), 2);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	set_status(m, 0);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	mock_tear_down(m);
}

/* The back end may interrupt before activate() has returned. */
static void check_interrupt_status(struct mock *m)
{
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS) & 1, m->active);
}

static void test_interrupt_during_activate(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	m->inside = check_interrupt_status;
	start(m);
	set_status(m, 0);
	assert_int_equal(m->activated + m->resets, 2);
	mock_tear_down(m);
}

static void test_activate_fails(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	m->activate_result = -EIO;
	start(m);
	assert_int_equal(status(m), RUNNING | NEEDS_RESET);
	assert_int_equal(atomic_load(&m->pulses), 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	m->activate_result = 0;
	start(m);
	assert_int_equal(m->resets, 1);
	assert_int_equal(status(m), RUNNING);
	mock_tear_down(m);
}

static void test_lost(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	/* Before DRIVER_OK: shown, no interrupt, and no way forward. */
	negotiate(m);
	virtio_mmio_lost(m->t);
	assert_int_equal(status(m), READY_TO_GO | NEEDS_RESET);
	assert_int_equal(atomic_load(&m->pulses), 0);
	set_status(m, RUNNING);
	set_status(m, RUNNING | NEEDS_RESET);
	assert_int_equal(status(m), READY_TO_GO | NEEDS_RESET);
	assert_int_equal(m->activated, 0);
	set_status(m, READY_TO_GO | NEEDS_RESET | FAILED);
	assert_int_equal(status(m), READY_TO_GO | NEEDS_RESET | FAILED);

	/* After it: one interrupt however often it is told. */
	start(m);
	assert_int_equal(m->resets, 1);
	virtio_mmio_lost(m->t);
	virtio_mmio_lost(m->t);
	assert_int_equal(status(m), RUNNING | NEEDS_RESET);
	assert_int_equal(atomic_load(&m->pulses), 1);
	assert_int_equal(rd(m, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	mock_tear_down(m);
}

static void test_reset(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	set_status(m, 0); /* as Linux does first: nothing to undo */
	negotiate(m);
	set_status(m, 0);
	assert_int_equal(m->resets, 0);
	start(m);
	wr(m, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	set_status(m, 0);
	assert_int_equal(m->resets, 1);
	assert_int_equal(status(m), 0);
	assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_FEATURES), (uint32_t)OFFERED);
	set_status(m, 0);
	assert_int_equal(m->resets, 1);
	/* Features do not survive. */
	set_status(m, ACK | DRIVER);
	set_status(m, READY_TO_GO);
	assert_int_equal(status(m), ACK | DRIVER);
	mock_tear_down(m);
}

static void test_reset_fails(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	start(m);
	m->reset_result = -EIO;
	for (int i = 0; i < 3; i++) {
		set_status(m, 0);
		assert_int_equal(status(m), NEEDS_RESET);
		assert_int_equal(m->resets, 1);
		assert_int_equal(rd(m, VIRTIO_MMIO_DEVICE_ID), 2);
		set_status(m, ACK);
		assert_int_equal(status(m), NEEDS_RESET);
		set_status(m, FAILED);
		assert_int_equal(status(m), NEEDS_RESET | FAILED);
	}
	mock_tear_down(m);
}

static void *lose(void *arg)
{
	struct mock *m = arg;

	virtio_mmio_lost(m->t);
	virtio_mmio_config_changed(m->t);
	return NULL;
}

/* A vCPU waits with the lock held for a thread that reports a loss. */
static void lose_from_another_thread(struct mock *m)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, lose, m), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_lost_while_vcpu_waits(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	m->inside = lose_from_another_thread;
	start(m);
	assert_int_equal(status(m), RUNNING | NEEDS_RESET);
	assert_true(atomic_load(&m->pulses) >= 1);
	/* A loss during the reset is not wiped out by it. */
	set_status(m, 0);
	assert_int_equal(status(m), NEEDS_RESET);
	m->inside = NULL;
	set_status(m, 0);
	assert_int_equal(m->resets, 2);
	assert_int_equal(status(m), 0);
	mock_tear_down(m);
}

static void break_a_ring(struct mock *m)
{
	virtio_mmio_needs_reset(m->t);
}

/* A broken ring is mended by the reset, also one that is found during it. */
static void test_needs_reset_is_mended(void **state)
{
	struct mock *m = mock_set_up();

	(void)state;
	start(m);
	break_a_ring(m);
	assert_int_equal(status(m), RUNNING | NEEDS_RESET);
	m->inside = break_a_ring;
	set_status(m, 0);
	assert_int_equal(m->resets, 1);
	assert_int_equal(status(m), 0);
	m->inside = NULL;
	start(m);
	assert_int_equal(status(m), RUNNING);
	mock_tear_down(m);
}

/* --- a driver that means no good --- */

static const uint32_t values[] = { 0,	       1,	   2,
				   3,	       4,	   7,
				   8,	       11,	   15,
				   16,	       64,	   127,
				   128,	       255,	   256,
				   257,	       0x1000,	   0x7fff,
				   0x8000,     0xffff,	   0x10000,
				   0x7fffffff, 0x80000000, 0xfffffff0,
				   0xfffffffe, 0xffffffff, (uint32_t)OFFERED };

static void random_access(struct mock *m, unsigned int *seed, bool steps)
{
	static const uint32_t forward[] = { 0, ACK, ACK | DRIVER, READY_TO_GO, RUNNING };
	static const unsigned int widths[] = { 1, 2, 4, 8 };
	unsigned int r = (unsigned int)rand_r(seed);
	unsigned int width = r % 4 ? 4 : widths[(r >> 2) % 4];
	uint64_t offset = (unsigned int)rand_r(seed) % (r % 64 ? 0x140u : VIRTIO_MMIO_LEN - 8);
	uint64_t v = values[(unsigned int)rand_r(seed) % ARRAY_SIZE(values)];
	uint8_t data[8];

	if (width == 4)
		offset &= ~3ULL;
	/* Without help a random walk never gets as far as DRIVER_OK. */
	if (steps && r % 16 == 0) {
		ack_features(m, OFFERED);
		set_status(m, forward[(unsigned int)rand_r(seed) % ARRAY_SIZE(forward)]);
	}
	if (steps && r % 16 == 1)
		make_ready(m);
	v |= v << 32;
	if (r & 0x100)
		virtio_mmio_bus_ops.read(m->t, offset, data, width);
	else
		virtio_mmio_bus_ops.write(m->t, offset, (const uint8_t *)&v, width);
}

static void test_fuzz(void **state)
{
	struct mock *m = mock_set_up();
	unsigned int seed = 20;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		random_access(m, &seed, true);
		if (i % 1000 == 999) {
			m->activate_result = i % 3000 == 2999 ? -EIO : 0;
			virtio_mmio_lost(m->t);
		}
	}
	assert_true(m->activated > 100 && m->resets > 100);
	mock_tear_down(m);
}

static atomic_uint next_seed = 100;
static atomic_bool stop;

static void *fuzz_thread(void *arg)
{
	struct mock *m = arg;
	unsigned int seed = atomic_fetch_add(&next_seed, 1);

	for (int i = 0; i < 100000; i++)
		random_access(m, &seed, true);
	return NULL;
}

static void *control_thread(void *arg)
{
	struct mock *m = arg;

	while (!atomic_load(&stop)) {
		virtio_mmio_config_changed(m->t);
		virtio_mmio_lost(m->t);
		usleep(200);
	}
	return NULL;
}

static void test_fuzz_threads(void **state)
{
	struct mock *m = mock_set_up();
	pthread_t vcpu[2], control;

	(void)state;
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&control, NULL, control_thread, m), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&vcpu[i], NULL, fuzz_thread, m), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(vcpu[i], NULL);
	atomic_store(&stop, true);
	pthread_join(control, NULL);
	assert_int_equal(m->attached, 1);
	assert_true(m->activated > 10);
	/* Whatever it went through, it can be set up again. */
	set_status(m, 0);
	set_status(m, 0);
	start(m);
	assert_int_equal(status(m), RUNNING);
	mock_tear_down(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupt_status),
		cmocka_unit_test(test_interrupt_during_activate),
		cmocka_unit_test(test_activate_fails),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_reset_fails),
		cmocka_unit_test(test_lost_while_vcpu_waits),
		cmocka_unit_test(test_needs_reset_is_mended),
		cmocka_unit_test(test_fuzz),
		cmocka_unit_test(test_fuzz_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
