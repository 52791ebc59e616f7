/* oom.c - see oom.h */
#include "oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORDS_MAX 100000 /* somebody may be writing as fast as we read */

/*
 * Documentation/ABI/testing/dev-kmsg: "PRIORITY,NUMBER,...;TEXT".  Priorities
 * from 8 on are of other facilities than the kernel: anybody can write those.
 * The text is "Out of memory: Killed process PID (NAME) total-vm:NkB,
 * anon-rss:NkB, ..." (mm/oom_kill.c).
 */
bool oom_parse(const char *record, pid_t pid, char *ret, size_t size)
{
	const char *text = strchr(record, ';'), *name, *end, *rss;
	char killed[48];

	if (!text || strtoul(record, NULL, 10) > 7 ||
	    strncmp(++text, "Out of memory", strlen("Out of memory")) != 0)
		return false;
	snprintf(killed, sizeof(killed), "Killed process %d (", (int)pid);
	name = strstr(text, killed);
	if (!name)
		return false;
	name += strlen(killed);
	rss = strstr(name, " anon-rss:");
	end = strstr(name, ") total-vm:");
	if (!rss || !end)
		return false;
	rss += strlen(" anon-rss:");
	snprintf(ret, size, "%.*s (process %d), with %.*s", (int)(end - name), name, (int)pid,
		 (int)strcspn(rss, ",\n"), rss);
	return true;
}

bool oom_find(pid_t pid, char *ret, size_t size)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[1024];
	bool found = false;
	ssize_t n;

	for (int i = 0; fd >= 0 && !found && i < RECORDS_MAX; i++) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINVAL || errno == EINTR))
			continue; /* overwritten meanwhile, or a long one that is not it */
		if (n <= 0)
			break;
		record[n] = '\0';
		found = oom_parse(record, pid, ret, size);
	}
	if (fd >= 0)
		close(fd);
	return found;
}
