/* arch_image.h - kernel files and guest memory for the tests of arch/. */
#ifndef TEST_ARCH_IMAGE_H
#define TEST_ARCH_IMAGE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/guest_memory.h"

/*
 * A file in memory.  test_elf() makes an ELF64 whose two segments are
 * TEST_ELF_CODE at its entry (16 bytes of the caller's code), and one of 0x10
 * bytes in the file and 0x2000 in memory; its third header is a PT_NULL to be
 * made into something else.
 */
struct test_file {
	size_t len;
	uint8_t bytes[0x8000];
};

#define TEST_ELF_CODE	   0x100000ULL
#define TEST_ELF_DATA	   0x200000ULL
#define TEST_ELF_CODE_AT   0x1000 /* offsets in the file */
#define TEST_ELF_DATA_AT   0x2000
#define TEST_ELF_NOTES_AT  0x3000
#define TEST_BZIMAGE_LOAD  0x1000000ULL
#define TEST_BZIMAGE_START ((4 + 1) * 512) /* of the protected-mode part, in the file */

void test_elf(struct test_file *f, const void *code, size_t code_len);
Elf64_Ehdr *test_elf_header(struct test_file *f);
Elf64_Phdr *test_elf_segment(struct test_file *f, unsigned int n);

/* Append a note to the (third) segment, which becomes a PT_NOTE. */
void test_elf_note(struct test_file *f, const char *name, uint32_t type, const void *desc,
		   uint32_t desc_len);

/* A bzImage of protocol 2.15 with `code` at its 64-bit entry. */
void test_bzimage(struct test_file *f, const void *code, size_t code_len);

/* The file as a memfd. */
int test_file_fd(const struct test_file *f);

/* Guest memory of `bytes` by arch_memory_layout(), mapped, all zero. */
void test_memory_map(struct guest_memory *gm, uint64_t bytes);
void test_memory_unmap(struct guest_memory *gm);

#endif
