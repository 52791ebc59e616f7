/*
 * err.h - one error, told once.
 *
 * The message is made where the cause is known ("open disk.img: No such file
 * or directory"), callers add context in front of it on the way up, and main
 * prints it.  A `struct err` is owned by the caller, needs no release and may
 * be NULL wherever a function here takes one (the code is still returned).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <errno.h>

#define ERR_TEXT_MAX 512

struct err {
	char text[ERR_TEXT_MAX]; /* one line, no newline; "" when nothing failed */
};

/* -errno, and negative even if errno was not set: analysers see r < 0. */
static inline int neg_errno(void)
{
	return errno > 0 ? -errno : -EIO;
}

/* Set the text.  Returns -code; `code` is a positive errno value. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Set the text to "FMT...: strerror(errno)".  Returns -errno. */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with the error given as a negative errno, which is returned. */
int err_code(struct err *e, int negative, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "FMT...: " in front of what is there. */
void err_context(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
