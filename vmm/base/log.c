/* log.c - see log.h.  The level and the target are the only mutable globals
 * of the program; both are set before a process starts its threads. */
#include "vmm/base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum log_level level_now = LOG_LEVEL_WARN;
static int target = STDERR_FILENO;
static bool raw_terminal;

void log_to(int fd)
{
	target = fd;
}

void log_set_level(enum log_level level)
{
	level_now = level;
}

void log_set_raw(bool raw)
{
	raw_terminal = raw;
}

enum log_level log_level(void)
{
	return level_now;
}

/*
 * Standard error is shared with whoever started us, so it cannot be made
 * non-blocking; up to PIPE_BUF bytes do not block once poll says so.
 */
static bool can_take(int timeout_ms)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&pfd, 1, timeout_ms) > 0;
}

void log_block(const char *text)
{
	const char *end = raw_terminal ? "\r\n" : "\n";

	if (can_take(1000))
		dprintf(STDERR_FILENO, "bulkhead: %s%s", text, end);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	size_t used = 0;
	va_list ap;
	int n;

	if (level > level_now)
		return;
	if (target == STDERR_FILENO)
		used = (size_t)snprintf(line, sizeof(line), "bulkhead: ");
	va_start(ap, fmt);
	n = vsnprintf(line + used, sizeof(line) - used, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	used += (size_t)n;
	if (used > sizeof(line) - 1)
		used = sizeof(line) - 1;
	/* A name from outside may hold anything; a line stays one line, and
	 * no escape sequence reaches a terminal. */
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	if (target == STDERR_FILENO && raw_terminal && used < sizeof(line) - 1)
		line[used++] = '\r';
	line[used++] = '\n';
	if (target == STDERR_FILENO && !can_take(0))
		return;
	if (write(target, line, used) < 0)
		return; /* a full pipe or a closed terminal: nobody to tell */
}
