/*
 * seccomp_profile.h - a list of system calls that the user brings: the seccomp
 * object of the OCI runtime spec (config-linux.md), or the form of podman and
 * docker, which has conditions (includes, excludes) and an archMap.
 *
 * The file may be a stranger's: its size, its depth and the number of its
 * rules are bounded, and a key that is not known is an error, because it could
 * be a condition.
 */
#ifndef JAIL_SECCOMP_PROFILE_H
#define JAIL_SECCOMP_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/jail/seccomp_code.h"

/* What conditions are about. */
struct profile_host {
	uint64_t capabilities;	   /* of the command */
	unsigned int major, minor; /* of the kernel's version */
};

/* 0 and *ret, which is to be released, or -errno with the place in the text. */
int seccomp_profile_compile(const char *text, size_t len, const struct profile_host *host,
			    struct seccomp_code *ret, struct err *e);

/* The same of the file `fd`, which stays the caller's, for this kernel and a
 * command that has `capabilities`. */
int seccomp_profile_read(int fd, uint64_t capabilities, struct seccomp_code *ret, struct err *e);

#endif
