/*
 * describe.c - why a vCPU cannot go on, for a person: a plain sentence, the
 * registers, and the bytes at the instruction pointer.
 *
 * The numbers are the guest's, the words are ours: nothing of the guest's is
 * printed but as hexadecimal digits.
 */
#include "arch/arch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/base/util.h"

#define CODE_BYTES 16

struct text {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->len >= t->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = MIN(t->size, t->len + (size_t)n);
}

static void say_bytes(struct text *t, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		say(t, "%s%02x", i ? " " : "", bytes[i]);
}

/* Up to CODE_BYTES at a linear address, through the guest's page tables as
 * KVM walks them; they may end at a page that is not there. */
static size_t read_code(int vcpu_fd, const struct guest_memory *gm, uint64_t linear,
			uint8_t bytes[CODE_BYTES])
{
	size_t n = 0;

	while (n < CODE_BYTES) {
		struct kvm_translation tr = { .linear_address = linear + n };
		size_t in_page = 4096 - (size_t)(tr.linear_address & 4095);
		size_t part = MIN(in_page, CODE_BYTES - n);

		if (ioctl(vcpu_fd, KVM_TRANSLATE, &tr) < 0 || !tr.valid ||
		    guest_memory_read(gm, GPA(tr.physical_address), bytes + n, part) < 0)
			break;
		n += part;
	}
	return n;
}

static void say_emulation(struct text *t, const struct kvm_run *run, uint64_t rip,
			  const uint8_t *code, size_t ncode)
{
	uint8_t n = 0;

	/* KVM's own copy of the instruction, where it gives one. */
	if (run->emulation_failure.ndata >= 3 &&
	    run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)
		n = MIN(run->emulation_failure.insn_size,
			(uint8_t)sizeof(run->emulation_failure.insn_bytes));
	say(t, "this host's KVM could not emulate the instruction ");
	if (n)
		say_bytes(t, run->emulation_failure.insn_bytes, n);
	else if (ncode)
		say_bytes(t, code, ncode);
	else
		say(t, "(not readable)");
	say(t,
	    " at %#" PRIx64 "; either the guest went astray, or KVM has to emulate guests "
	    "here for want of VT-x or AMD-V: `bulkhead doctor` tells",
	    rip);
}

static void say_internal_error(struct text *t, const struct kvm_run *run, uint64_t rip,
			       const uint8_t *code, size_t ncode)
{
	switch (run->internal.suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		say_emulation(t, run, rip, code, ncode);
		break;
	case KVM_INTERNAL_ERROR_SIMUL_EX:
		say(t, "KVM met two exceptions at once that it could not merge");
		break;
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		say(t, "KVM could not deliver an interrupt or exception to the guest: its "
		       "descriptor tables or stack are in memory that is not RAM");
		break;
	case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		say(t, "the processor left the guest for a reason that this host's KVM does "
		       "not know");
		break;
	default:
		say(t, "KVM reports an internal error (suberror %u)", run->internal.suberror);
		break;
	}
	if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION)
		for (uint32_t i = 0; i < MIN(run->internal.ndata, 16U); i++)
			say(t, "%s%#llx", i ? ", " : "; data ", run->internal.data[i]);
}

static void say_reason(struct text *t, const struct kvm_run *run, uint64_t rip, const uint8_t *code,
		       size_t ncode)
{
	switch (run->exit_reason) {
	case KVM_EXIT_INTERNAL_ERROR:
		say_internal_error(t, run, rip, code, ncode);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		say(t,
		    "the processor refused to enter the guest (hardware reason %#llx): its "
		    "state is one that this host cannot run",
		    run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_SHUTDOWN:
		say(t, "triple fault: an exception came up while the guest could not handle the "
		       "one before");
		break;
	case KVM_EXIT_UNKNOWN:
		say(t,
		    "the processor left the guest for a reason that KVM does not know "
		    "(%#llx)",
		    run->hw.hardware_exit_reason);
		break;
	case KVM_EXIT_EXCEPTION:
		say(t, "KVM stopped at exception %u, error code %#x", run->ex.exception,
		    run->ex.error_code);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		say(t, "KVM reports a system event of type %u", run->system_event.type);
		break;
	case KVM_EXIT_NMI:
		say(t, "KVM gave an NMI of the host's back");
		break;
	case KVM_EXIT_HYPERCALL:
		say(t, "the guest made hypercall %llu, which is not offered", run->hypercall.nr);
		break;
	default:
		say(t, "KVM stopped the guest for a reason that is not handled (exit %u)",
		    run->exit_reason);
		break;
	}
	say(t, "\n");
}

static void say_segment(struct text *t, const char *name, const struct kvm_segment *s)
{
	say(t, "%s=%04x base=%016llx limit=%08x type=%x dpl=%u%s%s%s\n", name, s->selector, s->base,
	    s->limit, s->type, s->dpl, s->db ? " 32-bit" : "", s->l ? " 64-bit" : "",
	    s->unusable || !s->present ? " absent" : "");
}

static void say_registers(struct text *t, const struct kvm_regs *r, const struct kvm_sregs *s)
{
	say(t, "RIP=%016llx RFL=%08llx CPL=%u EFER=%llx APIC_BASE=%llx\n", r->rip, r->rflags,
	    s->ss.dpl, s->efer, s->apic_base);
	say(t, "RAX=%016llx RBX=%016llx RCX=%016llx RDX=%016llx\n", r->rax, r->rbx, r->rcx, r->rdx);
	say(t, "RSI=%016llx RDI=%016llx RBP=%016llx RSP=%016llx\n", r->rsi, r->rdi, r->rbp, r->rsp);
	say(t, "R8 =%016llx R9 =%016llx R10=%016llx R11=%016llx\n", r->r8, r->r9, r->r10, r->r11);
	say(t, "R12=%016llx R13=%016llx R14=%016llx R15=%016llx\n", r->r12, r->r13, r->r14, r->r15);
	say(t, "CR0=%08llx CR2=%016llx CR3=%016llx CR4=%08llx\n", s->cr0, s->cr2, s->cr3, s->cr4);
	say_segment(t, "CS ", &s->cs);
	say_segment(t, "SS ", &s->ss);
	say_segment(t, "DS ", &s->ds);
	say_segment(t, "ES ", &s->es);
	say_segment(t, "FS ", &s->fs);
	say_segment(t, "GS ", &s->gs);
	say_segment(t, "TR ", &s->tr);
	say(t, "GDT=%016llx limit=%04x IDT=%016llx limit=%04x\n", s->gdt.base, s->gdt.limit,
	    s->idt.base, s->idt.limit);
}

void arch_describe_stop(int vcpu_fd, const struct kvm_run *run, const struct guest_memory *gm,
			char *out, size_t size)
{
	struct text t = { .buf = out, .size = size };
	struct kvm_sregs sregs = { 0 };
	struct kvm_regs regs = { 0 };
	uint8_t code[CODE_BYTES];
	uint64_t linear;
	size_t ncode;
	bool have;

	if (size == 0)
		return;
	out[0] = '\0';
	have = ioctl(vcpu_fd, KVM_GET_REGS, &regs) == 0 &&
	       ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) == 0;
	/* The base counts outside of 64-bit mode only, where it may be set. */
	linear = regs.rip + (sregs.cs.l ? 0 : sregs.cs.base);
	ncode = have ? read_code(vcpu_fd, gm, linear, code) : 0;
	say_reason(&t, run, linear, code, ncode);
	if (!have) {
		say(&t, "(its registers cannot be read)\n");
		return;
	}
	say_registers(&t, &regs, &sregs);
	say(&t, "Code at RIP: ");
	if (ncode)
		say_bytes(&t, code, ncode);
	else
		say(&t, "not readable");
	say(&t, "\n");
}
