/*
 * own_init.c - see own_init.h.
 *
 * How a run ends, as in a guest's init:
 *
 *   RUNNING    the command runs
 *   STOPPING   asked to end: SIGTERM to the command's group, 3 s
 *   KILLING    SIGKILL to everything, 2 s
 *   CLEARING   the command has ended: SIGTERM to what it left, 1 s
 *   SWEEPING   SIGKILL to what is left of that, 2 s
 *   DONE
 *
 * Every process of the run is a descendant of this one or becomes its child
 * when its parent dies (process 1, or PR_SET_CHILD_SUBREAPER), so "no
 * children" means that nothing is left.
 */
#include "vmm/walls/own_init.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include "guest-kernel-config/init/exec.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/jail/fd_message.h"
#include "vmm/walls/descendants.h"

#define STOP_NS	 (3 * NS_PER_S)
#define KILL_NS	 (2 * NS_PER_S)
#define CLEAR_NS (1 * NS_PER_S)
#define AGAIN_NS (20 * NS_PER_MS) /* between two rounds of SIGKILL */

enum stage { RUNNING, STOPPING, KILLING, CLEARING, SWEEPING, DONE };

struct life {
	struct own_init *in;
	int signals, slave;
	pid_t command;
	enum stage stage;
	uint64_t deadline;
	uint64_t ready, started; /* see struct init_msg */
	int status;		 /* of the command, see wait(2) */
	bool has_ended;		 /* `status` is valid */
};

/* What the command's process could not do before it became the command; all
 * zero: it did. */
struct failure {
	int exec_errno; /* or 0: */
	struct err e;
};

static void tell_with_fd(const struct life *l, enum init_msg_kind kind, int value, const char *text,
			 int fd)
{
	struct init_msg m = {
		.kind = kind,
		.value = value,
		.ready = l->ready,
		.started = l->started,
	};

	memccpy(m.text, text, '\0', sizeof(m.text) - 1);
	/* Nobody listens any more: the socket's end is seen by the loop. */
	fd_message_send(l->in->sock, &m, sizeof(m), fd);
}

static void tell(const struct life *l, enum init_msg_kind kind, int value, const char *text)
{
	tell_with_fd(l, kind, value, text, -1);
}

/* --- starting the command --- */

static int make_path(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	for (char *s = part + 1; s <= part + len; s++) {
		if (*s != '/' && *s != '\0')
			continue;
		*s = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return neg_errno();
		if (s < part + len)
			*s = '/';
	}
	return 0;
}

static int enter_workdir(const char *path, struct err *e)
{
	if (!path)
		path = "/";
	/* Only what is missing is made: a path that may be walked and not
	 * written to is fine. */
	if (chdir(path) == 0)
		return 0;
	if (errno == ENOENT) {
		int r = make_path(path);

		if (r < 0)
			return err_code(e, r, "make the working directory %s", path);
	}
	if (chdir(path) < 0)
		return err_errno(e, "enter the working directory %s", path);
	return 0;
}

static int make_terminal(struct life *l, int *ret_master, struct err *e)
{
	struct winsize size = { .ws_row = (unsigned short)l->in->rows,
				.ws_col = (unsigned short)l->in->cols };
	int unlock = 0;
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0)
		return err_errno(e, "open /dev/ptmx for the command's terminal");
	if (ioctl(master, TIOCSPTLCK, &unlock) == 0)
		l->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (l->slave < 0) {
		int r = err_errno(e, "open the command's terminal");

		close(master);
		return r;
	}
	ioctl(l->slave, TIOCSWINSZ, &size);
	*ret_master = master;
	return 0;
}

/* In the command's process.  Returns when it did not become the command.  What
 * it leaves in *f is ours too, see fork_command(). */
static void become_command(struct life *l, char **env, struct failure *f)
{
	struct own_init *in = l->in;
	sigset_t none;

	setsid();
	/* Without a PID namespace this process's end is not the command's. */
	if (!in->own_pids)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (in->terminal)
		ioctl(l->slave, TIOCSCTTY, 0);
	for (int fd = 0; fd <= 2; fd++) {
		if (dup2(in->terminal ? l->slave : in->std[fd], fd) < 0) {
			err_errno(&f->e, "give the command its standard files");
			return;
		}
	}
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	if (in->confine && in->confine(in->ctx, &f->e) < 0)
		return;
	f->exec_errno = exec_in_path(in->cfg->argv, in->cfg->argc, env);
}

/*
 * vfork: our memory is the new process's until it is the command, and we wait.
 * Copying it (its page tables, and then each page that either writes) would be
 * half of what a run without a wall costs.  What is given up in there is the
 * process's own: ids, capabilities, filters, signals and files are not shared.
 */
static int fork_command(struct life *l, char **env, struct failure *f)
{
	l->command = vfork();
	if (l->command == 0) {
		become_command(l, env, f);
		_exit(127);
	}
	return l->command < 0 ? err_errno(&f->e, "start the command") : 0;
}

/* The same with memory that is copied, but for *f. */
static int fork_command_copying(struct life *l, char **env, struct failure *f)
{
	struct failure *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r = 0;

	if (shared == MAP_FAILED)
		return err_errno(&f->e, "memory to start the command");
	l->command = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, 0UL);
	if (l->command == 0) {
		become_command(l, env, shared);
		_exit(127);
	}
	if (l->command < 0)
		r = err_errno(&shared->e, "start the command");
	*f = *shared;
	munmap(shared, sizeof(*shared));
	return r;
}

/* The one limit that forbids the first fork. */
static int explain_fork(const struct life *l, int r, struct err *e)
{
	unsigned long long pids = l->in->cfg->limits.pids;

	if (r == -EAGAIN && pids)
		err_set(e, EAGAIN,
			"start the command: --pids %llu leaves no room beside its init: give at "
			"least 2",
			pids);
	return r;
}

static int run_command(struct life *l, char **env, struct failure *f)
{
	int r = fork_command(l, env, f);

	/* Linux before 6.3 lets nobody share memory across time namespaces. */
	if (r == -EINVAL) {
		*f = (struct failure){ .exec_errno = 0 };
		r = fork_command_copying(l, env, f);
	}
	if (r < 0)
		return explain_fork(l, r, &f->e);
	if (!f->exec_errno && !f->e.text[0])
		return 0;
	waitpid(l->command, NULL, 0);
	return -EIO;
}

/* 0, or the message is sent. */
static int start_command(struct life *l)
{
	const struct own_init *in = l->in;
	const char *term = in->term ? in->term : "linux";
	struct failure f = { .exec_errno = 0 };
	char **env = exec_env((const char *const *)in->cfg->env, in->cfg->nenv,
			      in->terminal ? term : NULL);
	int r = env ? enter_workdir(in->cfg->workdir, &f.e) : err_set(&f.e, ENOMEM, "no memory");

	if (r == 0)
		r = run_command(l, env, &f);
	free(env);
	if (r == 0) {
		l->started = now_ns();
		return 0;
	}
	if (!f.exec_errno)
		tell(l, INIT_FAILED, 0, f.e.text);
	else if (f.exec_errno == ENOENT || f.exec_errno == ENOTDIR || f.exec_errno == ENAMETOOLONG)
		tell(l, INIT_NOT_FOUND, f.exec_errno, "");
	else
		tell(l, INIT_NOT_EXECUTABLE, f.exec_errno, "");
	return r;
}

/* --- while it runs --- */

static void enter(struct life *l, enum stage stage, uint64_t limit)
{
	l->stage = stage;
	l->deadline = now_ns() + limit;
}

/* SIGCONT, because a stopped process would not see the other one. */
static void signal_group(const struct life *l, int sig)
{
	kill(-l->command, sig);
	kill(-l->command, SIGCONT);
}

static void signal_all(const struct life *l, int sig)
{
	if (l->in->own_pids) {
		kill(-1, sig);
		kill(-1, SIGCONT);
		return;
	}
	descendants_signal(sig);
	descendants_signal(SIGCONT);
}

static void kill_all(struct life *l)
{
	if (l->stage == KILLING || l->stage == SWEEPING)
		return;
	signal_all(l, SIGKILL);
	enter(l, l->has_ended ? SWEEPING : KILLING, KILL_NS);
}

static void reap(struct life *l)
{
	bool now_ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != l->command)
			continue;
		l->status = status;
		l->has_ended = now_ended = true;
	}
	if (pid < 0 && errno == ECHILD) {
		l->stage = DONE;
	} else if (now_ended && l->stage != KILLING) {
		enter(l, CLEARING, CLEAR_NS);
		signal_all(l, SIGTERM);
	}
}

static void take_order(struct life *l)
{
	struct init_order o;
	ssize_t n = recv(l->in->sock, &o, sizeof(o), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(o)) { /* the supervisor is gone */
		close_fd(&l->in->sock);
		kill_all(l);
		return;
	}
	switch (o.kind) {
	case INIT_ORDER_SIGNAL:
		if (!l->has_ended && o.value > 0 && o.value < NSIG)
			kill(-l->command, o.value);
		break;
	case INIT_ORDER_SHUT_DOWN:
		if (l->stage != RUNNING)
			break;
		signal_group(l, SIGTERM);
		enter(l, STOPPING, STOP_NS);
		break;
	default:
		kill_all(l);
	}
}

static void deadline_passed(struct life *l)
{
	if (l->stage == STOPPING || l->stage == CLEARING) {
		kill_all(l);
		return;
	}
	log_warn("processes are left that SIGKILL does not end");
	l->stage = DONE;
}

/* ms to wait: what is forked while we look is found in the next round. */
static int patience(struct life *l)
{
	uint64_t now = now_ns(), left;

	if (l->stage == RUNNING)
		return -1;
	left = l->deadline > now ? l->deadline - now : 0;
	if (!l->in->own_pids && (l->stage == KILLING || l->stage == SWEEPING))
		left = MIN(left, AGAIN_NS);
	return (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static void wait_once(struct life *l)
{
	struct pollfd fds[] = {
		{ .fd = l->signals, .events = POLLIN },
		{ .fd = l->in->sock, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int n = poll(fds, ARRAY_SIZE(fds), patience(l));

	if (n < 0)
		return; /* EINTR */
	if (fds[1].revents)
		take_order(l);
	if (fds[0].revents && read(l->signals, &info, sizeof(info)) > 0)
		reap(l);
	if (l->stage == RUNNING || l->stage == DONE)
		return;
	if (now_ns() >= l->deadline)
		deadline_passed(l);
	else if (n == 0 && (l->stage == KILLING || l->stage == SWEEPING))
		signal_all(l, SIGKILL);
}

static int open_signals(struct life *l, struct err *e)
{
	sigset_t set;

	if (!l->in->own_pids && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_errno(e, "become the reaper of the command's processes");
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	l->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return l->signals < 0 ? err_errno(e, "wait for signals") : 0;
}

static int set_up(struct life *l, int *ret_master, struct err *e)
{
	int r = l->in->prepare ? l->in->prepare(l->in->ctx, e) : 0;

	if (r == 0)
		r = open_signals(l, e);
	if (r == 0 && l->in->terminal)
		r = make_terminal(l, ret_master, e);
	return r;
}

int own_init_main(struct own_init *in)
{
	struct life l = { .in = in, .signals = -1, .slave = -1 };
	struct err e = { "" };
	int master = -1;

	if (set_up(&l, &master, &e) < 0) {
		tell(&l, INIT_FAILED, 0, e.text);
		return 1;
	}
	l.ready = now_ns();
	if (master >= 0)
		tell_with_fd(&l, INIT_TERMINAL, 0, "", master);
	close_fd(&master);
	if (start_command(&l) < 0)
		return 1;
	if (in->settle && in->settle(in->ctx, &e) < 0) {
		tell(&l, INIT_FAILED, 0, e.text);
		return 1;
	}
	while (l.stage != DONE)
		wait_once(&l);
	if (!l.has_ended)
		tell(&l, INIT_FAILED, 0,
		     "the command does not end, even by SIGKILL (it waits in the kernel)");
	else if (WIFSIGNALED(l.status))
		tell(&l, INIT_SIGNALED, WTERMSIG(l.status), "");
	else
		tell(&l, INIT_EXITED, WEXITSTATUS(l.status), "");
	return 0;
}
