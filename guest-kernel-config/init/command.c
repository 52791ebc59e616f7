/*
 * command.c - see command.h
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../guest_abi.h"
#include "mounts.h"
#include "report.h"

#define DEFAULT_PATH  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_HOME  "HOME=/root"
#define DEFAULT_COUNT 3

/* "NAME=..." has the name of "NAME=...". */
static bool same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, "=") + 1;

	return strncmp(a, b, len) == 0;
}

/* A later value of a name replaces an earlier one, in its place. */
static void put_env(char **env, size_t *count, char *value)
{
	for (size_t i = 0; i < *count; i++) {
		if (same_name(value, env[i])) {
			env[i] = value;
			return;
		}
	}
	env[(*count)++] = value;
}

/* Lives until exec or the end of the VM. */
static char **make_env(const struct params *p)
{
	char **env = calloc(p->envc + DEFAULT_COUNT + 1, sizeof(*env));
	static char path[] = DEFAULT_PATH, home[] = DEFAULT_HOME;
	const char *name = p->term ? p->term : "linux";
	size_t count = 0;
	char *term;

	if (!env)
		fail("no memory for the environment");
	put_env(env, &count, path);
	put_env(env, &count, home);
	if (p->console == PARAMS_CONSOLE_TERMINAL) {
		if (asprintf(&term, "TERM=%s", name) < 0)
			fail("no memory for the environment");
		put_env(env, &count, term);
	}
	for (size_t i = 0; i < p->envc; i++)
		put_env(env, &count, (char *)(uintptr_t)p->env[i]);
	return env;
}

static const char *get_env(char **env, const char *name)
{
	for (; *env; env++) {
		if (same_name(name, *env))
			return *env + strlen(name);
	}
	return "";
}

/* A text file without an interpreter line is run by the shell, as in POSIX. */
static void exec_file(const char *file, const struct params *p, char **env)
{
	char **argv = (char **)(uintptr_t)p->argv;
	char **script;

	execve(file, argv, env);
	if (errno != ENOEXEC)
		return;
	script = calloc(p->argc + 2, sizeof(*script));
	if (!script)
		return;
	script[0] = (char *)(uintptr_t) "/bin/sh";
	script[1] = (char *)(uintptr_t)file;
	for (size_t i = 1; i < p->argc; i++)
		script[i + 1] = argv[i];
	execve("/bin/sh", script, env);
	/* Without a shell the file stays what it is: not executable. */
	errno = ENOEXEC;
}

/* Returns the errno that tells most when nothing could be executed. */
static int exec_in_path(const struct params *p, char **env)
{
	const char *name = p->argv[0], *path = get_env(env, "PATH=");
	char file[PATH_MAX];
	int error = ENOENT;

	if (strchr(name, '/')) {
		exec_file(name, p, env);
		return errno;
	}
	for (const char *dir = path; *name && dir;) {
		size_t len = strcspn(dir, ":");
		/* An empty element is the working directory. */
		int n = snprintf(file, sizeof(file), "%.*s%s%s", (int)len, dir, len ? "/" : "./",
				 name);

		dir = dir[len] ? dir + len + 1 : NULL;
		if (n < 0 || (size_t)n >= sizeof(file))
			continue;
		exec_file(file, p, env);
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			return errno;
		/* Found but not allowed: told unless a later one runs. */
		if (errno == EACCES)
			error = EACCES;
	}
	return error;
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
		error = exec_in_path(p, env);
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
