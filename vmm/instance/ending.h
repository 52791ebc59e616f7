/*
 * ending.h - how an instance ended, whatever wall it was behind: from what
 * was observed to an exit status, a word for the report and a sentence.
 */
#ifndef INSTANCE_ENDING_H
#define INSTANCE_ENDING_H

#include <stddef.h>

/* Exit statuses of Bulkhead itself; the command's own are 0 to 255. */
#define STATUS_ERROR	      125 /* an error of Bulkhead's */
#define STATUS_NOT_EXECUTABLE 126 /* the command exists and cannot be executed */
#define STATUS_NOT_FOUND      127
#define STATUS_SIGNAL	      128 /* + the signal's number */
#define STATUS_CRASH	      134 /* the guest panicked or stopped with a triple fault */
#define STATUS_TIMEOUT	      124

enum ending_reason {
	ENDING_NONE,
	ENDING_EXITED,	       /* the command exited by itself; value: its status */
	ENDING_SIGNALED,       /* a signal ended it; value: which */
	ENDING_NOT_FOUND,      /* value: errno */
	ENDING_NOT_EXECUTABLE, /* value: errno */
	ENDING_POWER_OFF,
	ENDING_REBOOT,
	ENDING_PANIC,
	ENDING_TRIPLE_FAULT,
	ENDING_TIMEOUT,
	ENDING_STOPPED, /* the user ended it; value: the signal, 0 for Ctrl-A X */
	ENDING_DEVICE_LOST,
	ENDING_EMULATION,     /* the host's KVM cannot run this guest */
	ENDING_KVM,	      /* KVM gave up for another reason */
	ENDING_GUEST_SETUP,   /* our init could not set the guest up */
	ENDING_OUT_OF_MEMORY, /* the limit of its memory was reached: ended by SIGKILL */
	ENDING_ERROR,	      /* an error of Bulkhead's own */
	ENDING_REASONS
};

#define ENDING_TEXT_MAX 3072

struct ending {
	enum ending_reason reason;
	int value;
	char text[ENDING_TEXT_MAX]; /* more about it, may be empty, may have several lines */
};

/* The exit status of `bulkhead run`. */
int ending_status(const struct ending *end);

/* The word in the report: "exited", "power-off", ... */
const char *ending_word(const struct ending *end);

/*
 * What the user has to be told, one line (or several: a register dump) into
 * *ret; "" when the status says it all (the command ended by itself, or the
 * guest powered off).  `command` is argv[0] of the command, or NULL.
 */
void ending_message(const struct ending *end, const char *command, char *out, size_t size);

#endif
