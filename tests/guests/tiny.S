/*
 * tiny.S - the smallest run: one byte to the console, then exit status 0.
 * What a launch costs is measured with it, so it has neither page tables nor
 * a stack of its own.
 */
#include "guest-kernel-config/guest_abi.h"

	.section .head, "ax"
	.org	0x200
	.globl	entry64
entry64:
	movl	$BH_SERIAL_PORT, %edx
	movb	$'.', %al
	outb	%al, %dx
	movl	$BH_EXIT_PORT, %edx
	xorl	%eax, %eax
	outl	%eax, %dx
1:	hlt
	jmp	1b

	.section .note.GNU-stack, "", @progbits
