/* kvm_stats.c - see kvm_stats.h.  Read once, at the end of a run. */
#include "vmm/monitor/kvm_stats.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/base/util.h"

#define NAME_MAX_LEN 64	 /* KVM's own is 48 */
#define DESC_MAX     256 /* entries that we look through */

int kvm_stats_open(int vm_fd)
{
	return ioctl(vm_fd, KVM_GET_STATS_FD, NULL);
}

uint64_t kvm_stats_read(int stats_fd, const char *name)
{
	union {
		struct kvm_stats_desc desc;
		char space[sizeof(struct kvm_stats_desc) + NAME_MAX_LEN];
	} d = { .space = { 0 } };
	struct kvm_stats_header h;
	uint64_t value;
	size_t len;

	if (stats_fd < 0 || pread_all(stats_fd, &h, sizeof(h), 0) < 0 || h.name_size > NAME_MAX_LEN)
		return 0;
	len = sizeof(struct kvm_stats_desc) + h.name_size;
	for (uint32_t i = 0; i < MIN(h.num_desc, (uint32_t)DESC_MAX); i++) {
		if (pread_all(stats_fd, d.space, len, h.desc_offset + i * len) < 0)
			return 0;
		d.space[len - 1] = '\0';
		if (strcmp(d.desc.name, name) != 0)
			continue;
		if (d.desc.size != 1 ||
		    pread_all(stats_fd, &value, sizeof(value), h.data_offset + d.desc.offset) < 0)
			return 0;
		return value;
	}
	return 0;
}
