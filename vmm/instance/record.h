/*
 * record.h - what is known of an instance that was registered: the text of its
 * file `state`, written and read.  Pure.
 *
 * The text is lines of "KEY value"; keys that are not known are skipped, so
 * that a newer version may add some.  The command is one line: arguments
 * separated by one blank, everything but plain printable characters as \xHH.
 */
#ifndef INSTANCE_RECORD_H
#define INSTANCE_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RECORD_TEXT_MAX	   4096
#define RECORD_COMMAND_MAX 2048 /* longer ones are cut, with "..." behind */
#define RECORD_UUID_LEN	   36

struct record {
	char uuid[RECORD_UUID_LEN + 1];
	char wall[16];
	pid_t pid;			  /* of the supervisor */
	uint64_t started_ns;		  /* CLOCK_REALTIME */
	char command[RECORD_COMMAND_MAX]; /* "": none, the image's own init */
};

/* "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx" of 16 random bytes (RFC 9562, 5.4). */
void record_uuid(char out[RECORD_UUID_LEN + 1], const uint8_t random[16]);

/* argv as one line, into `out`. */
void record_command(char *out, size_t size, const char *const *argv, size_t argc);

/* Returns the length of the text in `out`. */
size_t record_format(char out[RECORD_TEXT_MAX], const struct record *r);

/* `text` is anybody's and is changed.  0, or -EINVAL: it is no record, *ret is
 * untouched. */
int record_parse(char *text, struct record *ret);

#endif
