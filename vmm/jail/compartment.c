/* compartment.c - see compartment.h. */
#include "vmm/jail/compartment.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/jail/cgroup.h"
#include "vmm/jail/landlock.h"
#include "vmm/jail/rights.h"

#define EXIT_SETUP_FAILED 125

int compartment_keep(struct compartment_spec *spec, int fd)
{
	if (fd < 0)
		return 0;
	if (spec->nkeep == COMPARTMENT_MAX_FDS)
		return -ENOSPC;
	spec->keep[spec->nkeep++] = fd;
	return 0;
}

static int compare_fds(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static int close_between(unsigned int first, unsigned int last)
{
	if (first > last)
		return 0;
	return syscall(SYS_close_range, first, last, 0) < 0 ? neg_errno() : 0;
}

int fds_close_others(const int *keep, unsigned int nkeep)
{
	int sorted[COMPARTMENT_MAX_FDS + 1];
	unsigned int next = STDERR_FILENO + 1;
	int r;

	if (nkeep > ARRAY_SIZE(sorted))
		return -EINVAL;
	memcpy(sorted, keep, nkeep * sizeof(*keep));
	qsort(sorted, nkeep, sizeof(*sorted), compare_fds);
	for (unsigned int i = 0; i < nkeep; i++) {
		unsigned int fd = (unsigned int)sorted[i];

		if (fd < next)
			continue;
		r = close_between(next, fd - 1);
		if (r < 0)
			return r;
		next = fd + 1;
	}
	return close_between(next, UINT_MAX);
}

uint64_t compartment_signals(void)
{
	struct sigaction now;
	uint64_t set = 0;

	for (int s = 1; s < NSIG; s++)
		if (sigaction(s, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
			set |= 1ULL << (s - 1);
	return set;
}

/* Signals as a fresh process has them, whatever the supervisor set. */
static void reset_signals(const uint64_t *altered)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	uint64_t set = altered ? *altered : compartment_signals();
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		if (set >> (s - 1) & 1)
			sigaction(s, &dfl, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What the user's shell told the supervisor is nobody else's business; the
 * strings stay readable in memory (and in /proc) unless they are wiped. */
static void wipe_environment(void)
{
	for (char **p = environ; p && *p; p++)
		explicit_bzero(*p, strlen(*p));
	environ = NULL;
}

int compartment_renounce(const struct compartment_spec *spec)
{
	int r;

	if (!spec->debuggable && prctl(PR_SET_DUMPABLE, 0) < 0)
		return neg_errno();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return neg_errno();
	r = rights_drop();
	if (r < 0)
		return r;
	if (!spec->keeps_environment)
		wipe_environment();
	if (spec->opens_files)
		return 0;
	r = landlock_deny(spec->ends_others, NULL);
	return r == -EOPNOTSUPP ? 0 : r; /* the filter is there in any case */
}

/* What makes the child a compartment.  0 or -errno. */
static int enter(const struct compartment_spec *spec, pid_t parent, int log_fd)
{
	int keep[COMPARTMENT_MAX_FDS + 1];
	int r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return neg_errno();
	if (getppid() != parent) /* it died before we asked */
		_exit(EXIT_SETUP_FAILED);
	r = spec->group ? cgroup_enter(spec->group) : 0;
	if (r < 0)
		return r;
	reset_signals(spec->signals);
	if (setpgid(0, 0) < 0)
		return neg_errno();
	prctl(PR_SET_NAME, spec->name);
	r = compartment_renounce(spec);
	if (r < 0)
		return r;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(spec->null_fd, fd) < 0)
			return neg_errno();
	memcpy(keep, spec->keep, spec->nkeep * sizeof(*keep));
	keep[spec->nkeep] = log_fd;
	r = fds_close_others(keep, spec->nkeep + 1);
	if (r < 0)
		return r;
	log_to(log_fd);
	return 0;
}

static int fork_compartment(const struct compartment_spec *spec, int log_fd)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	int r;

	if (pid != 0)
		return pid;
	r = enter(spec, parent, log_fd);
	if (r < 0) {
		log_to(log_fd);
		log_error("cannot set the process up: %s", strerror(-r));
		_exit(EXIT_SETUP_FAILED);
	}
	_exit(spec->main(spec->arg));
}

int compartment_spawn(const struct compartment_spec *spec, struct compartment *ret, struct err *e)
{
	int log_pipe[2];
	int pidfd;
	pid_t pid;

	if (pipe2(log_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(e, "make the log pipe of %s", spec->name);
	pid = fork_compartment(spec, log_pipe[1]);
	if (pid < 0) {
		int r = err_errno(e, "fork the process of %s", spec->name);

		close(log_pipe[0]);
		close(log_pipe[1]);
		return r;
	}
	close(log_pipe[1]);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		int r = err_errno(e, "open a pidfd of %s", spec->name);

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(log_pipe[0]);
		return r;
	}
	*ret = (struct compartment){ .pid = pid, .pidfd = pidfd, .log_fd = log_pipe[0] };
	return 0;
}
