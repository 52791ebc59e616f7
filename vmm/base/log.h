/*
 * log.h - one-line messages of a process of Bulkhead.
 *
 * The supervisor prints them to standard error; every other process writes
 * them into its own log pipe, which the supervisor reads (bounded, made
 * printable) and prefixes with the process's name.  A full pipe loses the
 * line, and so does a standard error that nobody reads: no process ever waits
 * to complain.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_LINE_MAX 512 /* longer lines are cut */

/* Where lines go (default: fd 2) and how much is told (default: WARN). */
void log_to(int fd);
void log_set_level(enum log_level level);
enum log_level log_level(void);

/* Standard error is a terminal in raw mode: lines end in CR LF. */
void log_set_raw(bool raw);

/* Write "bulkhead: TEXT\n" (or "TEXT\n" into a log pipe) in one write(2). */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Print "bulkhead: TEXT\n" to standard error whatever the level; TEXT may have
 * several lines.  The supervisor's and main's; waits a second at the most. */
void log_block(const char *text);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
