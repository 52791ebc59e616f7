/*
 * bzimage.c - Linux bzImage (Documentation/arch/x86/boot.rst, "The Real-Mode
 * Kernel Header" and "64-bit Boot Protocol").
 *
 * The file is boot sector, real-mode set-up code and the protected-mode part,
 * which decompresses the kernel; how it is compressed is its own affair.  The
 * real-mode code is not used: the protected-mode part is loaded and entered
 * at its 64-bit entry, 0x200 bytes in.
 *
 * It is always loaded at its preferred address.  Elsewhere would save
 * nothing: the decompressor never puts the kernel below that address.
 */
#include "arch/x86_64/load.h"

#include <inttypes.h>
#include <string.h>

#include "arch/x86_64/layout.h"
#include "vmm/base/util.h"

#define SECTOR		    512
#define ENTRY64_OFFSET	    0x200
#define HEADER_MAGIC	    0x53726448 /* "HdrS" */
#define HEADER_MAGIC_AT	    0x202
#define HEADER_END_AT	    0x201  /* the byte: the header ends 0x202 plus it */
#define PROTOCOL_XLOADFLAGS 0x020c /* the first with xloadflags */
#define LOADER_UNDEFINED    0xff

#define SETUP_AT offsetof(struct boot_params, hdr)

/* Only what the kernel's own header holds; newer fields stay zero. */
static int copy_setup(const uint8_t *head, size_t head_len, struct setup_header *ret, struct err *e)
{
	size_t end;

	if (head_len < SETUP_AT + sizeof(*ret))
		return err_set(e, ENOEXEC, "the file is truncated in its bzImage header");
	end = HEADER_MAGIC_AT + (size_t)head[HEADER_END_AT];
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, head + SETUP_AT, MIN(end - SETUP_AT, sizeof(*ret)));
	return 0;
}

static int check_setup(const struct setup_header *s, struct err *e)
{
	if (s->version < PROTOCOL_XLOADFLAGS)
		return err_set(e, ENOEXEC,
			       "a bzImage of boot protocol %u.%02u; 2.12 (Linux 3.8) "
			       "or later is needed",
			       s->version >> 8, s->version & 0xff);
	if (!(s->loadflags & LOADED_HIGH))
		return err_set(e, ENOEXEC, "a zImage, which is loaded low; bzImage is needed");
	if (!(s->xloadflags & XLF_KERNEL_64))
		return err_set(e, ENOEXEC, "a bzImage without a 64-bit entry: a 32-bit kernel");
	if (s->pref_address < HIGH_RAM_START)
		return err_set(e, ENOEXEC,
			       "a bzImage that wants to be loaded at %#llx, below 1 MiB",
			       (unsigned long long)s->pref_address);
	if (s->kernel_alignment & (s->kernel_alignment - 1) ||
	    (s->kernel_alignment && s->pref_address & (s->kernel_alignment - 1)))
		return err_set(e, ENOEXEC,
			       "a bzImage whose address %#llx is not aligned to its %#x",
			       (unsigned long long)s->pref_address, s->kernel_alignment);
	return 0;
}

int bzimage_parse(uint64_t size, const uint8_t *head, size_t head_len, struct kernel_image *image,
		  struct err *e)
{
	struct setup_header *s = &image->setup;
	uint64_t start, len;
	int r;

	r = copy_setup(head, head_len, s, e);
	if (r == 0)
		r = check_setup(s, e);
	if (r < 0)
		return r;
	/* 0 stands for 4, from before the field was. */
	start = ((s->setup_sects ? s->setup_sects : 4U) + 1ULL) * SECTOR;
	len = (uint64_t)s->syssize * 16;
	if (len <= ENTRY64_OFFSET)
		return err_set(e, ENOEXEC, "a bzImage of %" PRIu64 " bytes of kernel", len);
	/* syssize is rounded up, the file need not be. */
	if (start > size || len > size - start + 15)
		return err_set(e, ENOEXEC,
			       "the file is truncated: its bzImage header promises "
			       "%" PRIu64 " bytes, it has %" PRIu64,
			       start + len, size);
	len = MIN(len, size - start);
	if (s->pref_address + MAX(len, s->init_size) < s->pref_address)
		return err_set(e, ENOEXEC, "a bzImage whose address %#llx wraps",
			       (unsigned long long)s->pref_address);
	image->nsegments = 1;
	image->segment[0] = (struct kernel_segment){
		.addr = s->pref_address,
		.mem_len = MAX(len, s->init_size),
		.offset = start,
		.file_len = len,
	};
	image->boot.protocol = ARCH_BOOT_LINUX64;
	image->boot.entry = s->pref_address + ENTRY64_OFFSET;
	image->boot.linux_image = true;
	image->cmdline_max = MIN(s->cmdline_size ? s->cmdline_size : 255U, ARCH_CMDLINE_MAX - 1U);
	image->initrd_end_max = (uint64_t)s->initrd_addr_max + 1;
	/* What a boot loader says is not the file's to say. */
	s->type_of_loader = LOADER_UNDEFINED;
	s->ext_loader_ver = s->ext_loader_type = 0;
	s->loadflags &= (uint8_t) ~(CAN_USE_HEAP | KASLR_FLAG | QUIET_FLAG);
	s->heap_end_ptr = 0;
	s->ramdisk_image = s->ramdisk_size = 0;
	s->hardware_subarch = 0;
	s->hardware_subarch_data = 0;
	s->setup_data = 0;
	return 0;
}

int kernel_parse(int fd, uint64_t size, struct kernel_image *ret_image, struct err *e)
{
	uint8_t head[KERNEL_HEAD_LEN];
	size_t len = size < sizeof(head) ? (size_t)size : sizeof(head);
	uint32_t magic = 0;
	int r;

	memset(ret_image, 0, sizeof(*ret_image));
	if (len == 0)
		return err_set(e, ENOEXEC, "the file is empty");
	r = pread_all(fd, head, len, 0);
	if (r < 0)
		return err_code(e, r, "read");
	if (len >= 4 && !memcmp(head, "\177ELF", 4))
		return elf_parse(fd, size, head, len, ret_image, e);
	if (len >= HEADER_MAGIC_AT + sizeof(magic))
		memcpy(&magic, head + HEADER_MAGIC_AT, sizeof(magic));
	if (magic == HEADER_MAGIC)
		return bzimage_parse(size, head, len, ret_image, e);
	if (len >= 2 && head[0] == 0x1f && head[1] == 0x8b)
		return err_set(e, ENOEXEC, "a gzip file: uncompress it first");
	return err_set(e, ENOEXEC, "neither an ELF file nor a bzImage");
}
