/* test_jail.c - a compartment holds what it was given; a filter forbids what
 * is not on its list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/jail/compartment.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/landlock.h"
#include "vmm/jail/private_tmpfs.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_close_others(void **state)
{
	int fd[8];
	pid_t pid;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = open("/dev/null", O_RDONLY);
	pid = fork();
	if (pid == 0) {
		const int keep[] = { fd[6], fd[2], fd[2], STDERR_FILENO };
		bool right = fds_close_others(keep, ARRAY_SIZE(keep)) == 0;

		for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
			right = right && is_open(fd[i]) == (i == 2 || i == 6);
		_exit(right && is_open(STDOUT_FILENO) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
}

/* What the child found out about itself, as its exit status. */
static int look_around(void *arg)
{
	const int *given = arg;
	sigset_t blocked;
	int bad = 0;

	bad |= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
	bad |= is_open(given[0]) ? 0 : 2;
	bad |= is_open(given[1]) ? 4 : 0;
	bad |= getpgid(0) == getpid() ? 0 : 8;
	bad |= prctl(PR_GET_DUMPABLE) == 0 ? 0 : 16;
	/* SIGPIPE alone is ignored, nothing is blocked. */
	bad |= compartment_signals() == 1ULL << (SIGPIPE - 1) ? 0 : 32;
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int s = 1; s < NSIG; s++)
		bad |= sigismember(&blocked, s) == 1 ? 64 : 0;
	/* Where the kernel has Landlock; the filter is not installed yet. */
	bad |= given[2] >= 2 && open("/dev/null", O_RDWR | O_CLOEXEC) >= 0 ? 128 : 0;
	bad |= given[2] >= 6 && (kill(getppid(), 0) == 0 || errno != EPERM) ? 256 : 0;
	log_warn("status %d", bad);
	return bad;
}

static void spawn_and_look(struct compartment_spec *spec)
{
	struct compartment c;
	char line[64] = "";
	int status;

	assert_int_equal(compartment_spawn(spec, &c, NULL), 0);
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	assert_true(read(c.log_fd, line, sizeof(line) - 1) > 0);
	assert_string_equal(line, "status 0\n");
	assert_int_equal(status, 0);
	close(c.log_fd);
	close(c.pidfd);
}

static void test_compartment(void **state)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int given[3] = { open("/dev/zero", O_RDONLY), open("/dev/zero", O_RDONLY),
			 (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1) };
	struct compartment_spec spec = {
		.name = "test", .null_fd = null_fd, .main = look_around, .arg = given
	};
	uint64_t signals;
	sigset_t some, was;

	(void)state;
	assert_int_equal(compartment_keep(&spec, -1), 0);
	assert_int_equal(compartment_keep(&spec, given[0]), 0);
	assert_int_equal(spec.nkeep, 1);
	spawn_and_look(&spec);
	/* What a supervisor may have been started with. */
	signal(SIGUSR2, SIG_IGN);
	signal(SIGRTMAX, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&some);
	sigaddset(&some, SIGTERM);
	sigprocmask(SIG_BLOCK, &some, &was);
	spawn_and_look(&spec);
	signals = compartment_signals();
	spec.signals = &signals;
	spawn_and_look(&spec);
	sigprocmask(SIG_SETMASK, &was, NULL);
	signal(SIGUSR2, SIG_DFL);
	signal(SIGRTMAX, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	close(null_fd);
	close(given[0]);
	close(given[1]);
}

/* Does a process under the filter survive the system call? */
static int try_call(enum filter_kind kind, long nr, long a, long b, long c)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    filter_install(kind, false, NULL) < 0)
			syscall(SYS_exit_group, 99);
		syscall(nr, a, b, c);
		syscall(SYS_exit_group, 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_killed(int status)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* The errno of a call under the command's filter; 0: it had success. */
static int command_errno(long nr, long a, long b, long c)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    filter_install(FILTER_COMMAND, false, NULL) < 0)
			_exit(255);
		errno = 0;
		_exit(syscall(nr, a, b, c) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* What the command may not do fails; each row is a call that would give another
 * errno, or succeed, for anybody without the filter. */
static void test_command_filter(void **state)
{
	static const struct {
		long nr, a, b;
		int code;
	} rows[] = {
		{ SYS_io_uring_setup, 0, 0, EPERM },
		{ SYS_keyctl, 999, 0, EPERM },
		{ SYS_perf_event_open, 0, 0, EPERM },
		{ SYS_userfaultfd, -1, 0, EPERM },
		{ SYS_unshare, CLONE_FS, 0, EPERM },
		{ SYS_setns, -1, 0, EPERM },
		{ SYS_open_tree, -1, 0, EPERM },
		{ SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, EPERM },
		{ SYS_clone, CLONE_NEWNET | CLONE_NEWUSER | SIGCHLD, 0, EPERM },
		{ SYS_clone3, 0, 0, ENOSYS },
		{ SYS_personality, 0x0400000, 0, EPERM }, /* READ_IMPLIES_EXEC */
		{ SYS_socket, AF_VSOCK, SOCK_STREAM, EPERM },
		{ SYS_socket, AF_UNIX, SOCK_STREAM, 0 },
		{ SYS_socket, AF_INET, SOCK_STREAM, 0 },
		{ SYS_personality, 0xffffffff, 0, 0 },
		{ SYS_getpid, 0, 0, 0 },
		{ SYS_close, -1, 0, EBADF },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int code = command_errno(rows[i].nr, rows[i].a, rows[i].b, 0);

		if (code != rows[i].code)
			fail_msg("call %ld gave errno %d", rows[i].nr, code);
	}
}

static void test_filters(void **state)
{
	static const long never[] = { SYS_open,		  SYS_connect,
				      SYS_socket,	  SYS_execve,
				      SYS_execveat,	  SYS_clone,
				      SYS_clone3,	  SYS_fork,
				      SYS_ptrace,	  SYS_bpf,
				      SYS_mount,	  SYS_process_vm_writev,
				      SYS_io_uring_setup, SYS_io_uring_register,
				      SYS_setuid };

	(void)state;
	for (int kind = 0; kind < FILTER_COUNT; kind++) {
		if (kind == FILTER_COMMAND) /* test_command_filter() */
			continue;
		assert_int_equal(try_call((enum filter_kind)kind, SYS_write, 2, 0, 0), 0);
		for (size_t i = 0; i < ARRAY_SIZE(never); i++)
			assert_killed(try_call((enum filter_kind)kind, never[i], -1, 0, 0));
		/* Files are the prober's alone, which reads nothing of strangers. */
		if (kind != FILTER_PROBE)
			assert_killed(try_call((enum filter_kind)kind, SYS_openat, -1, 0, 0));
		/* The supervisor removes its directory: test_removal(). */
		if (kind != FILTER_PROBE && kind != FILTER_SUPERVISOR)
			assert_killed(try_call((enum filter_kind)kind, SYS_unlinkat, -1, 0, 0));
		/* Code never, whatever else of memory. */
		assert_killed(try_call((enum filter_kind)kind, SYS_mmap, 0, 4096, 5));
		assert_killed(try_call((enum filter_kind)kind, SYS_mprotect, 0, 0, 4));
		/* An ioctl that is on nobody's list (TIOCSTI). */
		assert_killed(try_call((enum filter_kind)kind, SYS_ioctl, 0, 0x5412, 0));
	}
	/* KVM_RUN is the monitor's alone. */
	assert_int_equal(try_call(FILTER_MONITOR, SYS_ioctl, -1, 0xae80, 0), 0);
	assert_killed(try_call(FILTER_BLK, SYS_ioctl, -1, 0xae80, 0));
	assert_killed(try_call(FILTER_SUPERVISOR, SYS_ioctl, -1, 0xae80, 0));
	/* Disk requests are the block device's alone. */
	assert_int_equal(try_call(FILTER_BLK, SYS_fdatasync, -1, 0, 0), 0);
	assert_killed(try_call(FILTER_NET, SYS_fdatasync, -1, 0, 0));
}

/* --- what may be removed --- */

static int remove_some(int mine, int other)
{
	const int dirs[] = { mine };
	struct err e = { "" };
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 1;
	r = landlock_limit_removal(dirs, 1, &e);
	if (r < 0)
		return r == -EOPNOTSUPP ? 77 : 2;
	if (unlinkat(mine, "file", 0) < 0 || unlinkat(mine, "dir", AT_REMOVEDIR) < 0)
		return 3;
	if (unlinkat(other, "file", 0) == 0 || errno != EACCES ||
	    unlinkat(other, "dir", AT_REMOVEDIR) == 0 || errno != EACCES)
		return 4;
	return mkdirat(mine, "new", 0700) == 0 ? 5 : 0;
}

static void test_removal(void **state)
{
	char path[2][32] = { "/tmp/test-jail.XXXXXX", "/tmp/test-jail.XXXXXX" };
	char command[80];
	int fd[2], status;
	pid_t pid;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_non_null(mkdtemp(path[i]));
		fd[i] = open(path[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_int_equal(mkdirat(fd[i], "dir", 0700), 0);
		close(openat(fd[i], "file", O_CREAT | O_WRONLY, 0600));
	}
	pid = fork();
	if (pid == 0)
		_exit(remove_some(fd[0], fd[1]));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < 2; i++)
		close(fd[i]);
	snprintf(command, sizeof(command), "rm -r %s %s", path[0], path[1]);
	assert_int_equal(system(command), 0);
	if (WEXITSTATUS(status) == 77)
		skip(); /* this kernel has no Landlock */
	assert_int_equal(status, 0);
}

/* --- a file that may have huge pages --- */

static int use_private_file(void)
{
	int fd = private_tmpfs_file(NULL);
	struct stat st;
	char *p;

	if (fd < 0)
		return -fd;
	if (fstat(fd, &st) < 0 || st.st_nlink != 0 || ftruncate(fd, 4 << 20) < 0 ||
	    !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
		return 1;
	p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return 2;
	p[(4 << 20) - 1] = 1;
	munmap(p, 4 << 20);
	close(fd);
	return 0;
}

static void test_private_tmpfs(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip(); /* what follows is then the only way */
	assert_int_equal(use_private_file(), 0);
	pid = fork();
	if (pid == 0) { /* as an ordinary user: through a user namespace */
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(99);
		prctl(PR_SET_DUMPABLE, 1); /* or /proc/self would still be root's */
		_exit(use_private_file());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EPERM)
		skip(); /* no user namespaces here */
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_others),   cmocka_unit_test(test_compartment),
		cmocka_unit_test(test_command_filter), cmocka_unit_test(test_filters),
		cmocka_unit_test(test_removal),	       cmocka_unit_test(test_private_tmpfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
