/* test_loop.c - the event loop: sources, timers, jobs, its end. */
#include "vmm/base/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"

struct world {
	struct loop *loop;
	pthread_t thread;
	bool running;
};

static void *run_loop(void *arg)
{
	struct world *w = arg;

	assert_int_equal(loop_run(w->loop), 0);
	return NULL;
}

static void start(struct world *w)
{
	assert_int_equal(pthread_create(&w->thread, NULL, run_loop, w), 0);
	w->running = true;
}

static void stop(struct world *w)
{
	loop_stop(w->loop);
	if (w->running)
		pthread_join(w->thread, NULL);
	w->running = false;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err e;

	w->loop = loop_new(&e);
	assert_non_null(w->loop);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	stop(w);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* --- jobs --- */

struct sum_job {
	struct loop_job job;
	struct loop *loop;
	int a, b;
	unsigned int *count; /* of the loop's thread, without a lock */
};

static void run_sum(struct loop_job *job)
{
	struct sum_job *s = container_of(job, struct sum_job, job);

	if (s->count)
		++*s->count;
	loop_job_finish(s->loop, job, s->a + s->b);
}

static void call_returns_the_result(void **state)
{
	struct world *w = *state;
	struct sum_job s = { .job.run = run_sum, .loop = w->loop, .a = 2, .b = 3 };

	start(w);
	assert_int_equal(loop_call(w->loop, &s.job), 5);
	s.b = -9;
	assert_int_equal(loop_call(w->loop, &s.job), -7);
}

#define CALLERS 4
#define CALLS	500

struct caller {
	struct world *w;
	unsigned int *count;
	pthread_t thread;
	unsigned int right;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;

	for (int i = 0; i < CALLS; i++) {
		struct sum_job s = {
			.job.run = run_sum, .loop = c->w->loop, .a = i, .b = 1, .count = c->count
		};

		c->right += loop_call(c->w->loop, &s.job) == i + 1;
	}
	return NULL;
}

static void many_callers_get_their_own_results(void **state)
{
	struct world *w = *state;
	struct caller callers[CALLERS];
	unsigned int count = 0;

	start(w);
	for (int i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){ .w = w, .count = &count };
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]),
				 0);
	}
	for (int i = 0; i < CALLERS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].right, CALLS);
	}
	stop(w);
	assert_int_equal(count, CALLERS * CALLS);
}

struct late_job {
	struct loop_job job;
	struct loop *loop;
	struct loop_timer timer;
	unsigned int ms;
	_Atomic bool begun;
};

static void late_expired(void *ctx)
{
	struct late_job *l = ctx;

	loop_job_finish(l->loop, &l->job, 77);
}

static void run_late(struct loop_job *job)
{
	struct late_job *l = container_of(job, struct late_job, job);

	l->timer.expired = late_expired;
	l->timer.ctx = l;
	loop_timer_set(l->loop, &l->timer, now_ns() + l->ms * NS_PER_MS);
	atomic_store(&l->begun, true);
}

static void deferred_job_is_finished_later(void **state)
{
	struct world *w = *state;
	struct late_job l = { .job.run = run_late, .loop = w->loop, .ms = 20 };
	uint64_t before = now_ns();

	start(w);
	assert_int_equal(loop_call(w->loop, &l.job), 77);
	assert_true(now_ns() - before >= 20 * NS_PER_MS);
}

struct count_job {
	struct loop_job job;
	struct loop *loop;
	unsigned int left, runs;
};

static void run_count(struct loop_job *job)
{
	struct count_job *c = container_of(job, struct count_job, job);

	c->runs++;
	if (--c->left)
		loop_post(c->loop, job);
	else
		loop_stop(c->loop);
}

static void posted_job_may_post_itself(void **state)
{
	struct world *w = *state;
	struct count_job c = { .job.run = run_count, .loop = w->loop, .left = 100 };

	assert_int_equal(loop_post(w->loop, &c.job), 0); /* before the loop runs */
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(c.runs, 100);
}

/* --- the end --- */

struct waiter {
	struct loop *loop;
	struct late_job late;
	pthread_t thread;
	int result;
};

static void *wait_for_late(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = loop_call(waiter->loop, &waiter->late.job);
	return NULL;
}

static void end_fails_jobs_that_wait(void **state)
{
	struct world *w = *state;
	struct waiter waiter = { .loop = w->loop, .result = 1 };
	struct sum_job after = { .job.run = run_sum, .loop = w->loop };
	struct timespec ms = { .tv_nsec = 1000000 };

	waiter.late.job.run = run_late;
	waiter.late.loop = w->loop;
	waiter.late.ms = 60000;
	start(w);
	assert_int_equal(pthread_create(&waiter.thread, NULL, wait_for_late, &waiter), 0);
	while (!atomic_load(&waiter.late.begun))
		nanosleep(&ms, NULL);
	stop(w);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(waiter.result, -ESHUTDOWN);
	assert_int_equal(loop_call(w->loop, &after.job), -ESHUTDOWN);
	assert_int_equal(loop_post(w->loop, &after.job), -ESHUTDOWN);
	loop_stop(w->loop);
}

static void stop_before_run_ends_at_once(void **state)
{
	struct world *w = *state;

	loop_stop(w->loop);
	loop_stop(w->loop);
	assert_int_equal(loop_run(w->loop), 0);
}

/* --- timers; the loop runs on the test's thread --- */

struct clock_test {
	struct loop *loop;
	struct loop_timer timers[4];
	char order[8];
	size_t n;
};

static void note_a(void *ctx)
{
	struct clock_test *t = ctx;

	t->order[t->n++] = 'a';
}

/* Cancels a timer that is due in the same round, and moves another. */
static void note_b(void *ctx)
{
	struct clock_test *t = ctx;

	t->order[t->n++] = 'b';
	loop_timer_cancel(t->loop, &t->timers[0]);
	loop_timer_set(t->loop, &t->timers[2], now_ns() + 15 * NS_PER_MS);
}

static void note_c(void *ctx)
{
	struct clock_test *t = ctx;

	t->order[t->n++] = 'c';
	loop_stop(t->loop);
}

static void timers_expire_in_time_and_can_be_cancelled(void **state)
{
	struct world *w = *state;
	struct clock_test t = { .loop = w->loop };
	uint64_t begin = now_ns();

	t.timers[0] = (struct loop_timer){ .expired = note_a, .ctx = &t };
	t.timers[1] = (struct loop_timer){ .expired = note_b, .ctx = &t };
	t.timers[2] = (struct loop_timer){ .expired = note_c, .ctx = &t };
	t.timers[3] = (struct loop_timer){ .expired = note_c, .ctx = &t };
	loop_timer_set(w->loop, &t.timers[3], begin + NS_PER_S);
	loop_timer_set(w->loop, &t.timers[0], begin + 5 * NS_PER_MS);
	loop_timer_set(w->loop, &t.timers[1], begin + 5 * NS_PER_MS);
	loop_timer_set(w->loop, &t.timers[2], begin + 5 * NS_PER_MS);
	loop_timer_set(w->loop, &t.timers[2], begin + 900 * NS_PER_MS);
	assert_int_equal(loop_run(w->loop), 0);
	assert_true(now_ns() - begin >= 20 * NS_PER_MS);
	assert_true(now_ns() - begin < 900 * NS_PER_MS);
	assert_string_equal(t.order, "bc");
	loop_timer_cancel(w->loop, &t.timers[3]);
	loop_timer_cancel(w->loop, &t.timers[3]);
}

/* --- sources --- */

struct fd_test {
	struct loop *loop;
	struct loop_source source[2];
	unsigned int calls, edges;
	struct loop_timer timer;
	bool expired_first;
};

static void remove_both(void *ctx, uint32_t events)
{
	struct fd_test *t = ctx;

	assert_true(events & EPOLLIN);
	t->calls++;
	if (!t->timer.armed)
		t->expired_first = true;
	loop_remove(t->loop, &t->source[0]);
	loop_remove(t->loop, &t->source[1]);
	loop_remove(t->loop, &t->source[1]);
}

static void end_loop(void *ctx)
{
	struct fd_test *t = ctx;

	loop_stop(t->loop);
}

/* Two fds are ready in one round, the first callback removes the other: it
 * must not be called.  A timer that is overdue comes after both. */
static void removed_source_is_not_called(void **state)
{
	struct world *w = *state;
	struct fd_test t = { .loop = w->loop };
	int a = eventfd(1, EFD_CLOEXEC), b = eventfd(1, EFD_CLOEXEC);

	t.source[0] = t.source[1] = (struct loop_source){ .ready = remove_both, .ctx = &t };
	t.timer = (struct loop_timer){ .expired = end_loop, .ctx = &t };
	assert_int_equal(loop_add(w->loop, &t.source[0], a, EPOLLIN), 0);
	assert_int_equal(loop_add(w->loop, &t.source[1], b, EPOLLIN), 0);
	loop_timer_set(w->loop, &t.timer, 1);
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(t.calls, 1);
	assert_false(t.expired_first);
	close(a);
	close(b);
}

static void count_edges(void *ctx, uint32_t events)
{
	struct fd_test *t = ctx;

	(void)events;
	if (++t->edges == 3)
		loop_stop(t->loop);
}

static void write_again(void *ctx)
{
	struct fd_test *t = ctx;
	uint64_t one = 1;

	assert_int_equal(write(t->source[0].fd, &one, sizeof(one)), sizeof(one));
	loop_timer_set(t->loop, &t->timer, now_ns() + NS_PER_MS);
}

/* An eventfd that nobody reads gives one event per write. */
static void edges_need_no_read(void **state)
{
	struct world *w = *state;
	struct fd_test t = { .loop = w->loop };
	int fd = eventfd(0, EFD_CLOEXEC);

	t.source[0] = (struct loop_source){ .ready = count_edges, .ctx = &t };
	t.timer = (struct loop_timer){ .expired = write_again, .ctx = &t };
	assert_int_equal(loop_add(w->loop, &t.source[0], fd, EPOLLIN | EPOLLET), 0);
	loop_timer_set(w->loop, &t.timer, 1);
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(t.edges, 3);
	loop_timer_cancel(w->loop, &t.timer);
	loop_remove(w->loop, &t.source[0]);
	close(fd);
}

static void bad_fd_is_an_error(void **state)
{
	struct world *w = *state;
	struct loop_source s = { .ready = remove_both };

	assert_int_equal(loop_add(w->loop, &s, -1, EPOLLIN), -EBADF);
	assert_false(s.watched);
	loop_remove(w->loop, &s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(call_returns_the_result),
		TEST(many_callers_get_their_own_results),
		TEST(deferred_job_is_finished_later),
		TEST(posted_job_may_post_itself),
		TEST(end_fails_jobs_that_wait),
		TEST(stop_before_run_ends_at_once),
		TEST(timers_expire_in_time_and_can_be_cancelled),
		TEST(removed_source_is_not_called),
		TEST(edges_need_no_read),
		TEST(bad_fd_is_an_error),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
