/*
 * elf.c - ELF64 kernels (System V ABI, chapters 4 and 5).
 *
 * Three kinds come as ELF.  Linux's vmlinux is entered by the Linux 64-bit
 * protocol at e_entry, which is a physical address there; it says what it is
 * with a note owned by "Linux" (every kernel since 4.19 has the build salt,
 * and stripping keeps notes that are loaded).  Anything else with a PVH note
 * (owner "Xen", type 18: the 32-bit physical entry) is entered by that.  What
 * is left is taken for a bare-metal program and entered like Linux.
 *
 * Only the program headers count; sections are never looked at.
 */
#include "arch/x86_64/load.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "vmm/base/util.h"

#define ELF_MAX_HEADERS	      128
#define NOTES_MAX	      (64 * KIB)
#define XEN_NOTE_PHYS32_ENTRY 18

static int check_header(const Elf64_Ehdr *h, size_t head_len, struct err *e)
{
	if (head_len < EI_NIDENT)
		return err_set(e, ENOEXEC, "the file is truncated in its ELF header");
	if (h->e_ident[EI_CLASS] == ELFCLASS32)
		return err_set(e, ENOEXEC, "a 32-bit ELF file: only 64-bit kernels are supported");
	if (h->e_ident[EI_CLASS] != ELFCLASS64)
		return err_set(e, ENOEXEC, "an ELF file of unknown class %u", h->e_ident[EI_CLASS]);
	if (h->e_ident[EI_DATA] != ELFDATA2LSB)
		return err_set(e, ENOEXEC, "an ELF file that is not little-endian");
	if (head_len < sizeof(*h))
		return err_set(e, ENOEXEC, "the file is truncated in its ELF header");
	if (h->e_machine != EM_X86_64)
		return err_set(e, ENOEXEC, "an ELF file for machine %u, not for x86-64 (%u)",
			       h->e_machine, EM_X86_64);
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return err_set(e, ENOEXEC, "an ELF file of type %u, not an executable", h->e_type);
	if (h->e_phentsize != sizeof(Elf64_Phdr))
		return err_set(e, ENOEXEC, "its ELF program headers are %u bytes each, not %zu",
			       h->e_phentsize, sizeof(Elf64_Phdr));
	if (h->e_phnum == 0 || h->e_phnum > ELF_MAX_HEADERS)
		return err_set(e, ENOEXEC, "it has %u ELF program headers; 1 to %u are taken",
			       h->e_phnum, ELF_MAX_HEADERS);
	return 0;
}

static int read_headers(int fd, uint64_t size, const uint8_t *head, size_t head_len,
			const Elf64_Ehdr *h, Elf64_Phdr *ret_headers, struct err *e)
{
	size_t len = h->e_phnum * sizeof(Elf64_Phdr);
	int r;

	if (h->e_phoff > size || len > size - h->e_phoff)
		return err_set(e, ENOEXEC,
			       "the file is truncated: its ELF program headers "
			       "are beyond its end");
	if (h->e_phoff <= head_len && len <= head_len - h->e_phoff) {
		memcpy(ret_headers, head + h->e_phoff, len);
		return 0;
	}
	r = pread_all(fd, ret_headers, len, h->e_phoff);
	return r < 0 ? err_code(e, r, "read its ELF program headers") : 0;
}

static int add_segment(const Elf64_Phdr *ph, uint64_t size, struct kernel_image *image,
		       struct err *e)
{
	if (ph->p_filesz > ph->p_memsz)
		return err_set(e, ENOEXEC,
			       "the ELF segment at %#" PRIx64
			       " has more bytes in the file than in memory",
			       ph->p_paddr);
	if (ph->p_memsz == 0)
		return 0;
	if (ph->p_filesz > 0 && (ph->p_offset > size || ph->p_filesz > size - ph->p_offset))
		return err_set(e, ENOEXEC,
			       "the file is truncated: the ELF segment at %#" PRIx64
			       " goes beyond its end",
			       ph->p_paddr);
	if (ph->p_paddr + (ph->p_memsz - 1) < ph->p_paddr)
		return err_set(e, ENOEXEC,
			       "the ELF segment at %#" PRIx64 " wraps around the address space",
			       ph->p_paddr);
	if (image->nsegments == KERNEL_MAX_SEGMENTS)
		return err_set(e, ENOEXEC, "it has more than %u ELF segments to load",
			       KERNEL_MAX_SEGMENTS);
	image->segment[image->nsegments++] = (struct kernel_segment){
		.addr = ph->p_paddr,
		.mem_len = ph->p_memsz,
		.offset = ph->p_offset,
		.file_len = ph->p_filesz,
	};
	return 0;
}

struct notes {
	bool linux_owner;
	bool pvh;
	uint64_t pvh_entry;
};

static void look_at_note(const Elf64_Nhdr *n, const uint8_t *name, const uint8_t *desc,
			 struct notes *notes)
{
	uint32_t entry32;

	if (n->n_namesz == sizeof("Linux") && !memcmp(name, "Linux", sizeof("Linux")))
		notes->linux_owner = true;
	if (n->n_namesz != sizeof("Xen") || memcmp(name, "Xen", sizeof("Xen")) ||
	    n->n_type != XEN_NOTE_PHYS32_ENTRY)
		return;
	if (n->n_descsz == sizeof(uint64_t)) {
		memcpy(&notes->pvh_entry, desc, sizeof(uint64_t));
	} else if (n->n_descsz == sizeof(uint32_t)) {
		memcpy(&entry32, desc, sizeof(entry32));
		notes->pvh_entry = entry32;
	} else {
		return;
	}
	notes->pvh = true;
}

/*
 * Names and descriptors are padded to four bytes; in a segment aligned to
 * eight they are padded to eight (the descriptor's start and end, as linkers
 * do for .note.gnu.property).
 */
static int walk_notes(const uint8_t *p, size_t len, size_t align, struct notes *notes,
		      struct err *e)
{
	Elf64_Nhdr n;
	size_t desc, next;

	while (len >= sizeof(n)) {
		memcpy(&n, p, sizeof(n));
		/* 32-bit lengths: these sums cannot wrap a size_t. */
		desc = ALIGN_UP(sizeof(n) + (size_t)n.n_namesz, align);
		next = ALIGN_UP(desc + (size_t)n.n_descsz, align);
		if (desc > len || n.n_descsz > len - desc)
			return err_set(e, ENOEXEC,
				       "an ELF note goes beyond the end of its segment");
		look_at_note(&n, p + sizeof(n), p + desc, notes);
		if (next >= len)
			break;
		p += next;
		len -= next;
	}
	return 0;
}

static int read_notes(int fd, uint64_t size, const Elf64_Phdr *ph, struct notes *notes,
		      struct err *e)
{
	_cleanup_free_ uint8_t *buf = NULL;
	int r;

	if (ph->p_filesz > NOTES_MAX)
		return err_set(e, ENOEXEC, "its ELF notes are longer than %llu bytes", NOTES_MAX);
	if (ph->p_offset > size || ph->p_filesz > size - ph->p_offset)
		return err_set(e, ENOEXEC,
			       "the file is truncated: its ELF notes go beyond its end");
	if (ph->p_filesz == 0)
		return 0;
	buf = malloc(ph->p_filesz);
	if (!buf)
		return err_errno(e, "memory for ELF notes");
	r = pread_all(fd, buf, ph->p_filesz, ph->p_offset);
	if (r < 0)
		return err_code(e, r, "read its ELF notes");
	return walk_notes(buf, ph->p_filesz, ph->p_align == 8 ? 8 : 4, notes, e);
}

int elf_parse(int fd, uint64_t size, const uint8_t *head, size_t head_len,
	      struct kernel_image *image, struct err *e)
{
	_cleanup_free_ Elf64_Phdr *ph = NULL;
	struct notes notes = { 0 };
	Elf64_Ehdr h = { 0 };
	int r;

	memcpy(&h, head, MIN(head_len, sizeof(h)));
	r = check_header(&h, head_len, e);
	if (r < 0)
		return r;
	ph = calloc(h.e_phnum, sizeof(*ph));
	if (!ph)
		return err_errno(e, "memory for ELF program headers");
	r = read_headers(fd, size, head, head_len, &h, ph, e);
	for (unsigned int i = 0; r == 0 && i < h.e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			r = add_segment(&ph[i], size, image, e);
		else if (ph[i].p_type == PT_NOTE)
			r = read_notes(fd, size, &ph[i], &notes, e);
		else if (ph[i].p_type == PT_INTERP)
			r = err_set(e, ENOEXEC, "a dynamically linked program, not a kernel");
	}
	if (r < 0)
		return r;
	image->boot.linux_image = notes.linux_owner;
	if (notes.pvh && !notes.linux_owner) {
		image->boot.protocol = ARCH_BOOT_PVH;
		image->boot.entry = notes.pvh_entry;
	} else {
		image->boot.protocol = ARCH_BOOT_LINUX64;
		image->boot.entry = h.e_entry;
	}
	image->cmdline_max = ARCH_CMDLINE_MAX - 1;
	image->initrd_end_max = UINT32_MAX;
	return 0;
}
