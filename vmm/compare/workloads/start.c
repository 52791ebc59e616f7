/* start.c - nothing but a byte: when it arrives and when all is over is
 * measured from outside.  What a real command needs to start (libraries,
 * files) is not in it. */
#include <time.h>
#include <unistd.h>

#include "vmm/compare/workloads/workloads.h"

int workload_start(void)
{
	return write(STDOUT_FILENO, ".\n", 2) == 2 ? 0 : workload_fail("write");
}

/* Until it is ended; not for ever, should nobody do it. */
int workload_wait(void)
{
	const struct timespec t = { 300, 0 };

	workload_leave_on_sigterm();
	if (write(STDOUT_FILENO, ".\n", 2) != 2)
		return workload_fail("write");
	nanosleep(&t, NULL);
	return 0;
}

/* As long as it takes to look at the memory of what runs. */
int workload_idle(void)
{
	const struct timespec t = { 0, 500000000 };

	if (write(STDOUT_FILENO, ".\n", 2) != 2)
		return workload_fail("write");
	return nanosleep(&t, NULL) ? workload_fail("nanosleep") : 0;
}
