/*
 * serial.c - see serial.h; PC16550D data sheet, section 8.
 *
 * The line is infinitely fast: a transmitted byte is gone when the sink takes
 * it, and received bytes are in the FIFO at once, but for the pauses between
 * bursts.  What is left of the real
 * part's timing is the full sink.  A driver that has seen THRE writes sixteen
 * bytes without looking again, so the transmit FIFO holds what the sink does
 * not take, and THRE means that it is empty.
 *
 * Interrupts: the line is an edge, pulsed when an enabled cause rises that
 * was not pending before.  A cause stays pending until the register access
 * that the data sheet names for it, so a driver that handles causes until IIR
 * says "none" (with an edge it must, on the real part too) misses nothing,
 * and a driver that does not read IIR gets no second pulse for the same cause.
 * The number of pulses is bounded by the number of IIR and IER accesses.
 *
 * MCR.OUT2 does not gate the interrupt.  On a PC it does, but by a gate on
 * the board, there to let cards share a line.  Ours is not shared, and a
 * driver written for the chip alone would wait for ever.
 */
#include "devices/platform/serial.h"

#include <linux/serial_reg.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/util.h"

#define FIFO_LEN 16u

/* Reads of LSR in a row, nothing between them, that only a driver makes which
 * waits for input (or for room) by polling.  Linux's probe never does. */
#define LISTEN_POLLS 3u

/* What the modem lines show: there is always somebody at the other end. */
#define LINES_ON (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD)

/* Interrupt causes, pending and enabled. */
enum { CAUSE_LINE = 1, CAUSE_DATA = 2, CAUSE_EMPTY = 4, CAUSE_MODEM = 8 };

/* A queue of bytes over an array that the caller names each time. */
struct ring {
	unsigned int head, count;
};

struct serial {
	struct serial_sink sink;
	struct irq_line irq;

	pthread_mutex_t lock; /* for everything below */
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	uint8_t lines;	    /* MSR bits 7:4 */
	uint8_t deltas;	    /* MSR bits 3:0 */
	bool overrun;	    /* LSR.OE */
	bool empty_latched; /* the "transmitter empty" interrupt has not been reported */
	bool rts_seen;	    /* the driver knows how to use RTS */
	bool input_refused; /* serial_feed() has left bytes with its caller */
	unsigned int polls; /* reads of LSR in a row */
	bool polling;	    /* the driver listens by polling */
	bool data_reported; /* IIR has told of data since the last byte came in */
	unsigned int burst; /* bytes that may still come in before a pause */
	bool paused;	    /* burst_over() has been, or is about to be, called */
	unsigned int pending;
	struct ring rx, tx, input;
	uint8_t rx_buf[FIFO_LEN], tx_buf[FIFO_LEN], input_buf[SERIAL_INPUT_MAX];
};

static void ring_put(struct ring *r, uint8_t *buf, unsigned int size, uint8_t byte)
{
	buf[(r->head + r->count++) % size] = byte;
}

static uint8_t ring_get(struct ring *r, const uint8_t *buf, unsigned int size)
{
	uint8_t byte = buf[r->head];

	r->head = (r->head + 1) % size;
	r->count--;
	return byte;
}

static bool loopback(const struct serial *s)
{
	return s->mcr & UART_MCR_LOOP;
}

static bool fifo_enabled(const struct serial *s)
{
	return s->fcr & UART_FCR_ENABLE_FIFO;
}

static unsigned int rx_capacity(const struct serial *s)
{
	return fifo_enabled(s) ? FIFO_LEN : 1;
}

/* Bytes in the FIFO at which "data available" is reported; fewer are reported
 * as a time-out, which on an infinitely fast line has always elapsed. */
static unsigned int rx_trigger(const struct serial *s)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return fifo_enabled(s) ? levels[s->fcr >> 6] : 1;
}

/* --- interrupts --- */

static unsigned int causes(const struct serial *s)
{
	unsigned int c = 0;

	if ((s->ier & UART_IER_RLSI) && s->overrun)
		c |= CAUSE_LINE;
	if ((s->ier & UART_IER_RDI) && s->rx.count)
		c |= CAUSE_DATA;
	if ((s->ier & UART_IER_THRI) && s->empty_latched)
		c |= CAUSE_EMPTY;
	if ((s->ier & UART_IER_MSI) && s->deltas)
		c |= CAUSE_MODEM;
	return c;
}

/* After every change.  A cause that falls and rises again within one register
 * access (THR written, byte taken) has not been reported in between: the
 * pulse that announced it is still to be answered by a read of IIR. */
static void update_interrupt(struct serial *s)
{
	unsigned int now = causes(s);

	if (now & ~s->pending)
		irq_pulse(&s->irq);
	s->pending = now;
}

static uint8_t iir_read(struct serial *s)
{
	uint8_t fifo_bits = fifo_enabled(s) ? 0xc0 : 0;
	unsigned int c = causes(s);

	if (c & CAUSE_LINE)
		return fifo_bits | UART_IIR_RLSI;
	if (c & CAUSE_DATA) {
		s->data_reported = true;
		return fifo_bits |
		       (s->rx.count >= rx_trigger(s) ? UART_IIR_RDI : UART_IIR_RX_TIMEOUT);
	}
	if (c & CAUSE_EMPTY) {
		s->empty_latched = false; /* reading it as the source resets it */
		return fifo_bits | UART_IIR_THRI;
	}
	if (c & CAUSE_MODEM)
		return fifo_bits | UART_IIR_MSI;
	return fifo_bits | UART_IIR_NO_INT;
}

/* --- transmitter and receiver --- */

/*
 * A byte comes in.  Once data has been reported, the next byte is news again
 * and gets a pulse of its own: Linux's handler leaves after a bounded number
 * of rounds, with data pending, when input comes as fast as it reads.  That
 * is one pulse per report at the most.
 */
static void receive(struct serial *s, uint8_t byte)
{
	ring_put(&s->rx, s->rx_buf, FIFO_LEN, byte);
	if (s->data_reported) {
		s->data_reported = false;
		s->pending &= ~(unsigned int)CAUSE_DATA;
	}
}

/* Give the sink what it takes. */
static void drain(struct serial *s)
{
	if (!s->tx.count)
		return;
	while (s->tx.count && s->sink.transmit(s->sink.ctx, s->tx_buf[s->tx.head]) == 0)
		ring_get(&s->tx, s->tx_buf, FIFO_LEN);
	if (!s->tx.count)
		s->empty_latched = true;
}

static void thr_write(struct serial *s, uint8_t byte)
{
	s->empty_latched = false;
	if (loopback(s)) {
		if (s->rx.count < rx_capacity(s))
			receive(s, byte);
		else
			s->overrun = true;
		s->empty_latched = !s->tx.count;
		return;
	}
	if (s->tx.count == FIFO_LEN)
		drain(s);
	/* Written while THRE is 0 and the FIFO is full: lost, as on the part. */
	if (s->tx.count < FIFO_LEN)
		ring_put(&s->tx, s->tx_buf, FIFO_LEN, byte);
	drain(s);
}

/*
 * Does anybody wait for input?  Until then it stays in our buffer: drivers
 * clear the FIFO and read RBR for luck when they open the port, and what was
 * typed or piped in ahead must not be eaten by that.  Linux's probe sets all
 * bits of IER for a moment, but at a port whose line was never set up.
 */
static bool listening(const struct serial *s)
{
	return ((s->ier & UART_IER_RDI) && s->lcr) || s->polling;
}

/*
 * Move input into the FIFO, unless nobody listens, the line is cut (loopback)
 * or the driver holds the sender off; no more than what is left of the burst.
 * True when that is used up and read, so that burst_over() is to be called.
 */
static bool refill(struct serial *s)
{
	if (!listening(s) || loopback(s) || (s->rts_seen && !(s->mcr & UART_MCR_RTS)))
		return false;
	while (s->burst && s->input.count && s->rx.count < rx_capacity(s)) {
		receive(s, ring_get(&s->input, s->input_buf, SERIAL_INPUT_MAX));
		if (s->sink.burst_over)
			s->burst--;
	}
	if (s->burst || s->paused || !s->input.count || s->rx.count)
		return false;
	s->paused = true;
	return true;
}

static uint8_t rbr_read(struct serial *s)
{
	return s->rx.count ? ring_get(&s->rx, s->rx_buf, FIFO_LEN) : 0;
}

/* --- registers --- */

static uint8_t lsr_read(struct serial *s)
{
	uint8_t v = 0;

	if (s->rx.count)
		v |= UART_LSR_DR;
	if (s->overrun)
		v |= UART_LSR_OE;
	if (!s->tx.count)
		v |= UART_LSR_THRE | UART_LSR_TEMT;
	s->overrun = false;
	return v;
}

static void set_lines(struct serial *s, uint8_t lines)
{
	uint8_t changed = lines ^ s->lines;

	/* Each delta is four below its line; RI counts on its way down only. */
	if (lines & UART_MSR_RI)
		changed &= (uint8_t)~UART_MSR_RI;
	s->deltas |= changed >> 4;
	s->lines = lines;
}

static void mcr_write(struct serial *s, uint8_t v)
{
	uint8_t lines = LINES_ON;

	s->mcr = v & 0x1f;
	if (loopback(s)) {
		/* The outputs are inactive outside and come back as inputs. */
		lines = 0;
		if (v & UART_MCR_DTR)
			lines |= UART_MSR_DSR;
		if (v & UART_MCR_RTS)
			lines |= UART_MSR_CTS;
		if (v & UART_MCR_OUT1)
			lines |= UART_MSR_RI;
		if (v & UART_MCR_OUT2)
			lines |= UART_MSR_DCD;
	} else if (v & UART_MCR_RTS) {
		s->rts_seen = true;
	}
	set_lines(s, lines);
}

/*
 * Clearing the receiver loses what is in its FIFO.  Switching the FIFO on does
 * not, unlike on the part: Linux does it after it has enabled the interrupt,
 * and what has come in by then is input.  Clearing the transmitter
 * loses nothing: bytes in its FIFO are there because the sink is slow, and
 * the driver, which reckons in baud rates, thinks that they left long ago.
 * Linux clears after 40 ms when a terminal is closed; a command's last output
 * must not depend on how fast somebody reads it.  So they count as being in
 * the shift register, which the data sheet does not clear either.
 */
static void fcr_write(struct serial *s, uint8_t v)
{
	/* Without bit 0 the others are not programmed. */
	s->fcr = v & UART_FCR_ENABLE_FIFO ? v & (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK) : 0;
	if (v & UART_FCR_ENABLE_FIFO && v & UART_FCR_CLEAR_RCVR)
		s->rx = (struct ring){ 0 };
	s->polling = false; /* somebody opens the port */
}

static void ier_write(struct serial *s, uint8_t v)
{
	/* Enabling "transmitter empty" while it is empty reports it (Linux
	 * tests for it twice when it opens the port). */
	if ((v & ~s->ier & UART_IER_THRI) && !s->tx.count)
		s->empty_latched = true;
	s->ier = v & 0x0f;
}

static uint8_t register_read(struct serial *s, unsigned int reg)
{
	uint8_t v;

	switch (reg) {
	case UART_RX:
		return s->lcr & UART_LCR_DLAB ? s->dll : rbr_read(s);
	case UART_IER:
		return s->lcr & UART_LCR_DLAB ? s->dlm : s->ier;
	case UART_IIR:
		return iir_read(s);
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		return lsr_read(s);
	case UART_MSR:
		v = s->lines | s->deltas;
		s->deltas = 0;
		return v;
	default:
		return s->scr;
	}
}

static void register_write(struct serial *s, unsigned int reg, uint8_t v)
{
	switch (reg) {
	case UART_TX:
		if (s->lcr & UART_LCR_DLAB)
			s->dll = v;
		else
			thr_write(s, v);
		break;
	case UART_IER:
		if (s->lcr & UART_LCR_DLAB)
			s->dlm = v;
		else
			ier_write(s, v);
		break;
	case UART_FCR:
		fcr_write(s, v);
		break;
	case UART_LCR:
		s->lcr = v;
		break;
	case UART_MCR:
		mcr_write(s, v);
		break;
	case UART_SCR:
		s->scr = v;
		break;
	default:
		break; /* LSR and MSR are for reading */
	}
}

/* The input buffer was full and half of it is free again: tell, once. */
static bool room_to_tell(struct serial *s)
{
	if (!s->input_refused || s->input.count > SERIAL_INPUT_MAX / 2)
		return false;
	s->input_refused = false;
	return true;
}

static void count_polls(struct serial *s, unsigned int reg, bool write)
{
	s->polls = reg == UART_LSR && !write ? s->polls + 1 : 0;
	if (s->polls >= LISTEN_POLLS)
		s->polling = true;
}

/* One byte of an access. */
static void access_byte(struct serial *s, unsigned int reg, uint8_t *data, bool write)
{
	bool tell, over;

	pthread_mutex_lock(&s->lock);
	if (write)
		register_write(s, reg, *data);
	else
		*data = register_read(s, reg);
	count_polls(s, reg, write);
	over = refill(s);
	update_interrupt(s);
	tell = room_to_tell(s);
	pthread_mutex_unlock(&s->lock);
	if (over)
		s->sink.burst_over(s->sink.ctx);
	if (tell && s->sink.input_room)
		s->sink.input_room(s->sink.ctx);
}

/* Wider accesses are made of bytes, as on the bus of a PC. */
static void serial_read(void *dev, uint64_t offset, uint8_t *data, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		access_byte(dev, (unsigned int)offset + i, &data[i], false);
}

static void serial_write(void *dev, uint64_t offset, const uint8_t *data, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++) {
		uint8_t byte = data[i];

		access_byte(dev, (unsigned int)offset + i, &byte, true);
	}
}

const struct bus_ops serial_bus_ops = {
	.read = serial_read,
	.write = serial_write,
};

/* --- the host's side --- */

size_t serial_feed(struct serial *s, const uint8_t *data, size_t len)
{
	size_t taken = 0;
	bool over = false;

	pthread_mutex_lock(&s->lock);
	while (taken < len) {
		if (s->input.count == SERIAL_INPUT_MAX) {
			over |= refill(s);
			if (s->input.count == SERIAL_INPUT_MAX)
				break;
		}
		ring_put(&s->input, s->input_buf, SERIAL_INPUT_MAX, data[taken++]);
	}
	over |= refill(s);
	if (taken < len)
		s->input_refused = true;
	update_interrupt(s);
	pthread_mutex_unlock(&s->lock);
	if (over)
		s->sink.burst_over(s->sink.ctx);
	return taken;
}

void serial_next_burst(struct serial *s, unsigned int bytes)
{
	bool tell;

	pthread_mutex_lock(&s->lock);
	s->burst = bytes;
	s->paused = false;
	refill(s); /* some came in, or none can: no burst that is over at once */
	update_interrupt(s);
	tell = room_to_tell(s);
	pthread_mutex_unlock(&s->lock);
	if (tell && s->sink.input_room)
		s->sink.input_room(s->sink.ctx);
}

void serial_sink_ready(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	drain(s);
	update_interrupt(s);
	pthread_mutex_unlock(&s->lock);
}

struct serial *serial_new(const struct serial_sink *sink, struct irq_line irq)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sink = *sink;
	s->irq = irq;
	s->lines = LINES_ON;
	s->burst = SERIAL_BURST;
	s->dll = 1; /* 115200 baud, for a driver that looks */
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void serial_free(struct serial *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}
