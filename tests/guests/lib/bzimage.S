/*
 * bzimage.S - a kernel header (boot.rst, "The Real-Mode Kernel Header") and,
 * behind it, a guest as a flat binary from 2 MiB: PAYLOAD is its file, its
 * 64-bit entry is 0x200 in.  There is no real-mode code.
 */
	.section .text
	.globl	_start
_start:
	.org	0x1f1
	.byte	1			/* setup_sects */
	.word	0			/* root_flags */
	.long	(payload_end - payload + 15) / 16
	.word	0, 0, 0			/* ram_size, vid_mode, root_dev */
	.word	0xaa55			/* boot_flag */
	.byte	0xeb, header_end - 1f	/* jump, whose target ends the header */
1:	.ascii	"HdrS"
	.word	0x020f			/* version */
	.long	0			/* realmode_swtch */
	.word	0, 0			/* start_sys_seg, kernel_version */
	.byte	0, 1			/* type_of_loader, LOADED_HIGH */
	.word	0			/* setup_move_size */
	.long	0x200000		/* code32_start */
	.long	0, 0, 0			/* ramdisk_image, _size, bootsect_kludge */
	.word	0			/* heap_end_ptr */
	.byte	0, 0			/* ext_loader_ver, _type */
	.long	0			/* cmd_line_ptr */
	.long	0x7fffffff		/* initrd_addr_max */
	.long	0x200000		/* kernel_alignment */
	.byte	0, 21			/* relocatable_kernel, min_alignment */
	.word	1			/* xloadflags: XLF_KERNEL_64 */
	.long	2047			/* cmdline_size */
	.long	0			/* hardware_subarch */
	.quad	0			/* hardware_subarch_data */
	.long	0, 0			/* payload_offset, _length */
	.quad	0			/* setup_data */
	.quad	0x200000		/* pref_address */
	.long	0x100000		/* init_size */
	.long	0			/* handover_offset */
	.long	0			/* kernel_info_offset */
header_end:
	.org	1024
payload:
	.incbin	PAYLOAD
	.balign	16
payload_end:
	.section .note.GNU-stack, "", @progbits
