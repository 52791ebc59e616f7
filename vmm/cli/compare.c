/*
 * compare.c - `bulkhead compare`: hand over to bulkhead-compare, a program of
 * its own, so that what measures and draws is not in what runs guests.
 */
#include "vmm/base/companion.h"
#include "vmm/cli/cli.h"

int cmd_compare(int argc, char **argv, struct err *e, int *ret_status)
{
	(void)argc;
	(void)ret_status;
	return companion_exec("bulkhead-compare", argv, e);
}
