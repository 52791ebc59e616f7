/* terminal.c - see terminal.h. */
#include "vmm/instance/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define CTRL_A 0x01

int terminal_enter_raw(struct terminal *t, int fd, struct err *e)
{
	struct termios raw;

	if (tcgetattr(fd, &t->saved) < 0)
		return err_errno(e, "read the terminal's settings");
	raw = t->saved;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return err_errno(e, "set the terminal to raw mode");
	t->fd = fd;
	t->raw = true;
	return 0;
}

bool terminal_is_ours(int fd)
{
	pid_t group = tcgetpgrp(fd);

	return group < 0 || group == getpgrp();
}

void terminal_restore(struct terminal *t)
{
	if (!t->raw)
		return;
	t->raw = false;
	tcsetattr(t->fd, TCSADRAIN, &t->saved);
}

void terminal_size(int fd, unsigned int *ret_rows, unsigned int *ret_cols)
{
	struct winsize ws;

	*ret_rows = 24;
	*ret_cols = 80;
	if (ioctl(fd, TIOCGWINSZ, &ws) < 0 || ws.ws_row == 0 || ws.ws_col == 0)
		return;
	*ret_rows = ws.ws_row;
	*ret_cols = ws.ws_col;
}

size_t terminal_escape_filter(struct terminal_escape *esc, const unsigned char *in, size_t len,
			      unsigned char *out, bool *ret_quit)
{
	size_t n = 0;

	*ret_quit = false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = in[i];

		if (!esc->pending) {
			if (c == CTRL_A)
				esc->pending = true;
			else
				out[n++] = c;
			continue;
		}
		esc->pending = false;
		if (c == 'x' || c == 'X') {
			*ret_quit = true;
			return n;
		}
		out[n++] = CTRL_A;
		if (c != CTRL_A && c != 'a' && c != 'A')
			out[n++] = c;
	}
	return n;
}
