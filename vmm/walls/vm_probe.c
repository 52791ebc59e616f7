/* vm_probe.c - see vm_probe.h. */
#include "vmm/walls/vm_probe.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/jail/filter.h"
#include "vmm/monitor/probe.h"
#include "vmm/monitor/probe_cache.h"

#define WAIT_MS	 300  /* a guest that boots has reported by then, on hardware */
#define LIMIT_MS 8000 /* of the probe itself */

/* What the prober answers; read as data, the text is made printable. */
struct vm_probe_answer {
	bool linux_ok;
	char why[160];
};

struct prober {
	int kvm_fd, out;
	bool confine;
};

int vm_probe_recall(struct vm_probe *p, struct err *e)
{
	struct probe_verdict verdict;

	*p = (struct vm_probe){ .result_fd = -1 };
	if (probe_recall(&verdict) < 0) {
		p->wanted = true;
		return 0;
	}
	if (verdict.linux_ok)
		return 0;
	return err_set(e, ENOTSUP,
		       "this host's KVM (kvm-%s) cannot run Linux: a probe failed at %s; "
		       "'bulkhead doctor' explains",
		       verdict.backend, verdict.failed);
}

/* --- the prober's process --- */

static int prober_main(void *arg)
{
	const struct prober *pr = arg;
	struct probe_result result = { .linux_ok = false };
	struct vm_probe_answer answer = { .linux_ok = true };
	struct err e = { "" };
	char how[96];
	int step;

	if (pr->confine && filter_install(FILTER_PROBE, false, &e) < 0)
		return 1;
	poll(NULL, 0, WAIT_MS);
	probe_steps_run(pr->kvm_fd, &result);
	probe_conclude(&result);
	probe_remember(&result);
	step = probe_first_failure(&result);
	if (!result.linux_ok && step >= 0) {
		answer.linux_ok = false;
		snprintf(answer.why, sizeof(answer.why), "%s: %s", probe_steps[step].name,
			 probe_describe(&result.items[step], how, sizeof(how)));
	}
	return write_all(pr->out, &answer, sizeof(answer)) < 0 ? 1 : 0;
}

/* --- the supervisor's side --- */

static void on_answer(void *ctx, uint32_t events)
{
	struct vm_probe *p = ctx;
	struct vm_probe_answer answer;
	char why[sizeof(answer.why)], text[320];
	ssize_t n = read(p->result_fd, &answer, sizeof(answer));

	(void)events;
	loop_remove(p->loop, &p->source);
	if (n != sizeof(answer) || answer.linux_ok)
		return;
	answer.why[sizeof(answer.why) - 1] = '\0';
	snprintf(text, sizeof(text),
		 "this host's KVM cannot run Linux (%s); 'bulkhead doctor' explains",
		 printable(why, sizeof(why), answer.why));
	p->cannot(p->ctx, text);
}

static void on_exit_of_prober(struct vm_process *process)
{
	vm_process_reap(process, false);
}

static void on_limit(void *ctx)
{
	vm_probe_stop(ctx);
}

static int watch(struct vm_probe *p, struct err *e)
{
	int r = vm_process_watch(&p->process, p->loop, on_exit_of_prober, p, e);

	if (r < 0)
		return r;
	p->running = true;
	p->source = (struct loop_source){ .ready = on_answer, .ctx = p };
	p->limit = (struct loop_timer){ .expired = on_limit, .ctx = p };
	r = loop_add(p->loop, &p->source, p->result_fd, EPOLLIN);
	if (r < 0)
		return err_code(e, r, "watch the prober");
	loop_timer_set(p->loop, &p->limit, now_ns() + (WAIT_MS + LIMIT_MS) * NS_PER_MS);
	return 0;
}

int vm_probe_start(struct vm_probe *p, struct loop *loop, int kvm_fd, int null_fd, bool confine,
		   void (*cannot)(void *ctx, const char *why), void *ctx, struct err *e)
{
	struct prober pr = { .kvm_fd = kvm_fd, .confine = confine };
	struct compartment_spec spec = {
		.name = "probe",
		.null_fd = null_fd,
		.debuggable = !confine,
		.keeps_environment = true, /* where the cache is */
		.opens_files = true,
		.main = prober_main,
		.arg = &pr,
	};
	int pipe_fds[2];
	int r;

	if (!p->wanted)
		return 0;
	p->loop = loop;
	p->cannot = cannot;
	p->ctx = ctx;
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(e, "make the prober's pipe");
	p->result_fd = pipe_fds[0];
	pr.out = pipe_fds[1];
	compartment_keep(&spec, kvm_fd);
	compartment_keep(&spec, pr.out);
	p->process.name = spec.name;
	r = compartment_spawn(&spec, &p->process.c, e);
	close(pr.out);
	if (r < 0)
		close_fd(&p->result_fd);
	return r < 0 ? r : watch(p, e);
}

void vm_probe_stop(struct vm_probe *p)
{
	if (!p->running)
		return;
	p->running = false;
	loop_timer_cancel(p->loop, &p->limit);
	loop_remove(p->loop, &p->source);
	vm_process_kill(&p->process);
	vm_process_reap(&p->process, true);
	vm_process_close(&p->process);
	close_fd(&p->result_fd);
}
