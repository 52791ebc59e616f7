/* bus.c - see bus.h. */
#include "devices/bus.h"

#include <string.h>

void bus_init(struct bus *bus, const char *name)
{
	*bus = (struct bus){ .name = name };
}

/* The index of the first range that ends behind `addr`. */
static unsigned int first_ending_after(const struct bus *bus, uint64_t addr)
{
	unsigned int lo = 0, hi = bus->nranges;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;
		const struct bus_range *r = &bus->range[mid];

		if (addr >= r->base && addr - r->base >= r->len)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int bus_add(struct bus *bus, uint64_t base, uint64_t len, const struct bus_ops *ops, void *dev,
	    const char *name, struct err *e)
{
	unsigned int at = first_ending_after(bus, base);

	if (bus->frozen)
		return err_set(e, EINVAL, "%s bus: %s comes after the bus was frozen", bus->name,
			       name);
	if (len == 0 || base + (len - 1) < base)
		return err_set(e, EINVAL, "%s bus: the range of %s is empty or wraps", bus->name,
			       name);
	if (at < bus->nranges && bus->range[at].base <= base + (len - 1))
		return err_set(e, EEXIST, "%s bus: %s at 0x%llx overlaps %s at 0x%llx", bus->name,
			       name, (unsigned long long)base, bus->range[at].name,
			       (unsigned long long)bus->range[at].base);
	if (bus->nranges == BUS_MAX_RANGES)
		return err_set(e, ENOSPC, "%s bus: no room for %s (%d ranges at the most)",
			       bus->name, name, BUS_MAX_RANGES);
	memmove(&bus->range[at + 1], &bus->range[at], (bus->nranges - at) * sizeof(bus->range[0]));
	bus->range[at] = (struct bus_range){
		.base = base, .len = len, .ops = ops, .dev = dev, .name = name
	};
	bus->nranges++;
	return 0;
}

void bus_freeze(struct bus *bus)
{
	bus->frozen = true;
}

/* The range that owns all of [addr, addr + len), or NULL. */
static const struct bus_range *owner(const struct bus *bus, uint64_t addr, unsigned int len)
{
	unsigned int at = first_ending_after(bus, addr);
	const struct bus_range *r;

	if (at == bus->nranges)
		return NULL;
	r = &bus->range[at];
	if (addr < r->base || len > r->len - (addr - r->base))
		return NULL;
	return r;
}

bool bus_read(const struct bus *bus, uint64_t addr, uint8_t *data, unsigned int len)
{
	const struct bus_range *r = owner(bus, addr, len);

	if (!r || !r->ops->read) {
		memset(data, 0xff, len);
		return r != NULL;
	}
	r->ops->read(r->dev, addr - r->base, data, len);
	return true;
}

bool bus_write(const struct bus *bus, uint64_t addr, const uint8_t *data, unsigned int len)
{
	const struct bus_range *r = owner(bus, addr, len);

	if (!r)
		return false;
	if (r->ops->write)
		r->ops->write(r->dev, addr - r->base, data, len);
	return true;
}
