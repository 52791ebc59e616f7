/*
 * vcpu.h - a virtual CPU: its thread, and the loop around KVM_RUN.
 *
 * Knows no device: what the guest does to ports and memory goes to two buses,
 * and an exit that ends the machine goes to `stop`.
 */
#ifndef MONITOR_VCPU_H
#define MONITOR_VCPU_H

#include <pthread.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/guest_memory.h"
#include "vmm/monitor/kvm.h"
#include "vmm/monitor/messages.h"
#include "vmm/monitor/vcpu_gate.h"

/* What all vCPUs of a machine share; borrowed, outlives them. */
struct vcpu_env {
	const struct kvm_vm *vm;
	const struct guest_memory *memory;
	const struct bus *ports;
	const struct bus *mmio;
	struct vcpu_gate *gate;
	/*
	 * On the vCPU's thread, before its first entry: load what it runs and
	 * set its registers.  Negative: it told why by itself; the thread ends.
	 */
	int (*prepare)(void *ctx, unsigned int index);
	/* The machine has to end.  Any vCPU thread; the first call counts. */
	void (*stop)(void *ctx, enum vm_end end, const char *text);
	void *ctx;
};

struct vcpu {
	unsigned int index;
	int fd;
	struct kvm_run *run;
	const struct vcpu_env *env;
	pthread_t thread;
	uint64_t exits[VM_EXIT_REASONS]; /* written by the thread, relaxed atomics */
};

/* Once per process, before the first vCPU: the signal that kicks. */
void vcpu_install_kick_handler(void);

/* Create the vCPU and its thread, which waits at the gate.  0 or -errno. */
int vcpu_start(struct vcpu *vcpu, unsigned int index, const struct vcpu_env *env, struct err *e);

/* Make the thread leave the guest and look at the gate.  Any thread. */
void vcpu_kick(struct vcpu *vcpu);

#endif
