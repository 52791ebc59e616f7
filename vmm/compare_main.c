/*
 * compare_main.c - bulkhead-compare, which `bulkhead compare` becomes: argv[0]
 * is the path of Bulkhead's own program, the rest its arguments.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/base/log.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/compare_command.h"

int main(int argc, char **argv)
{
	struct err e = { "" };
	int status = 0;

	if (argc < 2 || argv[0][0] != '/' || strcmp(argv[1], command_compare.name) != 0) {
		fprintf(stderr, "bulkhead-compare: run 'bulkhead compare'\n");
		return CLI_STATUS_ERROR;
	}
	if (compare_command(argv[0], argc - 1, argv + 1, &e, &status) == 0)
		return status;
	log_error("%s", e.text);
	return CLI_STATUS_ERROR;
}
