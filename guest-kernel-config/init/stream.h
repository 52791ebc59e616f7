/*
 * stream.h - takes the escapes out of what the host sends (console=stream)
 *
 * The format is in guest_abi.h.  Pure: no I/O, bytes may arrive in pieces of
 * any size.
 */
#ifndef GUEST_INIT_STREAM_H
#define GUEST_INIT_STREAM_H

#include <stddef.h>
#include <stdint.h>

enum stream_event {
	STREAM_NONE,   /* all input was data and was consumed */
	STREAM_EOF,    /* end of the command's standard input */
	STREAM_SIGNAL, /* deliver decoder->signal */
	STREAM_BAD,    /* not an escape that is known; decoder->bad tells */
};

enum stream_state {
	STREAM_STATE_DATA,
	STREAM_STATE_ESCAPE,
	STREAM_STATE_SIGNAL,
};

struct stream_decoder {
	enum stream_state state;
	uint8_t signal;
	uint8_t bad;
};

/*
 * Consumes input up to and with the first event, or all of it.  Data goes to
 * `out`, which must hold `len` bytes; its amount to *ret_out.  Returns the
 * bytes consumed; the caller acts on *ret_event and calls again with the rest.
 */
size_t stream_decode(struct stream_decoder *d, const uint8_t *in, size_t len, uint8_t *out,
		     size_t *ret_out, enum stream_event *ret_event);

#endif
