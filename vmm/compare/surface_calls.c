/* surface_calls.c - see surface_calls.h. */
#include "vmm/compare/surface_calls.h"

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

void surface_calls_add(struct surface_calls *s, uint64_t number)
{
	if (number < SURFACE_CALLS)
		s->bits[number / 64] |= 1ULL << number % 64;
}

bool surface_calls_has(const struct surface_calls *s, uint64_t number)
{
	return number < SURFACE_CALLS && s->bits[number / 64] >> number % 64 & 1;
}

static bool name_of(uint32_t number, char out[SURFACE_NAME])
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);

	if (name)
		snprintf(out, SURFACE_NAME, "%s", name);
	free(name);
	return name != NULL;
}

uint32_t surface_calls_known(void)
{
	char name[SURFACE_NAME];
	uint32_t n = 0;

	for (uint32_t i = 0; i < SURFACE_CALLS; i++)
		n += name_of(i, name);
	return n;
}

uint32_t surface_calls_arch(void)
{
	return seccomp_arch_native(); /* its tokens are the kernel's */
}

int surface_calls_name(const struct surface_calls *s, struct surface_names *to)
{
	char name[SURFACE_NAME];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < SURFACE_CALLS; i++) {
		if (!surface_calls_has(s, i))
			continue;
		if (!name_of(i, name))
			snprintf(name, sizeof(name), "#%u", i);
		r = surface_names_add(to, name);
	}
	return r;
}

int surface_calls_filter(const struct sock_filter *code, size_t n, uint8_t verdict[SURFACE_CALLS])
{
	uint32_t arch = surface_calls_arch();

	for (uint32_t i = 0; i < SURFACE_CALLS; i++) {
		struct surface_answer a;
		int r = surface_bpf_call(code, n, arch, i, &a);

		if (r < 0)
			return r;
		verdict[i] = (uint8_t)surface_bpf_both((enum surface_verdict)verdict[i],
						       surface_bpf_verdict(&a));
	}
	return 0;
}

int surface_calls_with(const uint8_t verdict[SURFACE_CALLS], enum surface_verdict which,
		       struct surface_names *to)
{
	char name[SURFACE_NAME];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < SURFACE_CALLS; i++)
		if (verdict[i] == which && name_of(i, name))
			r = surface_names_add(to, name);
	return r;
}
