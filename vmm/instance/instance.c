/*
 * instance.c - see instance.h.
 *
 * One thread, one loop.  How it ends is decided in one place: `forced` is set
 * when we ended it (time limit, signals, Ctrl-A X), `ending` when the wall has
 * told; finish() puts the two together.
 */
#include "vmm/instance/instance.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/loop.h"
#include "vmm/base/util.h"
#include "vmm/instance/caretaker.h"
#include "vmm/instance/control.h"
#include "vmm/instance/ending.h"
#include "vmm/instance/leftovers.h"
#include "vmm/instance/limits.h"
#include "vmm/instance/registry.h"
#include "vmm/instance/relay.h"
#include "vmm/instance/report.h"
#include "vmm/instance/terminal.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/landlock.h"
#include "vmm/net/ports.h"
#include "vmm/net/tables.h"
#include "vmm/walls/wall.h"

#define ORDERLY_NS	   (5 * NS_PER_S) /* for the guest to power off when asked to */
#define ORDERLY_TIMEOUT_NS (2 * NS_PER_S) /* the same, after --timeout */
#define STOP_NS		   (1 * NS_PER_S) /* for the wall to obey an immediate stop */
#define SECOND_SIGINT_NS   (2 * NS_PER_S)
#define OUTPUT_NS	   (10 * NS_PER_S) /* for the output's reader, once we have ended it */

struct instance {
	const struct run_config *cfg;
	const struct wall_ops *ops;
	struct wall *wall;
	struct loop *loop;
	struct relay relay;
	struct terminal terminal;
	int signal_fd, user_in, user_out, report_fd, null_fd;
	struct loop_source signals;
	struct loop_timer limit;	  /* --timeout */
	struct loop_timer patience;	  /* an orderly end, or a stop, takes too long */
	struct registration registration; /* .fd -1: it is in no list */
	struct control control;
	struct caretaker caretaker;
	bool ports; /* made, and nobody cares for them yet */
	json_t *net_counts;
	char uuid[RECORD_UUID_LEN + 1];
	struct report_times times;
	struct limits limits;
	uint64_t last_sigint_ns;
	bool ready, stopping, ended;
	bool abandoned;	      /* told to end while its output's reader is waited for */
	struct ending forced; /* ENDING_NONE: we have not interfered */
	struct ending ending; /* what the wall said */
};

/* --- ending it --- */

static void force(struct instance *in, enum ending_reason reason, int value, const char *text)
{
	if (in->forced.reason != ENDING_NONE)
		return;
	in->forced.reason = reason;
	in->forced.value = value;
	snprintf(in->forced.text, sizeof(in->forced.text), "%s", text);
}

static void on_patience(void *ctx)
{
	struct instance *in = ctx;

	if (in->ended) /* in the same moment */
		return;
	if (in->stopping) { /* it does not even obey a stop: release() kills it */
		in->ended = true;
		in->ending.reason = ENDING_STOPPED;
		loop_stop(in->loop);
		return;
	}
	in->stopping = true;
	in->ops->stop(in->wall);
	loop_timer_set(in->loop, &in->patience, now_ns() + STOP_NS);
}

static void stop_now(struct instance *in)
{
	if (in->stopping)
		return;
	on_patience(in);
}

/* Ask for an orderly end, and make it a stop after `grace_ns`. */
static void shut_down(struct instance *in, uint64_t grace_ns)
{
	if (in->stopping)
		return;
	/* A guest whose init is not up yet has nothing to put in order. */
	if (!in->ready) {
		stop_now(in);
		return;
	}
	in->ops->shut_down(in->wall);
	loop_timer_set(in->loop, &in->patience, now_ns() + grace_ns);
}

static void on_limit(void *ctx)
{
	struct instance *in = ctx;
	char text[96];

	/* Both at once: it came late to us, as after Ctrl-Z, and not to its end. */
	if (in->ended)
		return;
	snprintf(text, sizeof(text), "the time limit of %g s is over (--timeout)",
		 (double)in->cfg->timeout_ns / (double)NS_PER_S);
	force(in, ENDING_TIMEOUT, 0, text);
	shut_down(in, ORDERLY_TIMEOUT_NS);
}

static void on_quit(void *ctx)
{
	struct instance *in = ctx;

	force(in, ENDING_STOPPED, 0, "ended by Ctrl-A X");
	stop_now(in);
}

static void on_broken_pipe(void *ctx, int code)
{
	struct instance *in = ctx;
	char text[96];

	snprintf(text, sizeof(text), "write the console's output: %s", strerror(code));
	if (code == EPIPE) /* as for any filter whose reader is gone */
		force(in, ENDING_STOPPED, SIGPIPE, "");
	else
		force(in, ENDING_ERROR, 0, text);
	if (!in->ended)
		stop_now(in);
}

/* The first goes to the command, a second within two seconds ends it. */
static void on_sigint(struct instance *in)
{
	uint64_t now = now_ns();
	bool second = in->last_sigint_ns && now - in->last_sigint_ns < SECOND_SIGINT_NS;

	in->last_sigint_ns = now;
	if (!second && in->ready && in->ops->signal && in->ops->signal(in->wall, SIGINT))
		return;
	if (!second && relay_send_signal(&in->relay, SIGINT))
		return;
	force(in, ENDING_STOPPED, SIGINT, second ? "ended by a second SIGINT" : "");
	stop_now(in);
}

/* In order; at once if it is ending already. */
static void end_by_signal(struct instance *in, int signum)
{
	char text[64];

	if (in->forced.reason != ENDING_NONE) { /* no more patience */
		stop_now(in);
		return;
	}
	snprintf(text, sizeof(text), "ended by %s", strsignal(signum));
	force(in, ENDING_STOPPED, signum, text);
	shut_down(in, ORDERLY_NS);
}

static void on_resize(struct instance *in)
{
	unsigned int rows, cols;

	if (!in->terminal.raw || !in->ops->resize)
		return;
	terminal_size(STDIN_FILENO, &rows, &cols);
	in->ops->resize(in->wall, rows, cols);
}

static void on_signal(void *ctx, uint32_t events)
{
	struct instance *in = ctx;
	struct signalfd_siginfo si;

	(void)events;
	if (read(in->signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGINT)
		on_sigint(in);
	else if (si.ssi_signo == SIGWINCH)
		on_resize(in);
	else
		end_by_signal(in, (int)si.ssi_signo);
}

/* --- what the wall tells --- */

static void on_ready(void *ctx)
{
	struct instance *in = ctx;

	in->ready = true;
	if (in->relay.loop) /* else live() does it: ready before it was started */
		relay_ready(&in->relay);
}

static void on_unbounded(void *ctx)
{
	struct instance *in = ctx;

	limits_lost(&in->limits, CGROUP_PIDS);
}

static void on_ended(void *ctx, const struct ending *ending)
{
	struct instance *in = ctx;

	in->ending = *ending;
	in->ended = true;
	loop_stop(in->loop);
}

/*
 * What counts: a time limit and lost output always; a status that the command still gave
 * after we asked for an orderly end; otherwise that we ended it.
 */
static const struct ending *final_ending(const struct instance *in)
{
	bool own_status = in->ending.reason == ENDING_EXITED ||
			  in->ending.reason == ENDING_SIGNALED;

	if (in->forced.reason == ENDING_NONE)
		return &in->ending;
	if (in->forced.reason == ENDING_TIMEOUT || in->forced.reason == ENDING_ERROR || !own_status)
		return &in->forced;
	return &in->ending;
}

/* --- being in the list --- */

/* A run that was given a name has to have it; another can do without. */
static int unlisted(const struct instance *in, int r, const struct err *why)
{
	if (in->cfg->name)
		return r;
	log_warn("'bulkhead ps' will not list this run: %s", why->text);
	return 0;
}

static int enlist(struct instance *in, struct err *e)
{
	struct registry registry;
	int r = registry_open(&registry, e);

	if (r == 0) {
		registry_sweep(&registry, REGISTRY_SWEEP);
		r = registry_take(&registry, in->cfg->name, in->ops->name, in->uuid,
				  &in->registration, e);
		registry_close(&registry);
	}
	return r < 0 ? unlisted(in, r, e) : 0;
}

/* `bulkhead stop` */
static int verb_stop(void *ctx, char *text, char *answer, size_t size, struct err *e)
{
	struct instance *in = ctx;

	(void)text;
	(void)answer;
	(void)size;
	(void)e;
	if (in->ended)
		in->abandoned = true;
	else
		end_by_signal(in, SIGTERM);
	return 0;
}

static int apply_limits(void *ctx, const struct limits_config *limits, struct err *e)
{
	struct instance *in = ctx;

	if (in->ended) /* and its process may be another one by now */
		return err_set(e, ESRCH, "the instance is over");
	if (!in->ops->set_limits)
		return caretaker_set_rate(&in->caretaker, in->ops->net_pid(in->wall),
					  limits->net_bps, e);
	return in->ops->set_limits(in->wall, limits, e);
}

/* `bulkhead limit` */
static int verb_limit(void *ctx, char *text, char *answer, size_t size, struct err *e)
{
	struct instance *in = ctx;
	int r = limits_change(&in->limits, text, apply_limits, in, e);

	if (r < 0)
		return r;
	limits_show(&in->limits, answer, size);
	return 0;
}

static const struct control_verb verbs[] = {
	{ "limit", verb_limit },
	{ "stop", verb_stop },
};

/* It runs: say so, and what it is. */
static int publish(struct instance *in, struct err *e)
{
	const struct run_config *cfg = in->cfg;
	struct record record = { .pid = getpid() };
	struct timespec now;
	int r;

	if (in->registration.fd < 0)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	record.started_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	snprintf(record.uuid, sizeof(record.uuid), "%s", in->uuid);
	snprintf(record.wall, sizeof(record.wall), "%s", in->ops->name);
	record_command(record.command, sizeof(record.command), (const char *const *)cfg->argv,
		       cfg->argc);
	r = registration_publish(&in->registration, &record, e);
	if (r == 0)
		r = control_start(&in->control, in->loop, in->registration.control_fd, verbs,
				  ARRAY_SIZE(verbs), in);
	return r < 0 ? unlisted(in, r, e) : 0;
}

/* --- its ports on bridges --- */

static int note_port(const struct instance *in, const char *kind, const char *name, struct err *e)
{
	char value[LEFTOVERS_NETNS_MAX];
	int r = leftovers_in_netns(value, sizeof(value), name, e);

	return r < 0 ? r : registration_note(&in->registration, kind, value, e);
}

static int make_ports(struct instance *in, struct err *e)
{
	const struct run_config *cfg = in->cfg;
	char tables[TABLES_NAME_MAX];
	int r = 0;

	if (!ports_wanted(cfg))
		return 0;
	if (in->registration.fd < 0)
		return err_set(e, EPERM,
			       "--net bridge= needs a place in 'bulkhead ps': what it "
			       "makes would stay if this process were killed");
	report_init(); /* its counters are JSON */
	tables_name(tables, cfg);
	for (size_t i = 0; r == 0 && i < cfg->nnets; i++)
		if (cfg->net[i].kind == NET_BRIDGE)
			r = note_port(in, "link", cfg->net[i].ifname, e);
	if (r == 0)
		r = note_port(in, "nft", tables, e);
	if (r < 0)
		return r;
	in->ports = true;
	r = ports_make(cfg, e);
	if (r == 0)
		r = caretaker_start(&in->caretaker, cfg, e);
	in->ports = r < 0;
	return r;
}

static int remove_ports(struct instance *in, struct err *e)
{
	int r = in->ports ? caretaker_remove(in->cfg, e) : 0;

	in->ports = false;
	return r < 0 ? r : caretaker_finish(&in->caretaker, &in->net_counts, e);
}

/* Nothing of it is left after this; or else it is told and stays noted. */
static void unlist(struct instance *in)
{
	struct err e = { "" };
	bool left = in->limits.left;

	control_stop(&in->control);
	if (remove_ports(in, &e) < 0) {
		log_warn("what this run made of the network is left to the next: %s", e.text);
		left = true;
	}
	if (left)
		registration_leave(&in->registration);
	else
		registration_end(&in->registration);
}

/* --- setting up --- */

static int open_console(struct instance *in, struct wall_console *console, struct err *e)
{
	bool in_tty = isatty(STDIN_FILENO), out_tty = isatty(STDOUT_FILENO);
	/* A job in the background would be stopped for setting or reading it. */
	bool in_front = in_tty && terminal_is_ours(STDIN_FILENO);
	int fd;

	in->user_in = in->user_out = -1;
	if (in->cfg->console != RUN_CONSOLE_STDIO) {
		in->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (in->null_fd < 0)
			return err_errno(e, "open /dev/null");
	}
	for (int i = 0; i < 3; i++)
		console->std[i] = in->null_fd;
	switch (in->cfg->console) {
	case RUN_CONSOLE_NONE:
		return 0;
	case RUN_CONSOLE_FILE:
		/* O_NONBLOCK: a FIFO that nobody reads is an error, not a wait. */
		in->user_out = open(
			in->cfg->console_path,
			O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
		if (in->user_out < 0)
			return err_errno(e, "open the console's file %s", in->cfg->console_path);
		/* The command writes to it, and knows of no EAGAIN. */
		if (in->ops->passes_files && fcntl(in->user_out, F_SETFL, 0) < 0)
			return err_errno(e, "set the console's file up");
		console->std[1] = console->std[2] = in->user_out;
		return 0;
	case RUN_CONSOLE_STDIO:
		break;
	}
	for (int i = 0; i < 3; i++)
		console->std[i] = i;
	if (in_front && out_tty) {
		console->terminal = true;
		console->term = getenv("TERM");
		terminal_size(STDIN_FILENO, &console->rows, &console->cols);
	} else if (in->ops->passes_files) {
		return 0; /* nothing of them goes through us */
	}
	if (!in_tty || in_front) {
		fd = relay_reopen(STDIN_FILENO, O_RDONLY);
		in->user_in = fd >= 0 ? fd : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	}
	fd = relay_reopen(STDOUT_FILENO, O_WRONLY);
	in->user_out = fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return 0;
}

static int open_signals(struct instance *in, struct err *e)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		struct sigaction was;

		/* nohup, and jobs of a shell script: what is ignored stays so. */
		sigaction(taken[i], NULL, &was);
		if (was.sa_handler != SIG_IGN)
			sigaddset(&set, taken[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	in->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (in->signal_fd < 0)
		return err_errno(e, "make a signalfd");
	return 0;
}

static int prepare(struct instance *in, struct wall_console *console, struct err *e)
{
	int r = open_signals(in, e);

	if (r < 0)
		return r;
	if (!in->cfg->seccomp)
		log_warn("--seccomp off: the processes of this run have no system call filters; "
			 "use it for debugging only");
	if (in->cfg->report) {
		report_init();
		in->report_fd =
			open(in->cfg->report, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666);
		if (in->report_fd < 0)
			return err_errno(e, "open the report %s for writing", in->cfg->report);
	}
	r = enlist(in, e);
	if (r == 0)
		r = make_ports(in, e);
	if (r == 0)
		r = open_console(in, console, e);
	if (r < 0)
		return r;
	in->wall = in->ops->open(in->cfg, console, e);
	if (!in->wall)
		return -EIO;
	r = limits_open(&in->limits, in->cfg, in->uuid, &in->registration, e);
	if (r < 0)
		return r;
	in->times.opened = now_ns();
	return 0;
}

static enum relay_input input_kind(const struct instance *in, const struct wall_console *console)
{
	if (console->terminal)
		return RELAY_INPUT_KEYS;
	return in->ops->stream_input(in->wall) ? RELAY_INPUT_STREAM : RELAY_INPUT_PLAIN;
}

/* The supervisor opens nothing from now on.  All that it removes is its
 * directory in the registry and its control group; without Landlock that is a
 * promise only. */
static int confine(const struct instance *in, struct err *e)
{
	const struct cgroup *group = in->limits.group;
	int dirs[1 + CGROUP_PLACES];
	unsigned int n = 0;
	int r;

	if (in->registration.fd >= 0)
		dirs[n++] = in->registration.base_fd;
	for (unsigned int i = 0; group && i < group->nplaces; i++)
		dirs[n++] = group->place[i].parent;
	r = landlock_limit_removal(dirs, n, e);

	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	return filter_install(FILTER_SUPERVISOR, false, e);
}

/* Start everything and let it run. */
static int live(struct instance *in, const struct wall_console *console, struct err *e)
{
	const struct wall_events events = {
		.ready = on_ready, .unbounded = on_unbounded, .ended = on_ended, .ctx = in
	};
	int r;

	in->loop = loop_new(e);
	if (!in->loop)
		return -ENOMEM;
	in->relay.quit = on_quit;
	in->relay.broken_pipe = on_broken_pipe;
	in->relay.ctx = in;
	in->signals = (struct loop_source){ .ready = on_signal, .ctx = in };
	in->limit = (struct loop_timer){ .expired = on_limit, .ctx = in };
	in->patience = (struct loop_timer){ .expired = on_patience, .ctx = in };
	if (console->terminal) {
		r = terminal_enter_raw(&in->terminal, STDIN_FILENO, e);
		if (r < 0)
			return r;
		log_set_raw(isatty(STDERR_FILENO));
	}
	r = in->ops->start(in->wall, in->loop, &events, in->limits.group, e);
	if (r < 0)
		return r;
	in->times.started = now_ns();
	/* The supervisor needs no more rights than it has, and without this a
	 * filter takes CAP_SYS_ADMIN.  What was started decides for itself: a
	 * command without a wall may run programs that are set-user-ID. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, "give up new privileges");
	r = publish(in, e);
	if (r < 0)
		return r;
	r = relay_start(&in->relay, in->loop, input_kind(in, console), in->user_in, in->user_out,
			in->ops->input_fd(in->wall), in->ops->output_fd(in->wall), e);
	if (r < 0)
		return r;
	if (in->ready)
		relay_ready(&in->relay);
	r = loop_add(in->loop, &in->signals, in->signal_fd, EPOLLIN);
	if (r < 0)
		return err_code(e, r, "watch the signals");
	if (in->cfg->timeout_ns)
		loop_timer_set(in->loop, &in->limit, in->times.opened + in->cfg->timeout_ns);
	if (in->cfg->seccomp && !in->ops->unconfined) {
		r = confine(in, e);
		if (r < 0)
			return r;
		in->times.confined = now_ns();
	}
	r = loop_run(in->loop);
	return r < 0 ? err_code(e, r, "the supervisor's loop failed") : 0;
}

static void tell(const struct instance *in, const struct ending *end)
{
	char message[ENDING_TEXT_MAX + 128];

	ending_message(end, in->cfg->argc ? in->cfg->argv[0] : NULL, message, sizeof(message));
	if (message[0])
		log_block(message);
}

/* It never ran. */
static void report_failure(const struct instance *in, const struct ending *end)
{
	if (in->report_fd >= 0)
		report_write(in->report_fd, in->cfg, in->uuid, in->ops, NULL, end, NULL, &in->times,
			     in->net_counts);
}

/*
 * Something failed before the loop ran.  If a signal has asked us to end, that is
 * why, or would have been the end a moment later: what takes long looks for one
 * and gives up, and a Ctrl-C may have ended a program that was waited for.
 */
static bool asked_to_end(struct instance *in)
{
	struct signalfd_siginfo si;

	while (read(in->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		char text[64] = "";

		if (si.ssi_signo == SIGWINCH)
			continue;
		if (si.ssi_signo != SIGINT) /* which the user knows of */
			snprintf(text, sizeof(text), "ended by %s", strsignal((int)si.ssi_signo));
		force(in, ENDING_STOPPED, (int)si.ssi_signo, text);
		return true;
	}
	return false;
}

/* 0 and the status if that was the user's wish, else `r`: main prints *e. */
static int fail(struct instance *in, int r, int *ret_status, const struct err *e)
{
	struct ending end = { .reason = ENDING_ERROR };

	if (asked_to_end(in)) {
		tell(in, &in->forced);
		report_failure(in, &in->forced);
		*ret_status = ending_status(&in->forced);
		return 0;
	}
	snprintf(end.text, sizeof(end.text), "%s", e->text);
	report_failure(in, &end);
	return r;
}

static void release(struct instance *in)
{
	terminal_restore(&in->terminal);
	log_set_raw(false);
	if (in->wall) {
		in->ops->release(in->wall);
		in->ops->free(in->wall);
	}
	limits_close(&in->limits);
	unlist(in);
	if (in->loop)
		loop_free(in->loop);
	close_fd(&in->signal_fd);
	close_fd(&in->user_in);
	close_fd(&in->user_out);
	close_fd(&in->report_fd);
	close_fd(&in->null_fd);
}

/* A signal or `bulkhead stop`, while the loop does not run any more.  others[1], the
 * control socket, is given up when nobody can be taken from it. */
static bool is_abandoned(struct instance *in, int others[2])
{
	struct signalfd_siginfo si;
	bool signalled = false;

	while (!in->abandoned && read(in->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		signalled = true;
		in->abandoned = si.ssi_signo != SIGWINCH;
	}
	if (!signalled && !control_serve_one(&in->control))
		others[1] = -1;
	return in->abandoned;
}

/* A reader may take its time, as with any filter, unless we were told to end. */
static void pass_on_the_rest(struct instance *in)
{
	uint64_t deadline = in->forced.reason != ENDING_NONE ? now_ns() + OUTPUT_NS : 0;
	int others[] = { in->signal_fd, in->registration.control_fd };
	enum relay_rest rest;

	do
		rest = relay_finish(&in->relay, deadline, others);
	while (rest == RELAY_INTERRUPTED && !is_abandoned(in, others));
	if (rest != RELAY_TAKEN)
		log_warn("the last of the console's output was not taken by its reader");
}

static const struct wall_ops *const walls[] = {
	[RUN_ISOLATION_VM] = &wall_vm,
	[RUN_ISOLATION_PROCESS] = &wall_process,
	[RUN_ISOLATION_NONE] = &wall_none,
};
static_assert(ARRAY_SIZE(walls) == RUN_ISOLATION_COUNT, "a wall for every word");

static int run(struct instance *in, int *ret_status, struct err *e)
{
	struct wall_console console = { .terminal = false };
	const struct ending *end;
	int r = prepare(in, &console, e);

	if (r == 0)
		r = live(in, &console, e);
	if (r < 0)
		return fail(in, r, ret_status, e);
	pass_on_the_rest(in);
	terminal_restore(&in->terminal);
	log_set_raw(false);
	in->ops->release(in->wall);
	limits_finish(&in->limits);
	limits_explain(&in->limits, &in->ending);
	unlist(in);
	end = final_ending(in);
	tell(in, end);
	if (in->report_fd >= 0)
		report_write(in->report_fd, in->cfg, in->uuid, in->ops, in->wall, end, &in->limits,
			     &in->times, in->net_counts);
	*ret_status = ending_status(end);
	return 0;
}

int instance_run(const struct run_config *cfg, uint64_t began_ns, int *ret_status, struct err *e)
{
	/* Not on the stack: its buffers would be copied by every fork. */
	struct instance *in = zero_pages_new(sizeof(*in));
	int r;

	if (!in)
		return err_errno(e, "memory for the instance");
	in->cfg = cfg;
	in->ops = walls[cfg->isolation];
	in->limits.kernel_log = -1;
	in->signal_fd = in->user_in = in->user_out = in->report_fd = in->null_fd = -1;
	in->registration.base_fd = in->registration.fd = in->registration.control_fd = -1;
	in->caretaker.sock = -1;
	record_uuid(in->uuid, cfg->id);
	in->times.start = began_ns;
	in->times.parsed = now_ns();
	r = run(in, ret_status, e);
	release(in);
	json_decref(in->net_counts);
	zero_pages_free(in, sizeof(*in));
	return r;
}
