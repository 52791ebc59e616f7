/* control_thread.c - see control_thread.h. */
#include "vmm/monitor/control_thread.h"

#include <signal.h>
#include <string.h>

#include "vmm/base/log.h"

int control_thread_init(struct control_thread *t, struct err *e)
{
	memset(t, 0, sizeof(*t));
	t->loop = loop_new(e);
	return t->loop ? 0 : -ENOMEM;
}

static void *control_thread_main(void *arg)
{
	struct control_thread *t = arg;
	int r = loop_run(t->loop);

	if (r < 0)
		log_error("control thread: epoll_wait: %s", strerror(-r));
	return NULL;
}

int control_thread_start(struct control_thread *t, struct err *e)
{
	sigset_t all, old;
	int r;

	/* Signals are for the vCPU threads (kicks) and the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&t->thread, NULL, control_thread_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return err_code(e, -r, "control thread");
	t->started = true;
	return 0;
}

void control_thread_stop(struct control_thread *t)
{
	if (!t->started)
		return;
	loop_stop(t->loop);
	pthread_join(t->thread, NULL);
	t->started = false;
}

void control_thread_release(struct control_thread *t)
{
	loop_free(t->loop);
	t->loop = NULL;
}
