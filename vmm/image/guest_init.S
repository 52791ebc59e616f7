/* guest_init.S - the guest's init, built before, inside this program. */
	.section .rodata
	.balign 16
	.globl guest_init_start, guest_init_end
guest_init_start:
	.incbin "guest-init"
guest_init_end:
	.byte 0
	.section .note.GNU-stack, "", @progbits
