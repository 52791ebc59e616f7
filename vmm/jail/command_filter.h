/*
 * command_filter.h - the list of system calls of a command behind the process
 * wall, as libseccomp's rules: used when Bulkhead is built, for the usual
 * capabilities (filter.h), and at run time for others.
 */
#ifndef JAIL_COMMAND_FILTER_H
#define JAIL_COMMAND_FILTER_H

#include <seccomp.h>
#include <stdint.h>

/*
 * A filter of command_calls.h and of what each of `capabilities` is of no use
 * without.  The caller's, for seccomp_release(); NULL with errno.
 */
scmp_filter_ctx command_filter_new(uint64_t capabilities);

#endif
