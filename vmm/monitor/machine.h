/*
 * machine.h - a virtual machine: what it is made of, and the order in which
 * it is built.  The only place that knows every device.
 */
#ifndef MONITOR_MACHINE_H
#define MONITOR_MACHINE_H

#include <pthread.h>

#include "arch/arch.h"
#include "devices/bus.h"
#include "devices/platform/control_ports.h"
#include "devices/platform/ioapic.h"
#include "devices/platform/virtio_mmio.h"
#include "vmm/base/loop.h"
#include "vmm/monitor/console.h"
#include "vmm/monitor/kvm.h"
#include "vmm/monitor/messages.h"
#include "vmm/monitor/monitor.h"
#include "vmm/monitor/vcpu.h"
#include "vmm/monitor/vcpu_gate.h"
#include "vmm/monitor/vhost_user_frontend.h"

/* What happens in a machine.  Any thread; must not wait for a vCPU or for
 * the control thread. */
struct machine_events {
	void (*phase)(void *ctx, uint32_t phase);
	/* It is over; the first call counts.  `text` may be NULL. */
	void (*end)(void *ctx, enum vm_end end, uint32_t detail, const char *text);
	/* A device's process is gone or useless; control thread.  `unsafe`: it
	 * may still write to guest memory, so the machine must end. */
	void (*lost)(void *ctx, unsigned int device, const char *why, bool unsafe);
	void *ctx;
};

struct machine_device {
	struct machine *machine;
	unsigned int index;
	struct vhost_user_frontend *frontend;
	struct virtio_mmio *transport;
	uint64_t doorbells; /* queues whose kicks KVM takes, one bit each */
	bool acks_taken;    /* and InterruptACK */
};

struct machine {
	const struct monitor_params *params; /* borrowed */
	struct machine_events events;
	struct loop *loop; /* the control thread's, borrowed */
	struct kvm_vm vm;
	int stats_fd; /* kvm_stats.h; with params->statistics only, else -1 */
	int vcpu_stats_fd[ARCH_MAX_CPUS];
	struct guest_memory memory;
	struct bus ports, mmio;
	struct ioapic ioapic;
	struct control_sink control;
	struct console console;
	struct virtio_backend_ops device_ops; /* of all of them: see activate_device() */
	struct machine_device device[ARCH_MAX_VIRTIO];
	int ack_fd; /* an eventfd that nobody reads: see take_acks() */
	struct arch_cpu_model *model;
	struct arch_boot boot;

	struct vcpu_gate gate;
	struct vcpu_env vcpu_env;
	struct vcpu *vcpus; /* params->ncpus of them */

	/* vCPU 0 enters the guest when every other vCPU has been set up. */
	pthread_mutex_t ready_lock;
	pthread_cond_t ready;
	unsigned int nready;

	/* What init says when it cannot go on; any vCPU thread, under the lock. */
	pthread_mutex_t text_lock;
	char text[512];
	size_t text_len;

	uint64_t moments[VM_MOMENT_COUNT]; /* relaxed atomics */
	uint64_t unbounded;		   /* likewise: BH_PHASE_UNBOUNDED; 0: never */
};

/*
 * Build everything, the vCPUs' threads waiting at the gate.  On failure the
 * process is of no more use.  0 or -errno.
 */
int machine_build(struct machine *m, const struct monitor_params *params, struct loop *loop,
		  const struct machine_events *events, struct err *e);

/* Attach the devices and let the vCPUs run. */
int machine_run(struct machine *m, struct err *e);

/* No vCPU enters the guest again. */
void machine_halt(struct machine *m);

void machine_power_button(struct machine *m);

/* Ask the guest's init for a bound on its processes, 0: none.  Only for a guest that
 * runs Bulkhead's: to any other a power button was pressed. */
void machine_bound_processes(struct machine *m, uint32_t most);

/* Sum of all vCPUs' exits by reason. */
void machine_exits(const struct machine *m, uint64_t ret[VM_EXIT_REASONS]);

/* KVM's own statistics; needs params->statistics. */
void machine_statistics(const struct machine *m, struct monitor_msg *ret);

void machine_moment(struct machine *m, enum vm_moment moment);

#endif
