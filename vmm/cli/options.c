/* options.c - see options.h: the parser. */
#include "vmm/cli/options.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"

#define SHOWN	  100 /* bytes of a stranger's text in a message */
#define NAME_SIZE 32  /* longer names resemble nothing that we have */

const struct option *options_find(const struct command *cmd, const char *name)
{
	for (size_t i = 0; i < cmd->noptions; i++)
		if (strcmp(cmd->options[i].name, name) == 0)
			return &cmd->options[i];
	return NULL;
}

/* Letters to insert, drop or change to make `b` of `a`; both are shorter than
 * NAME_SIZE. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_SIZE];
	size_t alen = strlen(a), blen = strlen(b);

	for (size_t j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 1; i <= alen; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			size_t above = row[j];
			size_t changed = diagonal + (a[i - 1] != b[j - 1]);

			row[j] = MIN(MIN(above, row[j - 1]) + 1, changed);
			diagonal = above;
		}
	}
	return row[blen];
}

const char *nearest_name(const char *given, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t best_distance = 3; /* what is farther off was not meant */
	size_t len = strlen(given);

	if (len == 0 || len >= NAME_SIZE)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d;

		if (strlen(names[i]) >= NAME_SIZE)
			continue;
		d = distance(given, names[i]);
		if (len >= 2 && strncmp(given, names[i], len) == 0)
			d = 1; /* an abbreviation */
		if (d < best_distance && d < len) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}

static int unknown_option(const struct command *cmd, const char *given, struct err *e)
{
	const char *names[OPTIONS_MAX + 1] = { "help" };
	char shown[SHOWN];
	const char *near = NULL;
	size_t n = 1;

	for (size_t i = 0; i < cmd->noptions; i++)
		if (!cmd->options[i].hidden)
			names[n++] = cmd->options[i].name;
	/* Without its value, which nobody has to read again. */
	printable(shown, MIN(sizeof(shown), 2 + strcspn(given + 2, "=") + 1), given);
	if (strncmp(given, "--", 2) == 0)
		near = nearest_name(shown + 2, names, n);
	if (near)
		return err_set(e, EINVAL, "%s: unknown option %s; is --%s meant?", cmd->name, shown,
			       near);
	return err_set(e, EINVAL, "%s: unknown option %s (see `bulkhead help %s`)", cmd->name,
		       shown, cmd->name);
}

/* One option and its value to the command. */
static int take(const struct command *cmd, const struct option *opt, const char *value,
		void *config, struct err *e)
{
	char shown[SHOWN];
	int r;

	if (opt->arg && !*value)
		return err_set(e, EINVAL, "--%s: %s is empty", opt->name, opt->arg);
	r = cmd->set(config, opt->setting, value, e);
	if (r < 0) {
		if (opt->arg)
			err_context(e, "--%s %s", opt->name,
				    printable(shown, sizeof(shown), value));
		else
			err_context(e, "--%s", opt->name);
	}
	return r;
}

/* The option that `text` ("--name" or "--name=value") begins with. */
static const struct option *match(const struct command *cmd, const char *text)
{
	size_t n = strcspn(text + 2, "=");
	char name[NAME_SIZE];

	if (n >= sizeof(name))
		return NULL;
	memcpy(name, text + 2, n);
	name[n] = '\0';
	return options_find(cmd, name);
}

/*
 * argv[*at] is an option: take it and its value, and move *at behind them.
 * *seen has a bit for every option that was given.
 */
static int parse_one(const struct command *cmd, int argc, char **argv, int *at, uint64_t *seen,
		     void *config, struct err *e)
{
	const char *text = argv[*at];
	const char *value = strchr(text, '=');
	const struct option *opt;
	uint64_t bit;

	opt = match(cmd, text);
	if (strncmp(text, "--help=", 7) == 0)
		return err_set(e, EINVAL, "--help takes no argument");
	if (!opt)
		return unknown_option(cmd, text, e);
	bit = 1ULL << (opt - cmd->options);
	if ((*seen & bit) && !opt->repeated)
		return err_set(e, EINVAL, "--%s is given twice", opt->name);
	*seen |= bit;
	++*at;
	if (!opt->arg) {
		if (value)
			return err_set(e, EINVAL, "--%s takes no argument", opt->name);
		return take(cmd, opt, "", config, e);
	}
	if (value)
		return take(cmd, opt, value + 1, config, e);
	/* `--name --cpus 2` has lost its name: the next option is not one. */
	if (*at == argc || strncmp(argv[*at], "--", 2) == 0)
		return err_set(e, EINVAL, "--%s needs an argument: --%s %s", opt->name, opt->name,
			       opt->arg);
	return take(cmd, opt, argv[(*at)++], config, e);
}

int options_parse(const struct command *cmd, int argc, char **argv, void *config,
		  struct options_result *ret, struct err *e)
{
	uint64_t seen = 0;
	char shown[SHOWN];
	int i = 1, r;

	assert(cmd->noptions <= OPTIONS_MAX);
	*ret = (struct options_result){ .operand = argc };
	while (i < argc) {
		const char *text = argv[i];

		if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
			ret->help = true;
			return 0;
		}
		if (strcmp(text, "--") == 0) {
			i++;
			break;
		}
		if (text[0] != '-' || !text[1])
			break;
		if (text[1] != '-')
			return unknown_option(cmd, text, e);
		r = parse_one(cmd, argc, argv, &i, &seen, config, e);
		if (r < 0)
			return r;
	}
	if (i < argc && !cmd->operands)
		return err_set(e, EINVAL, "%s takes no '%s' (see `bulkhead help %s`)", cmd->name,
			       printable(shown, sizeof(shown), argv[i]), cmd->name);
	ret->operand = i < argc ? i : argc;
	return 0;
}
