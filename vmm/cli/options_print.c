/*
 * options_print.c - see options.h: what is made from the table for people and
 * for shells.  No text here depends on anything but the table.
 */
#include <string.h>

#include "vmm/cli/options.h"

#define HELP_COLUMN 24

/* `text` at column HELP_COLUMN, its later lines too. */
static void print_column(FILE *out, int used, const char *text)
{
	if (used > HELP_COLUMN - 2) {
		fputc('\n', out);
		used = 0;
	}
	for (;;) {
		size_t n = strcspn(text, "\n");

		fprintf(out, "%*s%.*s\n", HELP_COLUMN - used, "", (int)n, text);
		if (!text[n])
			return;
		text += n + 1;
		used = 0;
	}
}

void options_print_help(const struct command *cmd, FILE *out)
{
	int used;

	fprintf(out, "usage: bulkhead %s%s%s\n\n%s\n", cmd->name, *cmd->usage ? " " : "",
		cmd->usage, cmd->summary);
	fputs("\noptions:\n", out);
	for (size_t i = 0; i < cmd->noptions; i++) {
		const struct option *o = &cmd->options[i];

		if (o->hidden)
			continue;
		used = fprintf(out, "  --%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		print_column(out, used, o->help);
	}
	used = fprintf(out, "  --help");
	print_column(out, used, "this text");
	if (cmd->details)
		fprintf(out, "\n%s\n", cmd->details);
}

void options_print_man(const struct command *cmd, FILE *out)
{
	for (size_t i = 0; i < cmd->noptions; i++) {
		const struct option *o = &cmd->options[i];

		if (o->hidden)
			continue;
		fprintf(out, ".It Fl -%s%s%s\n%s\n", o->name, o->arg ? " Ar " : "",
			o->arg ? o->arg : "", o->man);
		if (o->repeated)
			fputs("May be given more than once.\n", out);
	}
	fputs(".It Fl -help\nPrint a summary of the options and exit.\n", out);
}

/* The case branch that completes the argument of `o`. */
static void print_completion_case(const struct command *cmd, const struct option *o, FILE *out)
{
	fprintf(out, "\t%s:--%s) ", cmd->name, o->name);
	switch (o->complete) {
	case COMPLETE_NONE:
		fputs("return", out);
		break;
	case COMPLETE_FILE:
		fprintf(out, "_bulkhead_files -f '%s'; return", o->values ? o->values : "");
		break;
	case COMPLETE_DIR:
		fprintf(out, "_bulkhead_files -d '%s'; return", o->values ? o->values : "");
		break;
	case COMPLETE_VALUES:
		fprintf(out, "_bulkhead_words '%s'; return", o->values);
		break;
	}
	fputs(" ;;\n", out);
}

static void print_names(const struct command *cmd, bool with_argument_only, FILE *out)
{
	for (size_t i = 0; i < cmd->noptions; i++) {
		const struct option *o = &cmd->options[i];

		if (!o->hidden && (o->arg || !with_argument_only))
			fprintf(out, " --%s", o->name);
	}
}

static void print_commands(const struct command *const *cmds, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++)
		if (!cmds[i]->hidden)
			fprintf(out, "%s ", cmds[i]->name);
}

static const char completion_head[] =
	"# bash completion for bulkhead; made by `bulkhead help --completion` from the\n"
	"# program's own table of options. Do not edit.\n"
	"\n"
	"_bulkhead_words() {\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
	"\t[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null\n"
	"}\n"
	"\n"
	"_bulkhead_files() {\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$2\" -- \"$cur\"; compgen \"$1\" -- \"$cur\")\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"}\n"
	"\n"
	"_bulkhead() {\n"
	"\tlocal cur prev word with_arg='' names='' i\n"
	"\n"
	"\tCOMPREPLY=()\n"
	"\tcur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\t# Bash takes --name=value apart at the '='.\n"
	"\tif [[ $cur == = ]]; then\n"
	"\t\tcur=''\n"
	"\telif [[ $prev == = ]]; then\n"
	"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\tfi\n"
	"\tif ((COMP_CWORD == 1)); then\n";

static const char completion_scan[] = "\t# Behind the first operand nothing is ours to complete.\n"
				      "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
				      "\t\tword=${COMP_WORDS[i]}\n"
				      "\t\tcase $word in\n"
				      "\t\t--) return ;;\n"
				      "\t\t--*)\n"
				      "\t\t\tif [[ ${COMP_WORDS[i + 1]} == = ]]; then\n"
				      "\t\t\t\t((i += 2))\n"
				      "\t\t\telif [[ \"$with_arg \" == *\" $word \"* ]]; then\n"
				      "\t\t\t\t((i += 1))\n"
				      "\t\t\tfi\n"
				      "\t\t\t;;\n"
				      "\t\t*) return ;;\n"
				      "\t\tesac\n"
				      "\tdone\n"
				      "\t_bulkhead_words \"$names --help\"\n"
				      "}\n"
				      "complete -F _bulkhead bulkhead\n";

void options_print_completion(const struct command *const *cmds, size_t n, FILE *out)
{
	fputs(completion_head, out);
	fputs("\t\t_bulkhead_words '", out);
	print_commands(cmds, n, out);
	fputs("--help --version'\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]}:$prev in\n", out);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < cmds[i]->noptions; k++)
			if (cmds[i]->options[k].arg && !cmds[i]->options[k].hidden)
				print_completion_case(cmds[i], &cmds[i]->options[k], out);
	fputs("\thelp:help) _bulkhead_words '", out);
	print_commands(cmds, n, out);
	fputs("'; return ;;\n\tesac\n\tcase ${COMP_WORDS[1]} in\n", out);
	for (size_t i = 0; i < n; i++) {
		if (cmds[i]->hidden)
			continue;
		fprintf(out, "\t%s)\n\t\tnames='", cmds[i]->name);
		print_names(cmds[i], false, out);
		fputs("'\n\t\twith_arg='", out);
		print_names(cmds[i], true, out);
		fputs("'\n\t\t;;\n", out);
	}
	fputs("\t*) return ;;\n\tesac\n", out);
	fputs(completion_scan, out);
}
