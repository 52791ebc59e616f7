/* crowd.c - see crowd.h. */
#include "vmm/compare/crowd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "vmm/base/util.h"
#include "vmm/compare/memory.h"

#define SETTLE_NS (100 * NS_PER_MS) /* after the last one's byte */
#define END_NS	  (15 * NS_PER_S)   /* a guest's own end may take some seconds */

struct crowd {
	pid_t pid[CROWD_MAX];
	int fd[CROWD_MAX];  /* its output; who closes it may end who writes it */
	bool up[CROWD_MAX]; /* its first byte has come */
	size_t n, waiting;
	int signal_fd;
	bool interrupted, failed;
};

static int start_one(struct crowd *crowd, const struct wall_command *command, struct err *e)
{
	_cleanup_close_ int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int out[2], r;

	if (null < 0 || pipe2(out, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	r = measure_spawn(command->argv, out[1], null, &crowd->pid[crowd->n]);
	close(out[1]);
	if (r < 0) {
		close(out[0]);
		return err_code(e, r, "start %s", command->argv[0]);
	}
	crowd->fd[crowd->n++] = out[0];
	crowd->waiting++;
	return 0;
}

static void look(struct crowd *crowd, const struct pollfd *fds)
{
	struct signalfd_siginfo info;
	char c;

	if (fds[crowd->n].revents && read(crowd->signal_fd, &info, sizeof(info)) > 0)
		crowd->interrupted = true;
	for (size_t i = 0; i < crowd->n; i++) {
		if (!fds[i].revents)
			continue;
		/* An end without a byte: it is not there to be counted. */
		crowd->failed |= read(crowd->fd[i], &c, 1) != 1;
		crowd->up[i] = true;
		crowd->waiting--;
	}
}

static void wait_for_all(struct crowd *crowd, uint64_t limit_ns)
{
	uint64_t until = now_ns() + limit_ns, now;

	while (crowd->waiting && !crowd->failed && !crowd->interrupted &&
	       (now = now_ns()) < until) {
		struct pollfd fds[CROWD_MAX + 1];

		for (size_t i = 0; i < crowd->n; i++)
			fds[i] = (struct pollfd){ crowd->up[i] ? -1 : crowd->fd[i], POLLIN, 0 };
		fds[crowd->n] = (struct pollfd){ crowd->signal_fd, POLLIN, 0 };
		if (poll(fds, crowd->n + 1, (int)((until - now) / NS_PER_MS) + 1) > 0)
			look(crowd, fds);
	}
	crowd->failed |= crowd->waiting > 0;
}

static void pause_for(uint64_t ns)
{
	const struct timespec t = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

	nanosleep(&t, NULL);
}

static void end_all(struct crowd *crowd)
{
	uint64_t until = now_ns() + END_NS;

	for (size_t i = 0; i < crowd->n; i++) {
		kill(-crowd->pid[i], SIGTERM);
		close_fd(&crowd->fd[i]);
	}
	while (waitpid(-1, NULL, WNOHANG) >= 0 || errno == EINTR) {
		if (now_ns() > until)
			measure_kill_children();
		pause_for(NS_PER_MS);
	}
}

int crowd_measure(int signal_fd, const struct wall_command *commands, size_t n, uint64_t limit_ns,
		  uint64_t *ret_bytes, bool *ret_interrupted, struct err *e)
{
	struct crowd crowd = { .signal_fd = signal_fd };
	bool hidden = false;
	int r = 0;

	*ret_bytes = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = start_one(&crowd, &commands[i], e);
	if (r == 0)
		wait_for_all(&crowd, limit_ns);
	if (r == 0 && !crowd.failed && !crowd.interrupted) {
		pause_for(SETTLE_NS);
		*ret_bytes = memory_of_descendants(getpid(), &hidden);
	}
	if (r == 0 && crowd.failed && !crowd.interrupted)
		r = err_set(e, EIO, "%zu of %zu instances at once did not begin", crowd.waiting, n);
	end_all(&crowd);
	if (hidden)
		*ret_bytes = 0;
	*ret_interrupted = crowd.interrupted;
	return r;
}

/* Is the one instance still what was started? */
static bool is_running(const struct crowd *crowd)
{
	return waitpid(crowd->pid[0], NULL, WNOHANG) == 0;
}

int crowd_around(int signal_fd, const struct wall_command *neighbour, uint64_t limit_ns,
		 int (*inside)(void *ctx, struct err *e), void *ctx, bool *ret_interrupted,
		 struct err *e)
{
	struct crowd crowd = { .signal_fd = signal_fd };
	int r = start_one(&crowd, neighbour, e);

	if (r == 0)
		wait_for_all(&crowd, limit_ns);
	*ret_interrupted = crowd.interrupted;
	if (r == 0 && !crowd.failed && !crowd.interrupted)
		r = inside(ctx, e);
	if (r == 0 && !*ret_interrupted && (crowd.failed || !is_running(&crowd)))
		r = err_set(e, EIO, "the neighbour %s",
			    crowd.failed ? "did not begin" : "has ended too early");
	end_all(&crowd);
	return r;
}

struct beside {
	int signal_fd;
	struct measure_request request;
	struct measured *got;
};

static int measure_beside(void *ctx, struct err *e)
{
	struct beside *b = ctx;

	return measure_run(b->signal_fd, &b->request, b->got, e);
}

int crowd_beside(int signal_fd, const struct wall_command *neighbour, uint64_t limit_ns,
		 const struct measure_request *request, struct measured *got, struct err *e)
{
	struct beside b = { signal_fd, *request, got };

	b.request.beside = true;
	return crowd_around(signal_fd, neighbour, limit_ns, measure_beside, &b, &got->interrupted,
			    e);
}
