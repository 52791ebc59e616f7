/*
 * report.c - see report.h
 *
 * Port access through ioperm() instead of a driver: it works before anything
 * is mounted and from the last instruction of the run.
 */
#include "report.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "../guest_abi.h"

static bool is_verbose;
static bool has_ports;

void report_open(void)
{
	has_ports = ioperm(BH_EXIT_PORT, BH_EXIT_PORT_LEN, 1) == 0;
}

void report_close(void)
{
	if (has_ports)
		ioperm(BH_EXIT_PORT, BH_EXIT_PORT_LEN, 0);
	has_ports = false;
}

void report_set_verbose(bool verbose)
{
	is_verbose = verbose;
}

static void write_port(unsigned int offset, unsigned int value)
{
	if (has_ports)
		outl(value, (unsigned short)(BH_EXIT_PORT + offset));
}

static bool has_exit_device(void)
{
	return has_ports && inl(BH_EXIT_PORT) == BH_EXIT_MAGIC;
}

/* Level 0 is shown whatever the console's log level is, 6 with verbose. */
static void kernel_log(int level, const char *text)
{
	char line[BH_EXIT_TEXT_MAX + 32];
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	int len;

	if (fd < 0)
		return;
	len = snprintf(line, sizeof(line), "<%d>init: %s", level, text);
	/* No one to tell if the log does not take it. */
	if (len > 0 && write(fd, line, strnlen(line, sizeof(line))) < 0)
		len = 0;
	close(fd);
}

void report_phase(unsigned int phase)
{
	write_port(4, BH_EXIT_OP_PHASE | (phase & 0xff));
}

unsigned int report_wanted(void)
{
	return has_exit_device() ? inl(BH_EXIT_PORT + 4) : BH_WANT_STOP;
}

bool report_stop_is_wanted(void)
{
	return has_exit_device() && inl(BH_EXIT_PORT + 4) == BH_WANT_STOP;
}

/*
 * The write ends the VM at once.  Where there is no such device (a foreign
 * monitor) the write is lost and the machine is switched off.
 */
void report_end(unsigned int kind, unsigned int code)
{
	char text[64];

	write_port(0, BH_EXIT_STATUS(kind, code));
	snprintf(text, sizeof(text), "no exit device; end of kind %u, code %u", kind, code);
	kernel_log(6, text);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

void report_text(const char *text)
{
	for (const char *s = text; *s; s++)
		write_port(4, BH_EXIT_OP_TEXT | (unsigned char)*s);
}

void fail(const char *format, ...)
{
	char text[BH_EXIT_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report_text(text);
	if (!has_exit_device())
		kernel_log(0, text);
	/* Our monitor has the text; another sees the code at the most. */
	report_end(BH_EXIT_FAILED, 125);
}

void note(const char *format, ...)
{
	char text[256];
	va_list args;

	if (!is_verbose)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	kernel_log(6, text);
}
