/* pvh.S - the note by which a loader knows the PVH entry (type 18,
 * XEN_ELFNOTE_PHYS32_ENTRY). */
	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 4, 18
	.asciz	"Xen"
	.long	entry32
	.section .note.GNU-stack, "", @progbits
