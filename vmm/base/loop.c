/*
 * loop.c - see loop.h.
 *
 * Timers are an unsorted list: there is one per device, and a scan of some
 * twenty entries costs less than the system call that follows it.
 */
#include "vmm/base/loop.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "vmm/base/util.h"

#define EVENTS_MAX 16

struct job_list {
	struct loop_job *first, *last;
};

struct loop {
	int epoll_fd;
	struct loop_source wake; /* an eventfd of our own */
	struct loop_timer *timers;
	struct epoll_event events[EVENTS_MAX]; /* fetched; those in [0, nevents) */
	int nevents;

	pthread_mutex_t lock; /* for everything below */
	pthread_cond_t finished;
	struct job_list queued; /* posted, not begun */
	struct job_list taken;	/* begun, somebody waits for the result */
	bool stop, ended, running;
	pthread_t thread; /* while running */
};

static void list_append(struct job_list *list, struct loop_job *job)
{
	job->next = NULL;
	job->prev = list->last;
	*(list->last ? &list->last->next : &list->first) = job;
	list->last = job;
}

static void list_unlink(struct job_list *list, struct loop_job *job)
{
	*(job->prev ? &job->prev->next : &list->first) = job->next;
	*(job->next ? &job->next->prev : &list->last) = job->prev;
	job->next = job->prev = NULL;
}

static void wake_ready(void *ctx, uint32_t events)
{
	struct loop *l = ctx;
	uint64_t count;

	(void)events;
	if (read(l->wake.fd, &count, sizeof(count)) < 0)
		return; /* nothing was there: fine */
}

/* Any thread.  The counter cannot overflow: it is read at each wake-up. */
static void wake(struct loop *l)
{
	uint64_t one = 1;

	if (write(l->wake.fd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: the counter is not zero, which is all we want */
}

static int loop_init(struct loop *l)
{
	int r;

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return neg_errno();
	l->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake.fd < 0)
		return neg_errno();
	l->wake.ready = wake_ready;
	l->wake.ctx = l;
	r = loop_add(l, &l->wake, l->wake.fd, EPOLLIN);
	if (r < 0)
		return r;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->finished, NULL);
	return 0;
}

struct loop *loop_new(struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		err_code(e, -ENOMEM, "event loop");
		return NULL;
	}
	l->epoll_fd = l->wake.fd = -1;
	r = loop_init(l);
	if (r < 0) {
		err_code(e, r, "event loop");
		close_fd(&l->wake.fd);
		close_fd(&l->epoll_fd);
		free(l);
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	close_fd(&l->wake.fd);
	close_fd(&l->epoll_fd);
	pthread_cond_destroy(&l->finished);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

int loop_add(struct loop *l, struct loop_source *s, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return neg_errno();
	s->fd = fd;
	s->watched = true;
	return 0;
}

int loop_modify(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev) < 0 ? neg_errno() : 0;
}

void loop_remove(struct loop *l, struct loop_source *s)
{
	if (!s->watched)
		return;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	s->watched = false;
	for (int i = 0; i < l->nevents; i++)
		if (l->events[i].data.ptr == s)
			l->events[i].data.ptr = NULL;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t deadline_ns)
{
	t->deadline_ns = deadline_ns;
	if (t->armed)
		return;
	t->armed = true;
	t->next = l->timers;
	l->timers = t;
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	struct loop_timer **p;

	if (!t->armed)
		return;
	for (p = &l->timers; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	t->armed = false;
}

/* For epoll_wait: milliseconds to the next timer, rounded up; -1: none. */
static int next_timeout(const struct loop *l)
{
	const struct loop_timer *next = l->timers;
	uint64_t now, ms;

	if (!next)
		return -1;
	for (const struct loop_timer *t = next->next; t; t = t->next)
		if (t->deadline_ns < next->deadline_ns)
			next = t;
	now = now_ns();
	if (next->deadline_ns <= now)
		return 0;
	ms = (next->deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static struct loop_timer *find_expired(const struct loop *l, uint64_t now)
{
	for (struct loop_timer *t = l->timers; t; t = t->next)
		if (t->deadline_ns <= now)
			return t;
	return NULL;
}

/* A callback may set and cancel any timer: search anew after each one.  It
 * ends, since `now` stands still and new deadlines lie after it. */
static void run_timers(struct loop *l)
{
	uint64_t now = now_ns();
	struct loop_timer *t;

	while ((t = find_expired(l, now))) {
		loop_timer_cancel(l, t);
		t->expired(t->ctx);
	}
}

/* A job that is posted meanwhile waits for the next round: its poster has
 * written the eventfd, and fds must not starve. */
static void run_jobs(struct loop *l)
{
	struct loop_job *job, *last;

	pthread_mutex_lock(&l->lock);
	last = l->queued.last;
	do {
		job = l->queued.first;
		if (!job)
			break;
		list_unlink(&l->queued, job);
		if (job->waited)
			list_append(&l->taken, job);
		pthread_mutex_unlock(&l->lock);
		job->run(job); /* *job may be gone when it returns */
		pthread_mutex_lock(&l->lock);
	} while (job != last);
	pthread_mutex_unlock(&l->lock);
}

static int serve_once(struct loop *l)
{
	int n;

	n = epoll_wait(l->epoll_fd, l->events, EVENTS_MAX, next_timeout(l));
	if (n < 0)
		return errno == EINTR ? 0 : neg_errno();
	l->nevents = n;
	for (int i = 0; i < n; i++) {
		struct loop_source *s = l->events[i].data.ptr;

		if (s)
			s->ready(s->ctx, l->events[i].events);
	}
	l->nevents = 0;
	run_timers(l);
	run_jobs(l);
	return 0;
}

static void fail_all(struct job_list *list)
{
	struct loop_job *job;

	while ((job = list->first)) {
		list_unlink(list, job);
		job->result = -ESHUTDOWN;
		job->done = true;
	}
}

static bool stopping(struct loop *l)
{
	bool stop;

	pthread_mutex_lock(&l->lock);
	stop = l->stop;
	pthread_mutex_unlock(&l->lock);
	return stop;
}

int loop_run(struct loop *l)
{
	int r = 0;

	pthread_mutex_lock(&l->lock);
	l->thread = pthread_self();
	l->running = true;
	pthread_mutex_unlock(&l->lock);

	while (r == 0 && !stopping(l))
		r = serve_once(l);

	pthread_mutex_lock(&l->lock);
	l->ended = true;
	l->running = false;
	fail_all(&l->queued);
	fail_all(&l->taken);
	pthread_cond_broadcast(&l->finished);
	pthread_mutex_unlock(&l->lock);
	return r;
}

void loop_stop(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_mutex_unlock(&l->lock);
	wake(l);
}

/* With the lock held. */
static int enqueue(struct loop *l, struct loop_job *job, bool waited)
{
	if (l->ended)
		return -ESHUTDOWN;
	job->waited = waited;
	job->done = false;
	list_append(&l->queued, job);
	wake(l);
	return 0;
}

int loop_post(struct loop *l, struct loop_job *job)
{
	int r;

	pthread_mutex_lock(&l->lock);
	r = enqueue(l, job, false);
	pthread_mutex_unlock(&l->lock);
	return r;
}

int loop_call(struct loop *l, struct loop_job *job)
{
	int r;

	pthread_mutex_lock(&l->lock);
	assert(!l->running || !pthread_equal(l->thread, pthread_self()));
	r = enqueue(l, job, true);
	if (r == 0) {
		while (!job->done)
			pthread_cond_wait(&l->finished, &l->lock);
		r = job->result;
	}
	pthread_mutex_unlock(&l->lock);
	return r;
}

void loop_job_finish(struct loop *l, struct loop_job *job, int result)
{
	pthread_mutex_lock(&l->lock);
	list_unlink(&l->taken, job);
	job->result = result;
	job->done = true;
	pthread_cond_broadcast(&l->finished);
	pthread_mutex_unlock(&l->lock);
}
