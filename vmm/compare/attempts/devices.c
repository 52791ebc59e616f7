/* devices.c - device files, opened and closed. */
#include "vmm/compare/attempts/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* linux/miscdevice.h is not for programs. */
#define TUN_MINOR  200
#define FUSE_MINOR 229
#define KVM_MINOR  232

/* By its file, or by a new one in a directory of the attempt's own. */
static int open_device(const char *path, mode_t kind, unsigned int major_, unsigned int minor_)
{
	char dir[] = "/tmp/bulkhead-attempt.XXXXXX", made[64];
	int r = attempt_open(path, O_RDONLY);

	if (r == 0 || !mkdtemp(dir))
		return r;
	snprintf(made, sizeof(made), "%s/device", dir);
	r = mknod(made, kind | 0600, makedev(major_, minor_)) < 0 ? -errno
								  : attempt_open(made, O_RDONLY);
	unlink(made);
	rmdir(dir);
	return r;
}

/* Is the driver of a misc device there?  Opening the file of one that is not
 * would load its module: misc_open(). */
static bool is_loaded(unsigned int minor_)
{
	FILE *f = fopen("/proc/misc", "re");
	bool found = f == NULL; /* nobody says that it is not */
	unsigned int number;

	while (f && !found && fscanf(f, "%u %*s", &number) == 1)
		found = number == minor_;
	if (f)
		fclose(f);
	return found;
}

static int open_misc(const char *path, unsigned int minor_)
{
	return is_loaded(minor_) ? attempt_open(path, O_RDWR) : -ENODEV;
}

/* blkdev_open(): the file's mode, then the control group's list of devices.
 * Nothing is read.  The kernel's list of disks has one header, then MAJOR MINOR BLOCKS NAME. */
int attempt_disk_raw(const struct canaries *c)
{
	FILE *f = fopen("/proc/partitions", "re");
	char line[256], name[64], path[80];
	unsigned int major_, minor_;
	int r = -ENOENT;

	(void)c;
	if (!f)
		return -errno;
	while (r < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %u %*u %63s", &major_, &minor_, name) != 3)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", name);
		r = open_device(path, S_IFBLK, major_, minor_);
	}
	fclose(f);
	return r;
}

/* /dev/zero's numbers: /dev/null is what a wall lays over files. */
int attempt_device_node(const struct canaries *c)
{
	(void)c;
	return open_device("/nonexistent", S_IFCHR, 1, 5);
}

int attempt_device_kvm(const struct canaries *c)
{
	(void)c;
	return open_misc("/dev/kvm", KVM_MINOR);
}

int attempt_device_tun(const struct canaries *c)
{
	(void)c;
	return open_misc("/dev/net/tun", TUN_MINOR);
}

int attempt_device_fuse(const struct canaries *c)
{
	(void)c;
	return open_misc("/dev/fuse", FUSE_MINOR);
}

/* iopl(2): CAP_SYS_RAWIO and the lockdown.  The level ends with the process,
 * which touches no port. */
int attempt_io_ports(const struct canaries *c)
{
	(void)c;
	return iopl(3) < 0 ? -errno : 0;
}
