/*
 * cpuid.c - what CPUID tells a guest (Intel SDM volume 2, CPUID; AMD APM
 * volume 3, appendix E).
 *
 * KVM says what it supports, from what the host has; that is passed on but
 * for two things.  The topology is our own: one package, each CPU a core with
 * one thread, the last-level cache shared by all and the others by none,
 * stated alike in every leaf that a kernel may ask (1, 4, 0xb, 0x1f, and
 * AMD's 0x80000008, 0x8000001d, 0x8000001e).  And single features: those that
 * KVM leaves to us to announce (HYPERVISOR, the TSC deadline timer), and VMX
 * and SVM, which are taken away: a guest that runs guests of its own reaches
 * much more of KVM's code, and needs to be asked for.
 *
 * KVM's own leaves (0x40000000: signature, kvm-clock and other
 * paravirtual features) are passed on as KVM gives them.
 */
#include "arch/x86_64/cpu.h"

#include <string.h>

#include "vmm/base/util.h"

_Static_assert(offsetof(struct cpuid_table, entry) == offsetof(struct kvm_cpuid2, entries),
	       "laid out as the ioctls want it");

#define LEAF1_ECX_MWAIT	       (1U << 3)
#define LEAF1_ECX_VMX	       (1U << 5)
#define LEAF1_ECX_TSC_DEADLINE (1U << 24)
#define LEAF1_ECX_HYPERVISOR   (1U << 31)
#define AMD_ECX_SVM	       (1U << 2)
#define LEAF1_EDX_HTT	       (1U << 28)

#define TOPOLOGY_SMT  1U
#define TOPOLOGY_CORE 2U

/* A field of a register: bits high:low. */
static void set_bits(uint32_t *reg, unsigned int high, unsigned int low, uint32_t value)
{
	uint32_t mask = (uint32_t)((1ULL << (high - low + 1)) - 1) << low;

	*reg = (*reg & ~mask) | (value << low & mask);
}

struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *t, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < t->nent; i++) {
		struct kvm_cpuid_entry2 *c = &t->entry[i];

		if (c->function == function &&
		    (c->index == index || !(c->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return c;
	}
	return NULL;
}

static void remove_leaf(struct cpuid_table *t, uint32_t function)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->nent; i++)
		if (t->entry[i].function != function)
			t->entry[kept++] = t->entry[i];
	t->nent = kept;
}

/* KVM offers some 30 to 60 entries, so there is room; without it a leaf is
 * missing, which reads as zeros. */
static void add_leaf(struct cpuid_table *t, struct kvm_cpuid_entry2 entry)
{
	if (t->nent < CPUID_MAX)
		t->entry[t->nent++] = entry;
}

static bool vendor_is(const struct cpuid_table *t, const char *vendor)
{
	const struct kvm_cpuid_entry2 *c = NULL;

	for (uint32_t i = 0; i < t->nent && !c; i++)
		if (t->entry[i].function == 0)
			c = &t->entry[i];
	return c && !memcmp(&c->ebx, vendor, 4) && !memcmp(&c->edx, vendor + 4, 4) &&
	       !memcmp(&c->ecx, vendor + 8, 4);
}

bool cpuid_is_intel(const struct cpuid_table *t)
{
	return vendor_is(t, "GenuineIntel");
}

/* How many bits of an APIC id number the cores of the package. */
static unsigned int core_bits(unsigned int ncpus)
{
	return ncpus > 1 ? 32U - (unsigned int)__builtin_clz(ncpus - 1) : 0;
}

/* Leaves 4 (Intel) and 0x8000001d (AMD) have the cache's type in EAX 4:0,
 * its level in 7:5, and 25:14 say how many CPUs share it, less one.  The last
 * level is the third. */
static void share_caches(struct cpuid_table *t, uint32_t function, unsigned int ncpus)
{
	uint32_t all = (1U << core_bits(ncpus)) - 1;

	for (uint32_t i = 0; i < t->nent; i++) {
		struct kvm_cpuid_entry2 *c = &t->entry[i];

		if (c->function != function || !(c->eax & 0x1f))
			continue;
		set_bits(&c->eax, 25, 14, (c->eax >> 5 & 7) >= 3 ? all : 0);
		if (function == 4)
			set_bits(&c->eax, 31, 26, all); /* core ids in the package, less one */
	}
}

/*
 * The extended topology: sub-leaf 0 is the thread level (one thread, no bits
 * of the APIC id), sub-leaf 1 the core level, sub-leaf 2 ends the list.  EDX,
 * the APIC id, is set per CPU.
 */
static void extended_topology(struct cpuid_table *t, uint32_t function, unsigned int ncpus)
{
	const struct kvm_cpuid_entry2 leaf = { .function = function,
					       .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
	struct kvm_cpuid_entry2 smt = leaf, core = leaf, end = leaf;

	remove_leaf(t, function);
	smt.ebx = 1;
	smt.ecx = TOPOLOGY_SMT << 8;
	core.index = 1;
	core.eax = core_bits(ncpus);
	core.ebx = ncpus;
	core.ecx = TOPOLOGY_CORE << 8 | 1;
	end.index = 2;
	end.ecx = 2;
	add_leaf(t, smt);
	add_leaf(t, core);
	add_leaf(t, end);
}

static void amd_topology(struct cpuid_table *t, unsigned int ncpus)
{
	struct kvm_cpuid_entry2 *c;

	c = cpuid_find(t, 0x80000001, 0);
	if (c)
		set_bits(&c->ecx, 1, 1, ncpus > 1); /* CMP_LEGACY: HTT means cores */
	c = cpuid_find(t, 0x80000008, 0);
	if (c) {
		set_bits(&c->ecx, 7, 0, ncpus - 1);
		set_bits(&c->ecx, 15, 12, core_bits(ncpus));
	}
	c = cpuid_find(t, 0x8000001e, 0);
	if (c) {
		set_bits(&c->ebx, 15, 8, 0); /* threads per core, less one */
		c->ecx = 0;		     /* one node, number 0 */
	}
	share_caches(t, 0x8000001d, ncpus);
	/* The leaf that supersedes 0xb says no more than that does. */
	remove_leaf(t, 0x80000026);
}

void cpuid_for_guest(struct cpuid_table *t, unsigned int ncpus, bool tsc_deadline)
{
	struct kvm_cpuid_entry2 *c;
	uint32_t max = 0;

	c = cpuid_find(t, 0, 0);
	if (c)
		max = c->eax = MAX(c->eax, 0xbU);
	c = cpuid_find(t, 1, 0);
	if (c) {
		set_bits(&c->ebx, 23, 16, ncpus);
		/* MWAIT would leave the physical CPU idling in the guest. */
		c->ecx &= ~(LEAF1_ECX_MWAIT | LEAF1_ECX_VMX | LEAF1_ECX_TSC_DEADLINE);
		c->ecx |= LEAF1_ECX_HYPERVISOR;
		if (tsc_deadline)
			c->ecx |= LEAF1_ECX_TSC_DEADLINE;
		c->edx &= ~LEAF1_EDX_HTT;
		if (ncpus > 1)
			c->edx |= LEAF1_EDX_HTT;
	}
	c = cpuid_find(t, 0x80000001, 0);
	if (c)
		c->ecx &= ~AMD_ECX_SVM;
	remove_leaf(t, 0x8000000a);
	share_caches(t, 4, ncpus);
	extended_topology(t, 0xb, ncpus);
	remove_leaf(t, 0x1f);
	if (max >= 0x1f)
		extended_topology(t, 0x1f, ncpus);
	if (vendor_is(t, "AuthenticAMD") || vendor_is(t, "HygonGenuine"))
		amd_topology(t, ncpus);
}

void cpuid_for_cpu(struct cpuid_table *t, unsigned int index)
{
	for (uint32_t i = 0; i < t->nent; i++) {
		struct kvm_cpuid_entry2 *c = &t->entry[i];

		switch (c->function) {
		case 1:
			set_bits(&c->ebx, 31, 24, index);
			break;
		case 0xb:
		case 0x1f:
			c->edx = index;
			break;
		case 0x8000001e:
			c->eax = index;
			set_bits(&c->ebx, 7, 0, index);
			break;
		default:
			break;
		}
	}
}
