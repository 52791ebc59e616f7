/*
 * initramfs.h - the initramfs that Bulkhead gives to a guest with its own
 * init: /init, /dev/console and the run's parameters.
 */
#ifndef IMAGE_INITRAMFS_H
#define IMAGE_INITRAMFS_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/config/guest_params.h"

/* The guest's init as it was built with this program (guest_init.S). */
extern const unsigned char guest_init_start[];
extern const unsigned char guest_init_end[];

/*
 * Make it in a memfd, sealed against every change.  *ret_fd is the caller's,
 * *ret_size its length in bytes.  0 or -errno.
 */
int initramfs_build(const void *init, size_t init_len, const struct guest_params *params,
		    int *ret_fd, uint64_t *ret_size, struct err *e);

#endif
