/*
 * loop.h - an event loop over epoll: fd callbacks, timers, and jobs that
 * other threads hand in.
 *
 * One thread runs the loop.  Sources and timers belong to that thread: they
 * are touched by its callbacks, or by the thread that sets everything up
 * before loop_run() starts.  Other threads use loop_post(), loop_call() and
 * loop_stop() only.  All memory is the caller's: the loop itself allocates
 * nothing after loop_new(), so no amount of jobs or events makes it grow.
 *
 * What the lock is for:
 *  - A caller tests job->done, the loop's thread finishes the job and
 *    signals, the caller goes to sleep: the signal would be lost.  `done` is
 *    therefore written and tested under the lock.
 *  - A job lives on its caller's stack.  The loop's thread sets `done`, the
 *    caller sees it and returns, the loop's thread still unlinks the job:
 *    writes into a dead frame.  The job is therefore unlinked first, and not
 *    touched after the lock is dropped.
 *  - loop_run() has looked at the queue for the last time and leaves, a
 *    caller appends a job and waits for ever.  The queue is therefore closed
 *    (`ended`) and emptied in one critical section; later callers see that.
 * A wake-up for a loop that is just about to sleep is not lost because the
 * eventfd's counter stays until it is read.
 *
 * No callback runs with the lock held.  The loop's thread never waits for
 * another thread, so a thread in loop_call() may hold any lock that no
 * callback takes.
 *
 * fd events are served before timers: answers that are already there count
 * even if this process was stopped until after their deadline.
 *
 * System calls while running: epoll_wait, epoll_ctl, read and write (the
 * wake-up eventfd, which no other process has), futex (the lock);
 * clock_gettime where the vDSO cannot answer.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"

struct loop;

/* An fd to watch.  Set `ready` and `ctx`; the rest is the loop's.  Zeroed
 * memory is a source that is not being watched. */
struct loop_source {
	void (*ready)(void *ctx, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
	void *ctx;
	int fd;
	bool watched;
};

/* A moment to wake up at.  Set `expired` and `ctx`. */
struct loop_timer {
	void (*expired)(void *ctx);
	void *ctx;
	uint64_t deadline_ns;
	bool armed;
	struct loop_timer *next;
};

/*
 * Something to do on the loop's thread.  Set `run`; embed the job in a
 * structure that holds the arguments.
 */
struct loop_job {
	void (*run)(struct loop_job *job);
	struct loop_job *link; /* for whoever defers the job, after `run` has begun */
	int result;
	bool waited, done;
	struct loop_job *next, *prev;
};

/* NULL and *e (ENOMEM, EMFILE). */
struct loop *loop_new(struct err *e);

/* Nobody runs the loop or waits in it any more; its sources are removed. */
void loop_free(struct loop *l);

/*
 * Serve until loop_stop().  Every job that has not been finished then, and
 * every later one, ends with -ESHUTDOWN; deferred jobs must not be touched
 * afterwards.  0, or -errno of epoll.  Runs once.
 */
int loop_run(struct loop *l);

/* Make loop_run() return soon.  Any thread, any number of times. */
void loop_stop(struct loop *l);

/* Watch `fd` (borrowed) for `events` (EPOLLIN, ...; level-triggered).
 * 0 or -errno. */
int loop_add(struct loop *l, struct loop_source *s, int fd, uint32_t events);
int loop_modify(struct loop *l, struct loop_source *s, uint32_t events);

/* Stop watching; do it before the fd is closed.  The callback will not be
 * called again, not even for an event that was already fetched. */
void loop_remove(struct loop *l, struct loop_source *s);

/* Call t->expired once at or after `deadline_ns` (of now_ns(), 1 ms coarse).
 * A timer that is armed already is moved. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t deadline_ns);
void loop_timer_cancel(struct loop *l, struct loop_timer *t);

/*
 * Run the job on the loop's thread some time; does not wait.  Any thread;
 * may be called before loop_run().  The job is its owner's again when `run`
 * begins.  0 or -ESHUTDOWN.
 */
int loop_post(struct loop *l, struct loop_job *job);

/*
 * Run the job on the loop's thread and wait for its result.  `run`, or
 * something that it has arranged for, ends it with loop_job_finish().
 * Returns the result, or -ESHUTDOWN.  Not from the loop's own thread.
 */
int loop_call(struct loop *l, struct loop_job *job);

/* End a job of loop_call().  Loop's thread; *job is gone afterwards. */
void loop_job_finish(struct loop *l, struct loop_job *job, int result);

#endif
