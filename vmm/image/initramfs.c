/* initramfs.c - see initramfs.h. */
#include "vmm/image/initramfs.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "guest-kernel-config/guest_abi.h"
#include "vmm/base/util.h"
#include "vmm/image/cpio.h"

/* The kernel opens /dev/console for init before anything is mounted. */
#define CONSOLE_MAJOR 5
#define CONSOLE_MINOR 1

static int fill(struct cpio *c, const void *init, size_t init_len,
		const struct guest_params *params)
{
	int r;

	r = cpio_dir(c, "dev", 0755);
	if (r == 0)
		r = cpio_node(c, "dev/console", S_IFCHR | 0600, CONSOLE_MAJOR, CONSOLE_MINOR);
	if (r == 0)
		r = cpio_file(c, "init", 0755, init, init_len);
	/* Relative, as all names in an archive are. */
	if (r == 0)
		r = cpio_file(c, &BH_PARAMS_PATH[1], 0400, params->data, params->len);
	if (r == 0)
		r = cpio_end(c);
	return r;
}

static int to_memfd(const struct cpio *c, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = memfd_create("bulkhead-initramfs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_errno(e, "make the initramfs");
	r = write_all(fd, c->data, c->len);
	if (r < 0)
		return err_code(e, r, "write the initramfs");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return err_errno(e, "seal the initramfs");
	*ret_fd = take_fd(&fd);
	return 0;
}

int initramfs_build(const void *init, size_t init_len, const struct guest_params *params,
		    int *ret_fd, uint64_t *ret_size, struct err *e)
{
	struct cpio c;
	int r;

	cpio_begin(&c);
	r = fill(&c, init, init_len, params);
	if (r < 0)
		err_code(e, r, "make the initramfs");
	else
		r = to_memfd(&c, ret_fd, e);
	if (r == 0)
		*ret_size = c.len;
	cpio_release(&c);
	return r;
}
