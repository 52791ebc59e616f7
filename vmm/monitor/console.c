/* console.c - see console.h. */
#include "vmm/monitor/console.h"

#include <string.h>
#include <sys/epoll.h>

#include "vmm/base/util.h"

/* vCPU thread, the serial port's lock held. */
static int transmit(void *ctx, uint8_t byte)
{
	struct console *c = ctx;
	ssize_t n;

	do {
		n = write(c->out_fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n >= 0 || errno != EAGAIN)
		return 0; /* nobody listens any more: dropped */
	if (!__atomic_exchange_n(&c->out_posted, true, __ATOMIC_ACQ_REL))
		loop_post(c->loop, &c->room_out);
	return -EAGAIN;
}

static void out_ready(void *ctx, uint32_t events)
{
	struct console *c = ctx;

	(void)events;
	loop_remove(c->loop, &c->out);
	/* Before the serial port is told: its next refusal must post again. */
	__atomic_store_n(&c->out_posted, false, __ATOMIC_RELEASE);
	serial_sink_ready(c->serial);
}

/* Control thread: the pipe was full, wait until it is not. */
static void watch_out(struct loop_job *job)
{
	struct console *c = container_of(job, struct console, room_out);

	if (loop_add(c->loop, &c->out, c->out_fd, EPOLLOUT) < 0)
		out_ready(c, 0); /* no memory: try, and try again */
}

/* Give the serial port what is held back.  True when all of it was taken. */
static bool feed_held(struct console *c)
{
	size_t n;

	if (c->nheld == 0)
		return true;
	n = serial_feed(c->serial, c->held, c->nheld);
	memmove(c->held, c->held + n, c->nheld - n);
	c->nheld -= n;
	return c->nheld == 0;
}

static void in_ready(void *ctx, uint32_t events)
{
	struct console *c = ctx;
	ssize_t n;

	if (!(events & EPOLLIN)) { /* the supervisor's end is closed */
		loop_remove(c->loop, &c->in);
		return;
	}
	n = read(c->in_fd, c->held, sizeof(c->held));
	if (n <= 0) {
		if (n == 0)
			loop_remove(c->loop, &c->in);
		return;
	}
	c->nheld = (size_t)n;
	if (!feed_held(c))
		loop_remove(c->loop, &c->in); /* until input_room() */
}

/* vCPU thread. */
static void input_room(void *ctx)
{
	struct console *c = ctx;

	if (!__atomic_exchange_n(&c->in_posted, true, __ATOMIC_ACQ_REL))
		loop_post(c->loop, &c->room_in);
}

/* Control thread. */
static void input_again(struct loop_job *job)
{
	struct console *c = container_of(job, struct console, room_in);

	__atomic_store_n(&c->in_posted, false, __ATOMIC_RELEASE);
	if (feed_held(c) && c->in_fd >= 0 && !c->in.watched)
		loop_add(c->loop, &c->in, c->in_fd, EPOLLIN);
}

/*
 * Bursts and pauses.  How long a guest takes to read a byte differs a hundred
 * times between hosts, so the length of a burst is found out: 128 to 256 ms,
 * but not more than a quarter of what Linux's driver keeps before it throws
 * input away.  The pause is a thirty-second of what the burst took, so that little speed is lost; a
 * guest with one CPU does in it what its interrupt handler kept it from, and be it only to lower
 * RTS because nobody reads.
 */
#define BURST_NS     (256 * NS_PER_MS)
#define PAUSE_MIN_NS NS_PER_MS
#define PAUSE_MAX_NS (8 * NS_PER_MS)
#define BURST_MIN    16u /* the FIFO of the part */
#define BURST_MAX    16384u

/* vCPU thread, or the control thread in serial_feed(). */
static void burst_over(void *ctx)
{
	struct console *c = ctx;

	loop_post(c->loop, &c->burst_ended);
}

/* Control thread. */
static void pause_input(struct loop_job *job)
{
	struct console *c = container_of(job, struct console, burst_ended);
	uint64_t now = now_ns(), took = now - c->burst_began;

	if (took < BURST_NS / 2)
		c->burst = MIN(c->burst * 2, BURST_MAX);
	else if (took > BURST_NS)
		c->burst = MAX(c->burst / 2, BURST_MIN);
	loop_timer_set(c->loop, &c->pause, now + MIN(MAX(took / 32, PAUSE_MIN_NS), PAUSE_MAX_NS));
}

static void resume_input(void *ctx)
{
	struct console *c = ctx;

	c->burst_began = now_ns();
	serial_next_burst(c->serial, c->burst);
}

int console_init(struct console *c, struct loop *loop, int out_fd, int in_fd, struct irq_line irq,
		 struct err *e)
{
	const struct serial_sink sink = {
		.transmit = transmit,
		.input_room = input_room,
		.burst_over = burst_over,
		.ctx = c,
	};
	int r;

	*c = (struct console){ .loop = loop, .out_fd = out_fd, .in_fd = in_fd };
	c->out.ready = out_ready;
	c->out.ctx = c;
	c->in.ready = in_ready;
	c->in.ctx = c;
	c->room_out.run = watch_out;
	c->room_in.run = input_again;
	c->burst_ended.run = pause_input;
	c->pause.expired = resume_input;
	c->pause.ctx = c;
	c->burst = SERIAL_BURST;
	c->burst_began = now_ns();
	c->serial = serial_new(&sink, irq);
	if (!c->serial)
		return err_errno(e, "make the serial port");
	if (in_fd < 0)
		return 0;
	r = loop_add(loop, &c->in, in_fd, EPOLLIN);
	if (r < 0)
		return err_code(e, r, "watch the console's input");
	return 0;
}
