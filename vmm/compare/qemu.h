/*
 * qemu.h - the wall `qemu`: QEMU's machine microvm with the kernel, the init and
 * the image that Bulkhead's `vm` has, so that the monitors differ and nothing
 * else does.
 *
 * It is the leanest that QEMU offers: virtio over MMIO, no ACPI, none of the
 * old timers and interrupt controllers; and with its own filter of system
 * calls, as those who run other people's guests have it.
 */
#ifndef COMPARE_QEMU_H
#define COMPARE_QEMU_H

#include "vmm/base/err.h"
#include "vmm/compare/wall_command.h"

#define QEMU_PROGRAM "qemu-system-x86_64"

/*
 * The command line for `command` with `n` arguments, into *ret; `serial` is as in
 * wall_command_make().  Writes an initramfs below setup->scratch, and packs the
 * root directory into the user's cache, as `bulkhead run` does.
 * 0; -ENOTSUP with a limit on processor time; -ENOENT (no QEMU, no kernel);
 * -errno, and *e.
 */
int qemu_make(const struct wall_setup *setup, const char *const *command, size_t n,
	      unsigned int serial, struct wall_command *ret, struct err *e);

/*
 * The command's own status, of QEMU's exit status and of what it wrote to
 * standard error.  The guest's init writes it to QEMU's device isa-debug-exit,
 * which makes an odd number of it; a signal's number is not told from a status.
 * 125: QEMU itself failed, or the guest's init.
 */
int qemu_status(int status, const char *errors);

#endif
