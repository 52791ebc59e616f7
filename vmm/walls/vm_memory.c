/*
 * vm_memory.c - see vm_memory.h.
 *
 * Small pages cost a fault each when the guest touches them and their time
 * again when the file is given back; a private tmpfs costs a few system calls
 * at launch.
 */
#include "vmm/walls/vm_memory.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/jail/private_tmpfs.h"

#define HUGE_PAGE (2 * MIB)

static int set_size(int fd, uint64_t bytes, struct err *e)
{
	if (ftruncate(fd, (off_t)bytes) < 0)
		return err_errno(e, "make a memory file of %llu MiB",
				 (unsigned long long)(bytes / MIB));
	return 0;
}

/* The size is sealed: a device process that shrank the file would make the
 * monitor stumble over a missing page. */
static int open_memfd(uint64_t bytes, unsigned int flags, struct vm_memory *ret, struct err *e)
{
	_cleanup_close_ int fd =
		memfd_create("bulkhead-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	int r;

	if (fd < 0)
		return err_errno(e, "make the guest's memory file");
	r = set_size(fd, bytes, e);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_errno(e, "seal the guest's memory file");
	ret->fd = take_fd(&fd);
	ret->backing = flags & MFD_HUGETLB ? "hugetlb" : "memfd";
	return 0;
}

/* A file on a tmpfs cannot be sealed; what keeps device processes from
 * shrinking it is their filter. */
static int open_thp(uint64_t bytes, struct vm_memory *ret, struct err *e)
{
	_cleanup_close_ int fd = private_tmpfs_file(e);
	int r;

	if (fd < 0)
		return fd;
	r = set_size(fd, bytes, e);
	if (r < 0)
		return r;
	ret->fd = take_fd(&fd);
	ret->backing = "thp";
	return 0;
}

static int open_hugetlb(uint64_t bytes, struct vm_memory *ret, struct err *e)
{
	void *p;
	int r;

	if (bytes % HUGE_PAGE)
		return err_set(e, EINVAL,
			       "--hugepages hugetlb needs a --memory that is a multiple of 2M");
	r = open_memfd(bytes, MFD_HUGETLB | MFD_HUGE_2MB, ret, e);
	if (r < 0)
		return r;
	/* Are there enough?  A mapping reserves them; better to hear it now. */
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ret->fd, 0);
	if (p == MAP_FAILED) {
		close_fd(&ret->fd);
		return err_set(e, ENOMEM,
			       "the host has not enough huge pages for %llu MiB: as root, 'sysctl "
			       "vm.nr_hugepages=%llu', or leave --hugepages out",
			       (unsigned long long)(bytes / MIB),
			       (unsigned long long)(bytes / HUGE_PAGE));
	}
	munmap(p, bytes);
	return 0;
}

int vm_memory_open(uint64_t bytes, enum run_hugepages wish, struct vm_memory *ret, struct err *e)
{
	switch (wish) {
	case RUN_HUGEPAGES_HUGETLB:
		return open_hugetlb(bytes, ret, e);
	case RUN_HUGEPAGES_THP:
		return open_thp(bytes, ret, e);
	case RUN_HUGEPAGES_AUTO:
		if (open_thp(bytes, ret, NULL) == 0)
			return 0;
		break;
	case RUN_HUGEPAGES_OFF:
		break;
	}
	return open_memfd(bytes, 0, ret, e);
}
