/* surface_filters.c - see surface_filters.h. */
#include "vmm/compare/surface_filters.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>

#include "vmm/base/util.h"

#define FILTERS_MAX 64 /* on one process; the kernel's bound is on their length */

/* SECCOMP_MODE_...; -1: this kernel does not say. */
static int mode_of(pid_t tid)
{
	char path[64], line[256];
	int mode = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	fclose(f);
	return mode;
}

static int refused(struct err *e)
{
	if (errno == EACCES && geteuid() != 0)
		return err_set(e, EACCES, "to read a filter takes root");
	if (errno == EACCES)
		return err_set(
			e, EACCES,
			"who is behind a filter himself, or lacks CAP_SYS_ADMIN, may read none");
	if (errno == EINVAL || errno == EIO)
		return err_set(e, EINVAL,
			       "this kernel shows no filters (CONFIG_CHECKPOINT_RESTORE)");
	return err_errno(e, "read a filter");
}

/* Filter number `i`, from the last one that was installed.  -ENOENT: there are
 * no more. */
static int read_one(pid_t tid, unsigned long i, uint8_t verdict[SURFACE_CALLS], struct err *e)
{
	_cleanup_free_ struct sock_filter *code = NULL;
	long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, i, NULL);
	int r;

	if (n < 0)
		return errno == ENOENT ? -ENOENT : refused(e);
	code = calloc((size_t)n + 1, sizeof(*code));
	if (!code)
		return err_set(e, ENOMEM, "no memory");
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, tid, i, code) != n)
		return refused(e);
	r = surface_calls_filter(code, (size_t)n, verdict);
	return r < 0 ? err_code(e, r, "follow a filter") : 0;
}

int surface_filters_read(pid_t tid, uint8_t verdict[SURFACE_CALLS], int *ret_n, struct err *e)
{
	int mode = mode_of(tid), n = 0, r = 0;

	memset(verdict, SURFACE_WHOLE, SURFACE_CALLS);
	if (mode == SECCOMP_MODE_STRICT)
		return err_set(e, ENOTSUP, "it is in seccomp's strict mode");
	if (mode == SECCOMP_MODE_DISABLED) {
		*ret_n = 0;
		return 0;
	}
	while (r == 0 && n < FILTERS_MAX) {
		r = read_one(tid, (unsigned long)n, verdict, e);
		n += r == 0;
	}
	if (r < 0 && (r != -ENOENT || n == 0))
		return r;
	*ret_n = n;
	return 0;
}
