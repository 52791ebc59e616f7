/*
 * irq.h - an interrupt line as a device sees it: it knows neither KVM nor
 * the interrupt controller.  Any thread may call.
 */
#ifndef DEVICES_IRQ_H
#define DEVICES_IRQ_H

struct irq_line {
	/* One edge on the line.  Must not block. */
	void (*pulse)(void *ctx, unsigned int gsi);
	void *ctx;
	unsigned int gsi;
};

static inline void irq_pulse(const struct irq_line *irq)
{
	if (irq->pulse)
		irq->pulse(irq->ctx, irq->gsi);
}

#endif
