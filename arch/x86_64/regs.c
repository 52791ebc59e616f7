/*
 * regs.c - the registers of the first instruction.
 *
 * Linux 64-bit protocol (boot.rst): long mode, paging on with the first 4 GiB
 * one to one, CS __BOOT_CS, data segments __BOOT_DS, interrupts off, RSI the
 * zero page.  PVH (Xen's docs/misc/pvh): protected mode, paging off, flat
 * 32-bit segments, TR a 32-bit TSS, interrupts off, EBX the start info.
 *
 * The whole state is given, none of it taken from the vCPU: what is zero here
 * is zero there.  The IDT is empty, so that a fault before the kernel has its
 * own is a triple fault and not a jump to nowhere.
 */
#include "arch/x86_64/cpu.h"

#include "arch/x86_64/layout.h"

#define CR0_PE	  (1ULL << 0)
#define CR0_ET	  (1ULL << 4)
#define CR0_PG	  (1ULL << 31)
#define CR4_PAE	  (1ULL << 5)
#define EFER_LME  (1ULL << 8)
#define EFER_LMA  (1ULL << 10)
#define APIC_BSP  (1ULL << 8)
#define APIC_ON	  (1ULL << 11)
#define RFLAGS_1  (1ULL << 1) /* always set */
#define GDT_LIMIT 0x2f	      /* SEL_TSS is the last, and has 16 bytes */

/* The descriptors of the GDT (boot_info.c) as the CPU holds them. */
static struct kvm_segment code_segment(bool long_mode)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = long_mode ? SEL_CODE64 : SEL_CODE32,
		.type = 11, /* execute, read, accessed */
		.present = 1,
		.s = 1,
		.db = !long_mode,
		.l = long_mode,
		.g = 1,
	};
}

static struct kvm_segment data_segment(void)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = SEL_DATA,
		.type = 3, /* read, write, accessed */
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1,
	};
}

void boot_sregs(const struct arch_boot *boot, struct kvm_sregs *ret)
{
	bool long_mode = boot->protocol == ARCH_BOOT_LINUX64;
	struct kvm_segment data = data_segment();

	*ret = (struct kvm_sregs){
		.cs = code_segment(long_mode),
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		/* VT-x does not enter a guest without a busy TSS. */
		.tr = { .limit = 0x67, .selector = SEL_TSS, .type = 11, .present = 1 },
		.ldt = { .unusable = 1 },
		.gdt = { .base = BOOT_GDT, .limit = GDT_LIMIT },
		.cr0 = CR0_PE | CR0_ET | (long_mode ? CR0_PG : 0),
		.cr3 = long_mode ? PAGE_TABLES : 0,
		.cr4 = long_mode ? CR4_PAE : 0,
		.efer = long_mode ? EFER_LME | EFER_LMA : 0,
		.apic_base = LOCAL_APIC_ADDR | APIC_ON | APIC_BSP,
	};
}

void boot_regs(const struct arch_boot *boot, struct kvm_regs *ret)
{
	*ret = (struct kvm_regs){ .rip = boot->entry, .rflags = RFLAGS_1 };
	if (boot->protocol == ARCH_BOOT_LINUX64)
		ret->rsi = boot->info;
	else
		ret->rbx = boot->info;
}
