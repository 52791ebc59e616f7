/*
 * kernel.c - fuzz target: kernel files (ELF, PVH, bzImage) into guest memory.
 *
 * The file begins as a good one and has fields changed; now and then it is
 * only bytes.  A file that is taken has its entry in what was loaded, every
 * part of it where it belongs, and our own structures unharmed by it.
 */
#include <asm/bootparam.h>
#include <sys/mman.h>

#include "arch/x86_64/layout.h"
#include "arch/x86_64/load.h"
#include "tests/fuzz/input.h"
#include "tests/unit/support/arch_image.h"

#define MEMORY	   (32 * MIB)
#define INITRD_LEN 5000u
#define CMDLINE	   "console=ttyS0 panic=-1"

struct world {
	struct input in;
	struct test_file file;
	uint8_t *mem;
	struct guest_memory gm;
	bool initrd;
};

/* A field of the file: where, how wide. */
struct field {
	uint16_t at;
	uint8_t bytes;
};

#define EHDR(f)                                                                                    \
	{                                                                                          \
		offsetof(Elf64_Ehdr, f), sizeof(((Elf64_Ehdr *)0)->f)                              \
	}
#define PHDR(f)                                                                                    \
	{                                                                                          \
		offsetof(Elf64_Phdr, f), sizeof(((Elf64_Phdr *)0)->f)                              \
	}
#define SETUP(f)                                                                                   \
	{                                                                                          \
		0x1f1 + offsetof(struct setup_header, f), sizeof(((struct setup_header *)0)->f)    \
	}

static const struct field elf_fields[] = {
	EHDR(e_entry), EHDR(e_phoff),	EHDR(e_phnum), EHDR(e_phentsize),
	EHDR(e_type),  EHDR(e_machine), EHDR(e_ident), { 5, 1 },
};
static const struct field segment_fields[] = {
	PHDR(p_type),  PHDR(p_offset), PHDR(p_paddr), PHDR(p_filesz),
	PHDR(p_memsz), PHDR(p_align),  PHDR(p_paddr), PHDR(p_memsz),
};
static const struct field setup_fields[] = {
	SETUP(setup_sects),
	SETUP(syssize),
	SETUP(boot_flag),
	SETUP(jump),
	SETUP(version),
	SETUP(loadflags),
	SETUP(initrd_addr_max),
	SETUP(kernel_alignment),
	SETUP(xloadflags),
	SETUP(cmdline_size),
	SETUP(pref_address),
	SETUP(init_size),
	SETUP(relocatable_kernel),
	{ 0x201, 1 },
};

/* Addresses and sizes around which a loader decides. */
static uint64_t number(struct input *in)
{
	static const uint64_t places[] = {
		BOOT_AREA_START, BOOT_AREA_END, CONVENTIONAL_END, HIGH_RAM_START,
		ACPI_START,	 MEMORY,	0x200000,	  HOLE_START,
		0x4000,		 0x102000,	TEST_ELF_CODE,	  0x10000,
	};
	uint64_t v = in_below(in, 4) ? places[in_below(in, ARRAY_SIZE(places))] : in_odd_number(in);
	int64_t off = (int8_t)in_u8(in);

	if (in_below(in, 4) == 0)
		off *= 256;
	return v + (uint64_t)off;
}

static void change(struct world *w, const struct field *f, size_t base)
{
	uint64_t v = number(&w->in);

	if (base + f->at + 8 <= sizeof(w->file.bytes))
		memcpy(w->file.bytes + base + f->at, &v, MIN(f->bytes, (uint8_t)8));
}

static void change_elf(struct world *w)
{
	struct input *in = &w->in;
	uint64_t entry = number(in);
	unsigned int op = in_below(in, 8);

	if (op < 4) {
		const struct field *f = &segment_fields[in_below(in, 8)];

		change(w, f, sizeof(Elf64_Ehdr) + in_below(in, 4) * sizeof(Elf64_Phdr));
	} else if (op < 6) {
		change(w, &elf_fields[in_below(in, 8)], 0);
	} else if (test_elf_segment(&w->file, 2)->p_filesz < 0x800) {
		uint32_t type = in_below(in, 8) ? 18 : 0x257;

		test_elf_note(&w->file, op == 6 ? "Xen" : "Linux", type, &entry, in_below(in, 9));
	}
}

static void change_notes(struct world *w)
{
	size_t at = TEST_ELF_NOTES_AT + in_below(&w->in, 64);

	in_bytes(&w->in, w->file.bytes + at, in_below(&w->in, 8));
}

/* A file, more or less. */
static void make_file(struct world *w)
{
	static const uint8_t code[16] = { 0xf4, 1, 2, 3 };
	struct input *in = &w->in;
	unsigned int kind = in_below(in, 8), changes = in_below(in, 8);

	if (kind == 0) {
		w->file.len = MIN(in->left, sizeof(w->file.bytes));
		in_bytes(in, w->file.bytes, w->file.len);
		return;
	}
	if (kind < 5)
		test_elf(&w->file, code, sizeof(code));
	else
		test_bzimage(&w->file, code, sizeof(code));
	/* Low enough for a small guest. */
	if (kind >= 5) {
		struct setup_header *s = (void *)(w->file.bytes + 0x1f1);

		s->pref_address = 0x200000;
		s->init_size = 0x100000;
	}
	for (; changes; changes--) {
		if (kind >= 5)
			change(w, &setup_fields[in_below(in, ARRAY_SIZE(setup_fields))], 0);
		else if (in_below(in, 8) == 0)
			change_notes(w);
		else
			change_elf(w);
	}
	if (in_below(in, 8) == 0)
		w->file.len = in_u16(in) % sizeof(w->file.bytes);
}

/* Is [addr, addr + len) of the guest what the file has at `offset`? */
static void same(const struct world *w, uint64_t addr, uint64_t len, uint64_t offset)
{
	if (len == 0)
		return;
	must(offset <= w->file.len && len <= w->file.len - offset);
	must(addr <= MEMORY && len <= MEMORY - addr);
	must(memcmp(w->mem + addr, w->file.bytes + offset, len) == 0);
}

static void check_linux(const struct world *w)
{
	struct boot_params bp;

	memcpy(&bp, w->mem + ZERO_PAGE, sizeof(bp));
	must(bp.hdr.header == 0x53726448 && bp.hdr.cmd_line_ptr == CMDLINE_ADDR);
	must(bp.e820_entries >= 3 && bp.e820_table[0].addr == 0);
	must(bp.acpi_rsdp_addr == ACPI_START && bp.hdr.setup_data == 0);
	must(bp.hdr.type_of_loader == 0xff);
	if (!w->initrd) {
		must(!bp.hdr.ramdisk_size);
		return;
	}
	must(bp.hdr.ramdisk_size == INITRD_LEN);
	must(bp.hdr.ramdisk_image >= HIGH_RAM_START);
	must(bp.hdr.ramdisk_image % PAGE_SIZE == 0 && bp.hdr.ramdisk_image <= MEMORY - INITRD_LEN);
	for (unsigned int i = 0; i < INITRD_LEN; i++)
		must(w->mem[bp.hdr.ramdisk_image + i] == 0xc3);
}

/* All that was loaded, held against the file once more. */
static void check(struct world *w, int fd, const struct arch_boot *boot)
{
	static struct kernel_image image;
	struct err e = { "" };
	bool loaded = false;

	must(kernel_parse(fd, w->file.len, &image, &e) == 0);
	for (unsigned int i = 0; i < image.nsegments; i++) {
		const struct kernel_segment *s = &image.segment[i];

		must(s->file_len <= s->mem_len);
		same(w, s->addr, s->file_len, s->offset);
		/* What a kernel wants zeroed is. */
		for (uint64_t k = s->file_len; k < MIN(s->mem_len, s->file_len + 0x2000); k++)
			must(w->mem[s->addr + k] == 0);
		loaded |= boot->entry >= s->addr && boot->entry - s->addr < s->file_len;
	}
	must(loaded);
	must(strcmp((char *)w->mem + CMDLINE_ADDR, CMDLINE) == 0);
	must(memcmp(w->mem + ACPI_START, "RSD PTR ", 8) == 0);
	if (boot->protocol == ARCH_BOOT_LINUX64)
		check_linux(w);
	else
		must(boot->info == PVH_START_INFO &&
		     memcmp(w->mem + PVH_START_INFO, "\x78\xc5\x6e\x33", 4) == 0);
}

static int make_initrd(void)
{
	uint8_t bytes[INITRD_LEN];
	int fd = memfd_create("initrd", MFD_CLOEXEC);

	memset(bytes, 0xc3, sizeof(bytes));
	must(fd >= 0 && write_all(fd, bytes, sizeof(bytes)) == 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct arch_machine machine = { .ncpus = 2, .nvirtio = 3 };
	static int initrd = -1;
	static struct world w;
	struct arch_boot boot;
	struct err e = { "" };
	int kernel, fd, r;

	if (!w.mem) {
		initrd = make_initrd();
		test_memory_map(&w.gm, MEMORY);
		w.mem = w.gm.region[0].host;
	}
	fd = lowest_free_fd();
	w.in = (struct input){ data, len };
	memset(&w.file, 0, sizeof(w.file));
	make_file(&w);
	w.initrd = in_u8(&w.in) & 1;
	kernel = test_file_fd(&w.file);
	struct arch_image image = { .kernel_fd = kernel,
				    .kernel_name = "K",
				    .initrd_fd = w.initrd ? initrd : -1,
				    .initrd_name = "I",
				    .cmdline = CMDLINE };

	r = arch_load(&w.gm, &machine, &image, &boot, &e);
	must((r < 0) == (e.text[0] != '\0'));
	if (r == 0)
		check(&w, kernel, &boot);
	close(kernel);
	must(lowest_free_fd() == fd);
	/* Fresh again. */
	must(madvise(w.mem, MEMORY, MADV_REMOVE) == 0);
	return 0;
}
