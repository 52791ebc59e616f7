/*
 * load.c - a kernel, its initrd and command line into guest memory, and the
 * tables beside them.
 *
 * Everything is decided before the first byte is written: the file is parsed,
 * its segments are held against RAM, our own structures and each other, and
 * the initrd is placed.  Then files are read straight into guest memory; what
 * a kernel wants zeroed is zero already, as guest memory is fresh and no two
 * of the ranges that are written overlap.
 */
#include "arch/x86_64/load.h"

#include <cpuid.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/boot_info.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/mptable.h"
#include "vmm/base/util.h"

_Static_assert(GSI_VIRTIO + ARCH_MAX_VIRTIO == IOAPIC_PINS_MAX, "one pin for each device");
_Static_assert(ARCH_IOAPIC_BASE == IOAPIC_ADDR, "arch.h");
_Static_assert(VIRTIO_BASE + ARCH_MAX_VIRTIO * VIRTIO_STRIDE <= IOAPIC_ADDR, "layout.h");
_Static_assert(CMDLINE_ADDR + ARCH_CMDLINE_MAX <= PAGE_TABLES, "layout.h");
_Static_assert(PAGE_TABLES + PAGE_TABLE_PAGES * PAGE_SIZE == BOOT_AREA_END, "layout.h");

uint64_t arch_virtio_base(unsigned int n)
{
	return VIRTIO_BASE + n * VIRTIO_STRIDE;
}

unsigned int arch_virtio_gsi(unsigned int n)
{
	return GSI_VIRTIO + n;
}

unsigned int arch_serial_gsi(void)
{
	return GSI_SERIAL;
}

unsigned int arch_power_button_gsi(void)
{
	return GSI_POWER_BUTTON;
}

unsigned int arch_ioapic_pins(unsigned int nvirtio)
{
	return GSI_VIRTIO + nvirtio;
}

/* How many bits a physical address has; never more than four-level paging
 * lets a kernel map (64 TiB). */
static unsigned int address_bits(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx))
		return 36; /* what every x86-64 CPU has had */
	return MIN(eax & 0xff, 46U);
}

int arch_memory_layout(uint64_t bytes, struct guest_memory *ret_layout, struct err *e)
{
	uint64_t low = MIN(bytes, HOLE_START);
	struct guest_memory gm = { 0 };

	if (bytes & (PAGE_SIZE - 1))
		return err_set(e, EINVAL,
			       "guest memory of %" PRIu64 " bytes is no multiple of "
			       "4096",
			       bytes);
	if (bytes < ARCH_MIN_MEMORY)
		return err_set(e, ERANGE,
			       "guest memory of %llu MiB is too small: at least "
			       "32 MiB are needed",
			       bytes / MIB);
	/* Asking the CPU costs an exit where we are ourselves in a guest. */
	if (bytes - low > (1ULL << 36) - HOLE_END) {
		unsigned int bits = address_bits();

		if (bytes - low > (1ULL << bits) - HOLE_END)
			return err_set(e, ERANGE,
				       "guest memory of %llu MiB is too large: "
				       "addresses have %u bits here",
				       bytes / MIB, bits);
	}
	guest_memory_add(&gm, 0, low, 0, NULL);
	if (bytes > low)
		guest_memory_add(&gm, HOLE_END, bytes - low, low, NULL);
	*ret_layout = gm;
	return 0;
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b ? b - a < a_len : a - b < b_len;
}

static int check_segment(const struct kernel_segment *s, uint64_t low_end, struct err *e)
{
	if (s->addr >= HOLE_START || s->mem_len > HOLE_START - s->addr)
		return err_set(e, ENOEXEC,
			       "it wants %#" PRIx64 " bytes at %#" PRIx64
			       ", outside of the guest's first 3 GiB",
			       s->mem_len, s->addr);
	if (s->addr >= low_end || s->mem_len > low_end - s->addr)
		return err_set(e, E2BIG,
			       "it needs memory up to %llu MiB, the guest has "
			       "%llu MiB: raise --memory",
			       (s->addr + s->mem_len + MIB - 1) / MIB, low_end / MIB);
	if (overlap(s->addr, s->mem_len, BOOT_AREA_START, BOOT_AREA_END - BOOT_AREA_START))
		return err_set(e, ENOEXEC,
			       "its segment at %#" PRIx64 " overlaps the boot "
			       "structures at %#llx to %#llx",
			       s->addr, BOOT_AREA_START, BOOT_AREA_END);
	if (overlap(s->addr, s->mem_len, CONVENTIONAL_END, HIGH_RAM_START - CONVENTIONAL_END))
		return err_set(e, ENOEXEC,
			       "its segment at %#" PRIx64 " overlaps the firmware's "
			       "area at %#llx to %#llx",
			       s->addr, CONVENTIONAL_END, HIGH_RAM_START);
	return 0;
}

static bool entry_is_loaded(const struct kernel_image *image)
{
	for (unsigned int i = 0; i < image->nsegments; i++) {
		const struct kernel_segment *s = &image->segment[i];

		if (image->boot.entry >= s->addr && image->boot.entry - s->addr < s->file_len)
			return true;
	}
	return false;
}

int kernel_check_placement(const struct kernel_image *image, uint64_t low_end, struct err *e)
{
	const struct kernel_segment *s = image->segment;

	if (image->nsegments == 0)
		return err_set(e, ENOEXEC, "it has nothing to load");
	for (unsigned int i = 0; i < image->nsegments; i++) {
		int r = check_segment(&s[i], low_end, e);

		if (r < 0)
			return r;
		for (unsigned int j = 0; j < i; j++)
			if (overlap(s[i].addr, s[i].mem_len, s[j].addr, s[j].mem_len))
				return err_set(e, ENOEXEC,
					       "its segments at %#" PRIx64 " and "
					       "%#" PRIx64 " overlap",
					       s[j].addr, s[i].addr);
	}
	if (!entry_is_loaded(image))
		return err_set(e, ENOEXEC, "its entry %#" PRIx64 " is outside of what is loaded",
			       image->boot.entry);
	return 0;
}

static int file_size(int fd, uint64_t *ret_size)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return neg_errno();
	*ret_size = (uint64_t)end;
	return 0;
}

static uint64_t kernel_end(const struct kernel_image *image)
{
	uint64_t end = HIGH_RAM_START;

	for (unsigned int i = 0; i < image->nsegments; i++)
		end = MAX(end, image->segment[i].addr + image->segment[i].mem_len);
	return end;
}

/* As high as RAM and the kernel allow: whatever is freed below is one piece. */
static int place_initrd(const struct kernel_image *kernel, uint64_t low_end, uint64_t size,
			uint64_t *ret_addr, struct err *e)
{
	uint64_t end = MIN(low_end, kernel->initrd_end_max) & ~(PAGE_SIZE - 1);
	uint64_t start = ALIGN_UP(kernel_end(kernel), PAGE_SIZE);

	if (size == 0)
		return err_set(e, ENOEXEC, "the file is empty");
	if (start > end || size > end - start)
		return err_set(e, E2BIG,
			       "it does not fit: it has %llu MiB, and beside the "
			       "kernel %llu MiB of the guest's memory are left",
			       (size + MIB - 1) / MIB, (start > end ? 0 : end - start) / MIB);
	*ret_addr = (end - size) & ~(PAGE_SIZE - 1);
	return 0;
}

static int read_into(const struct guest_memory *gm, int fd, uint64_t addr, uint64_t len,
		     uint64_t offset, struct err *e)
{
	void *p;
	int r;

	if (len == 0)
		return 0;
	p = guest_memory_range(gm, GPA(addr), len);
	if (!p)
		return err_set(e, EFAULT, "there is no guest memory at %#" PRIx64, addr);
	r = pread_all(fd, p, len, offset);
	if (r == -ENODATA)
		return err_set(e, ENOEXEC, "the file has become shorter");
	return r < 0 ? err_code(e, r, "read") : 0;
}

static int load_kernel(const struct guest_memory *gm, int fd, const struct kernel_image *kernel,
		       struct err *e)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < kernel->nsegments; i++) {
		const struct kernel_segment *s = &kernel->segment[i];

		r = read_into(gm, fd, s->addr, s->file_len, s->offset, e);
	}
	return r;
}

static int load_initrd(const struct guest_memory *gm, uint64_t low_end, int fd,
		       const struct kernel_image *kernel, struct boot_info *info, struct err *e)
{
	int r = file_size(fd, &info->initrd_len);

	if (r < 0)
		return err_code(e, r, "size");
	r = place_initrd(kernel, low_end, info->initrd_len, &info->initrd, e);
	if (r < 0)
		return r;
	return read_into(gm, fd, info->initrd, info->initrd_len, 0, e);
}

static int load_cmdline(const struct guest_memory *gm, const char *cmdline, size_t max,
			struct err *e)
{
	size_t len = strlen(cmdline);

	if (len > max)
		return err_set(e, E2BIG,
			       "the command line has %zu characters, the kernel takes "
			       "%zu",
			       len, max);
	if (guest_memory_write(gm, GPA(CMDLINE_ADDR), cmdline, len + 1) < 0)
		return err_set(e, EFAULT, "there is no guest memory for the command line");
	return 0;
}

static int write_tables(const struct guest_memory *gm, const struct arch_machine *machine,
			uint64_t *ret_rsdp, struct err *e)
{
	uint8_t *acpi = guest_memory_range(gm, GPA(ACPI_START), MP_START - ACPI_START);
	uint8_t *mp = guest_memory_range(gm, GPA(MP_START), FIRMWARE_END - MP_START);

	if (machine->ncpus == 0 || machine->ncpus > ARCH_MAX_CPUS ||
	    machine->nvirtio > ARCH_MAX_VIRTIO)
		return err_set(e, EINVAL, "a machine of %u CPUs and %u devices", machine->ncpus,
			       machine->nvirtio);
	if (!acpi || !acpi_build(machine, ACPI_START, acpi, MP_START - ACPI_START))
		return err_set(e, EFAULT, "no room for the ACPI tables");
	if (!mp || !mptable_build(machine, MP_START, mp, FIRMWARE_END - MP_START))
		return err_set(e, EFAULT, "no room for the MP tables");
	*ret_rsdp = ACPI_START;
	return 0;
}

static int load_all(const struct guest_memory *gm, const struct arch_machine *machine,
		    const struct arch_image *image, struct kernel_image *kernel, struct err *e)
{
	uint64_t low_end = gm->nregions ? MIN(gm->region[0].size, HOLE_START) : 0;
	struct boot_info info = { 0 };
	uint64_t size;
	int r;

	r = file_size(image->kernel_fd, &size);
	if (r < 0)
		return err_code(e, r, "kernel %s: size", image->kernel_name);
	r = kernel_parse(image->kernel_fd, size, kernel, e);
	if (r == 0)
		r = kernel_check_placement(kernel, low_end, e);
	if (r == 0)
		r = load_cmdline(gm, image->cmdline, kernel->cmdline_max, e);
	if (r == 0)
		r = load_kernel(gm, image->kernel_fd, kernel, e);
	if (r < 0) {
		err_context(e, "kernel %s", image->kernel_name);
		return r;
	}
	if (image->initrd_fd >= 0) {
		r = load_initrd(gm, low_end, image->initrd_fd, kernel, &info, e);
		if (r < 0) {
			err_context(e, "initrd %s", image->initrd_name);
			return r;
		}
	}
	r = write_tables(gm, machine, &info.rsdp, e);
	if (r < 0)
		return r;
	r = boot_info_write(gm, kernel, &info, &kernel->boot.info);
	return r < 0 ? err_code(e, r, "write the boot structures") : 0;
}

int arch_load(const struct guest_memory *gm, const struct arch_machine *machine,
	      const struct arch_image *image, struct arch_boot *ret_boot, struct err *e)
{
	_cleanup_free_ struct kernel_image *kernel = malloc(sizeof(*kernel));
	int r;

	if (!kernel)
		return err_errno(e, "memory for the kernel's headers");
	r = load_all(gm, machine, image, kernel, e);
	if (r == 0)
		*ret_boot = kernel->boot;
	return r;
}
