/*
 * vm_disk.h - opening a raw image or block device for a virtio-blk process:
 * size, lock and limits, before anything is forked.
 */
#ifndef WALLS_VM_DISK_H
#define WALLS_VM_DISK_H

#include <stdbool.h>

#include "devices/virtio/device_process.h"
#include "vmm/base/err.h"

struct vm_disk_request {
	const char *path;
	const char *id; /* what the guest sees as the disk's serial; may be "" */
	bool read_only;
	bool direct; /* O_DIRECT */
	uint16_t queues;
};

/*
 * Open, measure and lock it: a shared lock for reading, an exclusive one for
 * writing (file_lock.h).  The format is raw, whatever the content looks like; what
 * looks like another one is warned of (disk_format.h).
 * 0 and *ret (ret->fd is the caller's), or -errno.
 */
int vm_disk_open(const struct vm_disk_request *rq, struct blk_params *ret, struct err *e);

/* The same for an fd that is already open (the caller's on failure). */
int vm_disk_use(int fd, const struct vm_disk_request *rq, struct blk_params *ret, struct err *e);

/*
 * Give the lock up now, through any fd of the description.  The last process
 * that had it may be gone and the description still be held: the kernel takes
 * an io_uring down some time after its process.
 */
void vm_disk_unlock(int fd);

#endif
