/* stream.c - fuzz target: the decoder of what the host sends to a guest's
 * init.  The same bytes in pieces of any size give the same data and events. */
#include "guest-kernel-config/init/stream.h"
#include "guest-kernel-config/guest_abi.h"
#include "tests/fuzz/input.h"

#define ALL 4096u

struct heard {
	size_t ndata, nevents;
	uint8_t data[ALL], events[ALL]; /* events: kind, and what belongs to it */
	size_t at[ALL];			/* how much data came before the event */
};

/* Feed `len` bytes, at the most `piece` at a time. */
static void decode(struct stream_decoder *s, struct heard *h, const uint8_t *in, size_t len,
		   size_t piece)
{
	while (len) {
		size_t part = MIN(len, piece), out = 0, used;
		enum stream_event event;

		used = stream_decode(s, in, part, h->data + h->ndata, &out, &event);
		must(used >= 1 && used <= part && out <= used);
		must(used == part || event != STREAM_NONE);
		h->ndata += out;
		if (event != STREAM_NONE) {
			uint8_t detail = event == STREAM_SIGNAL ? s->signal : s->bad;

			must(event != STREAM_SIGNAL || (s->signal >= 1 && s->signal <= 31));
			h->at[h->nevents] = h->ndata;
			h->events[h->nevents++] =
				(uint8_t)(event * 64 + (event == STREAM_EOF ? 0 : detail));
		}
		in += used;
		len -= used;
	}
}

/* Whatever state the decoder is left in, what the sender encodes arrives. */
static void round_trip(struct heard *h, const uint8_t *data, size_t len)
{
	static uint8_t wire[2 * ALL];
	struct stream_decoder s = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		wire[n++] = data[i];
		if (data[i] == BH_DLE)
			wire[n++] = BH_DLE;
	}
	memset(h, 0, sizeof(*h));
	decode(&s, h, wire, n, ALL);
	must(h->ndata == len && memcmp(h->data, data, len) == 0);
	must(h->nevents == 0 && s.state == STREAM_STATE_DATA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct heard whole, parts;
	struct stream_decoder a = { 0 }, b = { 0 };

	if (len == 0 || len > ALL)
		return 0;
	memset(&whole, 0, sizeof(whole));
	memset(&parts, 0, sizeof(parts));
	decode(&a, &whole, data + 1, len - 1, ALL);
	decode(&b, &parts, data + 1, len - 1, 1 + data[0] % 16);
	must(a.state == b.state);
	must(memcmp(&whole, &parts, sizeof(whole)) == 0);
	round_trip(&parts, data, len);
	return 0;
}
