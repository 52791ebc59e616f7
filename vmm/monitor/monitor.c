/* monitor.c - see monitor.h. */
#include "vmm/monitor/monitor.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "vmm/base/log.h"
#include "vmm/base/loop.h"
#include "vmm/base/util.h"
#include "vmm/jail/filter.h"
#include "vmm/monitor/machine.h"
#include "vmm/monitor/messages.h"

struct monitor {
	const struct monitor_params *params;
	struct loop *loop;
	struct loop_source orders;
	struct machine machine;

	/* How it ended; the first to say so is believed. */
	pthread_mutex_t end_lock;
	enum vm_end end;
	uint32_t detail;
	char text[VM_END_TEXT_MAX];
};

static void tell(const struct monitor *m, const struct monitor_msg *msg)
{
	ssize_t n;

	/* Waits while the supervisor is behind: it reads until it has the end.
	 * Our end of the pair is ours alone, nobody else changes its flags. */
	do {
		n = send(m->params->sock, msg, sizeof(*msg), MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
}

/* Any thread. */
static void on_end(void *ctx, enum vm_end end, uint32_t detail, const char *text)
{
	struct monitor *m = ctx;
	bool first;

	pthread_mutex_lock(&m->end_lock);
	first = m->end == VM_END_NONE;
	if (first) {
		m->end = end;
		m->detail = detail;
		snprintf(m->text, sizeof(m->text), "%s", text ? text : "");
	}
	pthread_mutex_unlock(&m->end_lock);
	if (!first)
		return;
	machine_halt(&m->machine);
	loop_stop(m->loop);
}

/* vCPU thread. */
static void on_phase(void *ctx, uint32_t phase)
{
	const struct monitor *m = ctx;
	struct monitor_msg msg = { .kind = MONITOR_PHASE, .detail = phase };

	tell(m, &msg);
}

/* Control thread. */
static void on_lost(void *ctx, unsigned int device, const char *why, bool unsafe)
{
	struct monitor *m = ctx;
	struct monitor_msg msg = { .kind = MONITOR_LOST, .detail = device };

	snprintf(msg.text, sizeof(msg.text), "%s", why);
	if (unsafe || m->params->device[device].ends_machine)
		on_end(m, VM_END_DEVICE_LOST, device, why);
	else
		tell(m, &msg);
}

static void on_order(void *ctx, uint32_t events)
{
	struct monitor *m = ctx;
	struct monitor_order order;
	ssize_t n = recv(m->params->sock, &order, sizeof(order), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(order)) { /* the supervisor is gone: so are we */
		on_end(m, VM_END_STOPPED, 0, NULL);
		return;
	}
	switch (order.kind) {
	case ORDER_POWER_BUTTON:
		machine_power_button(&m->machine);
		break;
	case ORDER_PAUSE:
		vcpu_gate_hold(&m->machine.gate);
		break;
	case ORDER_RESUME:
		vcpu_gate_open(&m->machine.gate);
		break;
	case ORDER_PIDS:
		machine_bound_processes(&m->machine, order.value);
		break;
	case ORDER_STOP:
		on_end(m, VM_END_STOPPED, 0, NULL);
		break;
	}
}

static uint64_t timeval_ns(struct timeval tv)
{
	return (uint64_t)tv.tv_sec * NS_PER_S + (uint64_t)tv.tv_usec * 1000;
}

static void tell_end(struct monitor *m)
{
	struct monitor_msg msg = { .kind = MONITOR_END };
	struct rusage ru;

	pthread_mutex_lock(&m->end_lock);
	msg.end = (uint32_t)m->end;
	msg.detail = m->detail;
	memcpy(msg.text, m->text, sizeof(msg.text));
	pthread_mutex_unlock(&m->end_lock);
	msg.linux_image = m->machine.boot.linux_image;
	if (getrusage(RUSAGE_SELF, &ru) == 0)
		msg.cpu_ns = timeval_ns(ru.ru_utime) + timeval_ns(ru.ru_stime);
	for (unsigned int i = 0; i < VM_MOMENT_COUNT; i++)
		msg.moments[i] = __atomic_load_n(&m->machine.moments[i], __ATOMIC_RELAXED);
	machine_exits(&m->machine, msg.exits);
	if (m->params->statistics)
		machine_statistics(&m->machine, &msg);
	/* The supervisor reads the console up to its end: let there be one. */
	close(m->params->console_out);
	tell(m, &msg);
}

/* Build, confine, run.  0 when the machine has run (how it ended is in
 * m->end), or -errno and *e. */
static int run(struct monitor *m, struct err *e)
{
	const struct machine_events events = {
		.phase = on_phase, .end = on_end, .lost = on_lost, .ctx = m
	};
	int r;

	machine_moment(&m->machine, VM_MOMENT_MONITOR_START);
	m->loop = loop_new(e);
	if (!m->loop)
		return -ENOMEM;
	r = machine_build(&m->machine, m->params, m->loop, &events, e);
	if (r < 0)
		return r;
	m->orders.ready = on_order;
	m->orders.ctx = m;
	r = loop_add(m->loop, &m->orders, m->params->sock, EPOLLIN);
	if (r < 0)
		return err_code(e, r, "watch the supervisor");
	/* From here on strangers' bytes are read: kernel files, what the guest
	 * does, what device processes answer. */
	if (m->params->confine) {
		r = filter_install(FILTER_MONITOR, true, e);
		if (r < 0)
			return r;
	}
	machine_moment(&m->machine, VM_MOMENT_FILTER);
	r = machine_run(&m->machine, e);
	if (r < 0)
		return r;
	r = loop_run(m->loop);
	return r < 0 ? err_code(e, r, "the control thread's loop failed") : 0;
}

int monitor_main(void *params)
{
	struct monitor *m = calloc(1, sizeof(*m));
	struct err e = { "" };

	if (!m)
		return 1;
	/* One heap for all threads: vCPUs allocate next to nothing, and glibc
	 * would make arenas for them and count the host's CPUs, under the filter. */
	mallopt(M_ARENA_MAX, 1);
	m->params = params;
	pthread_mutex_init(&m->end_lock, NULL);
	if (run(m, &e) < 0) {
		pthread_mutex_lock(&m->end_lock);
		m->end = VM_END_FAILED;
		snprintf(m->text, sizeof(m->text), "%s", e.text);
		pthread_mutex_unlock(&m->end_lock);
	}
	tell_end(m);
	return 0;
}
