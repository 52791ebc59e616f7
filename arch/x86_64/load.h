/*
 * load.h - a kernel file, understood but not yet loaded.
 *
 * The parsers read the file's headers and have no other effect; what they
 * fill was checked against the file, not yet against guest memory.
 */
#ifndef X86_LOAD_H
#define X86_LOAD_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

#define KERNEL_MAX_SEGMENTS 64

struct kernel_segment {
	uint64_t addr;	   /* guest physical */
	uint64_t mem_len;  /* > 0; addr + mem_len does not wrap */
	uint64_t offset;   /* in the file */
	uint64_t file_len; /* <= mem_len; wholly inside the file */
};

struct kernel_image {
	struct arch_boot boot; /* protocol, entry, linux_image; info is not set */
	unsigned int nsegments;
	struct kernel_segment segment[KERNEL_MAX_SEGMENTS];
	size_t cmdline_max;	   /* characters, without the NUL */
	uint64_t initrd_end_max;   /* the initrd ends at or below */
	struct setup_header setup; /* bzImage: for the zero page; ELF: zero */
};

/*
 * Understand the kernel in `fd`, `size` bytes long.  0, -ENOEXEC with the
 * reason, -errno of reading.  *ret_image is large: keep it off small stacks.
 */
int kernel_parse(int fd, uint64_t size, struct kernel_image *ret_image, struct err *e);

/* The same for one format.  `head` is the start of the file, `head_len` bytes. */
#define KERNEL_HEAD_LEN 4096
int elf_parse(int fd, uint64_t size, const uint8_t *head, size_t head_len,
	      struct kernel_image *image, struct err *e);
int bzimage_parse(uint64_t size, const uint8_t *head, size_t head_len, struct kernel_image *image,
		  struct err *e);

/*
 * Does the kernel fit into RAM that ends (below the hole) at `low_end`, clear
 * of our own structures and of itself, with its entry in what is loaded?
 * 0, -E2BIG (more RAM would help) or -ENOEXEC.
 */
int kernel_check_placement(const struct kernel_image *image, uint64_t low_end, struct err *e);

/* RAM and what else is at a guest's addresses, in E820 terms, for both boot
 * protocols.  Returns how many entries of `map` were filled. */
#define MEMORY_MAP_MAX (GUEST_MEMORY_MAX_REGIONS + 2)
unsigned int memory_map(const struct guest_memory *gm, struct boot_e820_entry map[MEMORY_MAP_MAX]);

#endif
