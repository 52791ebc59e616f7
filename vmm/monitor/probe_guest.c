/*
 * probe_guest.c - see probe_guest.h.
 *
 * The code is position independent but for the addresses in the header; it
 * is copied, never executed here.  It stands in this file as assembler text
 * so that the step table and the code cannot drift apart.
 *
 * Registers with a fixed meaning while a step runs:
 *   r15  the vector that the step expects
 *   r14  out: the code selector that the exception interrupted (0: none yet)
 *   r13  where the exception returns to (0: to the saved RIP)
 *   r12  where CPL 0 goes on instead of returning (0: return)
 */
#include "vmm/monitor/probe_guest.h"

#define STR_(x) #x
#define STR(x)	STR_(x)

/* clang-format off */
__asm__(
".pushsection .rodata.probe,\"a\",@progbits\n"
".balign 16\n"
".globl probe_code_start\n"
"probe_code_start:\n"
/* Vectors without an error code get a zero in its place. */
".set probe_vec, 0\n"
".rept 256\n"
"	.balign 16\n"
"	.if !(probe_vec == 8 || (probe_vec >= 10 && probe_vec <= 14) || probe_vec == 17 || "
		"probe_vec == 21 || probe_vec == 29 || probe_vec == 30)\n"
"	push	$0\n"
"	.endif\n"
"	push	$probe_vec\n"
"	jmp	probe_trap\n"
"	.set	probe_vec, probe_vec + 1\n"
".endr\n"
".balign 16\n"

/* Stack: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
"probe_trap:\n"
"	cmp	%r15, (%rsp)\n"
"	jne	1f\n"
"	mov	24(%rsp), %r14\n"
"	test	%r12, %r12\n"
"	jz	2f\n"
"	mov	$" STR(PROBE_KSTACK) ", %esp\n"
"	jmp	*%r12\n"
"2:	test	%r13, %r13\n"
"	jz	3f\n"
"	mov	%r13, 16(%rsp)\n"
"3:	add	$16, %rsp\n"
"	iretq\n"
"1:	mov	(%rsp), %eax\n"
"	mov	$" STR(PROBE_PORT_TRAP) ", %edx\n"
"	out	%eax, %dx\n"
"4:	hlt\n"
"	jmp	4b\n"

/* eax: 0 for "it works". */
"probe_pass:\n"
"	xor	%eax, %eax\n"
"probe_report:\n"
"	mov	$" STR(PROBE_PORT_RESULT) ", %edx\n"
"	out	%eax, %dx\n"
"1:	jmp	1b\n"
"probe_fail:\n"
"	mov	$1, %eax\n"
"	jmp	probe_report\n"

/* rax: where to go at CPL 3.  IOPL 3, so that code which ends up at the
 * wrong level can still report.  rdx: more RFLAGS. */
"probe_to_user:\n"
"	mov	$" STR(PROBE_KSTACK) ", %esp\n"
"	push	$" STR(PROBE_UDS) "\n"
"	push	$" STR(PROBE_USTACK) "\n"
"	or	$0x3002, %edx\n"
"	push	%rdx\n"
"	push	$" STR(PROBE_UCS) "\n"
"	push	%rax\n"
"	iretq\n"

/* ecx: MSR, eax: a value below 2 GiB. */
"probe_wrmsr:\n"
"	xor	%edx, %edx\n"
"	wrmsr\n"
"	ret\n"

".globl probe_step_exit\n"
"probe_step_exit:\n"
"	jmp	probe_pass\n"

".globl probe_step_int3\n"
"probe_step_int3:\n"
"	mov	$3, %r15d\n"
"	int3\n"
"	cmp	$" STR(PROBE_KCS) ", %r14d\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_ud2\n"
"probe_step_ud2:\n"
"	mov	$6, %r15d\n"
"	lea	1f(%rip), %r13\n"
"	ud2\n"
"1:	cmp	$" STR(PROBE_KCS) ", %r14d\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

/* The second GiB is not mapped. */
".globl probe_step_fault\n"
"probe_step_fault:\n"
"	mov	$14, %r15d\n"
"	lea	1f(%rip), %r13\n"
"	mov	$0x40001230, %ebx\n"
"	mov	(%rbx), %eax\n"
"	jmp	probe_fail\n"
"1:	mov	%cr2, %rax\n"
"	cmp	%rax, %rbx\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_popcnt\n"
"probe_step_popcnt:\n"
"	mov	$0xff00ff, %eax\n"
"	popcnt	%rax, %rbx\n"
"	cmp	$16, %ebx\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_cx16\n"
"probe_step_cx16:\n"
"	mov	$" STR(PROBE_SCRATCH) ", %esi\n"
"	xor	%eax, %eax\n"
"	xor	%edx, %edx\n"
"	mov	$0x55, %ebx\n"
"	mov	$0xaa, %ecx\n"
"	lock cmpxchg16b (%rsi)\n"
"	jnz	probe_fail\n"
"	cmpq	$0xaa, 8(%rsi)\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_atomic\n"
"probe_step_atomic:\n"
"	mov	$" STR(PROBE_SCRATCH) ", %esi\n"
"	mov	$7, %eax\n"
"	lock xadd %rax, (%rsi)\n"
"	lock btsq $40, (%rsi)\n"
"	jc	probe_fail\n"
"	xchg	%rax, 8(%rsi)\n"
"	mov	(%rsi), %eax\n"
"	mov	4(%rsi), %edx\n"
"	mov	$9, %ebx\n"
"	xor	%ecx, %ecx\n"
"	lock cmpxchg8b (%rsi)\n"
"	jnz	probe_fail\n"
"	cmpq	$9, (%rsi)\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_string\n"
"probe_step_string:\n"
"	cld\n"
"	mov	$" STR(PROBE_SCRATCH) ", %edi\n"
"	mov	$8, %ecx\n"
"	mov	$0x5a, %eax\n"
"	rep stosq\n"
"	mov	$" STR(PROBE_SCRATCH) ", %esi\n"
"	mov	$64, %ecx\n"
"	rep movsb\n"
"	cmpq	$0x5a, -8(%rdi)\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_fxsave\n"
"probe_step_fxsave:\n"
"	mov	$" STR(PROBE_SCRATCH) ", %esi\n"
"	clts\n"
"	fninit\n"
"	fxsave64 (%rsi)\n"
"	fxrstor64 (%rsi)\n"
"	jmp	probe_pass\n"

".globl probe_step_xsave\n"
"probe_step_xsave:\n"
"	mov	$" STR(PROBE_SCRATCH) ", %esi\n"
"	xor	%ecx, %ecx\n"
"	mov	$3, %eax\n"
"	xor	%edx, %edx\n"
"	xsetbv\n"
"	xgetbv\n"
"	cmp	$3, %eax\n"
"	jne	probe_fail\n"
"	xsave64	(%rsi)\n"
"	xrstor64 (%rsi)\n"
"	jmp	probe_pass\n"

".globl probe_step_xsaves\n"
"probe_step_xsaves:\n"
"	mov	$" STR(PROBE_SCRATCH) ", %esi\n"
"	xor	%ecx, %ecx\n"
"	mov	$3, %eax\n"
"	xor	%edx, %edx\n"
"	xsetbv\n"
"	xsaves64 (%rsi)\n"
"	xrstors64 (%rsi)\n"
"	jmp	probe_pass\n"

/* IA32_LSTAR, 0xc0000082. */
".globl probe_step_msr\n"
"probe_step_msr:\n"
"	mov	$0xc0000082, %ecx\n"
"	mov	$0x12345678, %eax\n"
"	call	probe_wrmsr\n"
"	xor	%eax, %eax\n"
"	rdmsr\n"
"	cmp	$0x12345678, %eax\n"
"	jne	probe_fail\n"
"	rdtsc\n"
"	jmp	probe_pass\n"

/* IA32_GS_BASE and IA32_KERNEL_GS_BASE. */
".globl probe_step_swapgs\n"
"probe_step_swapgs:\n"
"	mov	$0xc0000101, %ecx\n"
"	mov	$0x1110, %eax\n"
"	call	probe_wrmsr\n"
"	mov	$0xc0000102, %ecx\n"
"	mov	$0x2220, %eax\n"
"	call	probe_wrmsr\n"
"	swapgs\n"
"	mov	$0xc0000101, %ecx\n"
"	rdmsr\n"
"	cmp	$0x2220, %eax\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_fsgsbase\n"
"probe_step_fsgsbase:\n"
"	mov	$0x3330, %eax\n"
"	wrgsbase %rax\n"
"	rdgsbase %rbx\n"
"	cmp	%rax, %rbx\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_smap\n"
"probe_step_smap:\n"
"	stac\n"
"	clac\n"
"	jmp	probe_pass\n"

".globl probe_step_tables\n"
"probe_step_tables:\n"
"	mov	$" STR(PROBE_SCRATCH) ", %esi\n"
"	sgdt	(%rsi)\n"
"	lgdt	(%rsi)\n"
"	sidt	(%rsi)\n"
"	lidt	(%rsi)\n"
"	mov	$" STR(PROBE_TR) ", %eax\n"
"	ltr	%ax\n"
"	mov	$" STR(PROBE_KDS) ", %eax\n"
"	mov	%eax, %ss\n"
"	mov	%eax, %ds\n"
"	jmp	probe_pass\n"

".globl probe_step_control\n"
"probe_step_control:\n"
"	mov	%cr0, %rax\n"
"	mov	%rax, %cr0\n"
"	mov	%cr4, %rax\n"
"	mov	%rax, %cr4\n"
"	mov	%cr3, %rax\n"
"	mov	%rax, %cr3\n"
"	invlpg	(%rax)\n"
"	mov	%dr7, %rax\n"
"	mov	%rax, %dr7\n"
"	mov	%cr3, %rbx\n"
"	cmp	$" STR(PROBE_PML4) ", %ebx\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_user\n"
"probe_step_user:\n"
"	mov	$6, %r15d\n"
"	lea	probe_from_user(%rip), %r12\n"
"	lea	1f(%rip), %rax\n"
"	xor	%edx, %edx\n"
"	jmp	probe_to_user\n"
"1:	ud2\n"
"probe_from_user:\n"
"	cmp	$" STR(PROBE_UCS) ", %r14d\n"
"	jne	probe_fail\n"
"	jmp	probe_pass\n"

".globl probe_step_int_user\n"
"probe_step_int_user:\n"
"	mov	$0x80, %r15d\n"
"	lea	probe_from_user(%rip), %r12\n"
"	lea	1f(%rip), %rax\n"
"	xor	%edx, %edx\n"
"	jmp	probe_to_user\n"
"1:	int	$0x80\n"

/* EFER.SCE is set.  STAR: SYSCALL's CS 0x08, SYSRET's base 0x1b. */
"probe_syscall_setup:\n"
"	mov	$0xc0000082, %ecx\n"
"	call	probe_wrmsr\n"
"	mov	$0xc0000084, %ecx\n"
"	xor	%eax, %eax\n"
"	call	probe_wrmsr\n"
"	mov	$0xc0000081, %ecx\n"
"	xor	%eax, %eax\n"
"	mov	$0x001b0008, %edx\n"
"	wrmsr\n"
"	ret\n"

".globl probe_step_syscall\n"
"probe_step_syscall:\n"
"	lea	2f(%rip), %rax\n"
"	call	probe_syscall_setup\n"
"	lea	1f(%rip), %rax\n"
"	xor	%edx, %edx\n"
"	jmp	probe_to_user\n"
"1:	syscall\n"
"	jmp	probe_fail\n"
"2:	mov	%cs, %eax\n"
"	and	$3, %eax\n"
"	jmp	probe_report\n"

".globl probe_step_sysret\n"
"probe_step_sysret:\n"
"	mov	$6, %r15d\n"
"	lea	probe_from_user(%rip), %r12\n"
"	lea	2f(%rip), %rax\n"
"	call	probe_syscall_setup\n"
"	lea	1f(%rip), %rax\n"
"	xor	%edx, %edx\n"
"	jmp	probe_to_user\n"
"1:	syscall\n"
"	ud2\n"
"2:	sysretq\n"

/* A self-IPI with vector 0x40; the interrupt may take its time. */
".globl probe_step_irq\n"
"probe_step_irq:\n"
"	mov	$0x40, %r15d\n"
"	mov	$0xfee00000, %ebx\n"
"	movl	$0x1ff, 0xf0(%rbx)\n"
"	movl	$0x40040, 0x300(%rbx)\n"
"	sti\n"
"	mov	$20000, %ecx\n"
"1:	test	%r14, %r14\n"
"	jnz	2f\n"
"	dec	%ecx\n"
"	jnz	1b\n"
"	jmp	probe_fail\n"
"2:	cli\n"
"	movl	$0, 0xb0(%rbx)\n"
"	jmp	probe_pass\n"

/* One-shot timer with vector 0x41, 0.1 ms at KVM's 1 GHz bus. */
"probe_timer:\n"
"	mov	$0x41, %r15d\n"
"	mov	$0xfee00000, %ebx\n"
"	movl	$0x1ff, 0xf0(%rbx)\n"
"	movl	$0xb, 0x3e0(%rbx)\n"
"	movl	$0x41, 0x320(%rbx)\n"
"	movl	$100000, 0x380(%rbx)\n"
"	ret\n"

".globl probe_step_timer\n"
"probe_step_timer:\n"
"	call	probe_timer\n"
"1:	sti\n"
"	hlt\n"
"	cli\n"
"	test	%r14, %r14\n"
"	jz	1b\n"
"	movl	$0, 0xb0(%rbx)\n"
"	jmp	probe_pass\n"

".globl probe_step_preempt\n"
"probe_step_preempt:\n"
"	call	probe_timer\n"
"	lea	2f(%rip), %r12\n"
"	lea	1f(%rip), %rax\n"
"	mov	$0x200, %edx\n"
"	jmp	probe_to_user\n"
"1:	jmp	1b\n"
"2:	movl	$0, 0xb0(%rbx)\n"
"	jmp	probe_from_user\n"

".globl probe_spin\n"
"probe_spin:\n"
"	dec	%rcx\n"
"	jnz	probe_spin\n"
"	jmp	probe_pass\n"

".globl probe_ticks\n"
"probe_ticks:\n"
"	mov	$" STR(PROBE_PORT_TICK) ", %edx\n"
"1:	out	%eax, %dx\n"
"	dec	%ecx\n"
"	jnz	1b\n"
"	jmp	probe_pass\n"
".globl probe_code_end\n"
"probe_code_end:\n"
".popsection\n"
);
/* clang-format on */

extern const uint8_t probe_step_exit[], probe_step_control[], probe_step_tables[], probe_step_msr[],
	probe_step_string[], probe_step_atomic[], probe_step_cx16[], probe_step_popcnt[],
	probe_step_fxsave[], probe_step_xsave[], probe_step_xsaves[], probe_step_fsgsbase[],
	probe_step_smap[], probe_step_swapgs[], probe_step_ud2[], probe_step_int3[],
	probe_step_fault[], probe_step_irq[], probe_step_timer[], probe_step_user[],
	probe_step_int_user[], probe_step_syscall[], probe_step_sysret[], probe_step_preempt[];

const struct probe_step probe_steps[PROBE_NSTEPS] = {
	{ "exit", "port I/O reaches the monitor", probe_step_exit, PROBE_ALWAYS },
	{ "control registers", "CR0, CR3, CR4, DR7 and INVLPG at CPL 0", probe_step_control,
	  PROBE_ALWAYS },
	{ "descriptor tables", "LGDT, LIDT and LTR at CPL 0", probe_step_tables, PROBE_ALWAYS },
	{ "msr", "RDMSR, WRMSR and RDTSC at CPL 0", probe_step_msr, PROBE_ALWAYS },
	{ "string", "REP STOS and REP MOVS at CPL 0", probe_step_string, PROBE_ALWAYS },
	{ "atomic", "LOCK XADD, BTS and CMPXCHG8B at CPL 0", probe_step_atomic, PROBE_ALWAYS },
	{ "cmpxchg16b", "CMPXCHG16B at CPL 0, the slab allocator's", probe_step_cx16, PROBE_CX16 },
	{ "popcnt", "POPCNT at CPL 0, cpumask_weight's", probe_step_popcnt, PROBE_POPCNT },
	{ "fxsave", "FXSAVE and FXRSTOR at CPL 0", probe_step_fxsave, PROBE_ALWAYS },
	{ "xsave", "XSETBV, XSAVE and XRSTOR at CPL 0, each task switch's", probe_step_xsave,
	  PROBE_XSAVE },
	{ "xsaves", "XSAVES and XRSTORS at CPL 0, each task switch's", probe_step_xsaves,
	  PROBE_XSAVES },
	{ "fsgsbase", "WRGSBASE at CPL 0, each task switch's", probe_step_fsgsbase,
	  PROBE_FSGSBASE },
	{ "smap", "STAC and CLAC around each access to user memory", probe_step_smap, PROBE_SMAP },
	{ "swapgs", "SWAPGS at each entry from user mode", probe_step_swapgs, PROBE_ALWAYS },
	{ "ud2", "UD2 at CPL 0 through the IDT, WARN's and BUG's", probe_step_ud2, PROBE_ALWAYS },
	{ "int3", "INT3 at CPL 0 through the IDT, code patching's", probe_step_int3, PROBE_ALWAYS },
	{ "page fault", "a page fault at CPL 0 with its address in CR2", probe_step_fault,
	  PROBE_ALWAYS },
	{ "interrupt", "an interrupt from the local APIC", probe_step_irq, PROBE_ALWAYS },
	{ "timer", "HLT woken by the local APIC's timer", probe_step_timer, PROBE_ALWAYS },
	{ "user mode", "IRETQ to CPL 3 and a fault back to CPL 0", probe_step_user, PROBE_ALWAYS },
	{ "preemption", "a timer interrupt in CPL 3", probe_step_preempt, PROBE_ALWAYS },
	{ "int 0x80", "INT from CPL 3 through the IDT, 32-bit system calls", probe_step_int_user,
	  PROBE_ALWAYS },
	{ "syscall", "SYSCALL from CPL 3 lands on LSTAR at CPL 0", probe_step_syscall,
	  PROBE_ALWAYS },
	{ "sysret", "SYSRETQ back to CPL 3", probe_step_sysret, PROBE_ALWAYS },
};
