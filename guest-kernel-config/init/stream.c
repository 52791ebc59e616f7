/*
 * stream.c - see stream.h
 */
#include "stream.h"

#include "../guest_abi.h"

static enum stream_event escape(struct stream_decoder *d, uint8_t byte)
{
	d->state = STREAM_STATE_DATA;
	if (byte == BH_STREAM_EOF)
		return STREAM_EOF;
	if (byte == BH_STREAM_SIGNAL) {
		d->state = STREAM_STATE_SIGNAL;
		return STREAM_NONE;
	}
	d->bad = byte;
	return STREAM_BAD;
}

static enum stream_event signal_number(struct stream_decoder *d, uint8_t byte)
{
	d->state = STREAM_STATE_DATA;
	if (byte < 1 || byte > 31) {
		d->bad = byte;
		return STREAM_BAD;
	}
	d->signal = byte;
	return STREAM_SIGNAL;
}

size_t stream_decode(struct stream_decoder *d, const uint8_t *in, size_t len, uint8_t *out,
		     size_t *ret_out, enum stream_event *ret_event)
{
	enum stream_event event = STREAM_NONE;
	size_t used = 0, made = 0;

	while (used < len && event == STREAM_NONE) {
		uint8_t byte = in[used++];

		if (d->state == STREAM_STATE_SIGNAL) {
			event = signal_number(d, byte);
		} else if (d->state == STREAM_STATE_ESCAPE && byte != BH_DLE) {
			event = escape(d, byte);
		} else if (d->state == STREAM_STATE_DATA && byte == BH_DLE) {
			d->state = STREAM_STATE_ESCAPE;
		} else {
			d->state = STREAM_STATE_DATA;
			out[made++] = byte;
		}
	}
	*ret_out = made;
	*ret_event = event;
	return used;
}
