/*
 * calls.c - which system calls get past a filter: one line for each number,
 * with the errno of a call whose arguments are all -1, so that nothing is done.
 * Static; behind a filter that gives an errno of its own (131) it tells the
 * filter's answers from the kernel's.
 *
 * Left out: calls that would end or stop the process, change what it may do, or
 * do something with such arguments.  Of some the first arguments matter to
 * profiles: these are made with a list of values.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS	  452
/* uretprobe(2) and uprobe(2) are no calls of a program; the gap behind is empty. */
#define GAP_FIRST 335
#define GAP_LAST  423

static const int left_out[] = {
	SYS_exit,
	SYS_exit_group,
	SYS_pause,
	SYS_rt_sigreturn,
	SYS_fork,
	SYS_vfork,
	SYS_clone,
	SYS_clone3,
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_write,
	SYS_brk,
	SYS_sync,
	SYS_vhangup,
	SYS_setsid,
	SYS_sched_yield,
	SYS_munlockall,
	SYS_rt_sigsuspend,
	SYS_alarm,
	SYS_umask,
	SYS_reboot,
	SYS_arch_prctl,
	SYS_seccomp,
	SYS_prctl,
	SYS_restart_syscall,
	SYS_set_tid_address,
	SYS_rseq,
	SYS_personality,
	SYS_setpgid,
	SYS_set_robust_list,
	SYS_select,
	SYS_poll,
	SYS_setresuid,
	SYS_setresgid,
	SYS_setreuid,
	SYS_setregid,
	SYS_membarrier,
	SYS_landlock_restrict_self,
	SYS_pselect6,
	SYS_ppoll,
	SYS_wait4,
	SYS_waitid,
	SYS_inotify_init,
	SYS_close_range,
	SYS_setuid,
	SYS_setgid,
	SYS_ptrace,
	SYS_unshare,
};

static const struct {
	int nr;
	long args[3];
} with[] = {
	{ SYS_personality, { 0, -1, -1 } },	  { SYS_personality, { 8, -1, -1 } },
	{ SYS_personality, { 0x40000, -1, -1 } }, { SYS_socket, { 1, -1, -1 } },
	{ SYS_socket, { 16, -1, -1 } },		  { SYS_socket, { 40, -1, -1 } },
	{ SYS_kill, { 0x7ffffffe, 0, 0 } },	  { SYS_kill, { 0x7ffffffe, 9, 0 } },
	{ SYS_kill, { 0x7ffffffe, 10, 0 } },	  { SYS_ptrace, { 16, 0x7ffffffe, 0 } },
	{ SYS_unshare, { 0x1, 0, 0 } },		  { SYS_umask, { 022, 0, 0 } },
};

static void try(int nr, long a, long b, long c)
{
	long r;

	errno = 0;
	r = syscall(nr, a, b, c, -1L, -1L, -1L);
	/* What a call that is let through says is the kernel's business, and not
	 * the same behind different walls. */
	dprintf(1, "%d %ld %s\n", nr, a, r < 0 && errno == 131 ? "refused" : "let through");
}

int main(void)
{
	for (int nr = 0; nr < CALLS; nr = nr + 1 == GAP_FIRST ? GAP_LAST + 1 : nr + 1) {
		size_t i = 0;

		while (i < sizeof(left_out) / sizeof(left_out[0]) && left_out[i] != nr)
			i++;
		if (i == sizeof(left_out) / sizeof(left_out[0]))
			try(nr, -1, -1, -1);
	}
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		try(with[i].nr, with[i].args[0], with[i].args[1], with[i].args[2]);
	return 0;
}
