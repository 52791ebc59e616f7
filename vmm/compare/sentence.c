/* sentence.c - see sentence.h. */
#include "vmm/compare/sentence.h"

#include <stdarg.h>
#include <stdio.h>

#include "vmm/base/util.h"

void sentence_add(struct sentence *s, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(s->out + s->n, s->size - s->n, format, args);
	va_end(args);
	s->n = MIN(s->n + (size_t)MAX(n, 0), s->size - 1);
}
