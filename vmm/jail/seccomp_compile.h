/* seccomp_compile.h - programs out of libseccomp's rules; bulkhead-seccomp's. */
#ifndef JAIL_SECCOMP_COMPILE_H
#define JAIL_SECCOMP_COMPILE_H

#include <seccomp.h>
#include <stdint.h>

#include "vmm/jail/seccomp_code.h"

/* The program of libseccomp's rules; `ctx` stays the caller's.  0 and *ret,
 * which is to be released, or -errno. */
int seccomp_compile(scmp_filter_ctx ctx, struct seccomp_code *ret, struct err *e);

/* The usual list of the command behind the process wall, for one that has
 * `capabilities`.  0 and *ret, which is to be released, or -errno. */
int seccomp_compile_usual(uint64_t capabilities, struct seccomp_code *ret, struct err *e);

#endif
