/*
 * attempts.h - the static program that tries, from behind a wall, what
 * attempt_list.h lists.
 *
 * `bulkhead-attempt NAME TOKEN DIR PID ADDRESS PORT HANDLE` prints one line of
 * five words, "-" where there is nothing to say:
 *
 *   done|errno|absent  ERRNO  BOOT-ID  NAMESPACE  EVIDENCE
 *
 * `bulkhead-attempt every ...` makes all but the bombs, and each line begins with the
 * attempt's name.
 *
 * The boot id says whose kernel this is; the evidence is a secret that only who
 * reached the host's canary can know.  It is meant to be run by the runner
 * (strength.h), whose canaries the arguments name.
 */
#ifndef COMPARE_ATTEMPTS_H
#define COMPARE_ATTEMPTS_H

#include <stdint.h>
#include <sys/types.h>

#include "vmm/compare/attempt_list.h"

#define ATTEMPT_SECRET	 16 /* bytes of the secret, the last one is 0 */
#define ATTEMPT_EVIDENCE 64
#define ATTEMPT_FILE	 "canary"
#define ATTEMPT_FD	 200 /* of the canary's process: the file */

/* The host's canaries. */
struct canaries {
	const char *token;  /* process name, abstract socket */
	const char *dir;    /* holds ATTEMPT_FILE; the process's working directory */
	pid_t pid;	    /* of the process */
	uint64_t address;   /* of the secret in it */
	uint16_t port;	    /* on 127.0.0.1 */
	const char *handle; /* of the file: TYPE:HEX, or "-" */
	char *evidence;	    /* what was found of them; ATTEMPT_EVIDENCE bytes */
};

/* 0: it is possible; or -errno, what kept it. */
typedef int attempt_fn(const struct canaries *c);

#define DECLARE(function, name, kind, space, gives) attempt_fn attempt_##function;
ATTEMPTS(DECLARE)
#undef DECLARE

/* What was found; printable characters of it are kept. */
void attempt_evidence(const struct canaries *c, const char *secret);

/* Open and close it.  0 or -errno; -ENODATA: /dev/null lies over it. */
int attempt_open(const char *path, int flags);

/* Read the secret out of an open file, which is closed.  0 or -errno. */
int attempt_read(const struct canaries *c, int fd);

/* A call that is refused with `refused` once it is permitted: its result. */
int attempt_refused(long result, int refused);

#endif
