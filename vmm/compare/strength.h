/*
 * strength.h - what came through a wall: every attempt once behind every wall, in a
 * machine all but the bombs in one start as long as no canary notices anything;
 * judged by what the host's canaries noticed and by whose kernel answered.
 */
#ifndef COMPARE_STRENGTH_H
#define COMPARE_STRENGTH_H

#include "vmm/compare/attempt_list.h"
#include "vmm/compare/canaries.h"
#include "vmm/compare/comparison.h"
#include "vmm/compare/measure.h"
#include "vmm/compare/progress.h"
#include "vmm/compare/wall_command.h"

/* What is known after an attempt's run. */
struct strength_seen {
	const char *out; /* its output */
	int status;
	bool noticed; /* by a canary */
};

/* What the host is, to be told from what is behind the wall. */
struct strength_host {
	const char *boot, *space; /* "-": not known */
	const char *secret, *token;
};

/* Pure. */
void strength_judge(const struct attempt *a, const struct strength_host *host,
		    const struct strength_seen *seen, struct compare_outcome *ret);

/* Of the lines of ATTEMPT_EVERY the answer of that attempt, which more lines follow;
 * NULL: it gave none.  Pure. */
const char *strength_line(const char *lines, const char *name);

/*
 * Run them all; *got is scratch.  Attempts that were not run because of an
 * interrupt are left out.  0; -ENOMEM, -errno and *e.
 */
int strength_run(const struct wall_setup *setup, struct canaries *canaries, int signal_fd,
		 struct progress *progress, struct measured *got, struct comparison *c,
		 struct err *e);

/* No attempt was made behind any wall, for the reason `why`.  0 or -ENOMEM. */
int strength_skip(struct comparison *c, const char *why, struct err *e);

#endif
