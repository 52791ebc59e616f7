/*
 * memory.h - how much memory a process's descendants hold together: the sum of
 * their proportional set sizes, so that pages which several of them share are
 * counted once.
 */
#ifndef COMPARE_MEMORY_H
#define COMPARE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MEMORY_PROCESSES 4096 /* of the whole host; more are not seen */

/*
 * Bytes; processes that end meanwhile count as 0.  *ret_hidden is set, and
 * nothing else done to it, when one of them may not be looked at: what confines
 * itself is not its user's to look into, only root's.
 */
uint64_t memory_of_descendants(pid_t of, bool *ret_hidden);

#endif
