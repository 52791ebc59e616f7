/*
 * guest_memory.h - guest memory, reached by checked accessors only.
 *
 * A guest address is a type that cannot be dereferenced.  The guest runs
 * while we look: whatever is fetched through a pointer from
 * guest_memory_range() can change under us, so copy it once into a local
 * (guest_memory_read), check the local, use the local.
 *
 * Not thread-safe to change; concurrent look-ups are fine.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
	uint64_t addr; /* guest physical */
} gpa_t;

#define GPA(a) ((gpa_t){ .addr = (a) })

/* As many as one VHOST_USER_SET_MEM_TABLE message carries. */
#define GUEST_MEMORY_MAX_REGIONS 8

struct guest_region {
	uint64_t gpa;	      /* first guest physical address */
	uint64_t size;	      /* bytes */
	uint64_t file_offset; /* of the first byte in the memory file */
	uint8_t *host;	      /* where this process maps it */
};

struct guest_memory {
	unsigned int nregions;
	struct guest_region region[GUEST_MEMORY_MAX_REGIONS]; /* sorted by gpa, disjoint */
};

/*
 * The host address of [addr, addr + len), or NULL unless all of it lies in
 * one region.  len 0 is NULL.
 */
void *guest_memory_range(const struct guest_memory *gm, gpa_t addr, uint64_t len);

/*
 * The same for a buffer that may continue in the next region: the longest part
 * of [addr, addr + len) that starts at addr and lies in one region.  *ret_len
 * (1..len) is its length.  NULL, and *ret_len untouched, when addr is in no
 * region or len is 0.
 */
void *guest_memory_prefix(const struct guest_memory *gm, gpa_t addr, uint64_t len,
			  uint64_t *ret_len);

/* Copy out of or into guest memory.  0, or -EFAULT and nothing was copied.
 * len 0 succeeds. */
int guest_memory_read(const struct guest_memory *gm, gpa_t addr, void *data, size_t len);
int guest_memory_write(const struct guest_memory *gm, gpa_t addr, const void *data, size_t len);

/*
 * Add a region that is already mapped at `host` (or not mapped: NULL).
 * 0, -EINVAL (empty, wraps, overlaps a region), -ENOSPC (no slot left).
 */
int guest_memory_add(struct guest_memory *gm, uint64_t gpa, uint64_t size, uint64_t file_offset,
		     uint8_t *host);

#endif
