/*
 * cpu_cache.h - what KVM can give a CPU (arch_host_cpu_ask()), kept for as
 * long as the host runs and its KVM modules stay loaded.
 *
 * KVM answers from tables that it makes when it is loaded and from CPUID, which
 * it executes some hundred times for each answer.  Where CPUID traps (on a host
 * that is itself virtual) that is a third of a millisecond, a tenth of all that
 * a launch costs.  The file is written by the supervisor before there is a
 * guest, never with anything that a monitor said.
 */
#ifndef MONITOR_CPU_CACHE_H
#define MONITOR_CPU_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"

#define CPU_CACHE_MODULES 4

/* Which KVM is loaded: the inode of each module's folder in sysfs, 0 where
 * there is none; a module that is loaded anew gets another.  `root` stands
 * before the path: "" on a host, a fake tree in tests. */
void cpu_cache_modules(const char *root, uint64_t ret[CPU_CACHE_MODULES]);

/* The bytes in *ret (malloc'ed) and *ret_len.  0, or -ENOENT: none that can be
 * trusted for this boot and these modules. */
int cpu_cache_read(const char *dir, const char *boot_id, const uint64_t modules[CPU_CACHE_MODULES],
		   void **ret, size_t *ret_len);

/* 0 or -errno of boot_cache_write(). */
int cpu_cache_write(const char *dir, const char *boot_id, const uint64_t modules[CPU_CACHE_MODULES],
		    const void *bytes, size_t len);

/* From the file, or else from KVM and kept; failing to keep is no error.  The
 * result is malloc'ed.  0 or -errno of arch_host_cpu_ask(). */
int cpu_cache_get(int kvm_fd, void **ret, size_t *ret_len, struct err *e);

#endif
