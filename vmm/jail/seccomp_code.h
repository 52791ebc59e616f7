/*
 * seccomp_code.h - a system call filter that is compiled at run time, and how
 * to have one compiled: by bulkhead-seccomp, a confined program of its own.
 * Most runs need none (filter.h), and what reads a stranger's profile should
 * hold nothing else.
 */
#ifndef JAIL_SECCOMP_CODE_H
#define JAIL_SECCOMP_CODE_H

#include <stdint.h>

#include "vmm/base/err.h"

struct sock_filter;

struct seccomp_code {
	struct sock_filter *code; /* owned; NULL: none */
	unsigned short len;	  /* instructions */
	unsigned int flags;	  /* SECCOMP_FILTER_FLAG_* */
};

/* What the program writes to its standard output; `len` instructions follow. */
struct seccomp_answer {
	int32_t error; /* -errno: nothing follows, `text` says what */
	uint32_t flags;
	uint32_t len;
	char text[ERR_TEXT_MAX];
};

/*
 * Have the filter of a command with `capabilities` compiled: of the profile in
 * the file `profile` (seccomp_profile.h), or, with NULL, the usual list.  0
 * and *ret, which is to be released, or -errno with the place in the text.
 */
int seccomp_code_request(const char *profile, uint64_t capabilities, struct seccomp_code *ret,
			 struct err *e);

void seccomp_code_release(struct seccomp_code *c);

/* Install it for good, on the calling thread.  Needs no_new_privs.  0 or -errno. */
int seccomp_code_install(const struct seccomp_code *c, struct err *e);

#endif
