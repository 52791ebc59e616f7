/*
 * cpu.c - a VM's interrupt controller and CPUs, as far as user space sets
 * them up.  Each ioctl costs launch time, so what KVM's reset state already
 * has is left alone:
 *   FPU and SSE   fcw 0x37f, mxcsr 0x1f80 are KVM's reset values
 *   local APIC    both LINT pins masked (see arch_vm_setup), as a machine
 *                 without an 8259 wants it; kernels set up LINT1 (NMI)
 *   MP state      all but CPU 0 wait for INIT and SIPI
 *   TSC           KVM keeps the TSCs of CPUs made together in step
 *   other MSRs    SYSENTER, STAR and so on are the kernel's to set
 */
#include "arch/x86_64/cpu.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86_64/layout.h"
#include "vmm/base/util.h"

_Static_assert(sizeof(struct kvm_msrs) == 8, "see set_msrs()");

#define MSR_MTRR_DEF_TYPE   0x2ff
#define MTRR_ENABLE_WB	    (1U << 11 | 6)
#define MSR_MISC_ENABLE	    0x1a0
#define MISC_FAST_STRING    (1U << 0)
#define MISC_NO_BTS_NO_PEBS (3U << 11) /* as KVM has them */

struct arch_cpu_model {
	unsigned int ncpus;
	bool intel;
	struct cpuid_table cpuid;
};

int arch_vm_setup(int vm_fd, struct err *e)
{
	/*
	 * KVM resets CPU 0's LINT0 as if an 8259 were wired to it, and Linux
	 * keeps it open when it finds it so.  There is none here.
	 */
	struct kvm_enable_cap lint0 = { .cap = KVM_CAP_DISABLE_QUIRKS,
					.args = { KVM_X86_QUIRK_LINT0_REENABLED } };

	if (ioctl(vm_fd, KVM_ENABLE_CAP, &lint0) < 0)
		return err_errno(e, "KVM_ENABLE_CAP(KVM_CAP_DISABLE_QUIRKS)");
	/*
	 * Three pages that VT-x needs where it cannot run real mode itself
	 * (SIPI starts CPUs there); elsewhere KVM does nothing.  Before the
	 * irqchip it is cheap: it may add a memory slot.
	 */
	if (ioctl(vm_fd, KVM_SET_TSS_ADDR, KVM_TSS_ADDR) < 0)
		return err_errno(e, "KVM_SET_TSS_ADDR");
	return 0;
}

int arch_irqchip_create(int vm_fd, struct err *e)
{
	/* args[0]: the pins of an I/O APIC whose EOIs are to be told of.  None:
	 * nothing in this machine holds a line. */
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 0 } };

	if (ioctl(vm_fd, KVM_ENABLE_CAP, &split) < 0)
		return err_errno(e, "KVM_ENABLE_CAP(KVM_CAP_SPLIT_IRQCHIP)");
	return 0;
}

_Static_assert(sizeof(struct cpuid_table) == ARCH_HOST_CPU_MAX, "the bytes are a table of CPUID");

static size_t table_size(uint32_t nent)
{
	return offsetof(struct cpuid_table, entry) + nent * sizeof(struct kvm_cpuid_entry2);
}

int arch_host_cpu_ask(int kvm_fd, void **ret, size_t *ret_len, struct err *e)
{
	struct cpuid_table *t = calloc(1, sizeof(*t));

	if (!t)
		return err_errno(e, "memory for CPUID");
	/* No kernel's KVM has more entries, so this is not asked twice. */
	t->nent = CPUID_MAX;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, t) < 0) {
		int r = err_errno(e, "KVM_GET_SUPPORTED_CPUID");

		free(t);
		return r;
	}
	*ret_len = table_size(t->nent);
	*ret = t;
	return 0;
}

bool arch_host_cpu_valid(const void *bytes, size_t len)
{
	uint32_t nent;

	if (len < table_size(1))
		return false;
	memcpy(&nent, bytes, sizeof(nent));
	return nent <= CPUID_MAX && len == table_size(nent);
}

struct arch_cpu_model *arch_cpu_model_new(int kvm_fd, const void *host_cpu, size_t host_cpu_len,
					  unsigned int ncpus, struct err *e)
{
	_cleanup_free_ struct arch_cpu_model *m = NULL;
	int tsc_deadline;

	if (ncpus == 0 || ncpus > ARCH_MAX_CPUS) {
		err_set(e, EINVAL, "%u CPUs; 1 to %u can be had", ncpus, ARCH_MAX_CPUS);
		return NULL;
	}
	if (!arch_host_cpu_valid(host_cpu, host_cpu_len)) {
		err_set(e, EINVAL, "what KVM supports has not the shape of CPUID");
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		err_errno(e, "memory for the CPU model");
		return NULL;
	}
	m->ncpus = ncpus;
	memcpy(&m->cpuid, host_cpu, host_cpu_len);
	tsc_deadline = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER);
	m->intel = cpuid_is_intel(&m->cpuid);
	cpuid_for_guest(&m->cpuid, ncpus, tsc_deadline > 0);
	return take_ptr(&m);
}

static int set_cpuid(const struct arch_cpu_model *model, int vcpu_fd, unsigned int index,
		     struct err *e)
{
	struct cpuid_table *t = malloc(sizeof(*t));
	int r = 0;

	if (!t)
		return err_errno(e, "memory for CPUID");
	t->nent = model->cpuid.nent;
	t->padding = 0;
	memcpy(t->entry, model->cpuid.entry, t->nent * sizeof(t->entry[0]));
	cpuid_for_cpu(t, index);
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, t) < 0)
		r = err_errno(e, "CPU %u: KVM_SET_CPUID2", index);
	free(t);
	return r;
}

static int set_msrs(const struct arch_cpu_model *model, int vcpu_fd, unsigned int index,
		    struct err *e)
{
	struct {
		uint32_t nmsrs, padding; /* struct kvm_msrs */
		struct kvm_msr_entry entry[2];
	} msrs = {
		.entry = {
			/* Memory is write-back; disabled MTRRs, the reset
			 * value, would make it uncached by the book, and
			 * older kernels then turn PAT off, too. */
			{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE_WB },
			/* Without it Linux takes ERMS, fast memcpy, for
			 * broken.  AMD has no such register. */
			{ .index = MSR_MISC_ENABLE,
			  .data = MISC_FAST_STRING | MISC_NO_BTS_NO_PEBS },
		},
	};
	int n;

	msrs.nmsrs = model->intel ? 2 : 1;
	n = ioctl(vcpu_fd, KVM_SET_MSRS, &msrs);
	if (n < 0)
		return err_errno(e, "CPU %u: KVM_SET_MSRS", index);
	/* It stops at the first that this KVM does not know. */
	if ((uint32_t)n < msrs.nmsrs)
		return err_set(e, EINVAL, "CPU %u: KVM takes no value for MSR %#x", index,
			       msrs.entry[n].index);
	return 0;
}

int arch_vcpu_setup(const struct arch_cpu_model *model, int vcpu_fd, unsigned int index,
		    const struct arch_boot *boot, struct err *e)
{
	int r;

	if (index >= model->ncpus)
		return err_set(e, EINVAL, "CPU %u of %u", index, model->ncpus);
	r = set_cpuid(model, vcpu_fd, index, e);
	if (r == 0)
		r = set_msrs(model, vcpu_fd, index, e);
	if (r == 0 && index == 0 && boot)
		r = arch_vcpu_set_entry(vcpu_fd, boot, e);
	return r;
}

int arch_vcpu_set_entry(int vcpu_fd, const struct arch_boot *boot, struct err *e)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	boot_sregs(boot, &sregs);
	boot_regs(boot, &regs);
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs) < 0)
		return err_errno(e, "CPU 0: KVM_SET_SREGS");
	if (ioctl(vcpu_fd, KVM_SET_REGS, &regs) < 0)
		return err_errno(e, "CPU 0: KVM_SET_REGS");
	return 0;
}
