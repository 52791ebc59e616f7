/* content.c - see content.h. */
#include "vmm/image/content.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/image/pending.h"

#define ROMFS_MAGIC 0x7275 /* not in linux/magic.h */

bool content_decides(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case SQUASHFS_MAGIC:
	case EROFS_SUPER_MAGIC_V1:
	case ISOFS_SUPER_MAGIC:
	case CRAMFS_MAGIC:
	case ROMFS_MAGIC:
		return true;
	}
	return false;
}

static int add_link(struct sha256 *hash, int parent, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(parent, name, target, sizeof(target));

	if (n < 0)
		return neg_errno();
	sha256_add(hash, target, (size_t)n);
	return 0;
}

static int add_file(struct sha256 *hash, int parent, const char *name)
{
	_cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char bytes[64 << 10];
	ssize_t n;

	if (fd < 0)
		return neg_errno();
	while ((n = read(fd, bytes, sizeof(bytes))) != 0) {
		if (end_is_pending())
			return -EINTR;
		if (n < 0)
			return neg_errno();
		sha256_add(hash, bytes, (size_t)n);
	}
	return 0;
}

int content_add(struct sha256 *hash, int parent, const char *name, const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return add_link(hash, parent, name);
	return S_ISREG(st->st_mode) ? add_file(hash, parent, name) : 0;
}
