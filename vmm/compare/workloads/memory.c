/*
 * memory.c - bandwidth (the triad of STREAM), latency (a chain of loads in
 * random order over growing sets: where a TLB no longer reaches, the walks
 * through two levels of page tables show), and the first touch of fresh pages.
 * What it does not show: several cores at once, other NUMA nodes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "vmm/compare/workloads/workloads.h"

#define TRIAD  (4 * 1024 * 1024) /* doubles: 32 MiB in each of three arrays */
#define LINE   64
#define PAGE   4096
#define TOUCH  (32u << 20)
#define ROUNDS 3

static void *fresh(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int triad(void)
{
	const size_t size = TRIAD * sizeof(double);
	double *a = fresh(size), *b = fresh(size), *c = fresh(size);
	uint64_t best = UINT64_MAX;

	if (!a || !b || !c)
		return workload_fail("mmap");
	for (size_t i = 0; i < TRIAD; i++) {
		a[i] = 0;
		b[i] = 1;
		c[i] = 2;
	}
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = workload_now(), took;

		for (size_t i = 0; i < TRIAD; i++)
			a[i] = b[i] + 3 * c[i];
		took = workload_now() - start;
		if (took < best)
			best = took;
		b[round] = a[round]; /* or the rounds are one */
	}
	workload_tell("triad", 3.0 * (double)size / (double)best);
	munmap(a, size);
	munmap(b, size);
	munmap(c, size);
	return 0;
}

/* One cycle through all lines, each once, in random order (Sattolo). */
static void make_chain(uint32_t *next, uint32_t lines, uint32_t stride)
{
	uint64_t x = 88172645463325252;

	for (uint32_t i = 0; i < lines; i++)
		next[(size_t)i * stride] = i * stride;
	for (uint32_t i = lines - 1; i > 0; i--) {
		uint32_t j, t;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		j = (uint32_t)(x % i);
		t = next[(size_t)i * stride];
		next[(size_t)i * stride] = next[(size_t)j * stride];
		next[(size_t)j * stride] = t;
	}
}

struct chase {
	const uint32_t *next;
	uint32_t at;
};

static void follow(void *ctx, uint64_t n)
{
	struct chase *chase = ctx;
	uint32_t at = chase->at;

	for (uint64_t i = 0; i < n; i++)
		at = chase->next[at];
	chase->at = at;
}

static int chase(const char *name, size_t size)
{
	struct chase c = { fresh(size), 0 };

	if (!c.next)
		return workload_fail("mmap");
	make_chain((uint32_t *)(uintptr_t)c.next, (uint32_t)(size / LINE), LINE / 4);
	workload_tell(name, workload_rate(follow, &c));
	munmap((void *)(uintptr_t)c.next, size);
	return c.at == UINT32_MAX;
}

static int first_touch(void)
{
	volatile char *p = fresh(TOUCH);
	uint64_t start = workload_now();

	if (!p)
		return workload_fail("mmap");
	madvise((void *)(uintptr_t)p, TOUCH, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < TOUCH; i += PAGE)
		p[i] = 1;
	workload_tell("first-touch", (double)(workload_now() - start) / (TOUCH / PAGE));
	munmap((void *)(uintptr_t)p, TOUCH);
	return 0;
}

int workload_memory(void)
{
	/* First: what comes later is given pages that the guest's kernel, and
	 * so the host, has touched already. */
	return first_touch() || triad() || chase("chase-16K", 16u << 10) ||
	       chase("chase-256K", 256u << 10) || chase("chase-4M", 4u << 20) ||
	       chase("chase-64M", 64u << 20);
}
