/* surface_exits.c - see surface_exits.h; Documentation/virt/kvm/api.rst,
 * KVM_GET_STATS_FD, has the file's format; virt/kvm/kvm_main.c,
 * kvm_create_vm_debugfs(), the directory's. */
#include "vmm/compare/surface_exits.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "vmm/base/util.h"

#define FILE_MAX 65536
#define DEBUGFS	 "/sys/kernel/debug/kvm"

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

/* Its other files are states and histograms, or are not about exits. */
static bool is_exits(const char *name)
{
	static const char ending[] = "exits";
	size_t n = strlen(name);

	return n >= sizeof(ending) - 1 && strcmp(name + n - (sizeof(ending) - 1), ending) == 0;
}

static int add_files(const char *path, struct surface_exits *ret)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = -ENODATA;

	while (dir && (entry = readdir(dir)) != NULL) {
		char file[PATH_MAX];
		unsigned long long value;
		FILE *f = NULL;

		if (is_exits(entry->d_name) &&
		    snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file))
			f = fopen(file, "re");
		if (f && fscanf(f, "%llu", &value) == 1) {
			add(ret, entry->d_name, value);
			r = 0;
		}
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return r;
}

int surface_exits_files(const char *dir, pid_t pid, struct surface_exits *ret)
{
	DIR *all = opendir(dir);
	struct dirent *entry;
	char path[PATH_MAX];
	int r = -ENODATA, whose, number;

	while (all && (entry = readdir(all)) != NULL) {
		if (sscanf(entry->d_name, "%d-%d", &whose, &number) != 2 || whose != pid)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) < (int)sizeof(path) &&
		    add_files(path, ret) == 0)
			r = 0;
	}
	if (all)
		closedir(all);
	return r;
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
	if (r != -ENODATA || surface_exits_files(DEBUGFS, pid, ret) == 0)
		return r == -ENODATA ? 0 : r;
	return err_set(e, ENODATA,
		       "its monitor has not opened KVM's statistics, and debugfs shows none");
}
