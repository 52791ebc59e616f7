/* err.c - see err.h.  Texts that do not fit are cut at their end. */
#include "vmm/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void set_text(struct err *e, const char *fmt,
							   va_list ap, int code)
{
	size_t used;
	int n;

	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	used = n < 0 ? 0 : (size_t)n;
	if (used == 0)
		e->text[0] = '\0';
	if (code && used < sizeof(e->text))
		snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(code));
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		va_start(ap, fmt);
		set_text(e, fmt, ap, 0);
		va_end(ap);
	}
	return code > 0 ? -code : -EIO;
}

int err_errno(struct err *e, const char *fmt, ...)
{
	int r = neg_errno();
	va_list ap;

	if (e) {
		va_start(ap, fmt);
		set_text(e, fmt, ap, -r);
		va_end(ap);
	}
	return r;
}

int err_code(struct err *e, int negative, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		va_start(ap, fmt);
		set_text(e, fmt, ap, -negative);
		va_end(ap);
	}
	return negative < 0 ? negative : -EIO;
}

void err_context(struct err *e, const char *fmt, ...)
{
	char front[ERR_TEXT_MAX];
	char was[ERR_TEXT_MAX];
	va_list ap;
	size_t used, rest;
	int n;

	if (!e)
		return;
	va_start(ap, fmt);
	n = vsnprintf(front, sizeof(front), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	memcpy(was, e->text, sizeof(was));
	used = strnlen(front, sizeof(front) - 3);
	memcpy(e->text, front, used);
	memcpy(e->text + used, ": ", 2);
	used += 2;
	rest = strnlen(was, sizeof(e->text) - used - 1);
	memcpy(e->text + used, was, rest);
	e->text[used + rest] = '\0';
}
