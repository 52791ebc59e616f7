/*
 * surface_exits.h - why the vCPUs of a virtual machine stopped, from KVM's own
 * statistics: its monitor has opened them (KVM_GET_STATS_FD), and they are read
 * through its descriptors, while it lives; or they are read from debugfs, where
 * the host has that mounted.
 */
#ifndef COMPARE_SURFACE_EXITS_H
#define COMPARE_SURFACE_EXITS_H

#include <sys/types.h>

#include "vmm/base/err.h"
#include "vmm/compare/surface.h"

/* KVM's, of all vCPUs of a process. */
struct surface_exits {
	struct surface_count count[SURFACE_EXITS];
	size_t n;
};

/*
 * What counts and is not 0, summed over the vCPU statistics that `pid` has open;
 * if it has none, the exits that debugfs has of its machine.
 * 0; -ENODATA: neither is there; -EPERM, -errno; *e is a reason for the reader of
 * a report.
 */
int surface_exits_read(pid_t pid, struct surface_exits *ret, struct err *e);

/*
 * The exits of the machines of `pid` in `dir`, which is as debugfs has it: a
 * directory PID-NUMBER for each, and in it a file for each count.  0; -ENODATA.
 */
int surface_exits_files(const char *dir, pid_t pid, struct surface_exits *ret);

/* A statistics file of KVM's, `size` bytes, added.  Pure.  0; -EINVAL. */
int surface_exits_parse(const uint8_t *file, size_t size, struct surface_exits *ret);

#endif
