/* disk_format.c - see disk_format.h. */
#include "vmm/base/disk_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/util.h"

struct magic {
	size_t at, len;
	const char *bytes;
	const char *what;
};

#define CONVERT ": 'qemu-img convert -O raw' makes a raw one of it (package qemu-utils)"

static const struct magic others[] = {
	{ 0, 4, "QFI\xfb", "is a qcow2 image" CONVERT },
	{ 0, 4, "KDMV", "is a VMDK image" CONVERT },
	{ 0, 8, "vhdxfile", "is a VHDX image" CONVERT },
	{ 0, 8, "conectix", "is a VHD image" CONVERT },
	{ 64, 4, "\x7f\x10\xda\xbe", "is a VDI image" CONVERT },
	{ 0, 6, "\xfd\x37zXZ", "is compressed: unpack it with 'xz -d'" },
	{ 0, 4, "\x28\xb5\x2f\xfd", "is compressed: unpack it with 'zstd -d'" },
	{ 0, 3, "\x1f\x8b\x08", "is compressed: unpack it with 'gzip -d'" },
	{ 0, 3, "BZh", "is compressed: unpack it with 'bzip2 -d'" },
};

static const struct magic roots[] = {
	{ 1024, 4, "\xe2\xe1\xf5\xe0", "erofs" },
	{ 1024 + 56, 2, "\x53\xef", "ext4" },
	{ 0, 4, "hsqs", "squashfs" },
};

/* A disk may well have them as data; where files are looked for, they are in there. */
static const struct magic archives[] = {
	{ 257, 5, "ustar", "is a tar archive: unpack it into a directory, and give that" },
	{ 0, 6, "070701", "is a cpio archive: unpack it into a directory, and give that" },
};

/* Aligned, and of a size, for a file that is open with O_DIRECT. */
struct head {
	_Alignas(4096) unsigned char bytes[4096];
};

static void read_head(int fd, struct head *ret)
{
	*ret = (struct head){ 0 };
	/* What cannot be read is found out where it is needed. */
	(void)!pread(fd, ret->bytes, sizeof(ret->bytes), 0);
}

static const char *find(const struct head *head, const struct magic *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(head->bytes + m[i].at, m[i].bytes, m[i].len) == 0)
			return m[i].what;
	return NULL;
}

/* A GUID partition table, or an MBR whose first entry is a partition (a boot sector
 * may have the same two bytes at its end). */
static bool has_partitions(const struct head *head)
{
	const unsigned char *b = head->bytes, *entry = b + 446;

	if (memcmp(b + 512, "EFI PART", 8) == 0)
		return true;
	return b[510] == 0x55 && b[511] == 0xaa && (entry[0] & 0x7f) == 0 && entry[4] != 0;
}

const char *disk_format_odd(int fd)
{
	struct head head;

	read_head(fd, &head);
	return find(&head, others, ARRAY_SIZE(others));
}

const char *disk_format_no_files(int fd)
{
	struct head head;
	const char *what;

	read_head(fd, &head);
	if (find(&head, roots, ARRAY_SIZE(roots)))
		return NULL;
	what = find(&head, others, ARRAY_SIZE(others));
	if (!what)
		what = find(&head, archives, ARRAY_SIZE(archives));
	if (!what && has_partitions(&head))
		what = "is a disk with partitions: give one of them, as a device ('losetup --find "
		       "--show --partscan' makes devices of a file's)";
	return what;
}
