/*
 * run.c - see run.h
 *
 * One loop in one thread: children through a signalfd, the console through
 * the pump, the power button through its input device.  How a run ends:
 *
 *   RUNNING    the command runs
 *   STOPPING   power button or request to switch off: SIGTERM to the
 *              command's group, 3 s
 *   KILLING    SIGKILL to everything, 2 s
 *   CLEARING   the command has ended: SIGTERM to what it left, 1 s
 *   SWEEPING   SIGKILL to what is left of that, 2 s
 *   DONE
 *
 * Every process of the guest is a descendant of this one or becomes its
 * child when its parent dies, so "no children" means that nothing is left.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../guest_abi.h"
#include "command.h"
#include "console.h"
#include "groups.h"
#include "mounts.h"
#include "oom.h"
#include "power.h"
#include "pump.h"
#include "report.h"

#define STOP_MS	 3000
#define KILL_MS	 2000
#define CLEAR_MS 1000

enum stage { RUNNING, STOPPING, KILLING, CLEARING, SWEEPING, DONE };

struct run {
	const struct params *p;
	int tty;
	struct pump *pump; /* NULL with a terminal */
	struct power power;
	int signals;
	pid_t command;
	enum stage stage;
	int64_t deadline; /* ms; of the stages with a limit */
	int status;	  /* as of waitpid */
	int reboot;	  /* what the guest asked for, or 0 */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void enter(struct run *run, enum stage stage, int limit_ms)
{
	run->stage = stage;
	run->deadline = now_ms() + limit_ms;
}

/* SIGCONT, because a stopped process would not see the other one. */
static void signal_all(pid_t whom, int sig)
{
	kill(whom, sig);
	kill(whom, SIGCONT);
}

static void stop_command(struct run *run)
{
	if (run->stage != RUNNING)
		return;
	note("stopping the command");
	signal_all(-run->command, SIGTERM);
	enter(run, STOPPING, STOP_MS);
}

static void command_ended(struct run *run, int status)
{
	run->status = status;
	enter(run, CLEARING, CLEAR_MS);
	signal_all(-1, SIGTERM);
}

/*
 * On a terminal Ctrl-Z stops the command and there is no shell that could
 * continue it.  (A process group without such a parent would be spared by the
 * kernel; but init is in the same session, see console.c.)
 */
static void command_stopped(struct run *run, int sig)
{
	if (run->pump || sig == SIGSTOP)
		return;
	tcsetpgrp(run->tty, run->command);
	kill(-run->command, SIGCONT);
}

static void reap(struct run *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != run->command)
			continue;
		if (WIFSTOPPED(status))
			command_stopped(run, WSTOPSIG(status));
		else
			command_ended(run, status);
	}
	if (pid < 0 && errno == ECHILD)
		run->stage = DONE;
}

/* The requests that busybox's poweroff, halt and reboot send to process 1. */
static void handle_signal(struct run *run, uint32_t sig)
{
	if (sig == SIGCHLD) {
		reap(run);
		return;
	}
	/* A command that has ended has a status, and that is what counts. */
	if (run->stage >= CLEARING)
		return;
	run->reboot = sig == SIGUSR1 || sig == SIGUSR2 ? RB_POWER_OFF : RB_AUTOBOOT;
	stop_command(run);
}

static void read_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		handle_signal(run, info.ssi_signo);
}

static void deadline_passed(struct run *run)
{
	switch (run->stage) {
	case STOPPING:
		signal_all(-1, SIGKILL);
		enter(run, KILLING, KILL_MS);
		break;
	case CLEARING:
		signal_all(-1, SIGKILL);
		enter(run, SWEEPING, KILL_MS);
		break;
	case KILLING:
		fail("the command does not end, even by SIGKILL (it waits in the kernel)");
	default:
		note("processes are left that SIGKILL does not end");
		run->stage = DONE;
	}
}

static int open_signals(void)
{
	static const int wanted[] = { SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(&set, wanted[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		fail("cannot block signals: %s", strerror(errno));
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		fail("cannot wait for signals: %s", strerror(errno));
	/* Ctrl-Alt-Del: SIGINT to process 1 instead of an immediate reset. */
	reboot(RB_DISABLE_CAD);
	return fd;
}

/* It is also how the host says that it wants something else. */
static void power_event(struct run *run)
{
	unsigned int wanted = report_wanted();

	if (wanted & BH_WANT_PIDS)
		groups_bound_processes(wanted & ~BH_WANT_PIDS);
	else if (wanted == BH_WANT_STOP)
		stop_command(run);
}

static void wait_once(struct run *run)
{
	struct pollfd fds[1 + POWER_BUTTONS_MAX + PUMP_POLL_FDS];
	struct pollfd *power = fds + 1, *pump = power + POWER_BUTTONS_MAX;
	nfds_t count = 1 + POWER_BUTTONS_MAX;
	int timeout = -1;

	fds[0] = (struct pollfd){ .fd = run->signals, .events = POLLIN };
	power_prepare(&run->power, power);
	if (run->pump) {
		pump_prepare(run->pump, pump);
		count += PUMP_POLL_FDS;
	}
	if (run->stage != RUNNING) {
		int64_t left = run->deadline - now_ms();

		timeout = left > 0 ? (int)left : 0;
	}
	if (poll(fds, count, timeout) < 0) {
		if (errno != EINTR)
			fail("cannot wait for events: %s", strerror(errno));
		return;
	}
	if (run->pump)
		pump_run(run->pump, pump);
	if (power_pressed(&run->power, power))
		power_event(run);
	if (fds[0].revents)
		read_signals(run);
	if (run->stage != RUNNING && run->stage != DONE && now_ms() >= run->deadline)
		deadline_passed(run);
}

__attribute__((noreturn)) static void exec_failed(struct run *run, int error)
{
	bool not_found = error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG;

	console_drain(run->tty);
	mounts_finish();
	report_end(not_found ? BH_EXIT_NOT_FOUND : BH_EXIT_NOT_EXEC, (unsigned int)error);
}

static void start_on_terminal(struct run *run)
{
	struct command_io io = {
		.in = run->tty, .out = run->tty, .err = run->tty, .terminal = run->tty
	};

	run->command = command_start(run->p, &io);
}

static void start_on_stream(struct run *run)
{
	static struct pump pump;
	struct command_io io = { .terminal = -1 };
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		fail("cannot make the command's pipes: %s", strerror(errno));
	io.in = in[0];
	io.out = out[1];
	io.err = out[1];
	run->command = command_start(run->p, &io);
	close(in[0]);
	close(out[1]);
	if (run->command < 0)
		return;
	run->pump = &pump;
	pump_init(&pump, run->tty, in[1], out[0], run->command);
	if (run->p->no_input)
		pump_end_input(&pump);
}

__attribute__((noreturn)) static void switch_off(int how)
{
	reboot(how);
	fail("the machine does not switch off: %s", strerror(errno));
}

__attribute__((noreturn)) static void finish(struct run *run)
{
	const bool killed = WIFSIGNALED(run->status) && WTERMSIG(run->status) == SIGKILL;
	char victim[128] = "";
	/* As long as there is a /dev. */
	const bool out_of_memory = killed && oom_find(run->command, victim, sizeof(victim));

	if (run->pump)
		pump_finish(run->pump);
	console_drain(run->tty);
	mounts_finish();
	if (run->reboot)
		switch_off(run->reboot);
	if (out_of_memory) {
		report_text(victim);
		report_end(BH_EXIT_OUT_OF_MEMORY, 0);
	}
	if (WIFSIGNALED(run->status))
		report_end(BH_EXIT_SIGNALED, (unsigned int)WTERMSIG(run->status));
	report_end(BH_EXIT_EXITED, (unsigned int)WEXITSTATUS(run->status));
}

void run_end_if_wanted(int tty)
{
	if (!report_stop_is_wanted())
		return;
	note("asked to end before the command began");
	console_drain(tty);
	mounts_finish();
	switch_off(RB_POWER_OFF);
}

void run_command(const struct params *p, int tty)
{
	struct run run = { .p = p, .tty = tty, .stage = RUNNING };

	run.signals = open_signals();
	power_open(&run.power);
	run_end_if_wanted(tty); /* what comes from now on is in the device */
	if (p->console == PARAMS_CONSOLE_STREAM)
		start_on_stream(&run);
	else
		start_on_terminal(&run);
	if (run.command < 0)
		exec_failed(&run, -run.command);
	while (run.stage != DONE)
		wait_once(&run);
	finish(&run);
}
