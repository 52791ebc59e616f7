/*
 * console.h - the serial console as the command's terminal or byte stream
 */
#ifndef GUEST_INIT_CONSOLE_H
#define GUEST_INIT_CONSOLE_H

#include "params.h"

/*
 * Opens the console and puts it into the mode that *p asks for; a terminal
 * becomes the controlling terminal of this process's session.  Returns the
 * descriptor; fail() when it cannot be done.
 */
int console_open(const struct params *p);

/* Returns when the host has taken everything that was written. */
void console_drain(int tty);

/*
 * Signals that a terminal sends to background processes must not stop init;
 * also sets the standard descriptors of init itself to /dev/null.
 */
void console_detach_init(void);

#endif
