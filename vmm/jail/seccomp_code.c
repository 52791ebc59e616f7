/* seccomp_code.c - see seccomp_code.h. */
#include "vmm/jail/seccomp_code.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/companion.h"
#include "vmm/base/util.h"

#define COMPILER "bulkhead-seccomp"

/* In the child.  Nothing but the profile and the pipe goes along. */
static _Noreturn void run_compiler(int in, int out, uint64_t capabilities)
{
	struct seccomp_answer answer = { .len = 0 };
	char mask[32], profile[] = "profile", usual[] = "usual";
	char *args[] = { in >= 0 ? profile : usual, mask, NULL };
	struct err e = { "" };

	snprintf(mask, sizeof(mask), "%" PRIu64, capabilities);
	if ((in >= 0 && dup2(in, STDIN_FILENO) < 0) || dup2(out, STDOUT_FILENO) < 0)
		answer.error = err_errno(&e, "hand over the pipe");
	else
		answer.error = companion_exec(COMPILER, args, &e);
	memcpy(answer.text, e.text, sizeof(answer.text));
	(void)!write(out, &answer, sizeof(answer));
	_exit(1);
}

static int read_whole(int fd, void *data, size_t len)
{
	char *at = data;

	while (len > 0) {
		ssize_t n = read(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? neg_errno() : -ENODATA;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int take_answer(int fd, struct seccomp_code *ret, struct err *e)
{
	_cleanup_free_ struct sock_filter *code = NULL;
	struct seccomp_answer answer;
	int r = read_whole(fd, &answer, sizeof(answer));

	if (r < 0)
		return err_set(e, EIO, COMPILER " ended without an answer");
	answer.text[sizeof(answer.text) - 1] = '\0';
	if (answer.error < 0)
		return err_set(e, -answer.error, "%s", answer.text);
	if (answer.len == 0 || answer.len > BPF_MAXINSNS)
		return err_set(e, EIO, COMPILER " answered with %u instructions", answer.len);
	code = calloc(answer.len, sizeof(*code));
	if (!code)
		return err_set(e, ENOMEM, "no memory");
	r = read_whole(fd, code, answer.len * sizeof(*code));
	if (r < 0)
		return err_code(e, r, "read the filter from " COMPILER);
	*ret = (struct seccomp_code){
		.code = take_ptr(&code),
		.len = (unsigned short)answer.len,
		.flags = answer.flags,
	};
	return 0;
}

static int compile(int in, uint64_t capabilities, struct seccomp_code *ret, struct err *e)
{
	int ends[2], r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, "make a pipe");
	pid = fork();
	if (pid == 0)
		run_compiler(in, ends[1], capabilities);
	r = pid < 0 ? err_errno(e, "fork") : 0;
	close(ends[1]);
	if (r == 0)
		r = take_answer(ends[0], ret, e);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int seccomp_code_request(const char *profile, uint64_t capabilities, struct seccomp_code *ret,
			 struct err *e)
{
	_cleanup_close_ int in = -1;
	int r;

	if (profile) {
		/* A FIFO that nobody writes is an error, not a wait. */
		in = open(profile, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (in < 0)
			return err_errno(e, "open the profile %s", profile);
	}
	r = compile(in, capabilities, ret, e);
	if (r < 0 && profile)
		err_context(e, "the profile %s", profile);
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
