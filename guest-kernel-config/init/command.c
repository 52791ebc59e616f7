/*
 * command.c - see command.h
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../guest_abi.h"
#include "exec.h"
#include "mounts.h"
#include "report.h"

/* Lives until exec or the end of the VM. */
static char **make_env(const struct params *p)
{
	bool terminal = p->console == PARAMS_CONSOLE_TERMINAL;
	const char *name = p->term ? p->term : "linux";
	char **env = exec_env(p->env, p->envc, terminal ? name : NULL);

	if (!env)
		fail("no memory for the environment");
	return env;
}

static void default_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Init is in the terminal's background for the kernel, so taking the
 * foreground needs SIGTTOU ignored (it is, from init) until it is done.
 */
static void own_group(const struct command_io *io)
{
	if (io->terminal < 0) {
		setsid();
		return;
	}
	setpgid(0, 0);
	tcsetpgrp(io->terminal, getpid());
}

__attribute__((noreturn)) static void child(const struct params *p, const struct command_io *io,
					    char **env, int failed_fd)
{
	const int from[] = { io->in, io->out, io->err };
	int error = 0;

	own_group(io);
	for (int fd = 0; fd <= 2; fd++) {
		if (dup2(from[fd], fd) < 0)
			error = errno;
	}
	default_signals();
	/* Whether fork copies the right to use ports depends on the kernel. */
	report_open();
	report_phase(BH_PHASE_COMMAND);
	report_close();
	if (error == 0)
		error = exec_in_path((char **)(uintptr_t)p->argv, p->argc, env);
	/* Were this lost, init would take 127 for the command's status. */
	if (write(failed_fd, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

static void enter_workdir(const struct params *p)
{
	if (mounts_make_path(p->workdir) < 0 || chdir(p->workdir) < 0)
		fail("cannot enter the working directory %s: %s", p->workdir, strerror(errno));
}

pid_t command_start(const struct params *p, const struct command_io *io)
{
	char **env = make_env(p);
	int failed[2], error;
	ssize_t n;
	pid_t pid;

	if (pipe2(failed, O_CLOEXEC) < 0)
		fail("cannot start the command: %s", strerror(errno));
	enter_workdir(p);
	pid = fork();
	if (pid < 0 && errno == EAGAIN && p->pids)
		fail("cannot start the command: --pids %u leaves no room beside its init: give at "
		     "least 2",
		     (unsigned int)p->pids);
	if (pid < 0)
		fail("cannot start the command: %s", strerror(errno));
	if (pid == 0)
		child(p, io, env, failed[1]);
	close(failed[1]);
	/* A successful exec closes the other end: end of file. */
	do
		n = read(failed[0], &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	close(failed[0]);
	free(env);
	if (chdir("/") < 0)
		fail("cannot leave the working directory: %s", strerror(errno));
	if (n == 0)
		return pid;
	waitpid(pid, NULL, 0);
	return n == (ssize_t)sizeof(error) ? -error : -EIO;
}

void command_become_image_init(const struct params *p)
{
	static const char *const inits[] = { "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };
	char **env = make_env(p);
	int console = open("/dev/console", O_RDWR | O_NOCTTY);

	if (console < 0)
		fail("cannot open /dev/console: %s", strerror(errno));
	for (int fd = 0; fd <= 2; fd++) {
		if (fd != console)
			dup2(console, fd);
	}
	if (console > 2)
		close(console);
	default_signals();
	report_phase(BH_PHASE_COMMAND);
	report_close();
	for (size_t i = 0; i < sizeof(inits) / sizeof(inits[0]); i++) {
		char *argv[] = { (char *)(uintptr_t)inits[i], NULL };

		execve(inits[i], argv, env);
		if (errno == ENOENT || errno == ENOTDIR)
			continue;
		break;
	}
	report_open();
	fail("the image has no init that can be run (tried /sbin/init, /etc/init, /bin/init, "
	     "/bin/sh): %s",
	     strerror(errno));
}
