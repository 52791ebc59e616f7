/* cold.c - see cold.h; posix_fadvise(2), mincore(2). */
#include "vmm/compare/cold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/image/guest_kernel.h"
#include "vmm/image/pack.h"

#define STEP ((size_t)(16 * KIB))

/* Of who may not write to the file mincore() hides what is there; he may look at
 * what he can read without waiting, a page of each STEP. */
static int count_readable(int fd, size_t size, uint64_t *ret)
{
	char byte;
	struct iovec to = { &byte, 1 };

	*ret = 0;
	for (size_t at = 0; at < size; at += STEP) {
		ssize_t n = preadv2(fd, &to, 1, (off_t)at, RWF_NOWAIT);

		if (n < 0 && errno != EAGAIN)
			return neg_errno();
		*ret += n > 0 ? MIN(STEP, size - at) : 0;
	}
	return 0;
}

/* How many bytes of the file are in the page cache.  0; -errno. */
static int count_resident(int fd, size_t size, uint64_t *ret)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page;
	_cleanup_free_ unsigned char *there = malloc(pages);
	void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	int r = 0;

	*ret = 0;
	if (at == MAP_FAILED)
		return neg_errno();
	if (!there)
		r = -ENOMEM;
	else if (mincore(at, size, there) < 0)
		r = neg_errno();
	for (size_t i = 0; r == 0 && i < pages; i++)
		*ret += there[i] & 1 ? page : 0;
	munmap(at, size);
	*ret = MIN(*ret, (uint64_t)size);
	return r;
}

int cold_drop_file(const char *path, uint64_t *ret_bytes, uint64_t *ret_left)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	*ret_bytes = *ret_left = 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return neg_errno();
	if (st.st_size == 0)
		return 0;
	*ret_bytes = (uint64_t)st.st_size;
	/* What was not written yet cannot be dropped. */
	(void)fsync(fd);
	r = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (r)
		return -r;
	return st.st_uid == geteuid() || geteuid() == 0
		       ? count_resident(fd, (size_t)st.st_size, ret_left)
		       : count_readable(fd, (size_t)st.st_size, ret_left);
}

static int drop(const char *path, struct err *e)
{
	uint64_t bytes, left;
	int r = cold_drop_file(path, &bytes, &left);

	if (r < 0)
		return err_code(e, r, "cold: drop %s from the page cache", path);
	if (left > bytes / 10)
		return err_set(e, EBUSY, "cold: %llu of %llu KiB of %.80s stay in memory",
			       (unsigned long long)(left / KIB), (unsigned long long)(bytes / KIB),
			       path);
	return 0;
}

/* What a guest boots. */
static int drop_boot(const struct wall_setup *setup, struct err *e)
{
	_cleanup_free_ char *kernel = NULL, *image = NULL;
	_cleanup_close_ int fd = -1;
	int r = guest_kernel_find(NULL, &kernel, e);

	if (r == 0)
		r = drop(kernel, e);
	if (r == 0)
		r = rootfs_pack(setup->root, &fd, &image, e);
	return r == 0 ? drop(image, e) : r;
}

int cold_drop(const struct wall_setup *setup, const char *wall, const char *program,
	      const struct wall_command *command, struct err *e)
{
	char path[PATH_MAX];
	int r = drop(command->argv[0], e);

	if (r < 0)
		return r;
	if (wall_command_is_machine(wall))
		return drop_boot(setup, e);
	if (snprintf(path, sizeof(path), "%s%s", setup->root, program) >= (int)sizeof(path))
		return err_set(e, ENAMETOOLONG, "%s", setup->root);
	return drop(path, e);
}
