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

int console_init(struct console *c, struct loop *loop, int out_fd, int in_fd, struct irq_line irq,
		 struct err *e)
{
	struct serial_sink sink = { .transmit = transmit, .input_room = input_room, .ctx = c };
	int r;

	*c = (struct console){ .loop = loop, .out_fd = out_fd, .in_fd = in_fd };
	c->out.ready = out_ready;
	c->out.ctx = c;
	c->in.ready = in_ready;
	c->in.ctx = c;
	c->room_out.run = watch_out;
	c->room_in.run = input_again;
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

void console_release(struct console *c)
{
	loop_remove(c->loop, &c->out);
	loop_remove(c->loop, &c->in);
	serial_free(c->serial);
	c->serial = NULL;
}
