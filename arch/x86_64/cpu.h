/*
 * cpu.h - the CPUID that guests see, apart from the ioctls that fetch and set
 * it, so that it can be tested with any host's.
 */
#ifndef X86_CPU_H
#define X86_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/kvm.h>

#include "arch/arch.h"

#define CPUID_MAX 256 /* KVM's own bound: KVM_MAX_CPUID_ENTRIES */

/* Laid out as the ioctls want it: struct kvm_cpuid2, whose entries C cannot
 * size. */
struct cpuid_table {
	uint32_t nent;
	uint32_t padding;
	struct kvm_cpuid_entry2 entry[CPUID_MAX];
};

/* From what KVM supports to what a guest of `ncpus` CPUs is shown; what
 * differs between its CPUs is left for cpuid_for_cpu(). */
void cpuid_for_guest(struct cpuid_table *t, unsigned int ncpus, bool tsc_deadline);
void cpuid_for_cpu(struct cpuid_table *t, unsigned int index);

bool cpuid_is_intel(const struct cpuid_table *t);
struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *t, uint32_t function, uint32_t index);

/* The registers of the first instruction, for either boot protocol. */
void boot_sregs(const struct arch_boot *boot, struct kvm_sregs *ret);
void boot_regs(const struct arch_boot *boot, struct kvm_regs *ret);

#endif
