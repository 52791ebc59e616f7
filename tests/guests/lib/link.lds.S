/*
 * Where a test guest is: one block from 2 MiB, its first bytes are the PVH
 * entry, and its 64-bit entry is 0x200 in, where a bzImage has it.
 * Run through the preprocessor; with PVH the file says so in a note.
 */
OUTPUT_FORMAT("elf64-x86-64")
ENTRY(entry64)

PHDRS
{
	text PT_LOAD FLAGS(5);
	data PT_LOAD FLAGS(6);
#ifdef PVH
	note PT_NOTE FLAGS(4);
#endif
}

SECTIONS
{
	. = 0x200000;
	.text : { KEEP(*(.head)) *(.text .text.*) *(.rodata .rodata.*) } :text
#ifdef PVH
	.note : { KEEP(*(.note.pvh)) } :text :note
#endif
	. = ALIGN(4096);
	.data : { *(.data .data.*) } :data
	.bss : { *(.bss .bss.* COMMON) . = ALIGN(4096); } :data
	guest_end = .;
	/DISCARD/ : { *(.note .note.* .comment .eh_frame .eh_frame_hdr) }
}
