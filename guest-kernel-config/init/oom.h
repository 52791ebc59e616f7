/*
 * oom.h - was it the guest's kernel that killed a process, for want of memory?
 */
#ifndef GUEST_INIT_OOM_H
#define GUEST_INIT_OOM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Look for `pid` in the kernel's log.  If the kernel killed it for memory:
 * true, and who it was, with how much, in `ret`: "sh (process 53), with
 * 41234kB".
 */
bool oom_find(pid_t pid, char *ret, size_t size);

/* The same for one record of /dev/kmsg. */
bool oom_parse(const char *record, pid_t pid, char *ret, size_t size);

#endif
