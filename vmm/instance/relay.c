/*
 * relay.c - see relay.h.
 *
 * Writes never block: walls' pipes are ours and non-blocking; the user's
 * output is opened anew where that is possible (relay_reopen).  A socket is
 * asked not to wait; anything else is written when poll says so, and no more
 * at a time than fits then: RELAY_BUFFER <= PIPE_BUF into a pipe, less into a
 * terminal.
 */
#include "vmm/instance/relay.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-kernel-config/guest_abi.h"
#include "vmm/base/util.h"

#define CTRL_C	  0x03
#define TTY_CHUNK 256
#define ROUNDS	  32 /* before the loop's other sources have their turn */

size_t relay_escape(const unsigned char *in, size_t len, unsigned char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (in[i] == BH_DLE)
			out[n++] = BH_DLE;
		out[n++] = in[i];
	}
	return n;
}

int relay_reopen(int fd, int flags)
{
	char path[32];
	struct stat st;

	if (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || isatty(fd)))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static size_t kept(const struct relay_pipe *p)
{
	return p->end - p->start;
}

/* Room for one more read, escaped? */
static bool has_room(const struct relay_pipe *p)
{
	return sizeof(p->data) - kept(p) >= 2 * RELAY_BUFFER;
}

static void put(struct relay_pipe *p, const unsigned char *data, size_t len)
{
	if (sizeof(p->data) - p->end < len) {
		memmove(p->data, p->data + p->start, kept(p));
		p->end -= p->start;
		p->start = 0;
	}
	if (sizeof(p->data) - p->end < len)
		return; /* callers have asked has_room() */
	memcpy(p->data + p->end, data, len);
	p->end += len;
}

/* Watch `fd` or, where epoll refuses it (a file), remember that it is always
 * ready. */
static void watch(struct relay *r, struct loop_source *s, int fd, uint32_t events, bool *regular)
{
	if (fd < 0 || *regular || s->watched)
		return;
	if (loop_add(r->loop, s, fd, events) == -EPERM)
		*regular = true;
}

static void unwatch(struct relay *r, struct loop_source *s)
{
	if (s->watched)
		loop_remove(r->loop, s);
}

static void broken(struct relay *r, int code)
{
	if (r->broken)
		return;
	r->broken = true;
	r->broken_pipe(r->ctx, code);
}

/* Who took it is gone: there is no input from now on. */
static void end_input(struct relay *r)
{
	unwatch(r, &r->in.source);
	unwatch(r, &r->in.sink);
	r->in.to = -1;
	r->in.eof = true;
}

/* What kind of sink is it?  See the head of this file. */
static void examine_sink(struct relay_pipe *p)
{
	struct stat st;
	int flags;

	if (p->to < 0 || fstat(p->to, &st) < 0)
		return;
	flags = fcntl(p->to, F_GETFL);
	p->to_socket = S_ISSOCK(st.st_mode);
	p->to_tty = S_ISCHR(st.st_mode);
	p->to_own = flags >= 0 && (flags & O_NONBLOCK);
}

/* One write that does not wait: -EAGAIN instead. */
static ssize_t write_some(const struct relay_pipe *p)
{
	const unsigned char *data = p->data + p->start;
	size_t len = MIN(kept(p), (size_t)RELAY_BUFFER);
	struct pollfd pfd = { .fd = p->to, .events = POLLOUT };

	if (p->to_socket)
		return send(p->to, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!p->to_own && poll(&pfd, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (p->to_tty && !p->to_own)
		len = MIN(len, (size_t)TTY_CHUNK);
	return write(p->to, data, len);
}

/* Write what is kept.  True: all of it is gone. */
static bool flush(struct relay *r, struct relay_pipe *p)
{
	while (kept(p)) {
		ssize_t n = write_some(p);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			p->start = p->end;
			if (p == &r->out)
				broken(r, errno);
			else
				end_input(r);
			break;
		}
		p->start += (size_t)n;
	}
	p->start = p->end = 0;
	return true;
}

/* --- output --- */

static void output_ready(void *ctx, uint32_t events);

static void pump_output(struct relay *r)
{
	struct relay_pipe *p = &r->out;
	ssize_t n;

	/* A guest that never stops talking must not keep us from the rest. */
	for (int round = 0; round < ROUNDS && !kept(p) && !p->eof; round++) {
		n = read(p->from, p->data, RELAY_BUFFER);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* EIO: a terminal that nobody has open any more. */
			if (n == 0 || errno == EIO) {
				p->eof = true;
				unwatch(r, &p->source);
			}
			return;
		}
		if (p->to < 0 || r->broken)
			continue;
		p->start = 0;
		p->end = (size_t)n;
		if (!flush(r, p)) {
			unwatch(r, &p->source);
			watch(r, &p->sink, p->to, EPOLLOUT, &p->to_regular);
			return;
		}
	}
}

static void output_ready(void *ctx, uint32_t events)
{
	(void)events;
	pump_output(ctx);
}

static void output_room(void *ctx, uint32_t events)
{
	struct relay *r = ctx;
	bool never = false;

	(void)events;
	if (!flush(r, &r->out))
		return;
	unwatch(r, &r->out.sink);
	watch(r, &r->out.source, r->out.from, EPOLLIN, &never);
}

/* --- input --- */

static void input_room(void *ctx, uint32_t events);

/* Take what was typed or piped in. */
static void take_input(struct relay *r, const unsigned char *data, size_t len)
{
	static const unsigned char end[] = { BH_DLE, BH_STREAM_EOF };
	unsigned char coded[2 * RELAY_BUFFER];
	bool quit = false;
	size_t n = len;

	switch (r->input) {
	case RELAY_INPUT_KEYS:
		n = terminal_escape_filter(&r->escape, data, len, coded, &quit);
		put(&r->in, coded, n);
		break;
	case RELAY_INPUT_STREAM:
		if (len == 0)
			put(&r->in, end, sizeof(end));
		n = relay_escape(data, len, coded);
		put(&r->in, coded, n);
		break;
	default:
		put(&r->in, data, len);
	}
	if (quit)
		r->quit(r->ctx);
}

static void flush_input(struct relay *r)
{
	struct relay_pipe *p = &r->in;
	bool never = false;

	if (!r->ready || p->to < 0)
		return;
	if (flush(r, p))
		unwatch(r, &p->sink);
	else
		watch(r, &p->sink, p->to, EPOLLOUT, &never);
}

static void pump_input(struct relay *r)
{
	struct relay_pipe *p = &r->in;
	unsigned char data[RELAY_BUFFER];
	bool never = false;
	ssize_t n;

	for (int round = 0; round < ROUNDS; round++) {
		if (p->eof || p->from < 0)
			return;
		if (!has_room(p)) {
			/* Keys are read on, for Ctrl-A X; what is typed is lost. */
			if (r->input != RELAY_INPUT_KEYS) {
				unwatch(r, &p->source);
				return;
			}
			p->start = p->end = 0;
		}
		n = read(p->from, data, sizeof(data));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n <= 0) {
			n = 0;
			p->eof = true;
			unwatch(r, &p->source);
		}
		take_input(r, data, (size_t)n);
		flush_input(r);
		if (!p->from_regular)
			return;
	}
	/* A file without end, and a guest that takes it as fast. */
	watch(r, &p->sink, p->to, EPOLLOUT, &never);
}

static void input_ready(void *ctx, uint32_t events)
{
	(void)events;
	pump_input(ctx);
}

static void start_input(struct relay *r)
{
	struct relay_pipe *p = &r->in;

	if (p->eof || p->from < 0 || p->source.watched)
		return;
	watch(r, &p->source, p->from, EPOLLIN, &p->from_regular);
	if (p->from_regular)
		pump_input(r);
}

static void input_room(void *ctx, uint32_t events)
{
	struct relay *r = ctx;

	(void)events;
	flush_input(r);
	if (has_room(&r->in))
		start_input(r);
}

int relay_start(struct relay *r, struct loop *loop, enum relay_input input, int user_in,
		int user_out, int wall_in, int wall_out, struct err *e)
{
	int code;

	r->loop = loop;
	r->input = wall_in < 0 ? RELAY_INPUT_NONE : input;
	r->in.from = r->input == RELAY_INPUT_NONE ? -1 : user_in;
	r->in.to = wall_in;
	r->out.from = wall_out;
	r->out.to = user_out;
	examine_sink(&r->out);
	examine_sink(&r->in);
	r->in.source = (struct loop_source){ .ready = input_ready, .ctx = r };
	r->in.sink = (struct loop_source){ .ready = input_room, .ctx = r };
	r->out.source = (struct loop_source){ .ready = output_ready, .ctx = r };
	r->out.sink = (struct loop_source){ .ready = output_room, .ctx = r };
	r->out.eof = wall_out < 0;
	code = r->out.eof ? 0 : loop_add(loop, &r->out.source, wall_out, EPOLLIN);
	if (code < 0)
		return err_code(e, code, "watch the console");
	/* Keys at once, for Ctrl-A X; anything else when the guest asks. */
	if (r->input == RELAY_INPUT_KEYS)
		start_input(r);
	return 0;
}

void relay_ready(struct relay *r)
{
	if (r->ready)
		return;
	r->ready = true;
	if (r->input == RELAY_INPUT_STREAM && r->in.from < 0 && !r->in.eof) {
		r->in.eof = true; /* no input is an input that is at its end */
		take_input(r, NULL, 0);
	}
	flush_input(r);
	start_input(r);
}

bool relay_send_signal(struct relay *r, int signum)
{
	const unsigned char stream[] = { BH_DLE, BH_STREAM_SIGNAL, (unsigned char)signum };
	const unsigned char key[] = { CTRL_C };

	if (r->in.to < 0 || !r->ready || sizeof(r->in.data) - kept(&r->in) < sizeof(stream))
		return false;
	if (r->input == RELAY_INPUT_STREAM)
		put(&r->in, stream, sizeof(stream));
	else if (signum == SIGINT)
		put(&r->in, key, sizeof(key));
	else
		return false;
	flush_input(r);
	return true;
}

/* Is there anything left to read? */
static bool more(struct relay *r)
{
	struct pollfd pfd = { .fd = r->out.from, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLIN);
}

/* Wait until the sink takes something (RELAY_TAKEN), or why not. */
static enum relay_rest wait_for_sink(const struct relay *r, uint64_t deadline_ns,
				     const int others[2])
{
	struct pollfd pfd[3] = {
		{ .fd = r->out.to, .events = POLLOUT },
		{ .fd = others[0], .events = POLLIN },
		{ .fd = others[1], .events = POLLIN },
	};
	uint64_t now = now_ns();
	int ms = -1, n;

	if (deadline_ns && now >= deadline_ns)
		return RELAY_LATE;
	if (deadline_ns)
		ms = (int)MIN((deadline_ns - now) / NS_PER_MS + 1, (uint64_t)INT_MAX);
	n = poll(pfd, 3, ms);
	if (n <= 0)
		return n < 0 && errno == EINTR ? RELAY_TAKEN : RELAY_LATE;
	/* The first of them is looked at before the sink, the second after it: who
	 * cannot take what is there must not keep the output from a sink with room. */
	if (pfd[1].revents & POLLIN)
		return RELAY_INTERRUPTED;
	return pfd[0].revents || !(pfd[2].revents & POLLIN) ? RELAY_TAKEN : RELAY_INTERRUPTED;
}

enum relay_rest relay_finish(struct relay *r, uint64_t deadline_ns, const int others[2])
{
	while (!r->broken) {
		enum relay_rest rest;

		pump_output(r);
		if (!kept(&r->out)) {
			if (r->out.eof || !more(r))
				return RELAY_TAKEN;
			continue;
		}
		rest = wait_for_sink(r, deadline_ns, others);
		if (rest != RELAY_TAKEN)
			return rest;
		flush(r, &r->out);
	}
	return RELAY_TAKEN; /* that it broke was told */
}
