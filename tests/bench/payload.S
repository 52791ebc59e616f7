/*
 * payload.S - what the launch benchmark boots: one byte to the console, then
 * the end (or, assembled with -DIDLE, nothing for ever).  Started by its PVH
 * note, which QEMU needs; the few instructions mean the same in 32 bits.
 */
#include "guest-kernel-config/guest_abi.h"

	.code32
	.text
	.globl	_start
_start:
	movl	$BH_SERIAL_PORT, %edx
	movb	$'.', %al
	outb	%al, %dx
#ifndef IDLE
	movl	$BH_EXIT_PORT, %edx
	xorl	%eax, %eax
	outl	%eax, %dx
#endif
1:	hlt
	jmp	1b

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 4, 18	/* name length, value length, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.section .note.GNU-stack, "", @progbits
