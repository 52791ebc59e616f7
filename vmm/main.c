/* main.c - argv to a sub-command, and the one error line. */
#include <stdio.h>

#include "vmm/cli/cli.h"

int main(int argc, char **argv)
{
	struct err e = { "" };
	int status = CLI_STATUS_ERROR;

	if (cli_main(argc, argv, &e, &status) < 0) {
		fprintf(stderr, "bulkhead: %s\n", e.text);
		return CLI_STATUS_ERROR;
	}
	return status;
}
