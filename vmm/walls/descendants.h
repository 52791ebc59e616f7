/* descendants.h - the processes that a process has started, theirs too: for
 * where no PID namespace ends them all together. */
#ifndef WALLS_DESCENDANTS_H
#define WALLS_DESCENDANTS_H

#include <sys/types.h>

/*
 * Send `sig` to every descendant of this process that /proc shows.  What is
 * forked meanwhile may be missed: it is a descendant still, so ask again.
 */
void descendants_signal(int sig);

#endif
