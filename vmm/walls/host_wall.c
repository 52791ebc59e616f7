/* host_wall.c - see host_wall.h. */
#include "vmm/walls/host_wall.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/jail/cgroup.h"
#include "vmm/jail/fd_message.h"
#include "vmm/instance/ending.h"
#include "vmm/walls/descendants.h"

#define LEFTOVERS_NS (2 * NS_PER_S)
#define STOP_MS	     2500 /* for init to end everything, before it is killed */
#define GONE_MS	     5000 /* for init to be gone, once it ends or is killed */

void host_wall_init(struct host_wall *w, const struct run_config *cfg,
		    const struct wall_console *console)
{
	w->cfg = cfg;
	w->sock = w->master = w->keys = -1;
	w->in = (struct own_init){
		.cfg = cfg,
		.sock = -1,
		.terminal = console->terminal,
		.rows = console->rows,
		.cols = console->cols,
		.term = console->term,
	};
	memcpy(w->in.std, console->std, sizeof(w->in.std));
}

/* --- messages --- */

static void end(struct host_wall *w, enum ending_reason reason, int value, const char *text)
{
	struct ending ending = { .reason = reason, .value = value };

	if (w->ended)
		return;
	w->ended = true;
	printable(ending.text, sizeof(ending.text), text);
	w->events.ended(w->events.ctx, &ending);
}

static void take_message(struct host_wall *w, const struct init_msg *m)
{
	w->told = m->kind != INIT_FAILED;
	w->ready = m->ready;
	w->started = m->started;
	switch (m->kind) {
	case INIT_EXITED:
		end(w, ENDING_EXITED, m->value & 0xff, "");
		break;
	case INIT_SIGNALED:
		/* By the stop that we asked for, which says why. */
		if (w->stopped && m->value == SIGKILL)
			end(w, ENDING_STOPPED, 0, "");
		else
			end(w, ENDING_SIGNALED, m->value & 0x7f, "");
		break;
	case INIT_NOT_FOUND:
		end(w, ENDING_NOT_FOUND, m->value, "");
		break;
	case INIT_NOT_EXECUTABLE:
		end(w, ENDING_NOT_EXECUTABLE, m->value, "");
		break;
	default:
		end(w, ENDING_ERROR, 0, m->text);
	}
}

static void on_message(void *ctx, uint32_t events)
{
	struct host_wall *w = ctx;
	struct init_msg m;
	ssize_t n = recv(w->sock, &m, sizeof(m), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(m)) { /* closed: its exit tells the rest */
		loop_remove(w->loop, &w->messages);
		return;
	}
	m.text[sizeof(m.text) - 1] = '\0';
	take_message(w, &m);
}

static void on_exit_of_init(struct vm_process *p)
{
	struct host_wall *w = p->ctx;
	char became[128], text[160];

	/* What it said last may still be in the socket. */
	for (int i = 0; i < 4 && w->messages.watched; i++)
		on_message(w, 0);
	if (!vm_process_reap(p, false))
		return;
	vm_process_describe(p, became, sizeof(became));
	snprintf(text, sizeof(text), "the command's init %s", became);
	end(w, ENDING_ERROR, 0, text);
}

/* --- starting --- */

/* What the host's command line said, paths and all, would be /proc/1/cmdline.
 * The strings of argv lie one behind the other, and those of the environment
 * behind them (execve(2) on Linux); nobody here reads them again. */
static void wipe_arguments(void)
{
	char *from = program_invocation_name, *to = environ ? environ[0] : NULL;

	if (to && from < to)
		explicit_bzero(from, (size_t)(to - from));
	else
		explicit_bzero(from, strlen(from));
}

/* In the new process.  0 or -errno. */
static int enter(struct host_wall *w, pid_t parent, int log_fd)
{
	int keep[5 + HOST_WALL_KEEP] = { w->in.sock, log_fd, w->in.std[0], w->in.std[1],
					 w->in.std[2] };
	sigset_t all;
	int r = w->group ? cgroup_enter(w->group) : 0;

	if (r < 0)
		return r;
	/* Not before: its root is the group that we are in now. */
	if (w->in.own_pids && unshare(CLONE_NEWCGROUP) < 0)
		return neg_errno();
	/* A run without a PID namespace is ended by its init when the supervisor
	 * is gone; one with it ends with its init. */
	if (w->in.own_pids) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			return neg_errno();
	} else if (getppid() != parent) {
		return -ESRCH;
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* Keys of the terminal are the supervisor's.  The command gets a session
	 * of its own, this process opens no terminal. */
	if (setpgid(0, 0) < 0)
		return neg_errno();
	prctl(PR_SET_NAME, "bulkhead-init");
	if (w->in.own_pids)
		wipe_arguments();
	memcpy(keep + 5, w->keep, w->nkeep * sizeof(*keep));
	return fds_close_others(keep, 5 + w->nkeep);
}

static int init_process(struct host_wall *w, pid_t parent, int log_fd)
{
	int r = enter(w, parent, log_fd);

	log_to(log_fd);
	if (r < 0) {
		log_error("cannot set the process up: %s", strerror(-r));
		return 1;
	}
	return own_init_main(&w->in);
}

/* Fork it.  0 or -errno; its log pipe and pidfd are in w->init.c. */
static int spawn(struct host_wall *w, struct err *e)
{
	struct clone_args args = {
		.flags = w->clone_flags | CLONE_PIDFD,
		.pidfd = (uintptr_t)&w->init.c.pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t parent = getpid(), pid;
	int log_pipe[2];

	if (pipe2(log_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(e, "make the log pipe of the command's init");
	w->init.forked = now_ns();
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(init_process(w, parent, log_pipe[1]));
	close(log_pipe[1]);
	if (pid < 0) {
		int r = err_errno(e, "fork the command's init%s",
				  w->clone_flags ? " in new namespaces" : "");

		if (w->clone_flags && (r == -EPERM || r == -ENOSPC))
			err_context(e, "user namespaces are not allowed here (sysctl "
				       "user.max_user_namespaces, or a security module)");

		close(log_pipe[0]);
		return r;
	}
	w->init.name = "init";
	w->init.c.pid = pid;
	w->init.c.log_fd = log_pipe[0];
	return 0;
}

static int take_terminal(struct host_wall *w, struct err *e)
{
	struct init_msg m;

	if (fd_message_receive(w->sock, &m, sizeof(m), &w->master) < 0)
		return err_set(e, EIO, "the command's init ended before it was set up");
	m.text[sizeof(m.text) - 1] = '\0';
	if (w->master < 0)
		return err_set(e, EIO, "%s", m.text);
	w->keys = fcntl(w->master, F_DUPFD_CLOEXEC, 3);
	if (w->keys < 0 || fcntl(w->master, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(e, "set up the command's terminal");
	return 0;
}

int host_wall_start(struct wall *wall, struct loop *loop, const struct wall_events *events,
		    const struct cgroup *group, struct err *e)
{
	struct host_wall *w = (struct host_wall *)wall;
	int pair[2];
	int r;

	w->events = *events;
	w->group = group;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, "make the socket of the command's init");
	w->sock = pair[0];
	w->in.sock = pair[1];
	r = spawn(w, e);
	close_fd(&w->in.sock);
	if (r < 0)
		return r;
	r = vm_process_watch(&w->init, loop, on_exit_of_init, w, e);
	if (r < 0)
		return r;
	w->loop = loop;
	if (w->forked)
		r = w->forked(w, e);
	if (r == 0 && w->in.terminal)
		r = take_terminal(w, e);
	if (r < 0)
		return r;
	w->messages = (struct loop_source){ .ready = on_message, .ctx = w };
	r = loop_add(loop, &w->messages, w->sock, EPOLLIN);
	if (r < 0)
		return err_code(e, r, "watch the command's init");
	/* Nobody waits until the command runs: orders and input wait for it in
	 * the socket and the terminal, and no signal is lost. */
	w->events.ready(w->events.ctx);
	return 0;
}

/* --- the rest --- */

int host_wall_output_fd(const struct wall *wall)
{
	return ((const struct host_wall *)wall)->master;
}

int host_wall_input_fd(const struct wall *wall)
{
	return ((const struct host_wall *)wall)->keys;
}

bool host_wall_stream_input(const struct wall *wall)
{
	(void)wall;
	return false;
}

static bool order(const struct host_wall *w, enum init_order_kind kind, int value)
{
	struct init_order o = { .kind = kind, .value = value };

	return send(w->sock, &o, sizeof(o), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(o);
}

bool host_wall_signal(struct wall *wall, int signum)
{
	return order((const struct host_wall *)wall, INIT_ORDER_SIGNAL, signum);
}

/* The kernel tells the terminal's foreground processes (SIGWINCH). */
void host_wall_resize(struct wall *wall, unsigned int rows, unsigned int cols)
{
	const struct winsize size = { .ws_row = (unsigned short)rows,
				      .ws_col = (unsigned short)cols };

	ioctl(((const struct host_wall *)wall)->master, TIOCSWINSZ, &size);
}

void host_wall_shut_down(struct wall *wall)
{
	order((const struct host_wall *)wall, INIT_ORDER_SHUT_DOWN, 0);
}

void host_wall_stop(struct wall *wall)
{
	struct host_wall *w = (struct host_wall *)wall;

	w->stopped = true;
	order(w, INIT_ORDER_STOP, 0);
}

/*
 * In a PID namespace init's end waits for every process that is in there, also for
 * one that SIGKILL does not end, as it waits in the host's kernel for a disk or a file
 * system that does not answer.  The command's status is not to wait for that: what
 * stays behind is named.
 */
static void reap_init(struct host_wall *w)
{
	vm_process_reap_soon(&w->init, GONE_MS);
	if (!w->init.running)
		return;
	vm_process_read_log(&w->init);
	vm_process_unwatch(&w->init);
	log_warn(
		"the command's init (process %d) does not end, probably because the host's disk or "
		"file system does not answer a process of the command. It stays behind until that "
		"ends, and what it has open stays locked",
		(int)w->init.c.pid);
}

void host_wall_release(struct wall *wall)
{
	struct host_wall *w = (struct host_wall *)wall;

	if (!w->loop || w->released) /* never started, or released before */
		return;
	w->released = true;
	loop_remove(w->loop, &w->messages);
	/* It has said so: nothing is left, and it is about to exit. */
	if (w->told) {
		reap_init(w);
		return;
	}
	/* Init ends what is left; with a PID namespace its own end does. */
	if (w->init.running && !w->in.own_pids) {
		host_wall_stop(wall);
		vm_process_reap_soon(&w->init, STOP_MS);
	}
	vm_process_kill(&w->init);
	reap_init(w);
	/* It could not say that nothing is left. */
	if (!w->in.own_pids && !descendants_end(LEFTOVERS_NS))
		log_warn("processes are left that SIGKILL does not end");
}

void host_wall_report(const struct wall *wall, json_t *report)
{
	const struct host_wall *w = (const struct host_wall *)wall;
	json_t *o = json_object();

	json_object_set_new(report, "cpu_ns", json_integer((json_int_t)w->init.cpu_ns));
	json_object_set_new(o, "init_fork", json_integer((json_int_t)w->init.forked));
	if (w->ready)
		json_object_set_new(o, "init", json_integer((json_int_t)w->ready));
	if (w->started)
		json_object_set_new(o, "command", json_integer((json_int_t)w->started));
	json_object_set_new(report, "timeline", o);
}

void host_wall_close(struct host_wall *w)
{
	close_fd(&w->sock);
	close_fd(&w->in.sock);
	close_fd(&w->master);
	close_fd(&w->keys);
	vm_process_close(&w->init);
}
