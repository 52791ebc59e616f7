/*
 * memory.h - how much memory a process's descendants hold together: the sum of
 * their proportional set sizes, so that pages which several of them share are
 * counted once.
 */
#ifndef COMPARE_MEMORY_H
#define COMPARE_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

#define MEMORY_PROCESSES 4096 /* of the whole host; more are not seen */

/* Bytes; processes that end meanwhile count as 0. */
uint64_t memory_of_descendants(pid_t of);

#endif
