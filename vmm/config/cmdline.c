/*
 * cmdline.c - see cmdline.h.
 *
 * What is not here, because the kernel's own default is right: how to reboot
 * (ACPI's reset register), rdinit (/init), and the many switches against
 * probing for hardware, which our kernel configuration leaves out already.
 */
#include "vmm/config/cmdline.h"

#include <stdio.h>

/* The console is the first serial port; a kernel that has none writes to
 * nothing.  panic=-1: the machine is reset as soon as the panic was told,
 * instead of standing still for ever. */
#define ALWAYS "console=ttyS0 panic=-1"

/* The console carries the command's output, byte for byte: the kernel writes
 * to it only when it dies (an oops and a panic raise the level themselves). */
#define QUIET "loglevel=1"

/* The default of an untouched kernel, in case this one was built otherwise. */
#define VERBOSE "loglevel=7"

int cmdline_build(const struct run_config *cfg, char **ret_cmdline, struct err *e)
{
	bool raw = cfg->boot == RUN_BOOT_RAW;
	char *text;
	int n;

	if (raw)
		n = asprintf(&text, "%s", cfg->cmdline ? cfg->cmdline : ALWAYS);
	else
		n = asprintf(&text, "%s %s%s%s", ALWAYS, cfg->verbose ? VERBOSE : QUIET,
			     cfg->cmdline ? " " : "", cfg->cmdline ? cfg->cmdline : "");
	if (n < 0)
		return err_set(e, ENOMEM, "out of memory");
	*ret_cmdline = text;
	return 0;
}
