/* surface_exits.c - see surface_exits.h; Documentation/virt/kvm/api.rst,
 * KVM_GET_STATS_FD, has the file's format. */
#include "vmm/compare/surface_exits.h"

#include <dirent.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "vmm/base/util.h"

#define FILE_MAX 65536

static bool take(const uint8_t *file, size_t size, uint64_t at, void *to, size_t len)
{
	if (len > size || at > size - len)
		return false;
	memcpy(to, file + at, len);
	return true;
}

static void add(struct surface_exits *to, const char *name, uint64_t value)
{
	size_t i = 0;

	while (i < to->n && strcmp(to->count[i].name, name) != 0)
		i++;
	if (value == 0 || i == SURFACE_EXITS)
		return;
	if (i == to->n) {
		printable(to->count[i].name, SURFACE_NAME, name);
		to->count[to->n++].value = 0;
	}
	to->count[i].value += value;
}

int surface_exits_parse(const uint8_t *file, size_t size, struct surface_exits *ret)
{
	struct kvm_stats_header h;
	char name[SURFACE_NAME] = "";
	uint64_t at, value;

	if (!take(file, size, 0, &h, sizeof(h)) || h.name_size == 0 || h.name_size > sizeof(name))
		return -EINVAL;
	at = h.desc_offset;
	for (uint32_t i = 0; i < h.num_desc;
	     i++, at += sizeof(struct kvm_stats_desc) + h.name_size) {
		struct kvm_stats_desc d;

		if (!take(file, size, at, &d, sizeof(d)) ||
		    !take(file, size, at + sizeof(d), name, h.name_size))
			return -EINVAL;
		name[h.name_size - 1] = '\0';
		if ((d.flags & KVM_STATS_TYPE_MASK) != KVM_STATS_TYPE_CUMULATIVE || d.size != 1 ||
		    (d.flags & KVM_STATS_UNIT_MASK) != KVM_STATS_UNIT_NONE)
			continue;
		if (!take(file, size, (uint64_t)h.data_offset + d.offset, &value, sizeof(value)))
			return -EINVAL;
		add(ret, name, value);
	}
	return 0;
}

static int read_fd(int pidfd, int number, struct surface_exits *ret, struct err *e)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	_cleanup_free_ uint8_t *file = malloc(FILE_MAX);
	ssize_t n;

	if (fd < 0)
		return err_errno(e, "take KVM's statistics from the monitor");
	n = file ? pread(fd, file, FILE_MAX, 0) : -1;
	if (n < 0 || surface_exits_parse(file, (size_t)n, ret) < 0)
		return err_set(e, EIO, "KVM's statistics cannot be read");
	return 0;
}

int surface_exits_read(pid_t pid, struct surface_exits *ret, struct err *e)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r = pidfd < 0 ? err_errno(e, "pidfd_open") : -ENODATA;
	char path[64], link[320], to[64];
	struct dirent *entry;
	DIR *dir;

	ret->n = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = pidfd < 0 ? NULL : opendir(path);
	if (pidfd >= 0 && !dir)
		return err_errno(e, "look at the monitor's descriptors");
	while (dir && (entry = readdir(dir)) != NULL && (r == 0 || r == -ENODATA)) {
		uint64_t number;
		ssize_t n;

		snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
		n = readlink(link, to, sizeof(to) - 1);
		to[MAX(n, 0)] = '\0';
		if (strncmp(to, "anon_inode:kvm-vcpu-stats", 25) == 0 &&
		    parse_u64(entry->d_name, 0, INT32_MAX, &number) == 0)
			r = read_fd(pidfd, (int)number, ret, e);
	}
	if (dir)
		closedir(dir);
	return r == -ENODATA
		       ? err_set(e, ENODATA, "its monitor has not opened KVM's statistics of vCPUs")
		       : r;
}
