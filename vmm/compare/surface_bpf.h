/*
 * surface_bpf.h - what a seccomp filter says to a call: an interpreter of its
 * classic BPF (linux/filter.h, seccomp(2)) in which a word may be unknown.
 *
 * With all words known there is one way through the program, the kernel's own.
 * Where one is not, as the arguments of a call are, both ways of a decision on
 * it are taken, so the answer holds every action that some argument may get.
 * It may hold one that none gets: that two tests exclude each other is not
 * noticed.  Pure.
 */
#ifndef COMPARE_SURFACE_BPF_H
#define COMPARE_SURFACE_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SURFACE_WORDS 16 /* of struct seccomp_data: number, architecture, ... */

struct surface_word {
	uint32_t value; /* 0 when it is not known */
	uint32_t known; /* 1 or 0; of this size, for words are compared as bytes */
};

/* Of one or several filters. */
struct surface_answer {
	bool pass;     /* the call may be let through */
	bool ask;      /* another process may decide: a tracer, a listener */
	bool stop;     /* it may fail, or its caller be killed */
	uint32_t last; /* an action: the one, where all words are known */
};

/* How much of a call a filter lets through. */
enum surface_verdict {
	SURFACE_NOTHING, /* whatever its arguments are, it is stopped */
	SURFACE_PART,	 /* some arguments, or what another process says */
	SURFACE_WHOLE,
};

/*
 * Run it.  0; -EINVAL: the kernel would not have taken that program; -E2BIG:
 * more ways through it than are followed; -ENOMEM.  *ret is untouched then.
 */
int surface_bpf_run(const struct sock_filter *code, size_t n,
		    const struct surface_word data[SURFACE_WORDS], struct surface_answer *ret);

/* The same for a call of that architecture (AUDIT_ARCH_...) whose arguments
 * are not known. */
int surface_bpf_call(const struct sock_filter *code, size_t n, uint32_t arch, uint32_t number,
		     struct surface_answer *ret);

enum surface_verdict surface_bpf_verdict(const struct surface_answer *answer);

/* Of two filters on the same process: the kernel does what the stricter says. */
enum surface_verdict surface_bpf_both(enum surface_verdict a, enum surface_verdict b);

#endif
