/*
 * cpio.h - an archive in cpio's "newc" format, as the kernel unpacks into its
 * initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * Everything in it belongs to root and has the time 0, so that the same input
 * gives the same bytes.  Names are relative, without a leading "/"; a
 * directory comes before what is in it.
 */
#ifndef IMAGE_CPIO_H
#define IMAGE_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio {
	char *data; /* cpio_release() frees it */
	size_t len;
	size_t room;
	uint32_t ino; /* of the last entry */
};

/* An empty archive; allocates nothing. */
void cpio_begin(struct cpio *c);
void cpio_release(struct cpio *c);

/* Append an entry; `mode` holds the permission bits, for a node its kind too.
 * 0; -ENOMEM; -EFBIG for a file of 4 GiB or more; -EINVAL for an empty,
 * absolute or overlong name. */
int cpio_dir(struct cpio *c, const char *name, uint32_t mode);
int cpio_file(struct cpio *c, const char *name, uint32_t mode, const void *data, size_t len);
int cpio_node(struct cpio *c, const char *name, uint32_t mode, uint32_t dev_major,
	      uint32_t dev_minor);

/* The trailer; nothing may follow. */
int cpio_end(struct cpio *c);

#endif
