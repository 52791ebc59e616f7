/* seccomp_compile.c - see seccomp_compile.h. */
#include "vmm/jail/seccomp_compile.h"

#include <linux/filter.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/jail/command_filter.h"

int seccomp_compile(scmp_filter_ctx ctx, struct seccomp_code *ret, struct err *e)
{
	_cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	_cleanup_free_ struct sock_filter *code = NULL;
	off_t size;
	int r;

	if (fd < 0)
		return err_errno(e, "make a memory file for the filter");
	/* A binary tree: every call costs a handful of comparisons. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_code(e, r, "compile the list of system calls");
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || (size_t)size % sizeof(*code))
		return err_set(e, EIO, "compile the list of system calls: no program came out");
	if ((size_t)size / sizeof(*code) > BPF_MAXINSNS)
		return err_set(
			e, E2BIG,
			"the list of system calls needs %zu instructions, the kernel takes %d",
			(size_t)size / sizeof(*code), BPF_MAXINSNS);
	code = malloc((size_t)size);
	if (!code)
		return err_set(e, ENOMEM, "no memory");
	if (pread(fd, code, (size_t)size, 0) != size)
		return err_errno(e, "read the filter");
	*ret = (struct seccomp_code){
		.code = take_ptr(&code),
		.len = (unsigned short)((size_t)size / sizeof(*code)),
	};
	return 0;
}

int seccomp_compile_usual(uint64_t capabilities, struct seccomp_code *ret, struct err *e)
{
	scmp_filter_ctx ctx = command_filter_new(capabilities);
	int r;

	if (!ctx)
		return err_errno(e, "compile the list of system calls");
	r = seccomp_compile(ctx, ret, e);
	seccomp_release(ctx);
	return r;
}
