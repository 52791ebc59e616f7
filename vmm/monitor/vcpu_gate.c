/* vcpu_gate.c - see vcpu_gate.h. */
#include "vmm/monitor/vcpu_gate.h"

#include <errno.h>
#include <time.h>

void vcpu_gate_init(struct vcpu_gate *g, unsigned int nvcpus, void (*kick)(void *ctx), void *ctx)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->changed, &attr);
	pthread_condattr_destroy(&attr);
	g->state = VCPU_GATE_HELD;
	g->nvcpus = nvcpus;
	g->nparked = 0;
	g->kick = kick;
	g->ctx = ctx;
}

void vcpu_gate_release(struct vcpu_gate *g)
{
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
}

bool vcpu_gate_pass(struct vcpu_gate *g)
{
	bool go_on;

	pthread_mutex_lock(&g->lock);
	g->nparked++;
	if (g->state == VCPU_GATE_CLOSING && g->nparked == g->nvcpus) {
		g->state = VCPU_GATE_HELD;
		pthread_cond_broadcast(&g->changed);
	}
	while (g->state == VCPU_GATE_HELD || g->state == VCPU_GATE_CLOSING)
		pthread_cond_wait(&g->changed, &g->lock);
	g->nparked--;
	go_on = g->state == VCPU_GATE_OPEN;
	pthread_mutex_unlock(&g->lock);
	return go_on;
}

int vcpu_gate_open(struct vcpu_gate *g)
{
	int r = 0;

	pthread_mutex_lock(&g->lock);
	if (g->state == VCPU_GATE_ENDED) {
		r = -ESHUTDOWN;
	} else if (g->state == VCPU_GATE_OPEN) {
		r = -EALREADY;
	} else {
		g->state = VCPU_GATE_OPEN;
		pthread_cond_broadcast(&g->changed);
	}
	pthread_mutex_unlock(&g->lock);
	return r;
}

int vcpu_gate_hold(struct vcpu_gate *g)
{
	int r = 0;

	pthread_mutex_lock(&g->lock);
	if (g->state == VCPU_GATE_ENDED)
		r = -ESHUTDOWN;
	else if (g->state != VCPU_GATE_OPEN)
		r = -EALREADY;
	else
		/* A thread that still counts as parked has been woken by an open
		 * and will see CLOSING before it leaves: it stays parked. */
		g->state = g->nparked == g->nvcpus ? VCPU_GATE_HELD : VCPU_GATE_CLOSING;
	pthread_mutex_unlock(&g->lock);
	if (r == 0 && g->kick)
		g->kick(g->ctx);
	return r;
}

int vcpu_gate_wait_held(struct vcpu_gate *g, unsigned int timeout_ms)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&g->lock);
	while (g->state == VCPU_GATE_CLOSING && r != -ETIMEDOUT)
		r = -pthread_cond_timedwait(&g->changed, &g->lock, &until);
	if (g->state == VCPU_GATE_HELD)
		r = 0;
	else if (g->state == VCPU_GATE_ENDED)
		r = -ESHUTDOWN;
	else if (g->state == VCPU_GATE_OPEN)
		r = -ECANCELED;
	pthread_mutex_unlock(&g->lock);
	return r;
}

bool vcpu_gate_end(struct vcpu_gate *g)
{
	bool first;

	pthread_mutex_lock(&g->lock);
	first = g->state != VCPU_GATE_ENDED;
	g->state = VCPU_GATE_ENDED;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
	if (first && g->kick)
		g->kick(g->ctx);
	return first;
}
