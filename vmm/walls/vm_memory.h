/*
 * vm_memory.h - the one file behind a guest's memory.
 */
#ifndef WALLS_VM_MEMORY_H
#define WALLS_VM_MEMORY_H

#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/config/run_config.h"

struct vm_memory {
	int fd;		     /* `bytes` long, empty; the caller's */
	const char *backing; /* "thp", "hugetlb" or "memfd": for the report */
};

/*
 * Make it, with huge pages as `wish` says: RUN_HUGEPAGES_AUTO takes
 * transparent ones where the host has them and falls back silently;
 * RUN_HUGEPAGES_THP and RUN_HUGEPAGES_HUGETLB are errors that say what to do
 * where they cannot be had.  0 or -errno.
 */
int vm_memory_open(uint64_t bytes, enum run_hugepages wish, struct vm_memory *ret, struct err *e);

#endif
