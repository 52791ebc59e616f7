/* seccomp_code.c - see seccomp_code.h. */
#include "vmm/jail/seccomp_code.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/jail/command_filter.h"

int seccomp_code_export(scmp_filter_ctx ctx, struct seccomp_code *ret, struct err *e)
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

int seccomp_code_for_command(uint64_t capabilities, struct seccomp_code *ret, struct err *e)
{
	scmp_filter_ctx ctx = command_filter_new(capabilities);
	int r;

	if (!ctx)
		return err_errno(e, "compile the list of system calls");
	r = seccomp_code_export(ctx, ret, e);
	seccomp_release(ctx);
	return r;
}

void seccomp_code_release(struct seccomp_code *c)
{
	free(take_ptr(&c->code));
}

int seccomp_code_install(const struct seccomp_code *c, struct err *e)
{
	struct sock_fprog prog = { .len = c->len, .filter = c->code };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, c->flags, &prog) < 0)
		return err_errno(e, "install the command's seccomp filter");
	return 0;
}
