/* test_disk_format.c - files that are taken for raw disks and are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/base/disk_format.h"
#include "vmm/base/util.h"

/* Some bytes at a place. */
struct put {
	size_t at, len;
	const char *bytes;
};

struct row {
	const char *name;
	struct put put[3];
	const char *odd, *no_files; /* a word of what is said; NULL: nothing */
};

static const struct row rows[] = {
	{ "zeros", { { 0 } }, NULL, NULL },
	{ "qcow2", { { 0, 8, "QFI\xfb\0\0\0\3" } }, "qcow2", "qcow2" },
	{ "VMDK", { { 0, 4, "KDMV" } }, "VMDK", "VMDK" },
	{ "VHDX", { { 0, 8, "vhdxfile" } }, "VHDX", "VHDX" },
	{ "VHD", { { 0, 8, "conectix" } }, "VHD", "VHD" },
	{ "VDI", { { 64, 4, "\x7f\x10\xda\xbe" } }, "VDI", "VDI" },
	{ "xz", { { 0, 6, "\xfd\x37zXZ\0" } }, "xz -d", "xz -d" },
	{ "zstd", { { 0, 4, "\x28\xb5\x2f\xfd" } }, "zstd -d", "zstd -d" },
	{ "gzip", { { 0, 3, "\x1f\x8b\x08" } }, "gzip -d", "gzip -d" },
	{ "bzip2", { { 0, 4, "BZh9" } }, "bzip2 -d", "bzip2 -d" },
	{ "tar", { { 0, 4, "etc/" }, { 257, 6, "ustar\0" } }, NULL, "tar archive" },
	{ "cpio", { { 0, 6, "070701" } }, NULL, "cpio archive" },
	{ "nearly", { { 0, 4, "QFI\xfa" } }, NULL, NULL },
	{ "GPT",
	  { { 510, 10,
	      "\x55\xaa"
	      "EFI PART" } },
	  NULL,
	  "partitions" },
	{ "MBR", { { 446, 5, "\x80\0\0\0\x83" }, { 510, 2, "\x55\xaa" } }, NULL, "partitions" },
	{ "boot sector", { { 0, 3, "\xeb\x3c\x90" }, { 510, 2, "\x55\xaa" } }, NULL, NULL },
	{ "text there", { { 446, 5, "abcde" }, { 510, 2, "\x55\xaa" } }, NULL, NULL },
	{ "ext4 after a GPT", { { 512, 8, "EFI PART" }, { 1080, 2, "\x53\xef" } }, NULL, NULL },
	{ "erofs", { { 0, 4, "QFI\xfb" }, { 1024, 4, "\xe2\xe1\xf5\xe0" } }, "qcow2", NULL },
	{ "squashfs", { { 0, 4, "hsqs" } }, NULL, NULL },
};

static void check(const char *name, const char *said, const char *wanted)
{
	if (!said != !wanted || (wanted && !strstr(said, wanted)))
		fail_msg("%s: '%s', not '%s'", name, said ? said : "", wanted ? wanted : "");
}

/* Of a file of so many bytes. */
static void check_row(const struct row *row, off_t size)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(row->put) && row->put[i].len; i++)
		assert_int_equal(
			pwrite(fd, row->put[i].bytes, row->put[i].len, (off_t)row->put[i].at),
			row->put[i].len);
	assert_int_equal(ftruncate(fd, size), 0);
	check(row->name, disk_format_odd(fd), row->odd);
	check(row->name, disk_format_no_files(fd), row->no_files);
	close(fd);
}

static void test_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		check_row(&rows[i], 1 << 20);
		check_row(&rows[i], 1536); /* shorter than what is looked at */
	}
}

static void test_nothing_to_read(void **state)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);

	(void)state;
	assert_null(disk_format_odd(-1));
	assert_null(disk_format_no_files(-1));
	assert_null(disk_format_odd(fd));
	assert_null(disk_format_no_files(fd));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_nothing_to_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
