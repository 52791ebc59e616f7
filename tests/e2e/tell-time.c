/*
 * tell-time.c - tells the guest's time for each line that it is sent
 *
 * Who sends the line knows that the clock was read between the sending and the
 * answer. The program stays, since starting one takes longer than what is
 * measured. With an argument the clock is that device's (/dev/ptp0: what the
 * host says), not the system's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The clock behind a descriptor (Linux, include/linux/posix-timers.h). */
#define CLOCKID_OF_FD(fd) ((clockid_t)((~(unsigned int)(fd) << 3) | 3))

int main(int argc, char **argv)
{
	clockid_t clock = CLOCK_REALTIME;
	struct timespec ts;
	char line[64];
	int fd;

	if (argc > 1) {
		fd = open(argv[1], O_RDONLY);
		if (fd < 0) {
			perror(argv[1]);
			return 1;
		}
		clock = CLOCKID_OF_FD(fd);
	}

	while (fgets(line, sizeof(line), stdin) && strcmp(line, "end\n") != 0) {
		if (clock_gettime(clock, &ts) < 0) {
			perror("clock_gettime");
			return 1;
		}
		printf("time %lld.%09ld\n", (long long)ts.tv_sec, ts.tv_nsec);
		fflush(stdout);
	}
	return 0;
}
