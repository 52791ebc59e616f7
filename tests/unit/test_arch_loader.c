/* test_arch_loader.c - kernel files, good and malformed; where things are put. */
#include "arch/x86_64/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "arch/x86_64/layout.h"
#include "tests/unit/support/arch_image.h"
#include "vmm/base/util.h"

static const uint8_t code[16] = { 0xf4, 1, 2, 3, 4, 5, 6, 7, 8 };

static const struct arch_machine machine = { .ncpus = 2, .nvirtio = 3 };

/* Offsets in the file: the setup header begins at 0x1f1. */
#define SETUP(f) ((struct setup_header *)(void *)((f)->bytes + 0x1f1))

static int load(const struct test_file *f, struct guest_memory *gm, const char *cmdline,
		uint64_t initrd_len, struct arch_boot *boot, struct err *e)
{
	_cleanup_close_ int fd = test_file_fd(f);
	_cleanup_close_ int initrd = -1;
	struct arch_image image = { .kernel_fd = fd,
				    .kernel_name = "K",
				    .initrd_fd = -1,
				    .initrd_name = "I",
				    .cmdline = cmdline };

	if (initrd_len) {
		initrd = memfd_create("initrd", MFD_CLOEXEC);
		assert_int_equal(ftruncate(initrd, (off_t)initrd_len), 0);
		assert_int_equal(pwrite(initrd, "INITRD", 6, 0), 6);
		image.initrd_fd = initrd;
	}
	return arch_load(gm, &machine, &image, boot, e);
}

/* --- malformed files: each with its one line --- */

static void not_a_kernel(struct test_file *f)
{
	memset(f->bytes, 'x', f->len);
}

static void gzip(struct test_file *f)
{
	f->bytes[0] = 0x1f;
	f->bytes[1] = 0x8b;
}

static void empty(struct test_file *f)
{
	f->len = 0;
}

static void one_byte(struct test_file *f)
{
	f->len = 1;
}

static void only_magic(struct test_file *f)
{
	f->len = 4;
}

static void half_header(struct test_file *f)
{
	f->len = 40;
}

static void class32(struct test_file *f)
{
	test_elf_header(f)->e_ident[EI_CLASS] = ELFCLASS32;
}

static void class_unknown(struct test_file *f)
{
	test_elf_header(f)->e_ident[EI_CLASS] = 9;
}

static void big_endian(struct test_file *f)
{
	test_elf_header(f)->e_ident[EI_DATA] = ELFDATA2MSB;
}

static void arm(struct test_file *f)
{
	test_elf_header(f)->e_machine = EM_AARCH64;
}

static void object_file(struct test_file *f)
{
	test_elf_header(f)->e_type = ET_REL;
}

static void phentsize(struct test_file *f)
{
	test_elf_header(f)->e_phentsize = 32;
}

static void no_headers(struct test_file *f)
{
	test_elf_header(f)->e_phnum = 0;
}

static void many_headers(struct test_file *f)
{
	test_elf_header(f)->e_phnum = PN_XNUM;
}

static void phoff_beyond(struct test_file *f)
{
	test_elf_header(f)->e_phoff = f->len - 100;
}

static void phoff_wraps(struct test_file *f)
{
	test_elf_header(f)->e_phoff = UINT64_MAX - 10;
}

static void filesz_over_memsz(struct test_file *f)
{
	test_elf_segment(f, 0)->p_filesz = 0x101;
}

static void segment_beyond_file(struct test_file *f)
{
	test_elf_segment(f, 0)->p_offset = f->len - 0xff;
}

static void segment_offset_wraps(struct test_file *f)
{
	test_elf_segment(f, 0)->p_offset = UINT64_MAX - 0xf;
}

static void segment_addr_wraps(struct test_file *f)
{
	test_elf_segment(f, 1)->p_paddr = UINT64_MAX - 0xfff;
}

static void segment_huge(struct test_file *f)
{
	test_elf_segment(f, 1)->p_memsz = UINT64_MAX;
}

static void segment_in_hole(struct test_file *f)
{
	test_elf_segment(f, 1)->p_paddr = HOLE_START - 0x1000;
}

static void segment_above_4g(struct test_file *f)
{
	test_elf_segment(f, 1)->p_paddr = HOLE_END;
}

static void segment_beyond_ram(struct test_file *f)
{
	test_elf_segment(f, 1)->p_paddr = 64 * MIB - 0x1000;
}

static void segment_on_zero_page(struct test_file *f)
{
	test_elf_segment(f, 1)->p_paddr = BOOT_AREA_START - 0x1fff;
}

static void segment_on_page_tables(struct test_file *f)
{
	test_elf_segment(f, 1)->p_paddr = BOOT_AREA_END - 1;
}

static void segment_on_acpi(struct test_file *f)
{
	test_elf_segment(f, 1)->p_paddr = CONVENTIONAL_END - 0x1fff;
}

static void segments_overlap(struct test_file *f)
{
	test_elf_segment(f, 1)->p_paddr = TEST_ELF_CODE + 0xff;
}

static void segments_overlap_in_bss(struct test_file *f)
{
	test_elf_segment(f, 1)->p_paddr = TEST_ELF_CODE + 0x1000;
	test_elf_segment(f, 0)->p_memsz = 0x1001;
}

static void nothing_to_load(struct test_file *f)
{
	test_elf_segment(f, 0)->p_type = PT_NULL;
	test_elf_segment(f, 1)->p_type = PT_NULL;
}

static void entry_outside(struct test_file *f)
{
	test_elf_header(f)->e_entry = TEST_ELF_CODE + 0x100;
}

static void entry_virtual(struct test_file *f)
{
	test_elf_header(f)->e_entry = 0xffffffff81000000;
}

static void entry_in_bss(struct test_file *f)
{
	test_elf_header(f)->e_entry = TEST_ELF_DATA + 0x10;
}

static void pvh_entry_outside(struct test_file *f)
{
	uint32_t entry = 0x5000;

	test_elf_note(f, "Xen", 18, &entry, sizeof(entry));
}

static void note_beyond_segment(struct test_file *f)
{
	test_elf_note(f, "Xen", 18, "12345678", 8);
	test_elf_segment(f, 2)->p_filesz -= 4;
}

static void note_name_wraps(struct test_file *f)
{
	test_elf_note(f, "Xen", 18, "1234", 4);
	memset(f->bytes + TEST_ELF_NOTES_AT, 0xff, 8);
}

static void notes_beyond_file(struct test_file *f)
{
	test_elf_note(f, "Xen", 18, "1234", 4);
	test_elf_segment(f, 2)->p_offset = UINT64_MAX;
}

static void notes_long(struct test_file *f)
{
	test_elf_note(f, "Xen", 18, "1234", 4);
	test_elf_segment(f, 2)->p_filesz = 0x100000;
}

static void interpreter(struct test_file *f)
{
	test_elf_segment(f, 2)->p_type = PT_INTERP;
}

static void bz_old(struct test_file *f)
{
	SETUP(f)->version = 0x020b;
}

static void bz_header_short(struct test_file *f)
{
	f->bytes[0x201] = 0; /* the header ends before its version */
}

static void bz_truncated_header(struct test_file *f)
{
	f->len = 0x220;
}

static void bz_low(struct test_file *f)
{
	SETUP(f)->loadflags = 0;
}

static void bz_32bit(struct test_file *f)
{
	SETUP(f)->xloadflags = 0;
}

static void bz_pref_low(struct test_file *f)
{
	SETUP(f)->pref_address = 0;
}

static void bz_unaligned(struct test_file *f)
{
	SETUP(f)->pref_address += 0x1000;
}

static void bz_odd_alignment(struct test_file *f)
{
	SETUP(f)->kernel_alignment = 0x300000;
}

static void bz_syssize_zero(struct test_file *f)
{
	SETUP(f)->syssize = 0;
}

static void bz_truncated(struct test_file *f)
{
	f->len -= 16;
}

static void bz_syssize_huge(struct test_file *f)
{
	SETUP(f)->syssize = UINT32_MAX;
}

static void bz_sects_beyond(struct test_file *f)
{
	SETUP(f)->setup_sects = 255;
}

static void bz_wraps(struct test_file *f)
{
	SETUP(f)->pref_address = 0xffffffffffe00000;
}

static void bz_init_size(struct test_file *f)
{
	SETUP(f)->init_size = 0x7fffffff;
}

struct refusal {
	void (*change)(struct test_file *f);
	int code;
	const char *says;
};

static const struct refusal elf_refusals[] = {
	{ not_a_kernel, ENOEXEC, "neither an ELF file nor a bzImage" },
	{ gzip, ENOEXEC, "gzip" },
	{ empty, ENOEXEC, "empty" },
	{ one_byte, ENOEXEC, "neither" },
	{ only_magic, ENOEXEC, "truncated" },
	{ half_header, ENOEXEC, "truncated" },
	{ class32, ENOEXEC, "32-bit" },
	{ class_unknown, ENOEXEC, "class 9" },
	{ big_endian, ENOEXEC, "little-endian" },
	{ arm, ENOEXEC, "machine 183" },
	{ object_file, ENOEXEC, "not an executable" },
	{ phentsize, ENOEXEC, "32 bytes each" },
	{ no_headers, ENOEXEC, "0 ELF program headers" },
	{ many_headers, ENOEXEC, "65535 ELF program headers" },
	{ phoff_beyond, ENOEXEC, "program headers are beyond" },
	{ phoff_wraps, ENOEXEC, "program headers are beyond" },
	{ filesz_over_memsz, ENOEXEC, "more bytes in the file" },
	{ segment_beyond_file, ENOEXEC, "truncated" },
	{ segment_offset_wraps, ENOEXEC, "truncated" },
	{ segment_addr_wraps, ENOEXEC, "wraps" },
	{ segment_huge, ENOEXEC, "wraps" },
	{ segment_in_hole, ENOEXEC, "first 3 GiB" },
	{ segment_above_4g, ENOEXEC, "first 3 GiB" },
	{ segment_beyond_ram, E2BIG, "the guest has 64 MiB" },
	{ segment_on_zero_page, ENOEXEC, "boot structures" },
	{ segment_on_page_tables, ENOEXEC, "boot structures" },
	{ segment_on_acpi, ENOEXEC, "firmware's area" },
	{ segments_overlap, ENOEXEC, "overlap" },
	{ segments_overlap_in_bss, ENOEXEC, "overlap" },
	{ nothing_to_load, ENOEXEC, "nothing to load" },
	{ entry_outside, ENOEXEC, "entry 0x100100 is outside" },
	{ entry_virtual, ENOEXEC, "entry 0xffffffff81000000 is outside" },
	{ entry_in_bss, ENOEXEC, "is outside" },
	{ pvh_entry_outside, ENOEXEC, "entry 0x5000 is outside" },
	{ note_beyond_segment, ENOEXEC, "note" },
	{ note_name_wraps, ENOEXEC, "note" },
	{ notes_beyond_file, ENOEXEC, "notes" },
	{ notes_long, ENOEXEC, "notes" },
	{ interpreter, ENOEXEC, "dynamically linked" },
};

static const struct refusal bzimage_refusals[] = {
	{ bz_old, ENOEXEC, "protocol 2.11" },
	{ bz_header_short, ENOEXEC, "protocol 0.00" },
	{ bz_truncated_header, ENOEXEC, "truncated" },
	{ bz_low, ENOEXEC, "zImage" },
	{ bz_32bit, ENOEXEC, "32-bit kernel" },
	{ bz_pref_low, ENOEXEC, "below 1 MiB" },
	{ bz_unaligned, ENOEXEC, "aligned" },
	{ bz_odd_alignment, ENOEXEC, "aligned" },
	{ bz_syssize_zero, ENOEXEC, "0 bytes of kernel" },
	{ bz_truncated, ENOEXEC, "truncated" },
	{ bz_syssize_huge, ENOEXEC, "truncated" },
	{ bz_sects_beyond, ENOEXEC, "truncated" },
	{ bz_wraps, ENOEXEC, "wraps" },
	{ bz_init_size, E2BIG, "the guest has 64 MiB" },
};

static bool untouched(const struct guest_memory *gm)
{
	const uint8_t *p = gm->region[0].host;

	for (size_t i = 0; i < 4 * MIB; i++)
		if (p[i])
			return false;
	return true;
}

/* Refused with its line, and nothing written. */
static void expect_refusal(const struct test_file *f, const struct refusal *want, size_t n)
{
	struct arch_boot boot = { .entry = 77 };
	struct guest_memory gm;
	struct err e = { 0 };
	int r;

	test_memory_map(&gm, 64 * MIB);
	r = load(f, &gm, "quiet", 0, &boot, &e);
	if (r != -want->code || !strstr(e.text, want->says) || strncmp(e.text, "kernel K: ", 10))
		fail_msg("case %zu: %d \"%s\", expected \"%s\"", n, r, e.text, want->says);
	assert_int_equal(boot.entry, 77);
	assert_true(untouched(&gm));
	test_memory_unmap(&gm);
}

static void malformed_elf_is_refused(void **state)
{
	struct test_file f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(elf_refusals); i++) {
		test_elf(&f, code, sizeof(code));
		elf_refusals[i].change(&f);
		expect_refusal(&f, &elf_refusals[i], i);
	}
}

static void malformed_bzimage_is_refused(void **state)
{
	struct test_file f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bzimage_refusals); i++) {
		test_bzimage(&f, code, sizeof(code));
		bzimage_refusals[i].change(&f);
		expect_refusal(&f, &bzimage_refusals[i], i);
	}
}

/* Every length that is shorter than the whole: no crash, and never success
 * while something of it is missing. */
static void every_truncation_is_refused(void **state)
{
	struct test_file f;

	(void)state;
	test_elf(&f, code, sizeof(code));
	for (size_t len = TEST_ELF_DATA_AT + 0xf; len-- > 0;) {
		_cleanup_free_ struct kernel_image *k = malloc(sizeof(*k));
		_cleanup_close_ int fd = -1;
		struct err e = { 0 };

		if (len % 7 && len > 0x400)
			continue;
		f.len = len;
		fd = test_file_fd(&f);
		assert_int_equal(kernel_parse(fd, len, k, &e), -ENOEXEC);
		assert_true(e.text[0]);
	}
}

static void size_that_lies_is_an_error(void **state)
{
	_cleanup_free_ struct kernel_image *k = malloc(sizeof(*k));
	_cleanup_close_ int fd = -1;
	struct test_file f;
	struct err e = { 0 };

	(void)state;
	test_elf(&f, code, sizeof(code));
	fd = test_file_fd(&f);
	assert_int_equal(kernel_parse(fd, f.len + 0x1000, k, &e), 0);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_true(kernel_parse(fd, f.len, k, &e) < 0);
}

/* --- what is loaded --- */

static uint64_t peek64(const struct guest_memory *gm, uint64_t addr)
{
	uint64_t v = 0;

	assert_int_equal(guest_memory_read(gm, GPA(addr), &v, sizeof(v)), 0);
	return v;
}

static void bare_metal_elf(void **state)
{
	struct arch_boot boot;
	struct guest_memory gm;
	struct test_file f;
	struct err e = { 0 };
	const char *cmdline;
	struct boot_params *bp;

	(void)state;
	test_elf(&f, code, sizeof(code));
	test_memory_map(&gm, 64 * MIB);
	assert_int_equal(load(&f, &gm, "a b", 0, &boot, &e), 0);
	assert_int_equal(boot.protocol, ARCH_BOOT_LINUX64);
	assert_int_equal(boot.entry, TEST_ELF_CODE);
	assert_false(boot.linux_image);
	assert_memory_equal(guest_memory_range(&gm, GPA(TEST_ELF_CODE), 16), code, 16);
	assert_int_equal(peek64(&gm, TEST_ELF_DATA), 0xddddddddddddddddULL);
	assert_int_equal(peek64(&gm, TEST_ELF_DATA + 16), 0);
	bp = guest_memory_range(&gm, GPA(boot.info), sizeof(*bp));
	assert_int_equal(bp->hdr.header, 0x53726448);
	assert_int_equal(bp->hdr.type_of_loader, 0xff);
	assert_int_equal(bp->hdr.ramdisk_size, 0);
	assert_int_equal(bp->sentinel, 0);
	assert_int_equal(bp->acpi_rsdp_addr, ACPI_START);
	cmdline = guest_memory_range(&gm, GPA(bp->hdr.cmd_line_ptr), 4);
	assert_string_equal(cmdline, "a b");
	/* One to one, to the last page below 4 GiB. */
	assert_int_equal(peek64(&gm, PAGE_TABLES), (PAGE_TABLES + 0x1000) | 3);
	assert_int_equal(peek64(&gm, PAGE_TABLES + 0x1000 + 8 * 3), (PAGE_TABLES + 0x5000) | 3);
	assert_int_equal(peek64(&gm, PAGE_TABLES + 0x5000 + 8 * 511), 0xffe00083);
	test_memory_unmap(&gm);
}

static void linux_elf_is_entered_in_long_mode(void **state)
{
	struct arch_boot boot;
	uint64_t pvh_entry = TEST_ELF_CODE + 8;
	struct guest_memory gm;
	struct test_file f;
	struct err e = { 0 };

	(void)state;
	test_elf(&f, code, sizeof(code));
	test_elf_note(&f, "Xen", 6, "linux", 6);
	test_elf_note(&f, "Xen", 18, &pvh_entry, sizeof(pvh_entry));
	test_elf_note(&f, "Linux", 0x100, "", 1);
	test_memory_map(&gm, 64 * MIB);
	assert_int_equal(load(&f, &gm, "", 0, &boot, &e), 0);
	assert_true(boot.linux_image);
	assert_int_equal(boot.protocol, ARCH_BOOT_LINUX64);
	assert_int_equal(boot.entry, TEST_ELF_CODE);
	test_memory_unmap(&gm);
}

static void pvh_elf(void **state)
{
	uint32_t entry = TEST_ELF_CODE + 4;
	struct arch_boot boot;
	struct guest_memory gm;
	struct test_file f;
	struct err e = { 0 };
	uint32_t words[4];
	uint64_t module;

	(void)state;
	test_elf(&f, code, sizeof(code));
	test_elf_header(&f)->e_entry = 0xffffffff80000000; /* counts for nothing */
	test_elf_note(&f, "GNU", 3, "build-id", 8);
	test_elf_note(&f, "Xen", 18, &entry, sizeof(entry));
	test_memory_map(&gm, 64 * MIB);
	assert_int_equal(load(&f, &gm, "x=y", 5000, &boot, &e), 0);
	assert_int_equal(boot.protocol, ARCH_BOOT_PVH);
	assert_int_equal(boot.entry, entry);
	assert_false(boot.linux_image);
	assert_int_equal(guest_memory_read(&gm, GPA(boot.info), words, sizeof(words)), 0);
	assert_int_equal(words[0], 0x336ec578);
	assert_int_equal(words[1], 1);
	assert_int_equal(words[2], 0);
	assert_int_equal(words[3], 1);
	module = peek64(&gm, boot.info + 16);
	assert_int_equal(peek64(&gm, module), 64 * MIB - 0x2000);
	assert_int_equal(peek64(&gm, module + 8), 5000);
	assert_memory_equal(guest_memory_range(&gm, GPA(64 * MIB - 0x2000), 6), "INITRD", 6);
	assert_string_equal(guest_memory_range(&gm, GPA(peek64(&gm, boot.info + 24)), 4), "x=y");
	assert_int_equal(peek64(&gm, boot.info + 32), ACPI_START);
	assert_int_equal(peek64(&gm, boot.info + 48), 3); /* entries of the memory map */
	test_memory_unmap(&gm);
}

static void bzimage(void **state)
{
	struct arch_boot boot;
	struct boot_params *bp;
	struct guest_memory gm;
	struct test_file f;
	struct err e = { 0 };

	(void)state;
	test_bzimage(&f, code, sizeof(code));
	SETUP(&f)->setup_sects = 0; /* stands for 4 */
	f.len -= 15;		    /* syssize is rounded up */
	test_memory_map(&gm, 64 * MIB);
	assert_int_equal(load(&f, &gm, "quiet", 100, &boot, &e), 0);
	assert_true(boot.linux_image);
	assert_int_equal(boot.protocol, ARCH_BOOT_LINUX64);
	assert_int_equal(boot.entry, TEST_BZIMAGE_LOAD + 0x200);
	assert_memory_equal(guest_memory_range(&gm, GPA(boot.entry), 16), code, 16);
	bp = guest_memory_range(&gm, GPA(boot.info), sizeof(*bp));
	for (size_t i = 0; i < 0x70; i++)
		assert_int_equal(((uint8_t *)bp)[i], 0); /* no 0xee of the boot sector */
	assert_int_equal(bp->hdr.version, 0x020f);
	assert_int_equal(bp->hdr.type_of_loader, 0xff);
	assert_int_equal(bp->hdr.loadflags, LOADED_HIGH);
	assert_int_equal(bp->hdr.setup_data, 0);
	assert_int_equal(bp->hdr.init_size, 0x300000);
	assert_int_equal(bp->hdr.ramdisk_image, 64 * MIB - 0x1000);
	assert_int_equal(bp->hdr.ramdisk_size, 100);
	test_memory_unmap(&gm);
}

static void initrd_respects_the_kernels_limit(void **state)
{
	struct arch_boot boot;
	struct boot_params *bp;
	struct guest_memory gm;
	struct test_file f;
	struct err e = { 0 };

	(void)state;
	test_bzimage(&f, code, sizeof(code));
	SETUP(&f)->initrd_addr_max = 0x1ffffff;
	test_memory_map(&gm, 64 * MIB);
	assert_int_equal(load(&f, &gm, "", 0x1001, &boot, &e), 0);
	bp = guest_memory_range(&gm, GPA(boot.info), sizeof(*bp));
	assert_int_equal(bp->hdr.ramdisk_image, 0x2000000 - 0x2000);
	test_memory_unmap(&gm);

	test_memory_map(&gm, 64 * MIB);
	assert_int_equal(load(&f, &gm, "", 64 * MIB, &boot, &e), -E2BIG);
	assert_string_equal(e.text, "initrd I: it does not fit: it has 64 MiB, and beside the "
				    "kernel 13 MiB of the guest's memory are left");
	SETUP(&f)->initrd_addr_max = 0;
	assert_int_equal(load(&f, &gm, "", 1, &boot, &e), -E2BIG);
	test_memory_unmap(&gm);
}

static void command_line_limit(void **state)
{
	char line[ARCH_CMDLINE_MAX + 1];
	struct arch_boot boot;
	struct guest_memory gm;
	struct test_file f;
	struct err e = { 0 };

	(void)state;
	memset(line, 'a', sizeof(line));
	line[ARCH_CMDLINE_MAX - 1] = '\0';
	test_elf(&f, code, sizeof(code));
	test_memory_map(&gm, 64 * MIB);
	assert_int_equal(load(&f, &gm, line, 0, &boot, &e), 0);
	line[ARCH_CMDLINE_MAX - 1] = 'a';
	line[ARCH_CMDLINE_MAX] = '\0';
	assert_int_equal(load(&f, &gm, line, 0, &boot, &e), -E2BIG);
	assert_string_equal(e.text, "kernel K: the command line has 2048 characters, the kernel "
				    "takes 2047");
	test_bzimage(&f, code, sizeof(code));
	SETUP(&f)->cmdline_size = 0; /* from before the field: 255 */
	line[256] = '\0';
	assert_int_equal(load(&f, &gm, line, 0, &boot, &e), -E2BIG);
	line[255] = '\0';
	assert_int_equal(load(&f, &gm, line, 0, &boot, &e), 0);
	test_memory_unmap(&gm);
}

static void not_seekable(void **state)
{
	struct arch_image image = { .kernel_name = "K", .initrd_fd = -1, .cmdline = "" };
	struct arch_boot boot;
	struct guest_memory gm;
	struct err e = { 0 };
	int fds[2];

	(void)state;
	test_memory_map(&gm, 64 * MIB);
	assert_int_equal(pipe(fds), 0);
	image.kernel_fd = fds[0];
	assert_int_equal(arch_load(&gm, &machine, &image, &boot, &e), -ESPIPE);
	assert_string_equal(e.text, "kernel K: size: Illegal seek");
	close(fds[0]);
	close(fds[1]);
	test_memory_unmap(&gm);
}

/* --- memory layout --- */

static void layout_around_the_hole(void **state)
{
	static const struct {
		uint64_t bytes, low, high;
	} cases[] = {
		{ 32 * MIB, 32 * MIB, 0 },	 { 3 * GIB - 0x1000, 3 * GIB - 0x1000, 0 },
		{ 3 * GIB, 3 * GIB, 0 },	 { 3 * GIB + 0x1000, 3 * GIB, 0x1000 },
		{ 63 * GIB, 3 * GIB, 60 * GIB },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct boot_e820_entry map[MEMORY_MAP_MAX];
		struct guest_memory gm;
		struct err e = { 0 };
		unsigned int n;

		assert_int_equal(arch_memory_layout(cases[i].bytes, &gm, &e), 0);
		assert_int_equal(gm.nregions, cases[i].high ? 2 : 1);
		assert_int_equal(gm.region[0].gpa, 0);
		assert_int_equal(gm.region[0].size, cases[i].low);
		assert_int_equal(gm.region[0].file_offset, 0);
		n = memory_map(&gm, map);
		assert_int_equal(n, cases[i].high ? 4 : 3);
		assert_int_equal(map[0].size, CONVENTIONAL_END);
		assert_int_equal(map[1].type, 2);
		assert_int_equal(map[2].addr, 1 * MIB);
		assert_int_equal(map[2].size, cases[i].low - 1 * MIB);
		if (!cases[i].high)
			continue;
		assert_int_equal(gm.region[1].gpa, 4 * GIB);
		assert_int_equal(gm.region[1].size, cases[i].high);
		assert_int_equal(gm.region[1].file_offset, cases[i].low);
		assert_int_equal(map[3].addr, 4 * GIB);
		assert_int_equal(map[3].size, cases[i].high);
	}
}

static void layout_limits(void **state)
{
	struct guest_memory gm = { .nregions = 7 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(arch_memory_layout(32 * MIB - 0x1000, &gm, &e), -ERANGE);
	assert_int_equal(arch_memory_layout(0, &gm, &e), -ERANGE);
	assert_int_equal(arch_memory_layout(64 * MIB + 1, &gm, &e), -EINVAL);
	assert_int_equal(arch_memory_layout(1ULL << 46, &gm, &e), -ERANGE);
	assert_non_null(strstr(e.text, "too large"));
	assert_int_equal(arch_memory_layout(UINT64_MAX & ~0xfffULL, &gm, &e), -ERANGE);
	assert_int_equal(gm.nregions, 7);
}

static void high_memory_is_used_and_told(void **state)
{
	struct arch_boot boot;
	struct boot_params *bp;
	struct guest_memory gm;
	struct test_file f;
	struct err e = { 0 };

	(void)state;
	test_elf(&f, code, sizeof(code));
	test_memory_map(&gm, 3 * GIB + 16 * MIB);
	assert_int_equal(load(&f, &gm, "", 4096, &boot, &e), 0);
	bp = guest_memory_range(&gm, GPA(boot.info), sizeof(*bp));
	assert_int_equal(bp->hdr.ramdisk_image, HOLE_START - 4096);
	assert_int_equal(bp->e820_entries, 4);
	assert_int_equal(bp->e820_table[3].addr, 4 * GIB);
	test_memory_unmap(&gm);
}

static void interrupts_are_distinct_pins(void **state)
{
	uint32_t used = 0;

	(void)state;
	used |= 1U << arch_serial_gsi();
	used |= 1U << arch_power_button_gsi();
	for (unsigned int i = 0; i < ARCH_MAX_VIRTIO; i++) {
		assert_true(arch_virtio_gsi(i) < arch_ioapic_pins(i + 1));
		assert_false(used & 1U << arch_virtio_gsi(i));
		used |= 1U << arch_virtio_gsi(i);
		assert_true(arch_virtio_base(i) >= HOLE_START);
		assert_true(arch_virtio_base(i) + 0x1000 <= IOAPIC_ADDR);
	}
	assert_int_equal(__builtin_popcount(used), ARCH_MAX_VIRTIO + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_elf_is_refused),
		cmocka_unit_test(malformed_bzimage_is_refused),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(size_that_lies_is_an_error),
		cmocka_unit_test(bare_metal_elf),
		cmocka_unit_test(linux_elf_is_entered_in_long_mode),
		cmocka_unit_test(pvh_elf),
		cmocka_unit_test(bzimage),
		cmocka_unit_test(initrd_respects_the_kernels_limit),
		cmocka_unit_test(command_line_limit),
		cmocka_unit_test(not_seekable),
		cmocka_unit_test(layout_around_the_hole),
		cmocka_unit_test(layout_limits),
		cmocka_unit_test(high_memory_is_used_and_told),
		cmocka_unit_test(interrupts_are_distinct_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
