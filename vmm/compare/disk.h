/* disk.h - what the workload `disk` works on: a file on the host, which each
 * wall is given in its own way. */
#ifndef COMPARE_DISK_H
#define COMPARE_DISK_H

#include "vmm/base/err.h"
#include "vmm/compare/comparison.h"
#include "vmm/compare/wall_command.h"

/*
 * Make it below setup->scratch, where the workload was put before.  `label` says
 * which file system that is, and whether its page cache is passed by.  What was
 * made is place_remove()'s.  0; -errno and *e.
 */
int disk_make(const struct wall_setup *setup, struct wall_disk *ret, char label[COMPARE_NAME],
	      struct err *e);

#endif
