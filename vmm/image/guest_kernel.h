/* guest_kernel.h - where the guest's kernel is. */
#ifndef IMAGE_GUEST_KERNEL_H
#define IMAGE_GUEST_KERNEL_H

#include "vmm/base/err.h"

/*
 * The path of the kernel to boot: `given` (--kernel) when it is not NULL, else
 * $BULKHEAD_KERNEL, else the first that is there of
 *   $XDG_DATA_HOME/bulkhead/vmlinux-x86_64 (~/.local/share by default),
 *   BULKHEAD_DATADIR/vmlinux-x86_64,
 *   ../guest-kernel/x86_64/vmlinux beside the program's own directory, which
 *   is where the build tree has it.
 * 0 and a string that is the caller's to free; -ENOENT when there is none;
 * -ENOMEM.  That the file can be opened is for its loader to find out.
 */
int guest_kernel_find(const char *given, char **ret_path, struct err *e);

#endif
