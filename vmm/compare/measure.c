/* measure.c - see measure.h. */
#include "vmm/compare/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "vmm/base/util.h"
#include "vmm/compare/memory.h"

#define SAMPLE_NS  NS_PER_MS
#define LINGER_NS  (5 * NS_PER_S) /* what outlives the command by more is killed */
#define TERM_NS	   (2 * NS_PER_S) /* between SIGTERM and SIGKILL */
#define NO_TIMEOUT UINT64_MAX

struct run {
	const struct measure_request *request;
	struct measured *ret;
	uint64_t start;
	pid_t pid;
	int pidfd, out_fd, errors_fd, signal_fd;
	size_t out_len, errors_len;
	size_t seen, unseen; /* samples of the memory */
	bool exited;
	uint64_t kill_at; /* NO_TIMEOUT: nobody is being ended */
};

int measure_begin(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_errno(e, "become the reaper of what is measured");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_errno(e, "signalfd") : fd;
}

/* Standard input, output and error of the child, and what is its own again:
 * signals, process group. */
int measure_spawn(const char *const *argv, int out, int errors, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	extern char **environ;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, errors, 2);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	/* posix_spawn() wants an array of pointers that are not const, and
	 * changes nothing. */
	r = posix_spawn(ret_pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv,
			environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

/* At an end, the fd is closed.  Returns the bytes that were read. */
static size_t take_output(int *fd, char *text, size_t *len, size_t room)
{
	char rest[4096];
	bool keep = *len + 1 < room;
	ssize_t n = keep ? read(*fd, text + *len, room - 1 - *len) : read(*fd, rest, sizeof(rest));

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		close_fd(fd);
	if (n > 0 && keep)
		*len += (size_t)n;
	return n > 0 ? (size_t)n : 0;
}

static void begin_to_end(struct run *run, int signal)
{
	if (run->kill_at != NO_TIMEOUT)
		return;
	kill(-run->pid, signal);
	run->kill_at = now_ns() + TERM_NS;
}

/* Whoever is left, wherever it went: all of them are our children by now, or
 * their descendants. */
void measure_kill_children(void)
{
	char path[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close_fd(&fd);
	text[MAX(n, 0)] = '\0';
	for (char *save = NULL, *word = strtok_r(text, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		uint64_t pid;

		if (parse_u64(word, 2, INT32_MAX, &pid) == 0)
			kill((pid_t)pid, SIGKILL);
	}
}

static void take_signal(struct run *run)
{
	struct signalfd_siginfo info;

	if (read(run->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	run->ret->interrupted = true;
	begin_to_end(run, SIGTERM);
}

static uint64_t ns_of(struct timeval t)
{
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_usec * 1000;
}

/* Collect the dead.  Returns whether somebody is left. */
static bool reap(struct run *run, int flags)
{
	struct rusage usage;
	int status;
	pid_t pid;

	while ((pid = wait4(run->request->beside ? run->pid : -1, &status, flags, &usage)) > 0) {
		run->ret->cpu_ns += ns_of(usage.ru_utime) + ns_of(usage.ru_stime);
		if (pid != run->pid)
			continue;
		run->exited = true;
		run->ret->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
						       : WEXITSTATUS(status);
	}
	return pid == 0 || (pid < 0 && errno == EINTR);
}

static int time_left(uint64_t until, uint64_t now)
{
	if (until == NO_TIMEOUT)
		return -1;
	return until <= now ? 0 : (int)MIN((until - now) / NS_PER_MS + 1, 60000ULL);
}

/* A process that is just ending may refuse to be looked at, also to root: such
 * a sample says nothing, and a run of which most say nothing neither. */
static void sample(struct run *run)
{
	bool hidden = false;
	uint64_t bytes = memory_of_descendants(getpid(), &hidden);

	run->seen += !hidden;
	run->unseen += hidden;
	if (!hidden)
		run->ret->pss_bytes = MAX(run->ret->pss_bytes, bytes);
	run->ret->memory_hidden = run->unseen > run->seen;
}

static void handle(struct run *run, struct pollfd fds[4])
{
	struct measured *ret = run->ret;
	uint64_t now = now_ns();

	if (fds[0].revents && !run->exited) {
		ret->exit_ns = now - run->start;
		close_fd(&run->pidfd);
	}
	if (fds[1].revents &&
	    take_output(&run->out_fd, ret->out, &run->out_len, sizeof(ret->out)) &&
	    !ret->first_byte_ns)
		ret->first_byte_ns = now - run->start;
	if (fds[2].revents)
		take_output(&run->errors_fd, ret->errors, &run->errors_len, sizeof(ret->errors));
	if (fds[3].revents)
		take_signal(run);
}

static void follow(struct run *run)
{
	uint64_t limit = run->start + run->request->limit_ns;

	while (run->pidfd >= 0) {
		struct pollfd fds[4] = { { run->pidfd, POLLIN, 0 },
					 { run->out_fd, POLLIN, 0 },
					 { run->errors_fd, POLLIN, 0 },
					 { run->signal_fd, POLLIN, 0 } };
		uint64_t now = now_ns(), until = MIN(limit, run->kill_at);

		if (run->request->memory)
			until = MIN(until, now + SAMPLE_NS);
		if (poll(fds, 4, time_left(until, now)) > 0)
			handle(run, fds);
		if (run->request->memory && run->pidfd >= 0)
			sample(run);
		if (now >= limit && !run->ret->timed_out) {
			run->ret->timed_out = true;
			begin_to_end(run, SIGTERM);
		}
		if (now >= run->kill_at)
			kill(-run->pid, SIGKILL);
	}
}

/* It has ended; what it left behind may take a while longer. */
static void finish(struct run *run)
{
	uint64_t until = now_ns() + LINGER_NS;
	const struct timespec pause = { 0, 500000 };

	while (reap(run, WNOHANG)) {
		if (now_ns() > until)
			measure_kill_children();
		nanosleep(&pause, NULL);
	}
	while (run->out_fd >= 0 &&
	       take_output(&run->out_fd, run->ret->out, &run->out_len, sizeof(run->ret->out)))
		;
	while (run->errors_fd >= 0 && take_output(&run->errors_fd, run->ret->errors,
						  &run->errors_len, sizeof(run->ret->errors)))
		;
	run->ret->out[run->out_len] = '\0';
	run->ret->errors[run->errors_len] = '\0';
}

int measure_run(int signal_fd, const struct measure_request *request, struct measured *ret,
		struct err *e)
{
	int out[2] = { -1, -1 }, errors[2] = { -1, -1 };
	struct run run = {
		.request = request, .ret = ret, .signal_fd = signal_fd, .kill_at = NO_TIMEOUT
	};
	int r = 0;

	memset(ret, 0, offsetof(struct measured, out));
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
		r = err_errno(e, "pipe");
	run.start = now_ns();
	if (r == 0)
		r = measure_spawn(request->argv, out[1], errors[1], &run.pid);
	if (r < 0)
		err_code(e, r, "start %s", request->argv[0]);
	close_fd(&out[1]);
	close_fd(&errors[1]);
	run.out_fd = out[0];
	run.errors_fd = errors[0];
	if (r == 0) {
		/* Not made non-blocking before: the other end is no descriptor
		 * of ours any more, and a child cannot undo it for this one. */
		fcntl(out[0], F_SETFL, O_NONBLOCK);
		fcntl(errors[0], F_SETFL, O_NONBLOCK);
		run.pidfd = (int)syscall(SYS_pidfd_open, run.pid, 0);
		if (run.pidfd < 0) {
			r = err_errno(e, "pidfd_open");
			kill(-run.pid, SIGKILL);
		}
		follow(&run);
		finish(&run);
	}
	close_fd(&run.pidfd);
	close_fd(&run.out_fd);
	close_fd(&run.errors_fd);
	return r;
}
