/* descendants.h - the processes that a process has started, theirs too: for
 * where no PID namespace ends them all together. */
#ifndef WALLS_DESCENDANTS_H
#define WALLS_DESCENDANTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Send `sig` to every descendant of this process that /proc shows.  What is
 * forked meanwhile may be missed: it is a descendant still, so ask again.
 */
void descendants_signal(int sig);

/*
 * For a process that adopts its descendants (PR_SET_CHILD_SUBREAPER): send them
 * SIGKILL, and reap, until none is left or `limit_ns` are over.  True: none is.
 */
bool descendants_end(uint64_t limit_ns);

#endif
