/*
 * boot_info.h - what the kernel finds in memory when it is entered: GDT, page
 * tables, and the boot protocol's structures.  Addresses are layout.h's.
 */
#ifndef X86_BOOT_INFO_H
#define X86_BOOT_INFO_H

#include "arch/x86_64/load.h"

struct boot_info {
	uint64_t rsdp;
	uint64_t initrd; /* 0: none; below 4 GiB */
	uint64_t initrd_len;
};

/*
 * Write the structures for image->boot.protocol, and set *ret_info to the
 * address that the kernel is told.  0, or -EFAULT when guest memory has no
 * RAM where layout.h wants it.
 */
int boot_info_write(const struct guest_memory *gm, const struct kernel_image *image,
		    const struct boot_info *info, uint64_t *ret_info);

#endif
