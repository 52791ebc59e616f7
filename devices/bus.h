/*
 * bus.h - an address space of devices (one for ports, one for MMIO).
 *
 * Ranges are added while the machine is built, then the bus is frozen and
 * only looked up: no lock, any vCPU thread.  Device functions are called on
 * the thread of the vCPU that made the access and lock for themselves.
 * An access that is not wholly inside one device's range belongs to nobody.
 */
#ifndef DEVICES_BUS_H
#define DEVICES_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"

struct bus_ops {
	/* `offset` is from the start of the range; len is 1, 2, 4 or 8 and
	 * offset + len <= the range's length.  read fills all of data. */
	void (*read)(void *dev, uint64_t offset, uint8_t *data, unsigned int len);
	void (*write)(void *dev, uint64_t offset, const uint8_t *data, unsigned int len);
};

#define BUS_MAX_RANGES 64

struct bus_range {
	uint64_t base, len;
	const struct bus_ops *ops;
	void *dev;	  /* borrowed */
	const char *name; /* borrowed; for messages */
};

struct bus {
	const char *name; /* "port" or "mmio" */
	bool frozen;
	unsigned int nranges;
	struct bus_range range[BUS_MAX_RANGES]; /* sorted by base, disjoint */
};

void bus_init(struct bus *bus, const char *name);

/* 0, -EEXIST (overlap; the text names both), -EINVAL (empty, wraps, frozen),
 * -ENOSPC. */
int bus_add(struct bus *bus, uint64_t base, uint64_t len, const struct bus_ops *ops, void *dev,
	    const char *name, struct err *e);

/* No range can be added from here on. */
void bus_freeze(struct bus *bus);

/*
 * An access by the guest.  Return false when nobody owns all of
 * [addr, addr + len): a read then gives all ones, a write is dropped.
 */
bool bus_read(const struct bus *bus, uint64_t addr, uint8_t *data, unsigned int len);
bool bus_write(const struct bus *bus, uint64_t addr, const uint8_t *data, unsigned int len);

#endif
