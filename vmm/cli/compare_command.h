/*
 * compare_command.h - what `bulkhead compare` and the program that does it
 * share: the table of options.
 */
#ifndef CLI_COMPARE_COMMAND_H
#define CLI_COMPARE_COMMAND_H

#include "vmm/compare/compare.h"

struct compare_request {
	struct compare_config cfg;
	const char *json, *html; /* files; "-" is standard output; or NULL */
};

/*
 * Do what argv asks for, with argv[0] "compare"; `program` is the path of
 * Bulkhead's own program.  As in cli.h.
 */
int compare_command(const char *program, int argc, char **argv, struct err *e, int *ret_status);

#endif
