/* arch_image.c - see arch_image.h. */
#include "tests/unit/support/arch_image.h"

#include <asm/bootparam.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "arch/arch.h"
#include "vmm/base/util.h"

Elf64_Ehdr *test_elf_header(struct test_file *f)
{
	return (void *)f->bytes;
}

Elf64_Phdr *test_elf_segment(struct test_file *f, unsigned int n)
{
	return (Elf64_Phdr *)(void *)(f->bytes + sizeof(Elf64_Ehdr)) + n;
}

void test_elf(struct test_file *f, const void *code, size_t code_len)
{
	memset(f, 0, sizeof(*f));
	*test_elf_header(f) = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = TEST_ELF_CODE,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	*test_elf_segment(f, 0) = (Elf64_Phdr){ .p_type = PT_LOAD,
						.p_offset = TEST_ELF_CODE_AT,
						.p_paddr = TEST_ELF_CODE,
						.p_filesz = 0x100,
						.p_memsz = 0x100 };
	*test_elf_segment(f, 1) = (Elf64_Phdr){ .p_type = PT_LOAD,
						.p_offset = TEST_ELF_DATA_AT,
						.p_paddr = TEST_ELF_DATA,
						.p_filesz = 0x10,
						.p_memsz = 0x2000 };
	memcpy(f->bytes + TEST_ELF_CODE_AT, code, code_len);
	memset(f->bytes + TEST_ELF_DATA_AT, 0xdd, 0x10);
	f->len = 0x4000;
}

void test_elf_note(struct test_file *f, const char *name, uint32_t type, const void *desc,
		   uint32_t desc_len)
{
	Elf64_Phdr *ph = test_elf_segment(f, 2);
	uint8_t *p = f->bytes + TEST_ELF_NOTES_AT + ph->p_filesz;
	Elf64_Nhdr n = { .n_namesz = (uint32_t)strlen(name) + 1,
			 .n_descsz = desc_len,
			 .n_type = type };

	memcpy(p, &n, sizeof(n));
	memcpy(p + sizeof(n), name, n.n_namesz);
	memcpy(p + sizeof(n) + ALIGN_UP(n.n_namesz, 4U), desc, desc_len);
	ph->p_type = PT_NOTE;
	ph->p_offset = TEST_ELF_NOTES_AT;
	ph->p_align = 4;
	ph->p_filesz += sizeof(n) + ALIGN_UP(n.n_namesz, 4U) + ALIGN_UP(desc_len, 4U);
}

void test_bzimage(struct test_file *f, const void *code, size_t code_len)
{
	struct setup_header h = {
		.setup_sects = 4,
		.syssize = 0x1000 / 16,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb, /* the header ends at 0x202 + 0x6a */
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH | CAN_USE_HEAP,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 2047,
		.setup_data = 0xdead,
		.pref_address = TEST_BZIMAGE_LOAD,
		.init_size = 0x300000,
	};

	memset(f, 0, sizeof(*f));
	/* What belongs to no loader: it must not end up in the zero page. */
	memset(f->bytes, 0xee, 0x1f1);
	memcpy(f->bytes + 0x1f1, &h, sizeof(h));
	memcpy(f->bytes + TEST_BZIMAGE_START + 0x200, code, code_len);
	f->len = TEST_BZIMAGE_START + 0x1000;
}

int test_file_fd(const struct test_file *f)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, f->bytes, f->len), 0);
	return fd;
}

void test_memory_map(struct guest_memory *gm, uint64_t bytes)
{
	struct err e = { 0 };

	assert_int_equal(arch_memory_layout(bytes, gm, &e), 0);
	for (unsigned int i = 0; i < gm->nregions; i++) {
		void *p = mmap(NULL, gm->region[i].size, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		assert_true(p != MAP_FAILED);
		gm->region[i].host = p;
	}
}

void test_memory_unmap(struct guest_memory *gm)
{
	for (unsigned int i = 0; i < gm->nregions; i++)
		munmap(gm->region[i].host, gm->region[i].size);
	gm->nregions = 0;
}
