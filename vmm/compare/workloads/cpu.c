/*
 * cpu.c - work that stays in registers and the first-level cache and asks the
 * kernel for nothing: what a wall costs here is interrupts, and a clock or a
 * processor that it does not pass on as they are.
 */
#include "vmm/compare/workloads/workloads.h"

#include "vmm/image/sha256.h"

static void integers(void *ctx, uint64_t n)
{
	uint64_t *x = ctx;

	for (uint64_t i = 0; i < n * 1000; i++) {
		*x ^= *x << 13;
		*x ^= *x >> 7;
		*x ^= *x << 17;
	}
}

static void floats(void *ctx, uint64_t n)
{
	double *x = ctx;

	for (uint64_t i = 0; i < n * 1000; i++)
		*x = *x * 0.999999 + 1 / (*x + 1.5);
}

static void hash(void *ctx, uint64_t n)
{
	uint8_t block[1024] = { 0 }, digest[SHA256_SIZE];
	struct sha256 state;

	(void)ctx;
	for (uint64_t i = 0; i < n; i++) {
		sha256_init(&state);
		sha256_add(&state, block, sizeof(block));
		sha256_final(&state, digest);
		block[0] = digest[0];
	}
}

int workload_cpu(void)
{
	uint64_t x = 88172645463325252;
	double y = 1;

	workload_tell("integer", workload_rate(integers, &x) / 1000);
	workload_tell("floating-point", workload_rate(floats, &y) / 1000);
	workload_tell("sha256", 1024 / workload_rate(hash, NULL) * 1e9 / 1e6);
	/* Or the compiler would see that nobody wants them. */
	return x == 0 && y == 0;
}
