/* vcpu.c - see vcpu.h. */
#include "vmm/monitor/vcpu.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/base/util.h"
#include "vmm/monitor/exits.h"

#define KICK_SIGNAL SIGUSR1
/* KVM_RUN and the device models need little; glibc's own needs are in it. */
#define VCPU_STACK  (128 * KIB)

static void on_kick(int sig)
{
	(void)sig; /* its delivery is what ends KVM_RUN */
}

void vcpu_install_kick_handler(void)
{
	struct sigaction sa = { .sa_handler = on_kick };

	sigemptyset(&sa.sa_mask);
	sigaction(KICK_SIGNAL, &sa, NULL);
}

static void count_exit(struct vcpu *vcpu)
{
	uint32_t reason = MIN(vcpu->run->exit_reason, (uint32_t)VM_EXIT_REASONS - 1);

	/* The report reads while we count; only this thread writes. */
	__atomic_store_n(&vcpu->exits[reason], vcpu->exits[reason] + 1, __ATOMIC_RELAXED);
}

/* KVM_RUN failed.  True: try again. */
static bool run_failed(struct vcpu *vcpu, int code)
{
	char text[128];

	if (code == EINTR || code == EAGAIN)
		return true;
	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	snprintf(text, sizeof(text), "vCPU %u cannot run (KVM_RUN): %s", vcpu->index,
		 strerror(code));
	exits_stop(vcpu, VM_END_KVM_ERROR, text);
	return false;
}

static void run_loop(struct vcpu *vcpu)
{
	const struct vcpu_env *env = vcpu->env;

	for (;;) {
		/* The mark of a kick is cleared before the gate is looked at: see
		 * vcpu_gate.h for the wake-up that is lost otherwise. */
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		if (!vcpu_gate_pass(env->gate))
			return;
		do {
			if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
				if (!run_failed(vcpu, errno))
					return;
				break;
			}
			count_exit(vcpu);
			if (!exits_handle(vcpu))
				return;
		} while (!__atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_RELAXED));
	}
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;

	if (!vcpu_gate_pass(vcpu->env->gate))
		return NULL;
	if (vcpu->env->prepare(vcpu->env->ctx, vcpu->index) < 0)
		return NULL;
	run_loop(vcpu);
	return NULL;
}

int vcpu_start(struct vcpu *vcpu, unsigned int index, const struct vcpu_env *env, struct err *e)
{
	pthread_attr_t attr;
	int r;

	*vcpu = (struct vcpu){ .index = index, .fd = -1, .env = env };
	r = kvm_vcpu_create(env->vm, index, &vcpu->fd, &vcpu->run, e);
	if (r < 0)
		return r;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, VCPU_STACK);
	r = pthread_create(&vcpu->thread, &attr, vcpu_thread, vcpu);
	pthread_attr_destroy(&attr);
	if (r > 0)
		return err_code(e, -r, "start the thread of vCPU %u", index);
	return 0;
}

void vcpu_kick(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, KICK_SIGNAL);
}
