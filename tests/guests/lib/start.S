/*
 * start.S - from either entry to guest_start() in 64-bit mode.
 *
 * PVH (Xen's docs/misc/pvh.pandoc): 32-bit protected mode, paging off, EBX is
 * the start info.  Linux 64-bit (boot.rst): long mode, RSI is the zero page.
 *
 * The page tables are in the file, not built: hosts that emulate supervisor
 * code take a microsecond for each instruction.
 */
	.section .head, "ax"
	.code32
	.globl	entry32
entry32:
	cli
	movl	$boot_gdtr, %eax
	lgdt	(%eax)
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax
	movl	%eax, %cr0
	ljmpl	$0x08, $1f

	.code64
1:	movl	$boot_stack_top, %esp
	xorl	%edi, %edi
	movl	%ebx, %esi
	jmp	guest_start

	.org	0x200
	.globl	entry64
entry64:
	cli
	movl	$boot_pml4, %eax
	movq	%rax, %cr3
	movl	$boot_stack_top, %esp
	movq	%rsi, %rdi
	xorl	%esi, %esi
	jmp	guest_start

	.section .data
	.balign	16
	.globl	boot_gdt
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 0x08: 64-bit code */
	.quad	0x00cf93000000ffff	/* 0x10: data */
	.quad	0x00cf9b000000ffff	/* 0x18: 32-bit code */
	.globl	boot_gdtr
boot_gdtr:
	.word	. - boot_gdt - 1
	.long	boot_gdt
	.long	0

	/* The first 4 GiB one to one, in pages of 2 MiB. */
	.balign	4096
	.globl	boot_pml4
boot_pml4:
	.quad	boot_pdpt + 3
	.fill	511, 8, 0
boot_pdpt:
	.quad	boot_pd + 3, boot_pd + 0x1003, boot_pd + 0x2003, boot_pd + 0x3003
	.fill	508, 8, 0
boot_pd:
	.set	page, 0
	.rept	2048
	.quad	(page << 21) + 0x83
	.set	page, page + 1
	.endr

	.section .bss
	.balign	16
	.skip	16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
