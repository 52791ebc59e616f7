/*
 * beats.h - the delays of a program that wants its turn at a fixed pace, with
 * those of the turns that it missed.  Pure; shared by the workload `neighbour`
 * and its test.
 *
 * A program that waits for its next turn only after a late one is asked for
 * less just while it is kept waiting: a stall of a hundred turns would be one
 * delay of 500, and no percentile would see it (the "coordinated omission" of
 * Gil Tene).  The pace is known, so the turns that went by are known as well.
 */
#ifndef COMPARE_BEATS_H
#define COMPARE_BEATS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The delays of all turns that one late end of work stands for: `late` after
 * the moment of the turn that was waited for, and an interval less for each
 * whose moment went by before that end.  Whatever unit both have; interval > 0.
 *
 * Returns how many were written to `ret`: at least 1 when room > 0.  What is
 * beyond the room, the shortest ones, is dropped.
 */
size_t beats_of_delay(uint64_t late, uint64_t interval, uint64_t *ret, size_t room);

#endif
