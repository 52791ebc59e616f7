/*
 * kvm_stats.h - a machine's statistics as KVM gives them in binary
 * (Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD).
 */
#ifndef MONITOR_KVM_STATS_H
#define MONITOR_KVM_STATS_H

#include <stdint.h>

/* An fd for kvm_stats_read(), to be had before the process is confined; -1
 * where this KVM has none. */
int kvm_stats_open(int vm_fd);

/*
 * The value of the machine's statistic `name`; 0 when there is no such one.
 * One value only: histograms are left out.
 */
uint64_t kvm_stats_read(int stats_fd, const char *name);

#endif
