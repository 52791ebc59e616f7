/*
 * filters.c - compiles the allow-lists below into BPF, at build time.
 *
 * Writes a C header on standard output (gen/filters.h, included by
 * vmm/jail/filter.c).  The lists are the documentation: one reason per call.
 * A call that is not listed kills the process; the supervisor reports it.
 * Only the user's command is told EPERM, as in any container.
 *
 * What is noted as "libc" is made by the C library on its own account.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "vmm/jail/command_filter.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One allowed call; with `compare` only when that argument (0..5) matches. */
struct rule {
	int call;
	enum { ANY, EQUAL, NO_BITS, SHARED_MEMORY } compare;
	unsigned int arg;
	uint64_t value;
	const char *reason;
};

#define ALLOW(name, why)                                                                           \
	{                                                                                          \
		SCMP_SYS(name), ANY, 0, 0, why                                                     \
	}
#define ALLOW_IOCTL(request, why)                                                                  \
	{                                                                                          \
		SCMP_SYS(ioctl), EQUAL, 1, request, why                                            \
	}
#define ALLOW_EQUAL(name, arg, value, why)                                                         \
	{                                                                                          \
		SCMP_SYS(name), EQUAL, arg, value, why                                             \
	}
#define ALLOW_SHARED_MEMORY(why)                                                                   \
	{                                                                                          \
		SCMP_SYS(mmap), SHARED_MEMORY, 0, 0, why                                           \
	}
#define ALLOW_WITHOUT(name, arg, bits, why)                                                        \
	{                                                                                          \
		SCMP_SYS(name), NO_BITS, arg, bits, why                                            \
	}

/* Every process. */
static const struct rule common[] = {
	ALLOW(exit_group, "the end of the process"),
	ALLOW(rt_sigreturn, "return from a signal handler"),
	ALLOW(restart_syscall, "the kernel: a wait goes on after a stop signal"),
	ALLOW(close, "fds that came in messages, and the end"),
	ALLOW(write, "eventfds, log lines"),
	ALLOW(clock_gettime, "deadlines, where the vDSO cannot answer"),
	ALLOW(munmap, "libc: free; an old memory table"),
	ALLOW(brk, "libc: malloc"),
};

/* What the C library does on its own account in the larger processes. */
static const struct rule libc[] = {
	ALLOW(exit, "the end of a thread"),
	ALLOW(rt_sigprocmask, "abort, the end of a thread"),
	ALLOW(read, "pipes, eventfds, signals"),
	ALLOW(futex, "locks"),
	ALLOW(madvise, "a thread's stack; guest memory hints"),
	ALLOW_WITHOUT(mmap, 2, PROT_EXEC, "malloc; never code"),
	ALLOW_WITHOUT(mprotect, 2, PROT_EXEC, "malloc's arenas; never code"),
};

/* Device processes, on top of common: devices/virtio/device_process.h. */
static const struct rule device[] = {
	ALLOW(recvmsg, "vhost-user requests"),
	ALLOW(sendmsg, "vhost-user replies"),
	ALLOW(ppoll, "deadlines of the socket"),
	ALLOW(epoll_pwait, "wait for kicks, the socket and the device's own fds"),
	ALLOW(epoll_ctl, "kick fds come and go; a full tap is looked at once more"),
	ALLOW(fstat, "sizes of memory-table files are checked before mapping"),
	ALLOW_EQUAL(madvise, 2, MADV_HUGEPAGE, "a memory table in huge pages"),
	ALLOW_SHARED_MEMORY("a memory table, the in-flight record; nothing else"),
};

static const struct rule supervisor[] = {
	ALLOW(epoll_wait, "wait for signals, processes, pipes, the terminal"),
	ALLOW(epoll_pwait, "the same, as libc makes it"),
	ALLOW(epoll_ctl, "sources come and go"),
	ALLOW(poll, "waits with a deadline"),
	ALLOW(ppoll, "waits with a deadline"),
	ALLOW(recvfrom, "messages of the monitor"),
	ALLOW(sendto, "orders to the monitor"),
	ALLOW_EQUAL(pidfd_send_signal, 1, SIGKILL, "ends a compartment"),
	ALLOW(wait4, "reaps a compartment with its CPU time"),
	ALLOW_EQUAL(fcntl, 1, F_OFD_SETLK, "gives a disk's lock up"),
	ALLOW(fstat, "libc: stdio of the report"),
	ALLOW(newfstatat, "libc: stdio of the report"),
	ALLOW(lseek, "a control group's numbers; libc: stdio of the report"),
	ALLOW(ftruncate, "the report replaces what was there"),
	ALLOW(accept4, "the control socket"),
	ALLOW(getsockopt, "who asks there"),
	ALLOW(unlinkat, "the instance's directory and control group; Landlock says which"),
	ALLOW(getrusage, "what the command's processes have used"),
	ALLOW_IOCTL(TCGETS, "libc: is it a terminal"),
	ALLOW_IOCTL(TIOCGWINSZ, "the window of the terminal has another size"),
	ALLOW_IOCTL(TIOCSWINSZ, "the command's terminal gets it"),
	ALLOW_IOCTL(TCSETSW, "the terminal is restored"),
	ALLOW_IOCTL(TCSETS, "the terminal is restored"),
	ALLOW(getpid, "libc: abort"),
	ALLOW(gettid, "libc: abort"),
	ALLOW(tgkill, "libc: abort"),
};

static const struct rule monitor[] = {
	ALLOW_IOCTL(KVM_RUN, "runs the guest"),
	ALLOW_IOCTL(KVM_IRQ_LINE, "serial, power button and config interrupts"),
	ALLOW_IOCTL(KVM_IOEVENTFD, "the doorbells of a device that a driver begins to use"),
	ALLOW_IOCTL(KVM_SET_GSI_ROUTING, "the guest programs its I/O APIC"),
	ALLOW_IOCTL(KVM_GET_REGS, "register dump of a vCPU that cannot go on"),
	ALLOW_IOCTL(KVM_SET_REGS, "the boot protocol's registers"),
	ALLOW_IOCTL(KVM_GET_SREGS, "boot state and register dump"),
	ALLOW_IOCTL(KVM_SET_SREGS, "the boot protocol's segments and control registers"),
	ALLOW_IOCTL(KVM_SET_CPUID2, "vCPU set-up"),
	ALLOW_IOCTL(KVM_GET_MSRS, "vCPU set-up"),
	ALLOW_IOCTL(KVM_SET_MSRS, "vCPU set-up"),
	ALLOW_IOCTL(KVM_SET_FPU, "vCPU set-up"),
	ALLOW_IOCTL(KVM_GET_LAPIC, "vCPU set-up"),
	ALLOW_IOCTL(KVM_SET_LAPIC, "vCPU set-up"),
	ALLOW_IOCTL(KVM_TRANSLATE, "the bytes at RIP in a register dump"),
	ALLOW_IOCTL(KVM_GET_TSC_KHZ, "vCPU set-up"),
	ALLOW(pread64, "kernel and initrd are read under the filter"),
	ALLOW(fstat, "their sizes"),
	ALLOW(newfstatat, "their sizes"),
	ALLOW(lseek, "their sizes"),
	ALLOW(epoll_wait, "the control thread waits"),
	ALLOW(epoll_pwait, "the same, as libc makes it"),
	ALLOW(epoll_ctl, "the control thread's sources"),
	ALLOW(poll, "deadlines"),
	ALLOW(ppoll, "deadlines"),
	ALLOW(sendmsg, "vhost-user requests, messages to the supervisor"),
	ALLOW(sendto, "messages to the supervisor"),
	ALLOW(recvmsg, "vhost-user replies, orders of the supervisor"),
	ALLOW(recvfrom, "orders of the supervisor"),
	ALLOW_EQUAL(pidfd_send_signal, 1, SIGKILL,
		    "ends a device process that does not stop its rings"),
	ALLOW(getrusage, "CPU time for the report"),
	ALLOW(getpid, "libc: pthread_kill"),
	ALLOW(gettid, "libc: pthread_kill"),
	ALLOW(tgkill, "kicks a vCPU out of KVM_RUN"),
	ALLOW(set_robust_list, "libc: a thread that was just made starts under the filter"),
	ALLOW(rseq, "libc: the same"),
	ALLOW(sched_yield, "libc: spinning locks"),
};

/* The data path of blk and net. */
#define ALLOW_PATIENCE                                                                             \
	ALLOW_EQUAL(sched_setscheduler, 1, SCHED_BATCH, "lets the guest go first (patience.h)"),   \
		ALLOW_EQUAL(sched_setscheduler, 1, SCHED_OTHER, "or itself")

static const struct rule blk[] = {
	ALLOW(io_uring_enter, "disk requests, where the host offers io_uring"),
	ALLOW(preadv2, "disk reads without io_uring, or alone"),
	ALLOW(pwritev2, "disk writes without io_uring, or alone"),
	ALLOW(fdatasync, "flush without io_uring, or alone"),
	ALLOW(fallocate, "discard and write-zeroes on files"),
	ALLOW_IOCTL(BLKDISCARD, "discard on block devices"),
	ALLOW_IOCTL(BLKZEROOUT, "write-zeroes on block devices"),
	ALLOW_PATIENCE,
};

static const struct rule net[] = {
	ALLOW(readv, "frames from the tap"),
	ALLOW(writev, "frames to the tap"),
	ALLOW_IOCTL(TUNSETOFFLOAD, "offloads that the guest accepted"),
	ALLOW_PATIENCE,
};

static const struct rule rng[] = {
	ALLOW(getrandom, "the device's work"),
};

/* The prober reads nothing that a stranger wrote: it runs our own micro-guest
 * on the host's KVM, and keeps the verdict in the user's cache. */
static const struct rule probe[] = {
	ALLOW(poll, "waits beside the guest before it probes"),
	ALLOW_IOCTL(KVM_CREATE_VM, "the micro-guest"),
	ALLOW_IOCTL(KVM_SET_TSS_ADDR, "the micro-guest"),
	ALLOW_IOCTL(KVM_ENABLE_CAP, "the micro-guest"),
	ALLOW_IOCTL(KVM_CREATE_VCPU, "the micro-guest"),
	ALLOW_IOCTL(KVM_GET_VCPU_MMAP_SIZE, "the micro-guest"),
	ALLOW_IOCTL(KVM_SET_USER_MEMORY_REGION, "the micro-guest"),
	ALLOW_IOCTL(KVM_GET_SUPPORTED_CPUID, "the micro-guest"),
	ALLOW_IOCTL(KVM_SET_CPUID2, "the micro-guest"),
	ALLOW_IOCTL(KVM_GET_SREGS, "the micro-guest"),
	ALLOW_IOCTL(KVM_SET_SREGS, "the micro-guest"),
	ALLOW_IOCTL(KVM_SET_REGS, "the micro-guest"),
	ALLOW_IOCTL(KVM_RUN, "the micro-guest"),
	ALLOW(openat, "the cache of verdicts"),
	ALLOW(mkdirat, "the cache of verdicts"),
	ALLOW(mkdir, "the cache of verdicts"),
	ALLOW(renameat, "the cache of verdicts"),
	ALLOW(renameat2, "the cache of verdicts"),
	ALLOW(unlinkat, "verdicts of earlier boots"),
	ALLOW(getdents64, "verdicts of earlier boots"),
	ALLOW(fstat, "the cache of verdicts"),
	ALLOW(newfstatat, "the cache of verdicts"),
	ALLOW(lseek, "the cache of verdicts"),
	ALLOW(fsync, "the cache of verdicts"),
	ALLOW(fcntl, "libc: opendir"),
	ALLOW(access, "which KVM module is loaded"),
	ALLOW(faccessat, "which KVM module is loaded"),
	ALLOW(faccessat2, "which KVM module is loaded"),
	ALLOW(readlink, "which KVM module is loaded"),
	ALLOW(geteuid, "whose cache it is"),
	ALLOW(getuid, "whose cache it is"),
	ALLOW(getpid, "the name of a temporary file"),
};

/* The process wall's own init, once the command runs: it waits, and passes on. */
static const struct rule init[] = {
	ALLOW(poll, "waits for orders, children and the end of a stage"),
	ALLOW(read, "that a child has changed its state"),
	ALLOW(recvfrom, "orders of the supervisor"),
	ALLOW(sendmsg, "how the command has ended"),
	ALLOW(wait4, "reaps"),
	ALLOW(kill, "signals for the command, the end of what it left"),
};

struct list {
	const struct rule *rules;
	size_t n;
};

#define LIST(a)                                                                                    \
	{                                                                                          \
		a, COUNT(a)                                                                        \
	}
#define NO_LIST                                                                                    \
	{                                                                                          \
		NULL, 0                                                                            \
	}

static const struct {
	const char *kind, *name;
	struct list lists[3];
} programs[] = {
	{ "FILTER_SUPERVISOR", "supervisor", { LIST(common), LIST(libc), LIST(supervisor) } },
	{ "FILTER_MONITOR", "monitor", { LIST(common), LIST(libc), LIST(monitor) } },
	{ "FILTER_BLK", "blk", { LIST(common), LIST(device), LIST(blk) } },
	{ "FILTER_NET", "net", { LIST(common), LIST(device), LIST(net) } },
	{ "FILTER_RNG", "rng", { LIST(common), LIST(device), LIST(rng) } },
	{ "FILTER_PROBE", "probe", { LIST(common), LIST(libc), LIST(probe) } },
	{ "FILTER_INIT", "init", { LIST(common), LIST(init), NO_LIST } },
	{ "FILTER_COMMAND", "command", { NO_LIST, NO_LIST, NO_LIST } }, /* command_filter.h */
};

static void die(const char *what, int code)
{
	fprintf(stderr, "filters: %s: %s\n", what, strerror(code));
	exit(1);
}

static void add(scmp_filter_ctx ctx, const struct rule *r)
{
	int rc;

	switch (r->compare) {
	case ANY:
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, r->call, 0);
		break;
	case EQUAL:
		/* 32 bits: the width of ioctl requests and fcntl commands. */
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, r->call, 1,
				      SCMP_CMP32(r->arg, SCMP_CMP_EQ, (uint32_t)r->value));
		break;
	case SHARED_MEMORY:
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, r->call, 2,
				      SCMP_CMP64(2, SCMP_CMP_EQ, PROT_READ | PROT_WRITE),
				      SCMP_CMP64(3, SCMP_CMP_EQ, MAP_SHARED));
		break;
	default:
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, r->call, 1,
				      SCMP_CMP64(r->arg, SCMP_CMP_MASKED_EQ, r->value, 0));
		break;
	}
	/* The same call may stand in two lists. */
	if (rc < 0 && rc != -EEXIST)
		die(r->reason, -rc);
}

struct instruction { /* struct sock_filter, without the kernel's name for it */
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

static void print_program(const char *name, scmp_filter_ctx ctx)
{
	FILE *tmp = tmpfile();
	struct instruction in;
	int rc;

	if (!tmp)
		die("make a temporary file", errno);
	/* A binary tree: every call costs a handful of comparisons. */
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc < 0)
		die("optimise", -rc);
	rc = seccomp_export_bpf(ctx, fileno(tmp));
	if (rc < 0)
		die("export", -rc);
	rewind(tmp);
	printf("static const struct sock_filter filter_%s[] = {\n", name);
	while (fread(&in, sizeof(in), 1, tmp) == 1)
		printf("\t{ 0x%04x, %u, %u, 0x%08x },\n", in.code, in.jt, in.jf, in.k);
	printf("};\n\n");
	fclose(tmp);
	seccomp_release(ctx);
}

static void print_lists(const char *name, const struct list *lists, size_t nlists)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);

	if (!ctx)
		die("set up", errno);
	for (size_t i = 0; i < nlists; i++)
		for (size_t j = 0; j < lists[i].n; j++)
			add(ctx, &lists[i].rules[j]);
	print_program(name, ctx);
}

static void print_command(const char *name)
{
	scmp_filter_ctx ctx = command_filter_new(0);

	if (!ctx)
		die("the command's filter", errno);
	print_program(name, ctx);
}

int main(void)
{
	printf("/* Made by vmm/jail/generate/filters.c.  Do not edit. */\n\n");
	for (size_t i = 0; i < COUNT(programs); i++)
		if (programs[i].lists[0].rules)
			print_lists(programs[i].name, programs[i].lists, COUNT(programs[i].lists));
		else
			print_command(programs[i].name);
	printf("static const struct filter_program filter_programs[] = {\n");
	for (size_t i = 0; i < COUNT(programs); i++)
		printf("\t[%s] = { %s, \"%s\",\n\t\tsizeof(filter_%s) / sizeof(filter_%s[0]), "
		       "filter_%s },\n",
		       programs[i].kind, programs[i].kind, programs[i].name, programs[i].name,
		       programs[i].name, programs[i].name);
	printf("};\n");
	return 0;
}
