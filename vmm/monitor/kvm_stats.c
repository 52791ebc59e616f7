/* kvm_stats.c - see kvm_stats.h.  Read once, at the end of a run: the whole file
 * in one system call, which is all that is trusted of it. */
#include "vmm/monitor/kvm_stats.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/base/util.h"

#define FILE_MAX     16384 /* KVM's have some 2 to 10 KiB, those of vCPUs the most */
#define NAME_MAX_LEN 64	   /* KVM's own is 48 */

int kvm_stats_open(int fd)
{
	return ioctl(fd, KVM_GET_STATS_FD, NULL);
}

/* `len` bytes at `at` of a file of `size`. */
static bool take(const uint8_t *file, size_t size, uint64_t at, void *to, size_t len)
{
	if (len > size || at > size - len)
		return false;
	memcpy(to, file + at, len);
	return true;
}

static void match(const uint8_t *file, size_t size, uint64_t data, const struct kvm_stats_desc *d,
		  const char *name, const char *const names[], unsigned int n, uint64_t ret[])
{
	for (unsigned int i = 0; i < n; i++)
		if (d->size == 1 && strcmp(name, names[i]) == 0)
			take(file, size, data + d->offset, &ret[i], sizeof(ret[i]));
}

void kvm_stats_read(int stats_fd, const char *const names[], unsigned int n, uint64_t ret[])
{
	uint8_t file[FILE_MAX];
	struct kvm_stats_desc desc;
	struct kvm_stats_header h;
	char name[NAME_MAX_LEN + 1] = "";
	ssize_t got = stats_fd < 0 ? -1 : pread(stats_fd, file, sizeof(file), 0);
	size_t size = (size_t)MAX(got, 0);
	uint64_t at;

	memset(ret, 0, n * sizeof(ret[0]));
	if (!take(file, size, 0, &h, sizeof(h)) || h.name_size > NAME_MAX_LEN)
		return;
	at = h.desc_offset;
	for (uint32_t i = 0; i < h.num_desc; i++) {
		if (!take(file, size, at, &desc, sizeof(desc)) ||
		    !take(file, size, at + sizeof(desc), name, h.name_size))
			return;
		match(file, size, h.data_offset, &desc, name, names, n, ret);
		at += sizeof(desc) + h.name_size;
	}
}
