/* surface_trace.c - see surface_trace.h; ptrace(2).  One thread, which is who
 * traces and who waits. */
#include "vmm/compare/surface_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "vmm/base/util.h"
#include "vmm/compare/measure.h"
#include "vmm/compare/surface_exits.h"
#include "vmm/compare/surface_filters.h"
#include "vmm/compare/wall_command.h"

#define TASKS 4096
#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |    \
	 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT)
#define TERM_NS	     (5 * NS_PER_S) /* between SIGTERM and SIGKILL */
#define SYSCALL_STOP (SIGTRAP | 0x80)
#define OWN	     0 /* index of the wall's own part */

struct task {
	pid_t tid, tgid;
	size_t part;
	bool held; /* it stopped before its creator told of it */
	uint64_t call, arg;
};

struct seen_part {
	char name[SURFACE_NAME];
	bool facing;
	int filters;
	uint8_t verdict[SURFACE_CALLS];
	struct surface_calls used;
};

struct tracer {
	const struct surface_order *order;
	struct task task[TASKS];
	size_t ntasks;
	struct seen_part part[SURFACE_PARTS];
	size_t nparts;
	struct surface_exits exits;
	struct err calls, counts; /* why something could not be read */
	pid_t root;
	int status, functions; /* 0 or -errno, of following and collecting */
	bool begun, ended, interrupted, timed_out;
	uint64_t kill_at; /* 0: nobody is being ended */
};

/* --- tasks and parts --- */

static struct task *find(struct tracer *t, pid_t tid)
{
	for (size_t i = 0; i < t->ntasks; i++)
		if (t->task[i].tid == tid)
			return &t->task[i];
	return NULL;
}

static pid_t group_of(pid_t tid)
{
	char path[64], line[256];
	int tgid = tid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	if (f)
		fclose(f);
	return tgid;
}

/* NULL: there are too many; it goes on without being counted. */
static struct task *add(struct tracer *t, pid_t tid)
{
	struct task *task;

	if (t->ntasks == TASKS)
		return NULL;
	task = &t->task[t->ntasks++];
	*task = (struct task){ .tid = tid, .tgid = group_of(tid) };
	return task;
}

static void forget(struct tracer *t, pid_t tid)
{
	struct task *task = find(t, tid);

	if (task)
		*task = t->task[--t->ntasks];
}

static size_t part_of(struct tracer *t, const char *name, bool facing)
{
	struct seen_part *p;

	for (size_t i = 0; i < t->nparts; i++)
		if (strcmp(t->part[i].name, name) == 0)
			return i;
	if (t->nparts == SURFACE_PARTS)
		return OWN;
	p = &t->part[t->nparts];
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->facing = facing;
	p->filters = -1;
	return t->nparts++;
}

/* It goes on to its next call; where those do not matter, to its next event. */
static void resume(struct tracer *t, pid_t tid, int sig)
{
	const struct task *task = find(t, tid);
	bool freely = t->order->functions && (!t->order->machine || (task && task->part != OWN));

	/* Who was killed meanwhile is no error. */
	ptrace(freely ? PTRACE_CONT : PTRACE_SYSCALL, tid, NULL, (unsigned long)sig);
}

/* --- what tasks do --- */

/* It is facing from now on. */
static void look_at(struct tracer *t, struct seen_part *p, pid_t tid)
{
	uint8_t verdict[SURFACE_CALLS];
	int n;

	if (t->order->functions) {
		int r = surface_functions_follow(t->order->functions, tid);

		t->functions = t->functions < 0 ? t->functions : r;
		return;
	}
	if (surface_filters_read(tid, verdict, &n, &t->calls) < 0)
		return;
	p->filters = n;
	memcpy(p->verdict, verdict, sizeof(verdict));
}

/* It has installed a filter: from now on it is what a guest may talk to. */
static void on_confined(struct tracer *t, const struct task *task)
{
	char path[64], name[SURFACE_NAME] = "", shown[SURFACE_NAME];
	pid_t tgid = task->tgid;
	size_t part;
	FILE *f;

	if (tgid == t->root && !t->order->alone)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)tgid);
	f = fopen(path, "re");
	if (f) {
		if (!fgets(name, sizeof(name), f))
			name[0] = '\0';
		fclose(f);
	}
	name[strcspn(name, "\n")] = '\0';
	part = part_of(t, printable(shown, sizeof(shown), name), true);
	if (part != OWN)
		look_at(t, &t->part[part], task->tid);
	for (size_t i = 0; i < t->ntasks; i++) {
		if (t->task[i].tgid != tgid)
			continue;
		t->task[i].part = part;
		if (t->order->functions && part != OWN && t->task[i].tid != task->tid)
			look_at(t, &t->part[part], t->task[i].tid);
	}
}

static bool installs_filter(const struct task *task)
{
	return (task->call == SYS_seccomp && task->arg == SECCOMP_SET_MODE_FILTER) ||
	       (task->call == SYS_prctl && task->arg == PR_SET_SECCOMP);
}

static void on_syscall(struct tracer *t, struct task *task)
{
	struct __ptrace_syscall_info info;

	if (!t->begun || ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		task->call = info.entry.nr;
		task->arg = info.entry.args[0];
		if (info.arch == surface_calls_arch())
			surface_calls_add(&t->part[task->part].used, task->call);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->order->machine &&
		   !info.exit.is_error && installs_filter(task)) {
		on_confined(t, task);
	}
}

static void on_new(struct tracer *t, const struct task *creator)
{
	size_t part = creator->part;
	struct task *task;
	unsigned long tid;

	if (ptrace(PTRACE_GETEVENTMSG, creator->tid, NULL, &tid) < 0)
		return;
	task = find(t, (pid_t)tid);
	if (!task)
		task = add(t, (pid_t)tid);
	if (!task)
		return;
	task->part = part;
	if (task->held)
		resume(t, task->tid, 0);
	task->held = false;
}

static bool begins_with(const char *const *arg, size_t count, const char *const *command, size_t n)
{
	const char *base = strrchr(command[0], '/'), *name;

	if (count < n)
		return false;
	name = strrchr(arg[0], '/');
	if (strcmp(name ? name + 1 : arg[0], base ? base + 1 : command[0]) != 0)
		return false;
	for (size_t i = 1; i < n; i++)
		if (strcmp(arg[i], command[i]) != 0)
			return false;
	return true;
}

bool surface_is_command(const char *line, size_t len, const char *const *command, size_t n)
{
	const char *arg[WALL_COMMAND_ARGS];
	size_t count = 0;

	for (size_t at = 0; at < len && count < ARRAY_SIZE(arg); at += strlen(line + at) + 1)
		arg[count++] = line + at;
	/* A script has its interpreter before it, and perhaps one argument of
	 * that; in a wall's own line more comes first. */
	for (size_t first = 0; first < 3 && first < count; first++)
		if (begins_with(arg + first, count - first, command, n))
			return true;
	return false;
}

static bool is_command(const struct tracer *t, pid_t tid)
{
	char path[64], line[16384];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	close_fd(&fd);
	line[MAX(n, 0)] = '\0';
	return n > 0 && surface_is_command(line, (size_t)n, t->order->command, t->order->n);
}

/* The calling thread is its group's first one from now on, and the only one. */
static void on_exec(struct tracer *t, struct task *task)
{
	unsigned long former;
	pid_t tid = task->tid;

	if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &former) == 0 && (pid_t)former != tid) {
		const struct task *caller = find(t, (pid_t)former);

		task->part = caller ? caller->part : task->part;
		forget(t, (pid_t)former);
		task = find(t, tid);
	}
	if (!t->begun) { /* the wall's own program */
		t->begun = true;
		return;
	}
	if (!task || t->order->machine || task->part != OWN || !is_command(t, tid))
		return;
	task->part = part_of(t, SURFACE_COMMAND, true);
	look_at(t, &t->part[task->part], tid);
}

/* KVM's statistics end with the machine: the last look is what counts. */
static void on_exit_of(struct tracer *t, const struct task *task)
{
	struct surface_exits now;
	struct err e = { "" };

	if (!t->order->machine || task->part == OWN || t->order->functions)
		return;
	if (surface_exits_read(task->tgid, &now, &e) == 0)
		t->exits = now;
	else if (!t->counts.text[0])
		t->counts = e;
}

static bool is_group_stop(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

static void on_stop(struct tracer *t, struct task *task, int event, int sig)
{
	pid_t tid = task->tid;

	if (event == 0 && sig != SYSCALL_STOP) {
		resume(t, tid, sig);
		return;
	}
	if (event == PTRACE_EVENT_STOP && is_group_stop(sig)) {
		ptrace(PTRACE_LISTEN, tid, NULL, NULL);
		return;
	}
	if (event == 0)
		on_syscall(t, task);
	else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
		 event == PTRACE_EVENT_CLONE)
		on_new(t, task);
	else if (event == PTRACE_EVENT_EXEC)
		on_exec(t, task);
	else if (event == PTRACE_EVENT_EXIT)
		on_exit_of(t, task);
	resume(t, tid, 0);
}

static void handle(struct tracer *t, pid_t tid, int status)
{
	struct task *task = find(t, tid);

	if (!WIFSTOPPED(status)) {
		if (tid == t->root) {
			t->ended = true;
			t->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
							: WEXITSTATUS(status);
		}
		forget(t, tid);
		return;
	}
	if (task && !task->held) {
		on_stop(t, task, status >> 16, WSTOPSIG(status));
		return;
	}
	/* Its creator's stop is on its way, and says whose it is. */
	task = task ? task : add(t, tid);
	if (task)
		task->held = true;
	else
		resume(t, tid, 0);
}

/* Their creators were killed before they could tell of them. */
static void release_held(struct tracer *t)
{
	for (size_t i = 0; i < t->ntasks; i++) {
		if (!t->task[i].held)
			continue;
		t->task[i].held = false;
		resume(t, t->task[i].tid, 0);
	}
}

/* --- the run --- */

static void become(const struct surface_order *order, int gate)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;
	char c;

	sigemptyset(&none);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			_exit(127);
	if (setpgid(0, 0) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
	    read(gate, &c, 1) != 1)
		_exit(127);
	/* execv() changes nothing of them. */
	execv(order->argv[0], (char *const *)(uintptr_t)order->argv);
	_exit(127);
}

static int start(struct tracer *t, struct err *e)
{
	int gate[2], r = 0;

	if (pipe2(gate, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	t->root = fork();
	if (t->root == 0) {
		close(gate[1]);
		become(t->order, gate[0]);
	}
	close(gate[0]);
	if (t->root < 0)
		r = err_errno(e, "fork");
	else if (ptrace(PTRACE_SEIZE, t->root, NULL, OPTIONS) < 0)
		r = err_errno(e, "trace a process");
	if (r == 0 && write(gate[1], ".", 1) != 1)
		r = err_errno(e, "pipe");
	close(gate[1]);
	if (r == 0)
		add(t, t->root);
	else if (t->root > 0)
		waitpid(t->root, NULL, 0);
	return r;
}

/* Asked first, so that the wall clears itself away. */
static void end(struct tracer *t)
{
	if (t->kill_at == 0) {
		t->kill_at = now_ns() + TERM_NS;
		kill(-t->root, SIGTERM);
	} else if (now_ns() >= t->kill_at) {
		kill(-t->root, SIGKILL);
		measure_kill_children();
	}
}

static void follow(struct tracer *t, const sigset_t *set)
{
	struct surface_functions *functions = t->order->functions;
	const struct timespec pause = { 0, (functions ? 5 : 50) * (long)NS_PER_MS };
	uint64_t until = now_ns() + t->order->limit_ns;
	int status;

	/* Others' children may be there as well, and go on. */
	while (!t->ended || t->ntasks) {
		pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
		int sig;

		if (tid > 0) {
			handle(t, tid, status);
			if (now_ns() < until)
				continue;
		} else if (tid < 0 && errno != EINTR) {
			return;
		}
		if (functions && t->functions == 0)
			t->functions = surface_functions_collect(functions);
		sig = tid > 0 ? 0 : sigtimedwait(set, NULL, &pause);
		if (sig < 0 && errno == EAGAIN)
			release_held(t);
		t->interrupted |= sig == SIGINT || sig == SIGTERM;
		t->timed_out |= now_ns() >= until;
		if (t->interrupted || t->timed_out)
			end(t);
	}
	/* One whose end the tracer has seen ends once more for its parent: for
	 * this process if that is dead. */
	while (waitpid(-1, &status, __WALL | WNOHANG) > 0)
		;
}

static int give_functions(struct tracer *t, struct compare_surface *s)
{
	bool lost = false;
	int r = surface_functions_take(t->order->functions, &s->functions, &lost);

	r = t->functions < 0 ? t->functions : r;
	if (r < 0)
		snprintf(s->functions_problem, sizeof(s->functions_problem),
			 "the function tracer: %s", strerror(-r));
	else if (lost)
		snprintf(s->functions_problem, sizeof(s->functions_problem),
			 "at least these: the tracer lost some events");
	return 0;
}

static int give(struct tracer *t, struct compare_surface *s)
{
	int r = 0;

	if (t->order->functions)
		return give_functions(t, s);
	for (size_t i = 0; r == 0 && i < t->nparts; i++) {
		const struct seen_part *from = &t->part[i];
		struct surface_part *to = surface_part(s, from->name);

		if (!to)
			continue;
		to->facing = from->facing;
		if (from->filters > 0)
			r = surface_calls_with(from->verdict, SURFACE_WHOLE, &to->whole);
		if (r == 0 && from->filters > 0)
			r = surface_calls_with(from->verdict, SURFACE_PART, &to->some);
		to->filters = MAX(to->filters, from->filters);
		if (r == 0)
			r = surface_calls_name(&from->used, &to->used);
	}
	for (size_t i = 0; i < t->exits.n; i++)
		surface_exits_add(s, t->exits.count[i].name, t->exits.count[i].value);
	if (t->calls.text[0])
		snprintf(s->calls_problem, sizeof(s->calls_problem), "%.150s", t->calls.text);
	if (t->order->machine && !s->nexits)
		snprintf(s->exits_problem, sizeof(s->exits_problem), "%.150s", t->counts.text);
	s->measured = true;
	s->runs++;
	return r;
}

static int trace(struct tracer *t, struct compare_surface *s, struct err *e)
{
	sigset_t set, before;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, &before) < 0)
		return err_errno(e, "block signals");
	r = start(t, e);
	if (r == 0)
		follow(t, &set);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return r;
	if (t->interrupted)
		return err_set(e, EINTR, "interrupted");
	if (t->timed_out)
		return err_set(e, ETIMEDOUT, "it took more than %u s",
			       (unsigned)(t->order->limit_ns / NS_PER_S));
	if (t->status >= 125 && t->status <= 127) /* the wall's own */
		return err_set(e, EIO, "traced, it ended with status %d", t->status);
	r = give(t, s);
	return r < 0 ? err_code(e, r, "keep what was traced") : 0;
}

int surface_trace(const struct surface_order *order, struct compare_surface *s, struct err *e)
{
	struct tracer *t = zero_pages_new(sizeof(*t));
	bool lost;
	int r;

	if (!t)
		return err_errno(e, "no memory");
	t->order = order;
	part_of(t, SURFACE_OWN, false);
	r = trace(t, s, e);
	if (r < 0 && order->functions)
		surface_functions_take(order->functions, NULL, &lost);
	zero_pages_free(t, sizeof(*t));
	return r;
}
