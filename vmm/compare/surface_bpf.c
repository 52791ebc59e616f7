/* surface_bpf.c - see surface_bpf.h; net/core/filter.c and seccomp_check_filter()
 * in kernel/seccomp.c say which instructions there are. */
#include "vmm/compare/surface_bpf.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "vmm/base/util.h"

#define WAYS_MAX  1024	  /* that wait to be followed at a time */
#define STEPS_MAX 4000000 /* in all: a filter has 4096 instructions */

struct state {
	uint32_t pc;
	struct surface_word a, x, m[BPF_MEMWORDS];
};

struct machine {
	const struct sock_filter *code;
	size_t n;
	const struct surface_word *data;
	struct state *way; /* still to be followed */
	size_t nways;
	struct state *seen; /* the last state in which each instruction was met */
	struct surface_answer answer;
};

static struct surface_word known(uint32_t value)
{
	return (struct surface_word){ value, 1 };
}

static int alu(uint16_t op, struct surface_word *a, struct surface_word by)
{
	struct surface_word r = { 0, a->known && by.known };

	switch (op) {
	case BPF_ADD:
		r.value = a->value + by.value;
		break;
	case BPF_SUB:
		r.value = a->value - by.value;
		break;
	case BPF_MUL:
		r.value = a->value * by.value;
		break;
	case BPF_DIV: /* by zero: see divides_by_zero() */
		r.value = by.value ? a->value / by.value : 0;
		break;
	case BPF_AND:
		r.value = a->value & by.value;
		break;
	case BPF_OR:
		r.value = a->value | by.value;
		break;
	case BPF_XOR:
		r.value = a->value ^ by.value;
		break;
	case BPF_LSH:
		r.value = a->value << (by.value & 31);
		break;
	case BPF_RSH:
		r.value = a->value >> (by.value & 31);
		break;
	case BPF_NEG:
		r = (struct surface_word){ 0 - a->value, a->known };
		break;
	default:
		return -EINVAL;
	}
	*a = r.known ? r : (struct surface_word){ 0, 0 };
	return 0;
}

static int load(const struct machine *v, const struct state *s, const struct sock_filter *i,
		struct surface_word *to)
{
	switch (BPF_MODE(i->code)) {
	case BPF_IMM:
		*to = known(i->k);
		return 0;
	case BPF_LEN:
		*to = known(SURFACE_WORDS * 4);
		return 0;
	case BPF_MEM:
		if (i->k >= BPF_MEMWORDS)
			return -EINVAL;
		*to = s->m[i->k];
		return 0;
	case BPF_ABS:
		if (BPF_CLASS(i->code) != BPF_LD || i->k % 4 || i->k / 4 >= SURFACE_WORDS)
			return -EINVAL;
		*to = v->data[i->k / 4];
		return 0;
	default:
		return -EINVAL;
	}
}

static void answer(struct machine *v, struct surface_word action)
{
	uint32_t what = action.value & SECCOMP_RET_ACTION_FULL;
	bool pass = what == SECCOMP_RET_ALLOW || what == SECCOMP_RET_LOG;
	bool ask = what == SECCOMP_RET_TRACE || what == SECCOMP_RET_USER_NOTIF;

	v->answer.pass |= pass || !action.known;
	v->answer.ask |= ask || !action.known;
	v->answer.stop |= (!pass && !ask) || !action.known;
	v->answer.last = action.value;
}

/* Go on there later, unless that would find nothing new. */
static int follow(struct machine *v, const struct state *s, uint64_t pc)
{
	struct state *way;

	if (pc >= v->n)
		return -EINVAL;
	if (v->nways == WAYS_MAX)
		return -E2BIG;
	way = &v->way[v->nways++];
	*way = *s;
	way->pc = (uint32_t)pc;
	return 0;
}

static int jump(struct machine *v, const struct state *s, const struct sock_filter *i)
{
	struct surface_word by = BPF_SRC(i->code) == BPF_X ? s->x : known(i->k);
	uint64_t next = (uint64_t)s->pc + 1;
	bool is = false;
	int r;

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return follow(v, s, next + i->k);
	case BPF_JEQ:
		is = s->a.value == by.value;
		break;
	case BPF_JGT:
		is = s->a.value > by.value;
		break;
	case BPF_JGE:
		is = s->a.value >= by.value;
		break;
	case BPF_JSET:
		is = (s->a.value & by.value) != 0;
		break;
	default:
		return -EINVAL;
	}
	if (s->a.known && by.known)
		return follow(v, s, next + (is ? i->jt : i->jf));
	r = follow(v, s, next + i->jt);
	return r < 0 || i->jt == i->jf ? r : follow(v, s, next + i->jf);
}

/* The program ends with 0 when it divides by zero; a constant 0 the kernel
 * refuses.  Whether it surely ends here. */
static bool divides_by_zero(struct machine *v, const struct state *s, const struct sock_filter *i)
{
	if (BPF_OP(i->code) != BPF_DIV || BPF_SRC(i->code) != BPF_X || s->x.value)
		return false;
	answer(v, known(0));
	return s->x.known;
}

static int store(struct state *s, const struct sock_filter *i, struct surface_word value)
{
	if (i->k >= BPF_MEMWORDS)
		return -EINVAL;
	s->m[i->k] = value;
	return 0;
}

/* One instruction; the next ones are put among the ways. */
static int step(struct machine *v, struct state *s)
{
	const struct sock_filter *i = &v->code[s->pc];
	int r = 0;

	switch (BPF_CLASS(i->code)) {
	case BPF_RET:
		answer(v, BPF_RVAL(i->code) == BPF_A ? s->a : known(i->k));
		return 0;
	case BPF_JMP:
		return jump(v, s, i);
	case BPF_LD:
		r = load(v, s, i, &s->a);
		break;
	case BPF_LDX:
		r = load(v, s, i, &s->x);
		break;
	case BPF_ST:
		r = store(s, i, s->a);
		break;
	case BPF_STX:
		r = store(s, i, s->x);
		break;
	case BPF_ALU:
		if (divides_by_zero(v, s, i))
			return 0;
		r = alu(BPF_OP(i->code), &s->a, BPF_SRC(i->code) == BPF_X ? s->x : known(i->k));
		break;
	default:
		if (BPF_MISCOP(i->code) == BPF_TAX)
			s->x = s->a;
		else
			s->a = s->x;
	}
	return r < 0 ? r : follow(v, s, (uint64_t)s->pc + 1);
}

static int run(struct machine *v)
{
	struct state s = { .a = known(0), .x = known(0) };
	size_t steps = 0;
	int r;

	/* The kernel refuses programs that read memory before they wrote it. */
	r = follow(v, &s, 0);
	while (r == 0 && v->nways) {
		s = v->way[--v->nways];
		if (memcmp(&v->seen[s.pc], &s, sizeof(s)) == 0)
			continue;
		v->seen[s.pc] = s;
		r = ++steps > STEPS_MAX ? -E2BIG : step(v, &s);
	}
	return r;
}

int surface_bpf_run(const struct sock_filter *code, size_t n,
		    const struct surface_word data[SURFACE_WORDS], struct surface_answer *ret)
{
	_cleanup_free_ struct state *way = calloc(WAYS_MAX, sizeof(*way));
	_cleanup_free_ struct state *seen = calloc(n + 1, sizeof(*seen));
	struct machine v = { code, n, data, way, 0, seen, { 0 } };
	int r;

	if (!way || !seen)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		seen[i].pc = UINT32_MAX;
	r = run(&v);
	if (r == 0)
		*ret = v.answer;
	return r;
}

int surface_bpf_call(const struct sock_filter *code, size_t n, uint32_t arch, uint32_t number,
		     struct surface_answer *ret)
{
	const struct surface_word data[SURFACE_WORDS] = { { number, 1 }, { arch, 1 } };

	return surface_bpf_run(code, n, data, ret);
}

enum surface_verdict surface_bpf_verdict(const struct surface_answer *a)
{
	if (!a->pass && !a->ask)
		return SURFACE_NOTHING;
	return a->stop || a->ask ? SURFACE_PART : SURFACE_WHOLE;
}

enum surface_verdict surface_bpf_both(enum surface_verdict a, enum surface_verdict b)
{
	return MIN(a, b);
}
