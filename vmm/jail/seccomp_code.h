/* seccomp_code.h - a system call filter that is compiled at run time. */
#ifndef JAIL_SECCOMP_CODE_H
#define JAIL_SECCOMP_CODE_H

#include <seccomp.h>
#include <stdint.h>

#include "vmm/base/err.h"

struct sock_filter;

struct seccomp_code {
	struct sock_filter *code; /* owned; NULL: none */
	unsigned short len;	  /* instructions */
	unsigned int flags;	  /* SECCOMP_FILTER_FLAG_* */
};

/* The program of libseccomp's rules; `ctx` stays the caller's.  0 and *ret,
 * which is to be released, or -errno. */
int seccomp_code_export(scmp_filter_ctx ctx, struct seccomp_code *ret, struct err *e);

/* The usual list of the command behind the process wall, for one that has
 * `capabilities`.  0 and *ret, which is to be released, or -errno. */
int seccomp_code_for_command(uint64_t capabilities, struct seccomp_code *ret, struct err *e);

void seccomp_code_release(struct seccomp_code *c);

/* Install it for good, on the calling thread.  Needs no_new_privs.  0 or -errno. */
int seccomp_code_install(const struct seccomp_code *c, struct err *e);

#endif
