/*
 * terminal.h - the user's terminal in raw mode, and back again whatever
 * happens.
 */
#ifndef INSTANCE_TERMINAL_H
#define INSTANCE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "vmm/base/err.h"

struct terminal {
	bool raw; /* `saved` has to be restored */
	int fd;
	struct termios saved;
};

/* Raw mode: every key goes to the guest, nothing is echoed or translated. */
int terminal_enter_raw(struct terminal *t, int fd, struct err *e);

/* Is this process in the terminal's foreground?  True as well for a terminal that is
 * not its session's, over which there is no job control. */
bool terminal_is_ours(int fd);

/* Put back what was there; may be called at any time, any number of times. */
void terminal_restore(struct terminal *t);

/* Rows and columns of the window; 24 x 80 when it does not tell. */
void terminal_size(int fd, unsigned int *ret_rows, unsigned int *ret_cols);

/*
 * Looks for Ctrl-A X in what is typed.  Ctrl-A Ctrl-A (or Ctrl-A A) is one
 * Ctrl-A; Ctrl-A and anything else goes through as typed.
 */
struct terminal_escape {
	bool pending; /* a Ctrl-A was seen and is held back */
};

/*
 * Copy `len` typed bytes to `out` (room for len + 1) without the escapes.
 * Returns the number of bytes; *ret_quit is set when Ctrl-A X was among them
 * (what follows it is dropped).
 */
size_t terminal_escape_filter(struct terminal_escape *esc, const unsigned char *in, size_t len,
			      unsigned char *out, bool *ret_quit);

#endif
