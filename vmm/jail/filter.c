/* filter.c - see filter.h. */
#include "vmm/jail/filter.h"

#include <assert.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/util.h"

/* gen/filters.h defines filter_programs[]: { kind, name, length, program },
 * in the order of enum filter_kind. */
struct filter_program {
	enum filter_kind kind;
	const char *name;
	unsigned short len;
	const struct sock_filter *code;
};

#include "filters.h"

static_assert(ARRAY_SIZE(filter_programs) == FILTER_COUNT, "a filter for every process");

int filter_install(enum filter_kind kind, bool all_threads, struct err *e)
{
	const struct filter_program *p = &filter_programs[kind];
	/* The kernel only reads it; the UAPI structure lacks the const. */
	struct sock_fprog prog = {
		.len = p->len,
		.filter = (struct sock_filter *)(uintptr_t)p->code,
	};
	unsigned int flags = all_threads ? SECCOMP_FILTER_FLAG_TSYNC : 0;
	long r;

	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0)
		return err_errno(e, "install the seccomp filter of the %s process", p->name);
	if (r > 0)
		return err_set(e, ESRCH,
			       "thread %ld cannot take the seccomp filter of the %s process", r,
			       p->name);
	return 0;
}
