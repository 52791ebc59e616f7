/*
 * exits.c - see exits.h.  KVM API, "5. The kvm_run structure".
 *
 * An exit that nobody asked for ends the machine with its registers in the
 * message: whoever reads it at night has no debugger.
 */
#include "vmm/monitor/exits.h"

#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "vmm/base/util.h"

void exits_stop(struct vcpu *vcpu, enum vm_end end, const char *text)
{
	char full[VM_END_TEXT_MAX];
	size_t used;

	used = (size_t)snprintf(full, sizeof(full), "%s\n", text);
	if (used < sizeof(full))
		arch_describe_stop(vcpu->fd, vcpu->run, vcpu->env->memory, full + used,
				   sizeof(full) - used);
	vcpu->env->stop(vcpu->env->ctx, end, full);
}

static bool handle_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	/* KVM puts `count` accesses of a string instruction one behind another. */
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(vcpu->env->ports, run->io.port, data, run->io.size);
		else
			bus_read(vcpu->env->ports, run->io.port, data, run->io.size);
	}
	return true;
}

static bool handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->mmio.is_write)
		bus_write(vcpu->env->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(vcpu->env->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	return true;
}

static bool handle_interrupted(struct vcpu *vcpu)
{
	(void)vcpu; /* the loop looks at the gate */
	return true;
}

static bool handle_shutdown(struct vcpu *vcpu)
{
	exits_stop(vcpu, VM_END_TRIPLE_FAULT, "the guest stopped with a triple fault");
	return false;
}

static bool handle_internal_error(struct vcpu *vcpu)
{
	if (vcpu->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
		exits_stop(vcpu, VM_END_EMULATION,
			   "the host's KVM could not emulate an instruction of the guest");
	else
		exits_stop(vcpu, VM_END_KVM_ERROR, "KVM stopped the guest with an internal error");
	return false;
}

static bool handle_fail_entry(struct vcpu *vcpu)
{
	exits_stop(vcpu, VM_END_KVM_ERROR, "the processor refused to enter the guest");
	return false;
}

static bool handle_system_event(struct vcpu *vcpu)
{
	const struct vcpu_env *env = vcpu->env;

	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		env->stop(env->ctx, VM_END_POWER_OFF, "");
		break;
	case KVM_SYSTEM_EVENT_RESET:
		env->stop(env->ctx, VM_END_RESET, "");
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		env->stop(env->ctx, VM_END_PANIC, "");
		break;
	default:
		exits_stop(vcpu, VM_END_KVM_ERROR, "KVM reported an unknown system event");
	}
	return false;
}

static const struct {
	const char *name;
	bool (*handle)(struct vcpu *vcpu);
} exits[VM_EXIT_REASONS] = {
	[KVM_EXIT_IO] = { "io", handle_io },
	[KVM_EXIT_MMIO] = { "mmio", handle_mmio },
	[KVM_EXIT_INTR] = { "interrupted", handle_interrupted },
	[KVM_EXIT_SHUTDOWN] = { "shutdown", handle_shutdown },
	[KVM_EXIT_INTERNAL_ERROR] = { "internal_error", handle_internal_error },
	[KVM_EXIT_FAIL_ENTRY] = { "fail_entry", handle_fail_entry },
	[KVM_EXIT_SYSTEM_EVENT] = { "system_event", handle_system_event },
	[KVM_EXIT_HLT] = { "hlt", NULL },
	[KVM_EXIT_UNKNOWN] = { "unknown", NULL },
	[KVM_EXIT_EXCEPTION] = { "exception", NULL },
	[KVM_EXIT_DEBUG] = { "debug", NULL },
};

const char *exits_name(unsigned int reason)
{
	return reason < ARRAY_SIZE(exits) ? exits[reason].name : NULL;
}

bool exits_handle(struct vcpu *vcpu)
{
	uint32_t reason = vcpu->run->exit_reason;
	char text[96];

	if (reason < ARRAY_SIZE(exits) && exits[reason].handle)
		return exits[reason].handle(vcpu);
	snprintf(text, sizeof(text), "vCPU %u left the guest for a reason that is not handled (%u)",
		 vcpu->index, reason);
	exits_stop(vcpu, VM_END_KVM_ERROR, text);
	return false;
}
