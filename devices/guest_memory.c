/* guest_memory.c - see guest_memory.h. */
#include "devices/guest_memory.h"

#include <errno.h>
#include <string.h>

void *guest_memory_prefix(const struct guest_memory *gm, gpa_t addr, uint64_t len,
			  uint64_t *ret_len)
{
	if (len == 0)
		return NULL;
	for (unsigned int i = 0; i < gm->nregions; i++) {
		const struct guest_region *r = &gm->region[i];
		uint64_t into, left;

		/* Subtract before comparing: a sum could wrap. */
		if (addr.addr < r->gpa || addr.addr - r->gpa >= r->size)
			continue;
		if (!r->host)
			return NULL;
		into = addr.addr - r->gpa;
		left = r->size - into;
		*ret_len = len < left ? len : left;
		return r->host + into;
	}
	return NULL;
}

void *guest_memory_range(const struct guest_memory *gm, gpa_t addr, uint64_t len)
{
	uint64_t got = 0;
	void *p = guest_memory_prefix(gm, addr, len, &got);

	return got == len ? p : NULL;
}

int guest_memory_read(const struct guest_memory *gm, gpa_t addr, void *data, size_t len)
{
	const void *p;

	if (len == 0)
		return 0;
	p = guest_memory_range(gm, addr, len);
	if (!p)
		return -EFAULT;
	memcpy(data, p, len);
	return 0;
}

int guest_memory_write(const struct guest_memory *gm, gpa_t addr, const void *data, size_t len)
{
	void *p;

	if (len == 0)
		return 0;
	p = guest_memory_range(gm, addr, len);
	if (!p)
		return -EFAULT;
	memcpy(p, data, len);
	return 0;
}

int guest_memory_add(struct guest_memory *gm, uint64_t gpa, uint64_t size, uint64_t file_offset,
		     uint8_t *host)
{
	unsigned int at = 0;

	if (size == 0 || gpa + (size - 1) < gpa || file_offset + (size - 1) < file_offset)
		return -EINVAL;
	if (gm->nregions == GUEST_MEMORY_MAX_REGIONS)
		return -ENOSPC;
	while (at < gm->nregions && gm->region[at].gpa < gpa)
		at++;
	if (at > 0 && gpa - gm->region[at - 1].gpa < gm->region[at - 1].size)
		return -EINVAL;
	if (at < gm->nregions && gm->region[at].gpa - gpa < size)
		return -EINVAL;
	memmove(&gm->region[at + 1], &gm->region[at], (gm->nregions - at) * sizeof(gm->region[0]));
	gm->region[at] = (struct guest_region){
		.gpa = gpa, .size = size, .file_offset = file_offset, .host = host
	};
	gm->nregions++;
	return 0;
}
