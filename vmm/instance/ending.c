/* ending.c - see ending.h. */
#include "vmm/instance/ending.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/util.h"

static const struct {
	const char *word;
	int status;	      /* -1: see ending_status() */
	const char *sentence; /* in front of the text; NULL: nothing to tell */
} reasons[] = {
	[ENDING_NONE] = { "none", STATUS_ERROR, NULL },
	[ENDING_EXITED] = { "exited", -1, NULL },
	[ENDING_SIGNALED] = { "signaled", -1, NULL },
	[ENDING_NOT_FOUND] = { "not-found", STATUS_NOT_FOUND, NULL },
	[ENDING_NOT_EXECUTABLE] = { "not-executable", STATUS_NOT_EXECUTABLE, NULL },
	[ENDING_POWER_OFF] = { "power-off", 0, NULL },
	[ENDING_REBOOT] = { "reboot", 0, NULL },
	[ENDING_PANIC] = { "panic", STATUS_CRASH,
			   "the guest's kernel panicked; its last words are on the console" },
	[ENDING_TRIPLE_FAULT] = { "triple-fault", STATUS_CRASH, "" },
	[ENDING_TIMEOUT] = { "timeout", STATUS_TIMEOUT, "" },
	[ENDING_STOPPED] = { "stopped", -1, "" },
	[ENDING_DEVICE_LOST] = { "device-lost", STATUS_ERROR, "" },
	[ENDING_EMULATION] = { "emulation", STATUS_ERROR, "" },
	[ENDING_KVM] = { "kvm", STATUS_ERROR, "" },
	[ENDING_GUEST_SETUP] = { "guest-setup", STATUS_ERROR, "the guest could not be set up: " },
	[ENDING_OUT_OF_MEMORY] = { "out-of-memory", STATUS_SIGNAL + SIGKILL, "" },
	[ENDING_ERROR] = { "error", STATUS_ERROR, "" },
};

static_assert(ARRAY_SIZE(reasons) == ENDING_REASONS, "a row for every reason");

int ending_status(const struct ending *end)
{
	switch (end->reason) {
	case ENDING_EXITED:
		return end->value & 0xff;
	case ENDING_SIGNALED:
		return STATUS_SIGNAL + (end->value & 0x7f);
	case ENDING_STOPPED:
		return STATUS_SIGNAL + (end->value ? end->value : SIGKILL);
	default:
		return reasons[end->reason].status;
	}
}

const char *ending_word(const struct ending *end)
{
	return reasons[end->reason].word;
}

void ending_message(const struct ending *end, const char *command, char *out, size_t size)
{
	const char *name = command ? command : "the command";

	out[0] = '\0';
	switch (end->reason) {
	case ENDING_NOT_FOUND:
		snprintf(out, size, "%s: not found: %s", name, strerror(end->value));
		break;
	case ENDING_NOT_EXECUTABLE:
		snprintf(out, size, "%s: cannot be executed: %s", name, strerror(end->value));
		break;
	case ENDING_SIGNALED:
		/* As a shell does: the signals that a user sends himself are no news. */
		if (end->value != SIGINT && end->value != SIGPIPE && end->value != SIGTERM)
			snprintf(out, size, "%s was ended by signal %d (%s)", name, end->value,
				 strsignal(end->value));
		break;
	default:
		if (reasons[end->reason].sentence)
			snprintf(out, size, "%s%s", reasons[end->reason].sentence, end->text);
	}
}
