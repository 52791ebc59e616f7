/*
 * test_guest_stream.c - the escapes in the stream from host to guest
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "guest-kernel-config/guest_abi.h"
#include "guest-kernel-config/init/stream.h"

#define OUT_MAX 4096

/* What came out: data, and the events as letters with their argument. */
struct result {
	uint8_t data[OUT_MAX];
	size_t len;
	char events[64];
};

static void add_event(struct result *result, const struct stream_decoder *d, enum stream_event e)
{
	size_t at = strlen(result->events);

	assert_true(at + 2 < sizeof(result->events));
	if (e == STREAM_EOF) {
		result->events[at] = 'E';
	} else if (e == STREAM_SIGNAL) {
		result->events[at] = 'S';
		result->events[at + 1] = (char)('@' + d->signal);
	} else if (e == STREAM_BAD) {
		result->events[at] = '!';
		result->events[at + 1] = (char)d->bad;
	}
}

/* Feeds the input in pieces of `piece` bytes, each in a buffer of its size. */
static void decode(struct result *result, const void *input, size_t len, size_t piece)
{
	struct stream_decoder d = { 0 };
	const uint8_t *in = input;

	*result = (struct result){ 0 };
	while (len > 0) {
		size_t size = piece < len ? piece : len, used = 0, part, made;
		uint8_t *copy = malloc(size), *out = malloc(size);
		enum stream_event event;

		assert_non_null(copy);
		assert_non_null(out);
		memcpy(copy, in, size);
		for (; used < size; used += part) {
			part = stream_decode(&d, copy + used, size - used, out, &made, &event);
			assert_true(part > 0 && part <= size - used && made <= part);
			assert_true(result->len + made <= OUT_MAX);
			memcpy(result->data + result->len, out, made);
			result->len += made;
			add_event(result, &d, event);
		}
		free(copy);
		free(out);
		in += size;
		len -= size;
	}
}

static void expect(const void *in, size_t in_len, const void *out, size_t out_len,
		   const char *events)
{
	struct result result;

	for (size_t piece = 1; piece <= in_len + 1; piece++) {
		decode(&result, in, in_len, piece);
		assert_int_equal(result.len, out_len);
		assert_memory_equal(result.data, out, out_len);
		assert_string_equal(result.events, events);
	}
}

#define EXPECT(in, out, events) expect(in, sizeof(in) - 1, out, sizeof(out) - 1, events)

static void test_plain(void **state)
{
	(void)state;
	EXPECT("hello\n", "hello\n", "");
	EXPECT("\x00\x03\x04\x11\x13\xff", "\x00\x03\x04\x11\x13\xff", "");
}

static void test_escaped_byte(void **state)
{
	(void)state;
	EXPECT("a\x10\x10"
	       "b",
	       "a\x10"
	       "b",
	       "");
	EXPECT("\x10\x10\x10\x10", "\x10\x10", "");
	EXPECT("\x10\x10"
	       "E",
	       "\x10"
	       "E",
	       "");
}

static void test_eof(void **state)
{
	(void)state;
	EXPECT("x\x10"
	       "E",
	       "x", "E");
	EXPECT("x\x10"
	       "Ey",
	       "xy", "E");
}

static void test_signals(void **state)
{
	(void)state;
	EXPECT("\x10"
	       "S\x02",
	       "", "SB");
	EXPECT("a\x10"
	       "S\x0f"
	       "b\x10"
	       "S\x1f"
	       "c",
	       "abc", "SOS_");
	/* Signal 16 is the escape byte's own value. */
	EXPECT("\x10"
	       "S\x10"
	       "E",
	       "E", "SP");
}

static void test_bad(void **state)
{
	(void)state;
	EXPECT("a\x10"
	       "Xb",
	       "ab", "!X");
	EXPECT("a\x10"
	       "S b",
	       "ab", "! ");
	EXPECT("\x10"
	       "S\x7f",
	       "", "!\x7f");
}

/* An escape cut in two waits for its rest. */
static void test_cut(void **state)
{
	(void)state;
	EXPECT("a\x10", "a", "");
	EXPECT("a\x10"
	       "S",
	       "a", "");
}

/* Everything that is sent escaped comes back, whatever it is. */
static void test_round_trip(void **state)
{
	uint8_t plain[1024], sent[2048];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(plain); i++) {
		plain[i] = (uint8_t)(i * 167 + i / 256);
		sent[n++] = plain[i];
		if (plain[i] == BH_DLE)
			sent[n++] = BH_DLE;
	}
	expect(sent, n, plain, sizeof(plain), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	   cmocka_unit_test(test_escaped_byte),
		cmocka_unit_test(test_eof),	   cmocka_unit_test(test_signals),
		cmocka_unit_test(test_bad),	   cmocka_unit_test(test_cut),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
