/* test_vcpu_gate.c - pause and resume: every transition, and threads that
 * come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/monitor/vcpu_gate.h"

#define NTHREADS 4

struct fake_machine {
	struct vcpu_gate gate;
	unsigned int kicks;
	uint64_t rounds[NTHREADS]; /* "instructions" that each vCPU has run */
	bool immediate_exit[NTHREADS];
	pthread_t thread[NTHREADS];
};

struct fake_vcpu {
	struct fake_machine *m;
	unsigned int index;
};

static void kick(void *ctx)
{
	struct fake_machine *m = ctx;

	__atomic_fetch_add(&m->kicks, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < NTHREADS; i++)
		__atomic_store_n(&m->immediate_exit[i], true, __ATOMIC_SEQ_CST);
}

static void *vcpu(void *arg)
{
	struct fake_vcpu *v = arg;
	struct fake_machine *m = v->m;

	for (;;) {
		__atomic_store_n(&m->immediate_exit[v->index], false, __ATOMIC_SEQ_CST);
		if (!vcpu_gate_pass(&m->gate))
			return NULL;
		while (!__atomic_load_n(&m->immediate_exit[v->index], __ATOMIC_SEQ_CST)) {
			__atomic_fetch_add(&m->rounds[v->index], 1, __ATOMIC_RELAXED);
			usleep(50);
		}
	}
}

static uint64_t sum(struct fake_machine *m)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < NTHREADS; i++)
		n += __atomic_load_n(&m->rounds[i], __ATOMIC_RELAXED);
	return n;
}

static void test_states(void **state)
{
	struct vcpu_gate g;

	(void)state;
	vcpu_gate_init(&g, 1, NULL, NULL);
	assert_int_equal(g.state, VCPU_GATE_HELD);
	assert_int_equal(vcpu_gate_hold(&g), -EALREADY);
	assert_int_equal(vcpu_gate_wait_held(&g, 0), 0);
	assert_int_equal(vcpu_gate_open(&g), 0);
	assert_int_equal(vcpu_gate_open(&g), -EALREADY);
	assert_true(vcpu_gate_pass(&g));
	assert_int_equal(vcpu_gate_hold(&g), 0);
	assert_int_equal(g.state, VCPU_GATE_CLOSING);
	assert_int_equal(vcpu_gate_hold(&g), -EALREADY);
	assert_int_equal(vcpu_gate_wait_held(&g, 5), -ETIMEDOUT);
	assert_int_equal(vcpu_gate_open(&g), 0);
	assert_int_equal(vcpu_gate_wait_held(&g, 5), -ECANCELED);
	assert_true(vcpu_gate_end(&g));
	assert_false(vcpu_gate_end(&g));
	assert_false(vcpu_gate_pass(&g));
	assert_int_equal(vcpu_gate_open(&g), -ESHUTDOWN);
	assert_int_equal(vcpu_gate_hold(&g), -ESHUTDOWN);
	assert_int_equal(vcpu_gate_wait_held(&g, 5), -ESHUTDOWN);
	vcpu_gate_release(&g);
}

static void test_pause_stops_every_vcpu(void **state)
{
	struct fake_machine m = { 0 };
	struct fake_vcpu v[NTHREADS];

	(void)state;
	vcpu_gate_init(&m.gate, NTHREADS, kick, &m);
	for (unsigned int i = 0; i < NTHREADS; i++) {
		v[i] = (struct fake_vcpu){ .m = &m, .index = i };
		assert_int_equal(pthread_create(&m.thread[i], NULL, vcpu, &v[i]), 0);
	}
	usleep(2000);
	assert_int_equal(sum(&m), 0); /* a new machine is held */
	for (int round = 0; round < 50; round++) {
		uint64_t before;

		assert_int_equal(vcpu_gate_open(&m.gate), 0);
		if (round % 2) /* sometimes held again before all have left */
			usleep(500);
		assert_int_equal(vcpu_gate_hold(&m.gate), 0);
		assert_int_equal(vcpu_gate_wait_held(&m.gate, 10000), 0);
		before = sum(&m);
		usleep(300);
		assert_int_equal(sum(&m), before);
	}
	assert_true(sum(&m) > 0);
	assert_true(vcpu_gate_end(&m.gate));
	for (unsigned int i = 0; i < NTHREADS; i++)
		pthread_join(m.thread[i], NULL);
	vcpu_gate_release(&m.gate);
}

static void *park(void *gate)
{
	vcpu_gate_pass(gate);
	return NULL;
}

static void test_held_means_all(void **state)
{
	struct vcpu_gate g;
	pthread_t thread[2];

	(void)state;
	vcpu_gate_init(&g, 2, NULL, NULL);
	assert_int_equal(vcpu_gate_open(&g), 0);
	assert_int_equal(vcpu_gate_hold(&g), 0);
	assert_int_equal(pthread_create(&thread[0], NULL, park, &g), 0);
	assert_int_equal(vcpu_gate_wait_held(&g, 50), -ETIMEDOUT);
	assert_int_equal(pthread_create(&thread[1], NULL, park, &g), 0);
	assert_int_equal(vcpu_gate_wait_held(&g, 10000), 0);
	assert_true(vcpu_gate_end(&g));
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	vcpu_gate_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_held_means_all),
		cmocka_unit_test(test_pause_stops_every_vcpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
