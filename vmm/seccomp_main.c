/*
 * seccomp_main.c - bulkhead-seccomp, which compiles the system call filter of
 * one command behind the process wall: `usual CAPABILITIES`, or `profile
 * CAPABILITIES` with the profile on standard input.  The answer, struct
 * seccomp_answer and the instructions, goes to standard output.
 *
 * The profile may be a stranger's, and reading JSON is what parsers are
 * attacked by.  So this process reads it behind a filter of its own: what it
 * can do is to read that file, write that pipe, and compute.
 */
#include <jansson.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "vmm/base/util.h"
#include "vmm/jail/seccomp_compile.h"
#include "vmm/jail/seccomp_profile.h"

static int confine(struct err *e)
{
	/* seccomp, prctl: libseccomp asks what this kernel has; they only take
	 * away.  memfd_create to pread64: it writes the program into a file. */
	static const int calls[] = {
		SCMP_SYS(read),		SCMP_SYS(write),     SCMP_SYS(exit_group),
		SCMP_SYS(brk),		SCMP_SYS(mmap),	     SCMP_SYS(munmap),
		SCMP_SYS(mremap),	SCMP_SYS(seccomp),   SCMP_SYS(prctl),
		SCMP_SYS(uname),	SCMP_SYS(fstat),     SCMP_SYS(newfstatat),
		SCMP_SYS(getrandom),	SCMP_SYS(madvise),   SCMP_SYS(close),
		SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(lseek),
		SCMP_SYS(pread64),
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(calls); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = seccomp_load(ctx); /* and no_new_privs */
	if (ctx)
		seccomp_release(ctx);
	return r < 0 ? err_code(e, r, "confine bulkhead-seccomp") : 0;
}

static int answer(const char *what, uint64_t capabilities, struct seccomp_code *code, struct err *e)
{
	int r = confine(e);

	if (r < 0)
		return r;
	return strcmp(what, "profile") == 0
		       ? seccomp_profile_read(STDIN_FILENO, capabilities, code, e)
		       : seccomp_compile_usual(capabilities, code, e);
}

int main(int argc, char **argv)
{
	struct seccomp_code code = { .len = 0 };
	struct seccomp_answer head = { .len = 0 };
	struct err e = { "" };
	uint64_t capabilities;

	if (argc != 3 || isatty(STDOUT_FILENO) ||
	    parse_u64(argv[2], 0, UINT64_MAX, &capabilities) < 0) {
		fprintf(stderr, "bulkhead-seccomp: run 'bulkhead run'\n");
		return 1;
	}
	json_object_seed(0); /* while /dev/urandom can still be opened */
	head.error = answer(argv[1], capabilities, &code, &e);
	head.len = code.len;
	head.flags = code.flags;
	memcpy(head.text, e.text, sizeof(head.text));
	if (write_all(STDOUT_FILENO, &head, sizeof(head)) < 0 ||
	    write_all(STDOUT_FILENO, code.code, code.len * sizeof(*code.code)) < 0)
		return 1;
	return head.error < 0;
}
