/* ioapic.c - see ioapic.h. */
#include "devices/platform/ioapic.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define IOREGSEL 0x00
#define IOWIN	 0x10

#define REG_ID	    0
#define REG_VERSION 1
#define REG_ARB	    2
#define REG_ENTRIES 0x10 /* two for each pin, the low half first */

#define VERSION	     0x11u
#define ID_BITS	     0x0f000000u
/* The low half of an entry: bits 12 and 14 are the device's to say. */
#define ENTRY_MASKED (1u << 16)
#define ENTRY_LOW    0x1afffu
#define ENTRY_HIGH   0xff000000u

static struct ioapic_message message_of(uint64_t entry)
{
	uint32_t low = (uint32_t)entry, dest = (uint32_t)(entry >> 56);
	uint32_t vector = low & 0xff, delivery = low >> 8 & 7, logical = low >> 11 & 1;

	if (low & ENTRY_MASKED)
		return (struct ioapic_message){ 0 };
	return (struct ioapic_message){
		.open = true,
		.address = 0xfee00000u | dest << 12 | logical << 2,
		.data = vector | delivery << 8,
	};
}

static uint32_t register_read(const struct ioapic *io, uint32_t reg)
{
	unsigned int pin = (reg - REG_ENTRIES) / 2;

	if (reg == REG_ID || reg == REG_ARB)
		return io->id;
	if (reg == REG_VERSION)
		return VERSION | (io->npins - 1) << 16;
	if (reg < REG_ENTRIES || pin >= io->npins)
		return UINT32_MAX;
	return (uint32_t)(io->entry[pin] >> (reg & 1 ? 32 : 0));
}

static void entry_write(struct ioapic *io, unsigned int pin, bool high, uint32_t value)
{
	uint64_t *entry = &io->entry[pin];
	struct ioapic_message now;

	if (high)
		*entry = (uint32_t)*entry | (uint64_t)(value & ENTRY_HIGH) << 32;
	else
		*entry = (*entry & ~UINT64_C(0xffffffff)) | (value & ENTRY_LOW);
	now = message_of(*entry);
	if (now.open == io->message[pin].open && now.address == io->message[pin].address &&
	    now.data == io->message[pin].data)
		return;
	io->message[pin] = now;
	io->routed(io->ctx, io->message, io->npins);
}

static void register_write(struct ioapic *io, uint32_t reg, uint32_t value)
{
	unsigned int pin = (reg - REG_ENTRIES) / 2;

	if (reg == REG_ID)
		io->id = value & ID_BITS;
	else if (reg >= REG_ENTRIES && pin < io->npins)
		entry_write(io, pin, reg & 1, value);
}

static void ioapic_read(void *dev, uint64_t offset, uint8_t *data, unsigned int len)
{
	struct ioapic *io = dev;
	uint32_t value;

	memset(data, 0xff, len);
	if (len != sizeof(value) || (offset != IOREGSEL && offset != IOWIN))
		return;
	pthread_mutex_lock(&io->lock);
	value = offset == IOREGSEL ? io->selected : register_read(io, io->selected);
	pthread_mutex_unlock(&io->lock);
	value = htole32(value);
	memcpy(data, &value, sizeof(value));
}

static void ioapic_write(void *dev, uint64_t offset, const uint8_t *data, unsigned int len)
{
	struct ioapic *io = dev;
	uint32_t value;

	if (len != sizeof(value) || (offset != IOREGSEL && offset != IOWIN))
		return;
	memcpy(&value, data, sizeof(value));
	value = le32toh(value);
	pthread_mutex_lock(&io->lock);
	if (offset == IOREGSEL)
		io->selected = value & 0xff;
	else
		register_write(io, io->selected, value);
	pthread_mutex_unlock(&io->lock);
}

const struct bus_ops ioapic_bus_ops = {
	.read = ioapic_read,
	.write = ioapic_write,
};

void ioapic_init(struct ioapic *io, unsigned int npins,
		 void (*routed)(void *ctx, const struct ioapic_message *messages, unsigned int n),
		 void *ctx)
{
	assert(npins >= 1 && npins <= IOAPIC_MAX_PINS);
	memset(io, 0, sizeof(*io));
	pthread_mutex_init(&io->lock, NULL);
	io->npins = npins;
	for (unsigned int i = 0; i < npins; i++)
		io->entry[i] = ENTRY_MASKED;
	io->routed = routed;
	io->ctx = ctx;
}
