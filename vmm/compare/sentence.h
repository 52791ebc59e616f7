/*
 * sentence.h - a text that grows and is cut where its room ends.
 */
#ifndef COMPARE_SENTENCE_H
#define COMPARE_SENTENCE_H

#include <stddef.h>

struct sentence {
	char *out; /* `size` bytes, the caller's */
	size_t n, size;
};

/* Add to it, as printf() has it. */
void sentence_add(struct sentence *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
