/*
 * first-line.c - process 1 of a guest whose boot is measured: it prints one line
 * and restarts the machine, which ends it.
 */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	static const char line[] = "up\n";

	if (write(1, line, sizeof(line) - 1) < 0)
		return 1;
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
