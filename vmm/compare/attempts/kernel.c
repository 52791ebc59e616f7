/*
 * kernel.c - calls and files that give a hold on the kernel.  Where an attempt
 * relies on the order of the kernel's checks, the function that decides it is
 * named, as in Linux 6.12.
 */
#include "vmm/compare/attempts/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

/* open_kcore(): CAP_SYS_RAWIO and the lockdown.  Nothing is read. */
int attempt_kcore(const struct canaries *c)
{
	(void)c;
	return attempt_open("/proc/kcore", O_RDONLY);
}

/* open_port(): CAP_SYS_RAWIO and the lockdown.  Nothing is read. */
int attempt_dev_mem(const struct canaries *c)
{
	(void)c;
	return attempt_open("/dev/mem", O_RDONLY);
}

int attempt_dev_kmsg(const struct canaries *c)
{
	int r = attempt_open("/dev/kmsg", O_RDONLY);

	(void)c;
	/* SYSLOG_ACTION_SIZE_BUFFER */
	return r < 0 && syscall(SYS_syslog, 10, NULL, 0) >= 0 ? 0 : r;
}

/* Without the right to them all addresses are 0. */
int attempt_kernel_symbols(const struct canaries *c)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long address = 0, any = 0;

	(void)c;
	if (!f)
		return -errno;
	for (int i = 0; i < 64 && fscanf(f, "%lx %*[^\n]", &address) == 1; i++)
		any |= address;
	fclose(f);
	return any ? 0 : -EPERM;
}

/* init_module(2): may_init_module() asks for CAP_SYS_MODULE, then
 * copy_module_from_user() refuses an image that is shorter than a header with
 * ENOEXEC, before a byte of it is read.  The lockdown, which comes later, stops
 * unsigned modules only. */
int attempt_module(const struct canaries *c)
{
	(void)c;
	return attempt_refused(syscall(SYS_init_module, "", 0, ""), ENOEXEC);
}

/* kexec_load_check(): kexec_load_permitted() asks for CAP_SYS_BOOT, then the
 * lockdown, then EINVAL for flags that do not exist. */
int attempt_kexec(const struct canaries *c)
{
	(void)c;
	return attempt_refused(syscall(SYS_kexec_load, 0, 0, NULL, 0x40000000), EINVAL);
}

int attempt_bpf(const struct canaries *c)
{
	union bpf_attr attr;
	int fd;

	(void)c;
	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = 1;
	fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int attempt_perf_event(const struct canaries *c)
{
	struct perf_event_attr attr;
	int fd;

	(void)c;
	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_SOFTWARE;
	attr.size = sizeof(attr);
	attr.config = PERF_COUNT_SW_CPU_CLOCK;
	attr.disabled = 1;
	attr.exclude_kernel = 1;
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Not UFFD_USER_MODE_ONLY: the kernel's own accesses are what it is good for. */
int attempt_userfaultfd(const struct canaries *c)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	(void)c;
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int attempt_io_uring(const struct canaries *c)
{
	struct io_uring_params params;
	int fd;

	(void)c;
	memset(&params, 0, sizeof(params));
	fd = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* In the process's own keyring, which ends with it. */
int attempt_keyring(const struct canaries *c)
{
	(void)c;
	return syscall(SYS_add_key, "user", "bulkhead-attempt", "x", 1, KEY_SPEC_PROCESS_KEYRING) <
			       0
		       ? -errno
		       : 0;
}

/* The value that it has already. */
int attempt_sysctl(const struct canaries *c)
{
	static const char path[] = "/proc/sys/kernel/printk_ratelimit_burst";
	char value[64];
	int fd = open(path, O_RDWR | O_CLOEXEC), r = 0;
	ssize_t n;

	(void)c;
	if (fd < 0)
		return -errno;
	n = pread(fd, value, sizeof(value), 0);
	if (n <= 0 || pwrite(fd, value, (size_t)n, 0) != n)
		r = errno ? -errno : -EIO;
	close(fd);
	return r;
}

/* write_sysrq_trigger() is what acts; opening is left to the file's mode. */
int attempt_sysrq(const struct canaries *c)
{
	(void)c;
	return attempt_open("/proc/sysrq-trigger", O_WRONLY);
}

/* timekeeping_validate_timex(): CAP_SYS_TIME first, then EINVAL for a tick of
 * length 0.  (A time that cannot be would be refused before the right is asked
 * for.) */
int attempt_clock(const struct canaries *c)
{
	struct timex t;

	(void)c;
	memset(&t, 0, sizeof(t));
	t.modes = ADJ_TICK;
	t.tick = 0;
	return attempt_refused(syscall(SYS_adjtimex, &t), EINVAL);
}

/* reboot(2): CAP_SYS_BOOT in the process namespace first, then EINVAL for wrong
 * magic numbers, before reboot_pid_ns() looks at the command. */
int attempt_reboot(const struct canaries *c)
{
	(void)c;
	return attempt_refused(syscall(SYS_reboot, 1, 2, 0, NULL), EINVAL);
}

/* swapoff(2): CAP_SYS_ADMIN first, then file_open_name(), ENOENT. */
int attempt_swap(const struct canaries *c)
{
	(void)c;
	return attempt_refused(syscall(SYS_swapoff, "/nonexistent/bulkhead"), ENOENT);
}

/* acct(2): CAP_SYS_PACCT first, then acct_on() opens the file, ENOENT. */
int attempt_accounting(const struct canaries *c)
{
	(void)c;
	return attempt_refused(syscall(SYS_acct, "/nonexistent/bulkhead"), ENOENT);
}

/* sethostname(2): CAP_SYS_ADMIN in the namespace first, then EINVAL for a
 * length below 0. */
int attempt_host_name(const struct canaries *c)
{
	(void)c;
	return attempt_refused(syscall(SYS_sethostname, "", -1), EINVAL);
}
