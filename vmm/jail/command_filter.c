/* command_filter.c - see command_filter.h. */
#include "vmm/jail/command_filter.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include "vmm/jail/command_calls.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* As container engines have it: what a capability allows, and the list above
 * does not.  Landlock refuses mounts whatever is here. */
static const struct {
	unsigned int capability;
	int call;
} with[] = {
	{ CAP_DAC_READ_SEARCH, SCMP_SYS(open_by_handle_at) },
	{ CAP_SYS_ADMIN, SCMP_SYS(bpf) },
	{ CAP_SYS_ADMIN, SCMP_SYS(fanotify_init) },
	{ CAP_SYS_ADMIN, SCMP_SYS(fsconfig) },
	{ CAP_SYS_ADMIN, SCMP_SYS(fsmount) },
	{ CAP_SYS_ADMIN, SCMP_SYS(fsopen) },
	{ CAP_SYS_ADMIN, SCMP_SYS(fspick) },
	{ CAP_SYS_ADMIN, SCMP_SYS(mount) },
	{ CAP_SYS_ADMIN, SCMP_SYS(mount_setattr) },
	{ CAP_SYS_ADMIN, SCMP_SYS(move_mount) },
	{ CAP_SYS_ADMIN, SCMP_SYS(open_tree) },
	{ CAP_SYS_ADMIN, SCMP_SYS(perf_event_open) },
	{ CAP_SYS_ADMIN, SCMP_SYS(quotactl) },
	{ CAP_SYS_ADMIN, SCMP_SYS(quotactl_fd) },
	{ CAP_SYS_ADMIN, SCMP_SYS(setdomainname) },
	{ CAP_SYS_ADMIN, SCMP_SYS(sethostname) },
	{ CAP_SYS_ADMIN, SCMP_SYS(setns) },
	{ CAP_SYS_ADMIN, SCMP_SYS(syslog) },
	{ CAP_SYS_ADMIN, SCMP_SYS(umount2) },
	{ CAP_SYS_ADMIN, SCMP_SYS(unshare) },
	{ CAP_SYS_BOOT, SCMP_SYS(reboot) },
	{ CAP_SYS_MODULE, SCMP_SYS(delete_module) },
	{ CAP_SYS_MODULE, SCMP_SYS(finit_module) },
	{ CAP_SYS_MODULE, SCMP_SYS(init_module) },
	{ CAP_SYS_PACCT, SCMP_SYS(acct) },
	{ CAP_SYS_PTRACE, SCMP_SYS(kcmp) },
	{ CAP_SYS_PTRACE, SCMP_SYS(pidfd_getfd) },
	{ CAP_SYS_PTRACE, SCMP_SYS(process_madvise) },
	{ CAP_SYS_RAWIO, SCMP_SYS(iopl) },
	{ CAP_SYS_RAWIO, SCMP_SYS(ioperm) },
	{ CAP_SYS_TIME, SCMP_SYS(clock_settime) },
	{ CAP_SYS_TIME, SCMP_SYS(settimeofday) },
	{ CAP_SYS_TTY_CONFIG, SCMP_SYS(vhangup) },
	{ CAP_SYS_NICE, SCMP_SYS(get_mempolicy) },
	{ CAP_SYS_NICE, SCMP_SYS(mbind) },
	{ CAP_SYS_NICE, SCMP_SYS(set_mempolicy) },
	{ CAP_SYSLOG, SCMP_SYS(syslog) },
	{ CAP_BPF, SCMP_SYS(bpf) },
	{ CAP_PERFMON, SCMP_SYS(perf_event_open) },
};

static int allow(scmp_filter_ctx ctx, int call, unsigned int n, const struct scmp_arg_cmp *args)
{
	int r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, n, args);

	/* Two capabilities may give the same call. */
	return r == -EEXIST ? 0 : r;
}

/* What depends on arguments. */
static int allow_some(scmp_filter_ctx ctx)
{
	static const uint32_t personalities[] = { PER_LINUX, PER_LINUX32, UNAME26,
						  PER_LINUX32 | UNAME26, 0xffffffff };
	/* Virtual sockets know no network namespace. */
	const struct scmp_arg_cmp below = SCMP_CMP32(0, SCMP_CMP_LT, AF_VSOCK, 0);
	const struct scmp_arg_cmp above = SCMP_CMP32(0, SCMP_CMP_GT, AF_VSOCK, 0);
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(personalities); i++) {
		const struct scmp_arg_cmp is = SCMP_CMP32(0, SCMP_CMP_EQ, personalities[i], 0);

		r = allow(ctx, SCMP_SYS(personality), 1, &is);
	}
	if (r == 0)
		r = allow(ctx, SCMP_SYS(socket), 1, &below);
	if (r == 0)
		r = allow(ctx, SCMP_SYS(socket), 1, &above);
	return r;
}

static int allow_clone(scmp_filter_ctx ctx, bool namespaces)
{
	/* No new namespaces.  Not CLONE_NEWTIME, a bit of clone's exit signal. */
	const struct scmp_arg_cmp flags =
		SCMP_CMP64(0, SCMP_CMP_MASKED_EQ,
			   CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
			   0);
	int r = allow(ctx, SCMP_SYS(clone), namespaces ? 0 : 1, &flags);

	if (r < 0 || namespaces)
		return r < 0 ? r : allow(ctx, SCMP_SYS(clone3), 0, NULL);
	/* Its flags are in memory: libc falls back to clone. */
	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
}

static int fill(scmp_filter_ctx ctx, uint64_t capabilities)
{
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));

	for (size_t i = 0; r == 0 && i < COUNT(command_calls); i++)
		r = allow(ctx, command_calls[i], 0, NULL);
	for (size_t i = 0; r == 0 && i < COUNT(with); i++)
		if (capabilities >> with[i].capability & 1)
			r = allow(ctx, with[i].call, 0, NULL);
	if (r == 0)
		r = allow_some(ctx);
	return r == 0 ? allow_clone(ctx, capabilities >> CAP_SYS_ADMIN & 1) : r;
}

scmp_filter_ctx command_filter_new(uint64_t capabilities)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = ctx ? fill(ctx, capabilities) : -ENOMEM;

	if (r == 0)
		return ctx;
	if (ctx)
		seccomp_release(ctx);
	errno = -r;
	return NULL;
}
