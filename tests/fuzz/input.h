/*
 * input.h - a fuzzer's bytes as a sequence of decisions.
 *
 * Whoever reads past the end gets zeros, so every input is valid and a
 * mutation changes one decision, not the meaning of all that follow.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"

/* libFuzzer's two entries. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A property does not hold: says which, and ends as a finding. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* An fd that somebody forgot to close moves it. */
static inline int lowest_free_fd(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	close(fd);
	return fd;
}

struct input {
	const uint8_t *data;
	size_t left;
};

static inline void in_bytes(struct input *in, void *out, size_t len)
{
	size_t n = MIN(len, in->left);

	memset(out, 0, len);
	memcpy(out, in->data, n);
	in->data += n;
	in->left -= n;
}

static inline uint8_t in_u8(struct input *in)
{
	uint8_t v;

	in_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint16_t in_u16(struct input *in)
{
	uint16_t v;

	in_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint32_t in_u32(struct input *in)
{
	uint32_t v;

	in_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint64_t in_u64(struct input *in)
{
	uint64_t v;

	in_bytes(in, &v, sizeof(v));
	return v;
}

/* 0 .. n - 1; n <= 256 */
static inline unsigned int in_below(struct input *in, unsigned int n)
{
	return in_u8(in) % n;
}

/* One of the numbers that code is wrong about, or any. */
static inline uint64_t in_odd_number(struct input *in)
{
	static const uint64_t odd[] = {
		0,
		1,
		2,
		15,
		16,
		511,
		512,
		4095,
		4096,
		0xffff,
		0x10000,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x100000000,
		UINT64_MAX,
		UINT64_MAX - 15,
		UINT64_MAX - 4095,
		INT64_MAX,
		1ULL << 63,
	};
	unsigned int i = in_below(in, 32);

	if (i < ARRAY_SIZE(odd))
		return odd[i];
	return i < 28 ? in_u16(in) : in_u64(in);
}

#endif
