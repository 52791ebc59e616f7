/* smp.c - see smp.h; Intel SDM volume 3, "MP Initialization". */
#include "tests/guests/lib/smp.h"

#define LAPIC	   0xfee00000ULL
#define LAPIC_ID   0x20
#define LAPIC_SVR  0xf0
#define LAPIC_ICR  0x300
#define ALL_INIT   0x000c4500 /* all but self, INIT, assert */
#define ALL_SIPI   0x000c4600 /* all but self, start-up; the vector is added */
#define TRAMPOLINE 0x1000

extern const uint8_t ap_start[], ap_end[];

void (*ap_function)(void);
volatile uint32_t ap_stack_lock;
uint8_t ap_stack[4096] __attribute__((aligned(16)));

/* From real mode at TRAMPOLINE to 64-bit mode; one CPU at a time has the
 * stack. */
__asm__(".pushsection .text\n"
	".code16\n"
	"ap_start:\n"
	"	cli\n"
	"	xorw	%ax, %ax\n"
	"	movw	%ax, %ds\n"
	"	lgdtl	(0x1000 + ap_gdtr - ap_start)\n"
	"	movl	%cr4, %eax\n"
	"	orl	$0x20, %eax\n"
	"	movl	%eax, %cr4\n"
	"	movl	$boot_pml4, %eax\n"
	"	movl	%eax, %cr3\n"
	"	movl	$0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	orl	$0x100, %eax\n"
	"	wrmsr\n"
	"	movl	%cr0, %eax\n"
	"	andl	$0x9fffffff, %eax\n" /* INIT leaves the caches off */
	"	orl	$0x80000001, %eax\n"
	"	movl	%eax, %cr0\n"
	"	ljmpl	$0x08, $ap_long\n"
	"ap_gdtr:\n"
	"	.word	31\n"
	"	.long	boot_gdt\n"
	"ap_end:\n"
	".code64\n"
	"ap_long:\n"
	"	movl	$0x10, %eax\n"
	"	movl	%eax, %ds\n"
	"	movl	%eax, %es\n"
	"	movl	%eax, %ss\n"
	"1:	movl	$1, %eax\n"
	"	xchgl	%eax, ap_stack_lock\n"
	"	testl	%eax, %eax\n"
	"	jnz	1b\n"
	"	movl	$ap_stack + 4096, %esp\n"
	"	call	*ap_function\n"
	"	movl	$0, ap_stack_lock\n"
	"2:	cli\n"
	"	hlt\n"
	"	jmp	2b\n"
	".popsection\n");

unsigned int cpu_id(void)
{
	return mmio_read32(LAPIC + LAPIC_ID) >> 24;
}

void wait_cycles(uint64_t n)
{
	uint64_t until = read_tsc() + n;

	while (read_tsc() < until)
		;
}

void cpus_start(void (*fn)(void))
{
	uint8_t *to = (uint8_t *)TRAMPOLINE;
	unsigned int i;

	ap_function = fn;
	for (i = 0; i < (unsigned int)(ap_end - ap_start); i++)
		to[i] = ap_start[i];
	mmio_write32(LAPIC + LAPIC_SVR, 0x1ff);
	mmio_write32(LAPIC + LAPIC_ICR, ALL_INIT);
	wait_cycles(10 * CYCLES_MS);
	/* Twice, as the SDM has it; a CPU that runs ignores the second. */
	mmio_write32(LAPIC + LAPIC_ICR, ALL_SIPI | TRAMPOLINE >> 12);
	wait_cycles(CYCLES_MS / 2);
	mmio_write32(LAPIC + LAPIC_ICR, ALL_SIPI | TRAMPOLINE >> 12);
}
