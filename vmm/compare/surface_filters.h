/* surface_filters.h - the seccomp filters of a process that is being traced,
 * as the kernel gives them (ptrace(2), PTRACE_SECCOMP_GET_FILTER). */
#ifndef COMPARE_SURFACE_FILTERS_H
#define COMPARE_SURFACE_FILTERS_H

#include <sys/types.h>

#include "vmm/base/err.h"
#include "vmm/compare/surface_calls.h"

/*
 * Of the stopped tracee `tid`: *ret_n filters, and what all of them together
 * say to each call.  That there are none anybody may know; to read one takes
 * CAP_SYS_ADMIN.  0; -EACCES, -EINVAL, -errno and *e, which is a reason for
 * the reader of a report.
 */
int surface_filters_read(pid_t tid, uint8_t verdict[SURFACE_CALLS], int *ret_n, struct err *e);

#endif
