/* vhost_user_memory.c - see vhost_user_memory.h. */
#include "devices/virtio/vhost_user_memory.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "vmm/base/util.h"

/* What a mapping of this file must be aligned to: the page, or the huge page
 * of a hugetlbfs file, which reports it as its block size. */
static uint64_t map_unit(const struct stat *st)
{
	uint64_t unit = st->st_blksize > 4096 ? (uint64_t)st->st_blksize : 4096;

	return unit & (unit - 1) || unit > GIB ? 4096 : unit;
}

/* The system call itself: the C library would make it newfstatat, which takes
 * paths, and a filter could not tell what for. */
static int stat_fd(int fd, struct stat *st)
{
	return syscall(SYS_fstat, fd, st) < 0 ? neg_errno() : 0;
}

int shared_map_open(struct shared_map *ret_map, int fd, uint64_t offset, uint64_t size)
{
	uint64_t unit, into, len;
	struct stat st;
	void *base;
	int r;

	r = stat_fd(fd, &st);
	if (r < 0)
		return r;
	if (st.st_size < 0 || size == 0 || offset > (uint64_t)st.st_size ||
	    size > (uint64_t)st.st_size - offset)
		return -EINVAL;
	unit = map_unit(&st);
	into = offset & (unit - 1);
	len = ALIGN_UP(into + size, unit);
	base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(offset - into));
	if (base == MAP_FAILED)
		return neg_errno();
	/* Where we are the first to touch a page it is to be as large as the
	 * front end's would have been.  Refused for files without huge pages. */
	madvise(base, len, MADV_HUGEPAGE);
	*ret_map = (struct shared_map){ .base = base, .len = len, .data = (uint8_t *)base + into };
	return 0;
}

void shared_map_close(struct shared_map *map)
{
	if (map->base)
		munmap(map->base, map->len);
	*map = (struct shared_map){ 0 };
}

static int open_region(struct vhost_user_table *t, const struct vhost_user_region *r, int fd,
		       struct err *e)
{
	unsigned int i = t->nregions;
	int code;

	if (r->userspace_addr + r->memory_size < r->userspace_addr)
		return err_set(e, EINVAL, "memory region %u wraps", i);
	/* Rings are checked for alignment by their guest addresses, and their
	 * words are reached by atomic loads: the mapping must agree. */
	if ((r->guest_phys_addr ^ r->mmap_offset) & 15)
		return err_set(e, EINVAL,
			       "memory region %u: address and file offset are aligned differently",
			       i);
	code = shared_map_open(&t->region[i].map, fd, r->mmap_offset, r->memory_size);
	if (code < 0)
		return err_code(e, code, "map memory region %u (0x%llx bytes at 0x%llx)", i,
				(unsigned long long)r->memory_size,
				(unsigned long long)r->guest_phys_addr);
	t->region[i].gpa = r->guest_phys_addr;
	t->region[i].size = r->memory_size;
	t->region[i].user_addr = r->userspace_addr;
	t->nregions++;
	code = guest_memory_add(&t->mem, r->guest_phys_addr, r->memory_size, r->mmap_offset,
				t->region[i].map.data);
	if (code < 0)
		return err_code(e, code, "memory region %u at 0x%llx", i,
				(unsigned long long)r->guest_phys_addr);
	return 0;
}

int vhost_user_table_open(struct vhost_user_table *ret_table, const struct vhost_user_msg *msg,
			  struct err *e)
{
	const struct vhost_user_memory *m = &msg->payload.memory;
	struct vhost_user_table t;
	int r;

	memset(&t, 0, sizeof(t));
	if (m->nregions == 0 || m->nregions > ARRAY_SIZE(m->region) || m->nregions != msg->nfds)
		return err_set(e, EINVAL, "memory table of %u regions with %u fds", m->nregions,
			       msg->nfds);
	if (msg->hdr.size < offsetof(struct vhost_user_memory, region[m->nregions]))
		return err_set(e, EINVAL, "memory table cut short");
	for (unsigned int i = 0; i < m->nregions; i++) {
		r = open_region(&t, &m->region[i], msg->fds[i], e);
		if (r < 0) {
			vhost_user_table_close(&t);
			return r;
		}
	}
	*ret_table = t;
	return 0;
}

void vhost_user_table_close(struct vhost_user_table *table)
{
	for (unsigned int i = 0; i < table->nregions; i++)
		shared_map_close(&table->region[i].map);
	memset(table, 0, sizeof(*table));
}

int vhost_user_table_translate(const struct vhost_user_table *table, uint64_t user_addr,
			       gpa_t *ret_gpa)
{
	for (unsigned int i = 0; i < table->nregions; i++) {
		uint64_t start = table->region[i].user_addr;

		if (user_addr >= start && user_addr - start < table->region[i].size) {
			*ret_gpa = GPA(table->region[i].gpa + (user_addr - start));
			return 0;
		}
	}
	return -EFAULT;
}
