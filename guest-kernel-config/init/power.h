/*
 * power.h - the power button, as an input device
 */
#ifndef GUEST_INIT_POWER_H
#define GUEST_INIT_POWER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define POWER_BUTTONS_MAX 4

struct power {
	int fds[POWER_BUTTONS_MAX];
	size_t count;
};

/*
 * Opens the input devices; none is no error.  A guest without a screen has
 * none but buttons, so the first few are all.
 */
void power_open(struct power *power);

/* Fills POWER_BUTTONS_MAX entries of what to wait for. */
void power_prepare(const struct power *power, struct pollfd fds[POWER_BUTTONS_MAX]);

/* Reads what happened; true when a button was pressed. */
bool power_pressed(struct power *power, const struct pollfd fds[POWER_BUTTONS_MAX]);

#endif
