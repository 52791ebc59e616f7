/*
 * profile.c - fuzz target: the file of --seccomp-profile.  The first byte
 * chooses the host that its conditions are about, the rest is the file.
 *
 * A refusal is one printable line.  What is taken is a program that the kernel
 * would take: it is run here as the kernel runs it, over calls of this machine
 * and of others.  A call that no profile can name gets the default action.
 */
#include <jansson.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>

#include "tests/fuzz/input.h"
#include "vmm/jail/seccomp_profile.h"

#define NO_CALL 1023 /* has no name on any architecture */

/* The actions by name, as the runtime spec has them. */
static const struct {
	const char *name;
	uint32_t action;
} actions[] = {
	{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
	{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
	{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO },
	{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE },
	{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
	{ "SCMP_ACT_LOG", SECCOMP_RET_LOG },
};

static void check_line(const struct err *e)
{
	must(e->text[0]);
	for (const char *p = e->text; *p; p++)
		must(*p >= ' ' && *p < 0x7f);
}

static bool jump(uint16_t operation, uint32_t a, uint32_t k)
{
	switch (operation) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	default:
		must(operation == BPF_JSET);
		return a & k;
	}
}

/* What the kernel would make of the call; a program that it refuses to load
 * or that runs out of its end is a finding. */
static uint32_t verdict(const struct seccomp_code *c, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t at = 0;; at++) {
		const struct sock_filter *s = &c->code[at];

		must(at < c->len);
		switch (s->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			must(s->k % 4 == 0 && s->k < sizeof(*data));
			memcpy(&a, (const char *)data + s->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= s->k;
			break;
		case BPF_JMP | BPF_JA:
			must(s->k < c->len);
			at += s->k;
			break;
		case BPF_RET | BPF_K:
			return s->k;
		default:
			must(BPF_CLASS(s->code) == BPF_JMP && BPF_SRC(s->code) == BPF_K);
			at += jump(BPF_OP(s->code), a, s->k) ? s->jt : s->jf;
		}
	}
}

static void check_default(const json_t *top, uint32_t got)
{
	const char *name = json_string_value(json_object_get(top, "defaultAction"));
	const json_t *number = json_object_get(top, "defaultErrnoRet");
	size_t i = 0;

	must(name);
	while (i < ARRAY_SIZE(actions) && strcmp(actions[i].name, name) != 0)
		i++;
	must(i < ARRAY_SIZE(actions));
	must((got & SECCOMP_RET_ACTION_FULL) == actions[i].action);
	if (actions[i].action == SECCOMP_RET_ERRNO && json_is_integer(number))
		must((got & SECCOMP_RET_DATA) == (uint64_t)json_integer_value(number));
}

static void check_code(const struct seccomp_code *c, const json_t *top)
{
	static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
					   AUDIT_ARCH_ARM };
	struct seccomp_data data = { .nr = NO_CALL, .arch = AUDIT_ARCH_X86_64 };

	must(c->code && c->len >= 1 && c->len <= BPF_MAXINSNS);
	must(!(c->flags & ~(unsigned int)(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
					  SECCOMP_FILTER_FLAG_SPEC_ALLOW |
					  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)));
#ifdef __x86_64__
	check_default(top, verdict(c, &data));
#endif
	for (size_t i = 0; i < ARRAY_SIZE(arches); i++) {
		data.arch = arches[i];
		for (int nr = -1; nr < 480; nr++) {
			data.nr = nr;
			for (size_t n = 0; n < ARRAY_SIZE(data.args); n++)
				data.args[n] = (uint64_t)nr << (n * 8);
			verdict(c, &data);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct profile_host host = { .major = 5, .minor = 19 };
	struct seccomp_code code = { .len = 0 };
	struct err e = { "" };
	json_t *top;
	char *copy;
	int r;

	if (len < 1)
		return 0;
	if (data[0] & 1)
		host.capabilities = 1ULL << CAP_SYS_ADMIN | 1ULL << CAP_NET_RAW;
	if (data[0] & 2)
		host.major = 4;
	len--;
	copy = malloc(len ? len : 1); /* exact: a byte too far is seen */
	memcpy(copy, data + 1, len);
	r = seccomp_profile_compile(copy, len, &host, &code, &e);
	if (r < 0) {
		check_line(&e);
		must(!code.code);
	} else {
		top = json_loadb(copy, len, JSON_REJECT_DUPLICATES, NULL);
		check_code(&code, top);
		json_decref(top);
	}
	seccomp_code_release(&code);
	free(copy);
	return 0;
}
