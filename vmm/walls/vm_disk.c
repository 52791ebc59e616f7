/* vm_disk.c - see vm_disk.h. */
#include "vmm/walls/vm_disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "vmm/base/disk_format.h"
#include "vmm/base/file_lock.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"

#define SECTOR 512

static int lock(int fd, const struct vm_disk_request *rq, struct err *e)
{
	int r = file_lock(fd, !rq->read_only);

	if (r == -EBUSY)
		return err_set(e, EBUSY,
			       "disk %s is in use: another machine %s it ('lslocks' tells which "
			       "process)",
			       rq->path, rq->read_only ? "writes to" : "uses");
	return r < 0 ? err_code(e, r, "lock disk %s", rq->path) : 0;
}

static int measure(int fd, const struct vm_disk_request *rq, struct blk_params *ret, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at disk %s", rq->path);
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, &ret->bytes) < 0)
			return err_errno(e, "get the size of disk %s", rq->path);
	} else if (S_ISREG(st.st_mode)) {
		ret->bytes = (uint64_t)st.st_size;
	} else {
		return err_set(e, EINVAL,
			       "disk %s is neither a file nor a block device: give a raw image",
			       rq->path);
	}
	if (ret->bytes == 0)
		return err_set(e, EINVAL, "disk %s is empty: make it with 'truncate -s SIZE'",
			       rq->path);
	if (ret->bytes % SECTOR)
		return err_set(e, EINVAL,
			       "the size of disk %s (%llu bytes) is no multiple of 512: enlarge it "
			       "with 'truncate -s %%512'",
			       rq->path, (unsigned long long)ret->bytes);
	return 0;
}

int vm_disk_use(int fd, const struct vm_disk_request *rq, struct blk_params *ret, struct err *e)
{
	int r;

	*ret = (struct blk_params){
		.fd = fd,
		.read_only = rq->read_only,
		.direct = rq->direct,
		.discard = !rq->read_only,
		.queues = rq->queues,
	};
	snprintf(ret->serial, sizeof(ret->serial), "%s", rq->id);
	r = measure(fd, rq, ret, e);
	if (r < 0)
		return r;
	return lock(fd, rq, e);
}

int vm_disk_open(const struct vm_disk_request *rq, struct blk_params *ret, struct err *e)
{
	int flags = (rq->read_only ? O_RDONLY : O_RDWR) | (rq->direct ? O_DIRECT : 0) | O_CLOEXEC;
	struct stat st;
	_cleanup_close_ int fd = -1;
	const char *odd;
	int r;

	/* What is mounted, or claimed in another way, is not for a guest to write. */
	if (!rq->read_only && stat(rq->path, &st) == 0 && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	fd = file_open(rq->path, flags | O_NONBLOCK);
	/* O_NONBLOCK: a FIFO in its place is refused instead of waited for. */
	if (fd < 0 && rq->direct && errno == EINVAL)
		return err_set(e, EINVAL,
			       "open disk %s: its file system has no O_DIRECT; leave direct=on out",
			       rq->path);
	if (fd < 0 && errno == EBUSY)
		return err_set(e, EBUSY,
			       "disk %s is in use: the host has it, or a part of it, mounted or "
			       "claimed ('lsblk' tells)",
			       rq->path);
	if (fd < 0)
		return err_errno(e, "open disk %s%s", rq->path,
				 rq->read_only ? "" : " for writing");
	r = vm_disk_use(fd, rq, ret, e);
	if (r < 0)
		return r;
	odd = disk_format_odd(fd);
	if (odd)
		log_warn("disk %s %s; the guest gets it as it is", rq->path, odd);
	if (fcntl(fd, F_SETFL, rq->direct ? O_DIRECT : 0) < 0)
		return err_errno(e, "set disk %s up", rq->path);
	take_fd(&fd);
	return 0;
}

void vm_disk_unlock(int fd)
{
	struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	fcntl(fd, F_OFD_SETLK, &fl);
}
