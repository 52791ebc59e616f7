/*
 * power.c - see power.h
 *
 * ACPI's button driver makes an input device of PNP0C0C; that reaches a
 * program without acpid and without /proc/acpi.
 */
#include "power.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

void power_open(struct power *power)
{
	DIR *dir = opendir("/dev/input");
	struct dirent *entry;

	power->count = 0;
	if (!dir) {
		note("no input devices, so no power button");
		return;
	}
	while (power->count < POWER_BUTTONS_MAX && (entry = readdir(dir))) {
		int fd;

		if (strncmp(entry->d_name, "event", 5) != 0)
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			power->fds[power->count++] = fd;
	}
	closedir(dir);
	note("input devices: %zu", power->count);
}

void power_prepare(const struct power *power, struct pollfd fds[POWER_BUTTONS_MAX])
{
	for (size_t i = 0; i < POWER_BUTTONS_MAX; i++) {
		fds[i] = (struct pollfd){ .fd = i < power->count ? power->fds[i] : -1,
					  .events = POLLIN };
	}
}

bool power_pressed(struct power *power, const struct pollfd fds[POWER_BUTTONS_MAX])
{
	struct input_event event;
	bool pressed = false;

	for (size_t i = 0; i < power->count; i++) {
		if (fds[i].revents & (POLLERR | POLLHUP | POLLNVAL)) {
			/* The device is gone; poll would tell so for ever. */
			close(power->fds[i]);
			power->fds[i] = -1;
			continue;
		}
		if (!(fds[i].revents & POLLIN))
			continue;
		while (read(power->fds[i], &event, sizeof(event)) == (ssize_t)sizeof(event)) {
			if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1)
				pressed = true;
		}
	}
	return pressed;
}
