/*
 * util.h - the small things that every part needs: clean-up by attribute,
 * checked arithmetic, clocks, bounded I/O.  Knows nothing of virtual machines.
 */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)			((a) < (b) ? (a) : (b))
#define MAX(a, b)			((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a)			(((x) + ((a)-1)) & ~((a)-1))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define KIB	  1024ULL
#define MIB	  (1024ULL * 1024)
#define GIB	  (1024ULL * 1024 * 1024)
#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL

static inline void cleanup_close_fn(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free_fn(void *p)
{
	free(*(void **)p);
}

#define _cleanup_close_ __attribute__((cleanup(cleanup_close_fn)))
#define _cleanup_free_	__attribute__((cleanup(cleanup_free_fn)))

/* Hand an owned fd (or pointer) out of a scope that would have released it. */
static inline int take_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

static inline void *take_ptr_fn(void *pp)
{
	void *p = *(void **)pp;

	*(void **)pp = NULL;
	return p;
}
#define take_ptr(pp) ((__typeof__(*(pp)))take_ptr_fn(pp))

/* Close *fd if it is open and set it to -1. */
void close_fd(int *fd);

/*
 * `size` bytes of zeroes in pages of their own: for what is large and mostly
 * not used, because pages that nobody touched cost nothing, a fork least of
 * all.  Owned by the caller, to be given to zero_pages_free() with the same
 * size.  NULL with errno.
 */
void *zero_pages_new(size_t size);
/* p may be NULL. */
void zero_pages_free(void *p, size_t size);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

/*
 * Parse a decimal number, the whole of `text`, min <= value <= max.
 * 0, -EINVAL (not a number) or -ERANGE; *ret_value is untouched on failure.
 */
int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* Parse a size in bytes: a decimal number with an optional K, M, G or T
 * (powers of 1024).  0, -EINVAL or -ERANGE. */
int parse_size(const char *text, uint64_t *ret_bytes);

/* Write all of it, restarting after signals and short writes.  0 or -errno. */
int write_all(int fd, const void *data, size_t len);

/* Read exactly `len` bytes at `offset`.  0, -ENODATA at an early end, -errno. */
int pread_all(int fd, void *data, size_t len, uint64_t offset);

/* A string as one printable line: everything outside 0x20..0x7e becomes '?'.
 * Returns `out`; at most `size - 1` characters. */
char *printable(char *out, size_t size, const char *text);

#endif
