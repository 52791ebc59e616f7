/*
 * kvm_stats.h - statistics of a machine or a vCPU as KVM gives them in binary
 * (Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD).
 */
#ifndef MONITOR_KVM_STATS_H
#define MONITOR_KVM_STATS_H

#include <stdint.h>

/* An fd for kvm_stats_read(), to be had before the process is confined, of a
 * machine or of a vCPU; -1 where this KVM has none. */
int kvm_stats_open(int fd);

/*
 * The values of the `n` statistics of these names; 0 for one that there is not.
 * Single values only: of histograms, nothing.
 */
void kvm_stats_read(int stats_fd, const char *const names[], unsigned int n, uint64_t ret[]);

#endif
