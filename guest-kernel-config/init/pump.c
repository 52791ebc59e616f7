/*
 * pump.c - see pump.h
 *
 * The command's output is a pipe rather than the console itself: programs
 * must see that no terminal is there (no columns, colours, pagers), and
 * nothing that a program does to its standard output may put the console out
 * of its raw mode.
 */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

enum { POLL_TTY, POLL_INPUT, POLL_OUTPUT };

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		fail("cannot set up the command's pipes: %s", strerror(errno));
}

void pump_init(struct pump *pump, int tty, int input, int output, pid_t group)
{
	pump->tty = tty;
	pump->input = input;
	pump->output = output;
	pump->group = group;
	set_nonblocking(input);
	set_nonblocking(output);
}

void pump_end_input(struct pump *pump)
{
	pump->eof = true;
	close_end(&pump->input);
}

/* After the end of the input, or without a reader, data goes nowhere. */
static void store_input(struct pump *pump, const uint8_t *data, size_t len)
{
	if (pump->eof || pump->input < 0)
		return;
	for (size_t i = 0; i < len; i++)
		pump->in[(pump->in_head + pump->in_len + i) % PUMP_INPUT_MAX] = data[i];
	pump->in_len += len;
}

static void decode(struct pump *pump, const uint8_t *data, size_t len)
{
	uint8_t plain[PUMP_CHUNK];
	enum stream_event event;
	size_t used, made;

	for (; len > 0; data += used, len -= used) {
		used = stream_decode(&pump->decoder, data, len, plain, &made, &event);
		store_input(pump, plain, made);
		if (event == STREAM_EOF)
			pump->eof = true;
		else if (event == STREAM_SIGNAL)
			kill(-pump->group, pump->decoder.signal);
		else if (event == STREAM_BAD)
			fail("the console's input has an escape that is not known (0x%02x)",
			     pump->decoder.bad);
	}
}

static bool has_room(const struct pump *pump)
{
	return PUMP_INPUT_MAX - pump->in_len >= PUMP_CHUNK;
}

static void read_tty(struct pump *pump)
{
	uint8_t data[PUMP_CHUNK];
	ssize_t n = read(pump->tty, data, sizeof(data));

	if (n > 0)
		decode(pump, data, (size_t)n);
	else if (n < 0 && !would_block())
		fail("the console is lost: %s", strerror(errno));
}

static void write_input(struct pump *pump)
{
	size_t len = PUMP_INPUT_MAX - pump->in_head;
	ssize_t n;

	if (len > pump->in_len)
		len = pump->in_len;
	n = write(pump->input, pump->in + pump->in_head, len);
	if (n > 0) {
		pump->in_head = (pump->in_head + (size_t)n) % PUMP_INPUT_MAX;
		pump->in_len -= (size_t)n;
	} else if (n < 0 && !would_block()) {
		/* Nobody reads any more. */
		pump->in_len = 0;
		close_end(&pump->input);
	}
}

static void read_output(struct pump *pump)
{
	ssize_t n = read(pump->output, pump->out, sizeof(pump->out));

	if (n > 0) {
		pump->out_pos = 0;
		pump->out_len = (size_t)n;
	} else if (n == 0 || !would_block()) {
		close_end(&pump->output);
	}
}

static void write_tty(struct pump *pump)
{
	ssize_t n = write(pump->tty, pump->out + pump->out_pos, pump->out_len - pump->out_pos);

	if (n > 0)
		pump->out_pos += (size_t)n;
	else if (n < 0 && !would_block())
		fail("the console is lost: %s", strerror(errno));
}

static bool has_output(const struct pump *pump)
{
	return pump->out_pos < pump->out_len;
}

void pump_prepare(const struct pump *pump, struct pollfd fds[PUMP_POLL_FDS])
{
	fds[POLL_TTY] = (struct pollfd){ .fd = pump->tty };
	if (has_room(pump))
		fds[POLL_TTY].events |= POLLIN;
	if (has_output(pump))
		fds[POLL_TTY].events |= POLLOUT;
	/*
	 * Without data to write the descriptor stays out of the set: poll
	 * tells of a closed read end whether asked or not.
	 */
	fds[POLL_INPUT] =
		(struct pollfd){ .fd = pump->in_len > 0 ? pump->input : -1, .events = POLLOUT };
	fds[POLL_OUTPUT] =
		(struct pollfd){ .fd = has_output(pump) ? -1 : pump->output, .events = POLLIN };
}

void pump_run(struct pump *pump, const struct pollfd fds[PUMP_POLL_FDS])
{
	if (fds[POLL_TTY].revents & (POLLERR | POLLHUP | POLLNVAL))
		fail("the console is lost: it was hung up");
	if (fds[POLL_TTY].revents & POLLIN)
		read_tty(pump);
	if (fds[POLL_OUTPUT].revents && pump->output >= 0 && !has_output(pump))
		read_output(pump);
	if (has_output(pump))
		write_tty(pump);
	if (pump->in_len > 0 && pump->input >= 0)
		write_input(pump);
	if (pump->eof && pump->in_len == 0)
		close_end(&pump->input);
}

void pump_finish(struct pump *pump)
{
	struct pollfd tty = { .fd = pump->tty, .events = POLLOUT };

	close_end(&pump->input);
	for (;;) {
		if (!has_output(pump) && pump->output >= 0)
			read_output(pump);
		/* Empty pipe: nobody is left who could fill it. */
		if (!has_output(pump))
			return;
		write_tty(pump);
		if (has_output(pump))
			poll(&tty, 1, -1);
	}
}
