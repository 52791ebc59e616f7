/*
 * iov.h - taking bytes off a vector of buffers.  What the vectors point to is
 * guest memory: bytes are copied once, into or out of private memory.
 */
#ifndef IOV_H
#define IOV_H

#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

struct iov_cursor {
	struct iovec *iov;
	unsigned int count;
};

/* Drop up to `len` bytes from the front, copying them into `to` (or, with
 * `from`, overwriting them) when it is not NULL.  Returns how many. */
static inline size_t iov_take(struct iov_cursor *c, size_t len, void *to, const void *from)
{
	size_t done = 0;

	while (c->count && done < len) {
		size_t part = c->iov->iov_len < len - done ? c->iov->iov_len : len - done;

		if (to)
			memcpy((uint8_t *)to + done, c->iov->iov_base, part);
		if (from)
			memcpy(c->iov->iov_base, (const uint8_t *)from + done, part);
		c->iov->iov_base = (uint8_t *)c->iov->iov_base + part;
		c->iov->iov_len -= part;
		done += part;
		if (c->iov->iov_len == 0) {
			c->iov++;
			c->count--;
		}
	}
	return done;
}

#endif
