/*
 * options.h - the one table of options per sub-command, and what is made from
 * it: the parser, --help, the man page's list and the shell's completion.
 *
 * The table says everything once.  tests/check-options compares what is
 * checked in under docs/ with what the table gives today.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "vmm/base/err.h"

/* What a shell offers for an option's argument. */
enum option_completion {
	COMPLETE_NONE,
	COMPLETE_FILE,	 /* file names (directories too, to walk through) */
	COMPLETE_DIR,	 /* directory names */
	COMPLETE_VALUES, /* the words of `values`, which may end in '=' */
};

struct option {
	const char *name; /* without the dashes */
	const char *arg;  /* what its argument is called; NULL: a switch */
	bool repeated;	  /* may be given more than once */
	enum option_completion complete;
	const char *values; /* words separated by blanks; also offered beside file names */
	const char *help;   /* for --help: lines separated by '\n' */
	const char *man;    /* for the man page: mdoc, after its .It line */
	bool hidden;	    /* for this project's own tools: in no list */
	int setting;	    /* what `set` is told */
};

struct command {
	const char *name;
	const char *usage;   /* behind the name, "" for nothing */
	const char *summary; /* one line */
	const char *details; /* for `help NAME`, after the options; may be NULL */
	bool operands;	     /* takes some */
	const struct option *options;
	size_t noptions; /* at most OPTIONS_MAX */
	bool hidden;	 /* not in the list of commands */

	/* Take one option's value into the command's own configuration. */
	int (*set)(void *config, int setting, const char *value, struct err *e);
};

#define OPTIONS_MAX 64

struct options_result {
	bool help;   /* --help was given; nothing after it was read */
	int operand; /* index in argv of the first operand; argc: none */
};

/*
 * Read argv[1...]: `--name=value`, `--name value`, `--switch`; the first
 * argument that is no option, or whatever follows `--`, begins the operands.
 * 0, -EINVAL (unknown, given twice, no argument, empty argument, an argument
 * where there is none, an operand where none is taken), or what `set`
 * returned, with the option named.
 */
int options_parse(const struct command *cmd, int argc, char **argv, void *config,
		  struct options_result *ret, struct err *e);

/* The option or command that was probably meant, or NULL. */
const char *nearest_name(const char *given, const char *const *names, size_t n);

/* The option of that name, or NULL. */
const struct option *options_find(const struct command *cmd, const char *name);

/* What `bulkhead NAME --help` prints. */
void options_print_help(const struct command *cmd, FILE *out);

/* The .It entries of the man page's list of options. */
void options_print_man(const struct command *cmd, FILE *out);

/* The bash completion of all commands. */
void options_print_completion(const struct command *const *cmds, size_t n, FILE *out);

#endif
