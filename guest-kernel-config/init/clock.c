/*
 * clock.c - see clock.h
 */
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

/* ptp_kvm's, whose clock is the host's: there is no other PTP device here. */
#define HOST_CLOCK "/dev/ptp0"

/* The clock behind a descriptor (Linux, include/linux/posix-timers.h). */
#define CLOCKID_OF_FD(fd) ((clockid_t)((~(unsigned int)(fd) << 3) | 3))

void clock_set_from_host(void)
{
	int fd = open(HOST_CLOCK, O_RDONLY | O_CLOEXEC);
	struct timespec now;

	if (fd < 0) {
		note("the time of day is the kernel's own: %s: %s", HOST_CLOCK, strerror(errno));
		return;
	}
	if (clock_gettime(CLOCKID_OF_FD(fd), &now) < 0 || clock_settime(CLOCK_REALTIME, &now) < 0)
		note("the time of day cannot be set to the host's: %s", strerror(errno));
	close(fd);
}
