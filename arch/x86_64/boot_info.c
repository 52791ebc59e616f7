/*
 * boot_info.c - Linux's zero page (Documentation/arch/x86/zero-page.rst and
 * boot.rst, "64-bit Boot Protocol") and Xen's PVH start info
 * (xen/include/public/arch-x86/hvm/start_info.h, version 1).
 */
#include "arch/x86_64/boot_info.h"

#include <errno.h>
#include <string.h>

#include "arch/x86_64/layout.h"
#include "vmm/base/util.h"

#define E820_RAM      1
#define E820_RESERVED 2

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t addr;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct pvh_memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type; /* as E820 */
	uint32_t reserved;
};

#define PVH_MAGIC 0x336ec578

_Static_assert(sizeof(struct pvh_start_info) == 56, "start_info.h");
_Static_assert(sizeof(struct pvh_module) == 32, "start_info.h");
_Static_assert(sizeof(struct pvh_memmap_entry) == 24, "start_info.h");
_Static_assert(PVH_START_INFO + sizeof(struct pvh_start_info) <= PVH_MODLIST, "layout.h");
_Static_assert(PVH_MODLIST + sizeof(struct pvh_module) <= PVH_MEMMAP, "layout.h");
_Static_assert(PVH_MEMMAP + MEMORY_MAP_MAX * sizeof(struct pvh_memmap_entry) <= ZERO_PAGE,
	       "layout.h");
_Static_assert(sizeof(struct boot_params) == PAGE_SIZE, "zero-page.rst");
_Static_assert(MEMORY_MAP_MAX <= E820_MAX_ENTRIES_ZEROPAGE, "zero-page.rst");

unsigned int memory_map(const struct guest_memory *gm, struct boot_e820_entry map[MEMORY_MAP_MAX])
{
	unsigned int n = 0;

	map[n++] = (struct boot_e820_entry){ 0, CONVENTIONAL_END, E820_RAM };
	map[n++] = (struct boot_e820_entry){ FIRMWARE_START, FIRMWARE_END - FIRMWARE_START,
					     E820_RESERVED };
	for (unsigned int i = 0; i < gm->nregions; i++) {
		uint64_t start = gm->region[i].gpa;
		uint64_t end = start + gm->region[i].size;

		/* Region 0 starts at 0; its first MiB is told above. */
		start = MAX(start, HIGH_RAM_START);
		if (start < end)
			map[n++] = (struct boot_e820_entry){ start, end - start, E820_RAM };
	}
	return n;
}

/*
 * The 64-bit protocol wants flat __BOOT_CS and __BOOT_DS in a GDT; the
 * descriptors are the ones that the segment registers are set to in regs.c.
 */
static int write_gdt(const struct guest_memory *gm)
{
	static const uint64_t gdt[] = {
		[SEL_CODE32 / 8] = 0x00cf9b000000ffff,
		[SEL_CODE64 / 8] = 0x00af9b000000ffff,
		[SEL_DATA / 8] = 0x00cf93000000ffff,
		[SEL_TSS / 8] = 0x00008b0000000067, /* busy; its upper half is 0 */
		[SEL_TSS / 8 + 1] = 0,
	};

	_Static_assert(BOOT_GDT + sizeof(gdt) <= PVH_START_INFO, "layout.h");
	return guest_memory_write(gm, GPA(BOOT_GDT), gdt, sizeof(gdt));
}

/* The first 4 GiB, one to one, in 2 MiB pages: 1 GiB pages would save four
 * pages of tables, but not every CPU has them. */
static int write_page_tables(const struct guest_memory *gm)
{
	const uint64_t present_writable = 0x3, large = 0x80;
	uint64_t *table = guest_memory_range(gm, GPA(PAGE_TABLES), PAGE_TABLE_PAGES * PAGE_SIZE);
	uint64_t *pdpt, *pd;

	if (!table)
		return -EFAULT;
	pdpt = table + 512;
	pd = pdpt + 512;
	table[0] = (PAGE_TABLES + PAGE_SIZE) | present_writable;
	for (uint64_t i = 0; i < 4; i++)
		pdpt[i] = (PAGE_TABLES + (2 + i) * PAGE_SIZE) | present_writable;
	for (uint64_t i = 0; i < 4ULL * 512; i++)
		pd[i] = (i << 21) | large | present_writable;
	return 0;
}

static int write_zero_page(const struct guest_memory *gm, const struct kernel_image *image,
			   const struct boot_info *info)
{
	struct boot_params bp = { .hdr = image->setup };

	/* For a vmlinux there is no header to copy: say what a kernel checks. */
	if (!bp.hdr.header) {
		bp.hdr.boot_flag = 0xaa55;
		bp.hdr.header = 0x53726448;
		bp.hdr.version = 0x020f;
		bp.hdr.type_of_loader = 0xff;
		bp.hdr.loadflags = LOADED_HIGH;
		bp.hdr.cmdline_size = ARCH_CMDLINE_MAX - 1;
	}
	bp.hdr.cmd_line_ptr = CMDLINE_ADDR;
	/* The initrd is below the hole, so it fits into these. */
	bp.hdr.ramdisk_image = (uint32_t)info->initrd;
	bp.hdr.ramdisk_size = (uint32_t)info->initrd_len;
	bp.acpi_rsdp_addr = info->rsdp;
	bp.e820_entries = (uint8_t)memory_map(gm, bp.e820_table);
	return guest_memory_write(gm, GPA(ZERO_PAGE), &bp, sizeof(bp));
}

static int write_pvh(const struct guest_memory *gm, const struct boot_info *info)
{
	struct pvh_memmap_entry memmap[MEMORY_MAP_MAX] = { 0 };
	struct boot_e820_entry map[MEMORY_MAP_MAX];
	struct pvh_module initrd = { .addr = info->initrd, .size = info->initrd_len };
	struct pvh_start_info si = {
		.magic = PVH_MAGIC,
		.version = 1,
		.cmdline = CMDLINE_ADDR,
		.rsdp = info->rsdp,
		.memmap = PVH_MEMMAP,
		.memmap_entries = memory_map(gm, map),
	};

	for (unsigned int i = 0; i < si.memmap_entries; i++) {
		memmap[i].addr = map[i].addr;
		memmap[i].size = map[i].size;
		memmap[i].type = map[i].type;
	}
	if (info->initrd) {
		si.nr_modules = 1;
		si.modlist = PVH_MODLIST;
		if (guest_memory_write(gm, GPA(PVH_MODLIST), &initrd, sizeof(initrd)) < 0)
			return -EFAULT;
	}
	if (guest_memory_write(gm, GPA(PVH_MEMMAP), memmap, sizeof(memmap)) < 0)
		return -EFAULT;
	return guest_memory_write(gm, GPA(PVH_START_INFO), &si, sizeof(si));
}

int boot_info_write(const struct guest_memory *gm, const struct kernel_image *image,
		    const struct boot_info *info, uint64_t *ret_info)
{
	int r = write_gdt(gm);

	if (r < 0)
		return r;
	if (image->boot.protocol == ARCH_BOOT_PVH) {
		*ret_info = PVH_START_INFO;
		return write_pvh(gm, info);
	}
	*ret_info = ZERO_PAGE;
	r = write_page_tables(gm);
	return r < 0 ? r : write_zero_page(gm, image, info);
}
