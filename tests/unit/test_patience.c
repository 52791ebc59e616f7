/* test_patience.c - which way a device process settles on, against guests whose
 * requests take a known time in each. */
#include "devices/virtio/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/base/util.h"

#define US 1000u

/* A guest: how many requests a turn finds, and how long each takes. */
struct way {
	uint32_t per_turn;
	uint32_t ns;
};

struct world {
	struct patience p;
	uint64_t now;
	uint32_t changes;
	uint32_t in_way[2]; /* requests served in either way */
};

static void serve(struct world *w, const struct way *way, uint32_t requests)
{
	while (requests > 0) {
		const struct way *now = &way[w->p.patient];
		uint32_t n = MIN(now->per_turn, requests);

		w->in_way[w->p.patient] += n;
		w->now += (uint64_t)n * now->ns;
		w->changes += patience_turn(&w->p, n, w->now);
		requests -= n;
	}
}

/* Few requests go the worse way, however long it lasts. */
static void test_depth_one(void **state)
{
	static const struct way way[2] = { { 1, 100 * US }, { 1, 126 * US } };
	struct world w = { .now = NS_PER_S };

	(void)state;
	serve(&w, way, 100000);
	assert_false(w.p.patient);
	assert_in_range(w.in_way[1], 1, 2000);
}

static void test_depth(void **state)
{
	static const struct way way[2] = { { 1, 107 * US }, { 12, 40 * US } };
	struct world w = { .now = NS_PER_S };

	(void)state;
	serve(&w, way, 100000);
	assert_true(w.p.patient || w.p.trying);
	assert_in_range(w.in_way[0], 1, 4000);
}

/* On a CPU of its own either way is as good: it stays as it is. */
static void test_no_difference(void **state)
{
	static const struct way way[2] = { { 1, 20 * US }, { 1, 19 * US } };
	struct world w = { .now = NS_PER_S };

	(void)state;
	serve(&w, way, 100000);
	assert_true(!w.p.patient || w.p.trying);
	assert_true(w.in_way[0] > 90000);
}

/* A small gain is one where a turn finds more, and else somebody else's doing, however
 * large it is. */
static void test_small_gain(void **state)
{
	static const struct way gathers[2] = { { 1, 76 * US }, { 8, 69 * US } };
	static const struct way alone[2] = { { 1, 107 * US }, { 1, 60 * US } };
	struct world w = { .now = NS_PER_S };

	(void)state;
	serve(&w, gathers, 100000);
	assert_true(w.p.patient || w.p.trying);
	assert_in_range(w.in_way[0], 1, 20000);
	w = (struct world){ .now = NS_PER_S };
	serve(&w, alone, 100000);
	assert_true(!w.p.patient || w.p.trying);
	assert_in_range(w.in_way[1], 1, 8000);
}

/* The guest's habits change: noticed within a pause and a window. */
static void test_change(void **state)
{
	static const struct way shallow[2] = { { 1, 100 * US }, { 1, 126 * US } };
	static const struct way deep[2] = { { 1, 107 * US }, { 12, 40 * US } };
	const uint32_t soon = PATIENCE_PAUSE_MAX + 2 * PATIENCE_WINDOW + PATIENCE_TRIAL;
	struct world w = { .now = NS_PER_S };

	(void)state;
	for (int i = 0; i < 20; i++) {
		serve(&w, shallow, 20000);
		serve(&w, deep, soon);
		w.in_way[0] = w.in_way[1] = 0;
		serve(&w, deep, 20000);
		assert_true(w.in_way[1] > 19000);
		serve(&w, shallow, soon);
		w.in_way[0] = w.in_way[1] = 0;
		serve(&w, shallow, 20000);
		assert_true(w.in_way[0] > 19000);
	}
}

/* Where every wake-up waits for somebody else's slice, the harm is one turn. */
static void test_busy_host(void **state)
{
	static const struct way way[2] = { { 1, 100 * US }, { 8, 500 * US } };
	struct world w = { .now = NS_PER_S };

	(void)state;
	serve(&w, way, 100000);
	assert_false(w.p.patient);
	assert_in_range(w.in_way[1], 1, 3000);
}

/* Patience ends with the first pause of the guest, and does not begin with one
 * that sends a packet now and then. */
static void test_gaps(void **state)
{
	static const struct way deep[2] = { { 1, 107 * US }, { 12, 40 * US } };
	static const struct way sparse[2] = { { 1, 9000 * US }, { 1, 9000 * US } };
	struct world w = { .now = NS_PER_S };

	(void)state;
	serve(&w, deep, 1000);
	while (!w.p.patient)
		serve(&w, deep, 12);
	serve(&w, sparse, 1);
	assert_false(w.p.patient);
	w.in_way[1] = 0;
	serve(&w, sparse, 10000);
	assert_int_equal(w.in_way[1], 0);
}

/* The guest's habits change to where both ways are as good. */
static void test_doubt(void **state)
{
	static const struct way deep[2] = { { 1, 107 * US }, { 12, 40 * US } };
	static const struct way same[2] = { { 1, 100 * US }, { 1, 101 * US } };
	struct world w = { .now = NS_PER_S };

	(void)state;
	serve(&w, deep, 10000);
	serve(&w, same, PATIENCE_PAUSE_MAX + 2 * PATIENCE_WINDOW + PATIENCE_TRIAL);
	assert_true(!w.p.patient || w.p.trying);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth_one),     cmocka_unit_test(test_depth),
		cmocka_unit_test(test_no_difference), cmocka_unit_test(test_change),
		cmocka_unit_test(test_busy_host),     cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_doubt),	      cmocka_unit_test(test_small_gain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
