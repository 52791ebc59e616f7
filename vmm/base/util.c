/* util.c - see util.h. */
#include "vmm/base/util.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "vmm/base/err.h"

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void *zero_pages_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void zero_pages_free(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/*
 * Digits at the start of `text`; *end is what follows them, also when their
 * value does not fit: garbage behind a huge number is still no number.
 */
static int parse_digits(const char *text, uint64_t *ret_value, const char **end)
{
	uint64_t v = 0;
	bool fits = true;
	const char *p = text;

	*end = text;
	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			fits = false;
	}
	*end = p;
	if (!fits)
		return -ERANGE;
	*ret_value = v;
	return 0;
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	const char *end;
	uint64_t v = 0;
	int r;

	r = parse_digits(text, &v, &end);
	if (*end)
		return -EINVAL;
	if (r < 0)
		return r;
	if (v < min || v > max)
		return -ERANGE;
	*ret_value = v;
	return 0;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	const char *end, *unit;
	unsigned int shift = 0;
	uint64_t v = 0;
	int r;

	r = parse_digits(text, &v, &end);
	if (r == -EINVAL)
		return r;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (r < 0 || v > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = v << shift;
	return 0;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return neg_errno();
		}
		if (n == 0)
			return -EIO; /* no progress and no reason: not for ever */
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int pread_all(int fd, void *data, size_t len, uint64_t offset)
{
	char *p = data;
	ssize_t n;

	while (len) {
		n = pread(fd, p, len, (off_t)offset);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return neg_errno();
		}
		if (n == 0)
			return -ENODATA;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

char *printable(char *out, size_t size, const char *text)
{
	size_t i;

	if (size == 0)
		return out;
	for (i = 0; i + 1 < size && text[i]; i++)
		out[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	out[i] = '\0';
	return out;
}
