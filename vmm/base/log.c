/* log.c - see log.h.  The level and the target are the only mutable globals
 * of the program; both are set before a process starts its threads. */
#include "vmm/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum log_level level_now = LOG_LEVEL_WARN;
static int target = STDERR_FILENO;

void log_to(int fd)
{
	target = fd;
}

void log_set_level(enum log_level level)
{
	level_now = level;
}

enum log_level log_level(void)
{
	return level_now;
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
	line[used++] = '\n';
	if (write(target, line, used) < 0)
		return; /* a full pipe or a closed terminal: nobody to tell */
}
