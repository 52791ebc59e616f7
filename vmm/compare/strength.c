/* strength.c - see strength.h. */
#include "vmm/compare/strength.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"
#include "vmm/compare/place.h"

#define ATTEMPT_LIMIT_NS (60 * NS_PER_S)

/* --- the verdict --- */

struct said {
	char result[8], error[24], boot[64], space[64], evidence[64];
};

/* The line that an attempt prints, wherever it is in the output. */
static bool find_line(const char *out, struct said *s)
{
	for (; out; out = strchr(out, '\n') ? strchr(out, '\n') + 1 : NULL)
		if (sscanf(out, "%7s %23s %63s %63s %63s", s->result, s->error, s->boot, s->space,
			   s->evidence) == 5 &&
		    (strcmp(s->result, "done") == 0 || strcmp(s->result, "errno") == 0 ||
		     strcmp(s->result, "absent") == 0))
			return true;
	return false;
}

static void decide(struct compare_outcome *ret, enum compare_verdict verdict, const char *text)
{
	ret->verdict = verdict;
	printable(ret->text, sizeof(ret->text), text);
}

/* It printed no such line: a signal is an answer, anything else is none. */
static void judge_silence(const struct attempt *a, const struct strength_seen *seen,
			  struct compare_outcome *ret)
{
	char text[COMPARE_OUTCOME];
	int status = seen->status, n;

	n = snprintf(text, sizeof(text), status > 128 ? "signal %d" : "status %d",
		     status > 128 ? status - 128 : status);
	if (status <= 128 && seen->out[0])
		snprintf(text + n, sizeof(text) - (size_t)n, ", and it said: %.24s", seen->out);
	if (status <= 128)
		decide(ret, COMPARE_NOT_RUN, text);
	else
		decide(ret, a->kind == ATTEMPT_BOMB ? COMPARE_CONTAINED : COMPARE_BLOCKED, text);
}

/* "-" is not known, and is taken for the host's. */
static bool is_hosts(const char *theirs, const char *hosts)
{
	return strcmp(theirs, "-") == 0 || strcmp(theirs, hosts) == 0;
}

static void judge_done(const struct attempt *a, const struct strength_host *host,
		       const struct said *s, struct compare_outcome *ret)
{
	bool kernel = is_hosts(s->boot, host->boot);

	if (a->kind == ATTEMPT_CANARY)
		decide(ret, COMPARE_CONTAINED, "something of its own");
	else if (!kernel)
		decide(ret, COMPARE_CONTAINED, COMPARE_OWN_KERNEL);
	else if (a->kind == ATTEMPT_SPACE && !is_hosts(s->space, host->space))
		decide(ret, COMPARE_CONTAINED, "its own namespace");
	else
		decide(ret, COMPARE_REACHED,
		       a->kind == ATTEMPT_BOMB ? "no limit held it" : "the host's kernel");
}

void strength_judge(const struct attempt *a, const struct strength_host *host,
		    const struct strength_seen *seen, struct compare_outcome *ret)
{
	struct said s;
	bool line = find_line(seen->out, &s);

	if (seen->noticed || (line && (strcmp(s.evidence, host->secret) == 0 ||
				       strcmp(s.evidence, host->token) == 0)))
		decide(ret, COMPARE_REACHED, COMPARE_CANARY);
	else if (!line)
		judge_silence(a, seen, ret);
	else if (strcmp(s.result, "done") == 0)
		judge_done(a, host, &s, ret);
	else if (a->kind == ATTEMPT_BOMB && strcmp(s.error, "ETIME") == 0)
		decide(ret, COMPARE_NOT_RUN, "too slow here: no limit met in its time");
	else
		decide(ret, a->kind == ATTEMPT_BOMB ? COMPARE_CONTAINED : COMPARE_BLOCKED, s.error);
}

/* --- the runs --- */

struct trial {
	struct wall_setup setup;
	struct canaries *canaries;
	int signal_fd;
	struct measured *got;
	unsigned int serial;
	char *every[COMPARE_WALLS]; /* lines of ATTEMPT_EVERY; NULL: none that count */
};

/* Run the program with that name; t->got has what came of it. */
static int run_program(struct trial *t, const char *name, const char *wall, struct err *e)
{
	const char *argv[2 + CANARIES_ARGS] = { PLACE_ATTEMPT, name };
	struct measure_request request = { .limit_ns = ATTEMPT_LIMIT_NS };
	_cleanup_free_ struct wall_command *command = calloc(1, sizeof(*command));
	int r;

	if (!command)
		return err_set(e, ENOMEM, "no memory");
	canaries_name(t->canaries, argv + 2);
	r = wall_command_make(&t->setup, wall, argv, ARRAY_SIZE(argv), t->serial++, command, e);
	if (r < 0)
		return r;
	request.argv = command->argv;
	r = measure_run(t->signal_fd, &request, t->got, e);
	if (r == 0)
		t->got->status = wall_command_status(wall, t->got->status, t->got->errors);
	return r;
}

static void judge(struct trial *t, const struct attempt *a, const struct strength_seen *seen,
		  struct compare_outcome *ret)
{
	char space[64];

	canaries_space(a->space, space);
	strength_judge(a,
		       &(struct strength_host){ t->canaries->boot, space, t->canaries->secret,
						t->canaries->token },
		       seen, ret);
}

/* A machine takes long to start: all attempts but the bombs in one.  Which of them
 * a canary noticed cannot be told, so that then each is made by itself. */
static int run_every(struct trial *t, size_t wall, const char *name, struct err *e)
{
	int r = run_program(t, ATTEMPT_EVERY, name, e);

	if (r < 0 || t->got->interrupted)
		return r;
	if (!canaries_noticed(t->canaries) && !t->got->timed_out)
		t->every[wall] = strdup(t->got->out);
	return 0;
}

const char *strength_line(const char *lines, const char *name)
{
	size_t n = strlen(name);
	struct said s;

	for (; lines; lines = strchr(lines, '\n') ? strchr(lines, '\n') + 1 : NULL)
		if (strncmp(lines, name, n) == 0 && lines[n] == ' ')
			return find_line(lines + n + 1, &s) ? lines + n + 1 : NULL;
	return NULL;
}

static int run_attempt(struct trial *t, const struct attempt *a, size_t index, const char *wall,
		       struct compare_outcome *ret, struct err *e)
{
	const char *line = strength_line(t->every[index], a->name);
	int r;

	if (line) {
		judge(t, a, &(struct strength_seen){ line, 0, false }, ret);
		return 0;
	}
	t->setup.bounded = a->kind == ATTEMPT_BOMB && strcmp(wall, "process") == 0;
	r = run_program(t, a->name, wall, e);
	if (r < 0 || t->got->interrupted)
		return r;
	judge(t, a,
	      &(struct strength_seen){ t->got->out, t->got->status, canaries_noticed(t->canaries) },
	      ret);
	if (t->got->timed_out)
		decide(ret, COMPARE_NOT_RUN, "no answer in 60 s");
	else if (t->setup.bounded && t->got->status == 125)
		decide(ret, COMPARE_NOT_RUN, "no limit");
	return 0;
}

/* A bomb needs something that holds it: a machine of its own, or a control
 * group. */
static bool would_be_held(const struct attempt *a, const char *wall)
{
	return a->kind != ATTEMPT_BOMB || wall_command_is_machine(wall) ||
	       strcmp(wall, "process") == 0;
}

static struct compare_attempt *add_row(struct comparison *c, const struct attempt *a, struct err *e)
{
	struct compare_attempt *row = comparison_attempt(c, a->name);

	if (row)
		snprintf(row->gives, sizeof(row->gives), "%s", a->gives);
	else
		err_set(e, ENOMEM, "no memory for the attempts");
	return row;
}

int strength_skip(struct comparison *c, const char *why, struct err *e)
{
	char text[COMPARE_OUTCOME];

	snprintf(text, sizeof(text), "%.47s", why);
	for (size_t i = 0; i < nattempts; i++) {
		struct compare_attempt *row = add_row(c, &attempts[i], e);

		if (!row)
			return -ENOMEM;
		for (size_t w = 0; w < c->nwalls; w++)
			decide(&row->wall[w], COMPARE_NOT_RUN, text);
	}
	return 0;
}

/* One attempt behind each wall. */
static int run_row(struct trial *t, const struct attempt *a, struct progress *progress,
		   struct comparison *c, struct err *e)
{
	struct compare_attempt *row = add_row(c, a, e);
	int r = row ? 0 : -ENOMEM;

	for (size_t w = 0; r == 0 && w < c->nwalls && c->complete; w++) {
		const char *wall = c->wall[w].name;

		progress_step(progress, wall);
		if (c->wall[w].problem[0])
			continue;
		if (would_be_held(a, wall))
			r = run_attempt(t, a, w, wall, &row->wall[w], e);
		else
			decide(&row->wall[w], COMPARE_NOT_RUN, "no limit");
		c->complete = !t->got->interrupted;
	}
	return r;
}

int strength_run(const struct wall_setup *setup, struct canaries *canaries, int signal_fd,
		 struct progress *progress, struct measured *got, struct comparison *c,
		 struct err *e)
{
	struct trial t = { *setup, canaries, signal_fd, got, 1000000, { NULL } };
	int r = 0;

	progress_begin(progress, nattempts * c->nwalls);
	canaries_noticed(canaries);
	got->interrupted = false;
	for (size_t w = 0; r == 0 && w < c->nwalls && c->complete; w++)
		if (!c->wall[w].problem[0] && wall_command_is_machine(c->wall[w].name)) {
			r = run_every(&t, w, c->wall[w].name, e);
			c->complete = !got->interrupted;
		}
	for (size_t i = 0; r == 0 && i < nattempts && c->complete; i++)
		r = run_row(&t, &attempts[i], progress, c, e);
	for (size_t w = 0; w < c->nwalls; w++)
		free(t.every[w]);
	return r;
}
