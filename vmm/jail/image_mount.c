/* image_mount.c - see image_mount.h; loop(4). */
#include "vmm/jail/image_mount.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "vmm/base/disk_format.h"
#include "vmm/base/file_lock.h"
#include "vmm/base/util.h"

#define TRIES 64 /* somebody else may take the free device first */

int image_open(const char *path, bool writable, struct err *e)
{
	_cleanup_close_ int fd =
		open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_errno(e, "open the image %s%s", path, writable ? " for writing" : "");
	if (fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		return err_set(e, EINVAL, "%s is no directory, file or block device", path);
	/* As the virtual machine's disks have it. */
	if (file_lock(fd, writable) == -EBUSY)
		return err_set(e, EBUSY,
			       "the image %s is in use: another machine %s it ('lslocks' tells "
			       "which process)",
			       path, writable ? "uses" : "writes to");
	return take_fd(&fd);
}

/* A loop device of the image; its name in `name`.  It goes when its last user
 * does.  The fd or -errno. */
static int open_loop(int image, bool writable, char *name, size_t size, struct err *e)
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		return err_errno(e, "open /dev/loop-control (is the module loop loaded?)");
	for (int i = 0; i < TRIES; i++) {
		struct loop_config config = {
			.fd = (uint32_t)image,
			.info.lo_flags = LO_FLAGS_AUTOCLEAR | (writable ? 0 : LO_FLAGS_READ_ONLY),
		};
		int n = ioctl(control, LOOP_CTL_GET_FREE);
		_cleanup_close_ int loop = -1;

		if (n < 0)
			return err_errno(e, "find a free loop device");
		snprintf(name, size, "/dev/loop%d", n);
		loop = open(name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		if (loop < 0)
			return err_errno(e, "open %s", name);
		if (ioctl(loop, LOOP_CONFIGURE, &config) == 0)
			return take_fd(&loop);
		if (errno != EBUSY)
			return err_errno(e, "set %s up", name);
	}
	return err_set(e, EBUSY, "no loop device is free for long enough");
}

/* The mount's fd or -errno. */
static int mount_as(const char *type, const char *device, bool writable)
{
	unsigned int attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
				  (writable ? 0 : MOUNT_ATTR_RDONLY);
	_cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	int r;

	if (fs < 0)
		return neg_errno();
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_FLAG, writable ? "rw" : "ro", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return neg_errno();
	r = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
	return r < 0 ? neg_errno() : r;
}

int image_mount(int image, const char *path, enum image_use use, struct err *e)
{
	static const struct {
		const char *name;
		bool writable;
	} types[] = { { "erofs", false }, { "ext4", true }, { "squashfs", false } };
	const bool writable = use != IMAGE_READ;
	_cleanup_close_ int loop = -1;
	const char *odd;
	char device[64];
	struct stat st;

	if (fstat(image, &st) < 0)
		return err_errno(e, "look at the image %s", path);
	if (S_ISBLK(st.st_mode)) {
		snprintf(device, sizeof(device), "/proc/self/fd/%d", image);
	} else {
		loop = open_loop(image, writable, device, sizeof(device), e);
		if (loop < 0)
			return loop;
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		int r;

		if (use == IMAGE_WRITE && !types[i].writable)
			continue;
		r = mount_as(types[i].name, device, writable && types[i].writable);
		if (r >= 0)
			return r;
		/* A read-only device, and a journal that has to be replayed. */
		if (r == -EROFS)
			return err_set(e, EROFS,
				       "the image %s was not unmounted in order: run 'e2fsck -p' "
				       "on it (package e2fsprogs)",
				       path);
		if (r == -EPERM || r == -EBUSY)
			return err_code(e, r, "mount the image %s", path);
	}
	if (use == IMAGE_WRITE)
		return err_set(e, EINVAL,
			       "%s is no image of ext4 that this kernel can mount: other types "
			       "cannot be written to, use it without rw",
			       path);
	odd = disk_format_no_files(image);
	return err_set(e, EINVAL, "%s %s", path,
		       odd ? odd
			   : "is no image of erofs, ext4 or squashfs that this kernel can mount");
}
