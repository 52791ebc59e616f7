/*
 * test_arch_kvm.c - on a real /dev/kvm: a VM built by arch/ enters a tiny
 * guest by each boot protocol with the registers that the protocol asks for.
 * The guests stay within what software back ends of KVM can emulate.
 */
#include "arch/arch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "arch/x86_64/layout.h"
#include "tests/unit/support/arch_image.h"
#include "vmm/base/util.h"

#define PORT  0x5f0
#define NCPUS 3

struct machine {
	int kvm, vm, vcpu[NCPUS];
	struct guest_memory gm;
	struct arch_cpu_model *model;
	struct arch_boot boot;
	struct kvm_run *run;
	size_t run_size;
};

static struct arch_cpu_model *model_of(int kvm, unsigned int ncpus, struct err *e)
{
	struct arch_cpu_model *model;
	void *host_cpu = NULL;
	size_t len;

	if (arch_host_cpu_ask(kvm, &host_cpu, &len, e) < 0)
		return NULL;
	model = arch_cpu_model_new(kvm, host_cpu, len, ncpus, e);
	free(host_cpu);
	return model;
}

static void machine_make(struct machine *m, const struct test_file *f)
{
	const struct arch_machine desc = { .ncpus = NCPUS, .nvirtio = 2 };
	struct arch_image image = { .kernel_name = "K", .initrd_fd = -1, .cmdline = "hello" };
	struct err e = { 0 };

	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	assert_true(m->vm >= 0);
	test_memory_map(&m->gm, 64 * MIB);
	assert_int_equal(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION,
			       &(struct kvm_userspace_memory_region){
				       .memory_size = m->gm.region[0].size,
				       .userspace_addr = (uintptr_t)m->gm.region[0].host }),
			 0);
	if (arch_vm_setup(m->vm, &e) < 0 || arch_irqchip_create(m->vm, &e) < 0)
		fail_msg("%s", e.text);
	m->model = model_of(m->kvm, NCPUS, &e);
	if (!m->model)
		fail_msg("%s", e.text);
	image.kernel_fd = test_file_fd(f);
	if (arch_load(&m->gm, &desc, &image, &m->boot, &e) < 0)
		fail_msg("%s", e.text);
	close(image.kernel_fd);
	for (unsigned int i = 0; i < NCPUS; i++) {
		m->vcpu[i] = ioctl(m->vm, KVM_CREATE_VCPU, i);
		assert_true(m->vcpu[i] >= 0);
		if (arch_vcpu_setup(m->model, m->vcpu[i], i, &m->boot, &e) < 0)
			fail_msg("%s", e.text);
	}
	m->run_size = (size_t)ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	m->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu[0], 0);
	assert_true(m->run != MAP_FAILED);
}

static void machine_drop(struct machine *m)
{
	munmap(m->run, m->run_size);
	for (unsigned int i = 0; i < NCPUS; i++)
		close(m->vcpu[i]);
	free(m->model);
	close(m->vm);
	close(m->kvm);
	test_memory_unmap(&m->gm);
}

/* Opens /dev/kvm, or skips the test that called. */
static void open_kvm(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m->kvm < 0) {
		print_message("skipped: /dev/kvm: %m\n");
		skip();
	}
}

/* Run CPU 0 until it writes 32 bits to PORT; returns them. */
static uint32_t run_to_out(struct machine *m)
{
	char text[4096];
	uint32_t v;

	assert_int_equal(ioctl(m->vcpu[0], KVM_RUN, 0), 0);
	if (m->run->exit_reason != KVM_EXIT_IO) {
		arch_describe_stop(m->vcpu[0], m->run, &m->gm, text, sizeof(text));
		fail_msg("%s", text);
	}
	assert_int_equal(m->run->io.port, PORT);
	assert_int_equal(m->run->io.size, 4);
	memcpy(&v, (uint8_t *)m->run + m->run->io.data_offset, sizeof(v));
	return v;
}

/* 64-bit: out the low half of rsi, the word at rsi + 0x202 ("HdrS"), and ds. */
static const uint8_t code64[] = {
	0x66, 0xba, PORT & 0xff, PORT >> 8,	  /* mov $PORT, %dx */
	0x89, 0xf0,				  /* mov %esi, %eax */
	0xef,					  /* out %eax, (%dx) */
	0x8b, 0x86, 0x02,	 0x02,	    0, 0, /* mov 0x202(%rsi), %eax */
	0xef,					  /* out %eax, (%dx) */
	0x8c, 0xd8,				  /* mov %ds, %eax */
	0xef,					  /* out %eax, (%dx) */
	0x0f, 0x0b,				  /* ud2: with an empty IDT, a triple fault */
};

/* 32-bit: out ebx, then the word at ebx (the start info's magic). */
static const uint8_t code32[] = {
	0x66, 0xba, PORT & 0xff, PORT >> 8, /* mov $PORT, %dx */
	0x89, 0xd8,			    /* mov %ebx, %eax */
	0xef,				    /* out %eax, (%dx) */
	0x8b, 0x03,			    /* mov (%ebx), %eax */
	0xef,				    /* out %eax, (%dx) */
	0x0f, 0x0b,			    /* ud2 */
};

static void enters_64_bit(struct machine *m, const struct test_file *f)
{
	machine_make(m, f);
	assert_int_equal(run_to_out(m), ZERO_PAGE);
	assert_int_equal(run_to_out(m), 0x53726448);
	assert_int_equal(run_to_out(m), SEL_DATA);
	machine_drop(m);
}

static void elf_by_the_64_bit_protocol(void **state)
{
	struct machine m;
	struct test_file f;

	(void)state;
	open_kvm(&m);
	test_elf(&f, code64, sizeof(code64));
	enters_64_bit(&m, &f);
}

static void bzimage_by_the_64_bit_protocol(void **state)
{
	struct machine m;
	struct test_file f;

	(void)state;
	open_kvm(&m);
	test_bzimage(&f, code64, sizeof(code64));
	enters_64_bit(&m, &f);
}

static void elf_by_pvh(void **state)
{
	uint32_t entry = TEST_ELF_CODE;
	struct kvm_sregs s;
	struct machine m;
	struct test_file f;

	(void)state;
	open_kvm(&m);
	test_elf(&f, code32, sizeof(code32));
	test_elf_note(&f, "Xen", 18, &entry, sizeof(entry));
	machine_make(&m, &f);
	assert_int_equal(run_to_out(&m), PVH_START_INFO);
	assert_int_equal(run_to_out(&m), 0x336ec578);
	assert_int_equal(ioctl(m.vcpu[0], KVM_GET_SREGS, &s), 0);
	assert_int_equal(s.cr0 & 0x80000001, 1);
	assert_int_equal(s.efer, 0);
	machine_drop(&m);
}

static void triple_fault_is_described(void **state)
{
	struct machine m;
	struct test_file f;
	char text[4096], cut[10];

	(void)state;
	open_kvm(&m);
	test_elf(&f, code64, sizeof(code64));
	machine_make(&m, &f);
	for (unsigned int i = 0; i < 3; i++)
		run_to_out(&m);
	assert_int_equal(ioctl(m.vcpu[0], KVM_RUN, 0), 0);
	arch_describe_stop(m.vcpu[0], m.run, &m.gm, text, sizeof(text));
	assert_int_equal(m.run->exit_reason, KVM_EXIT_SHUTDOWN);
	assert_non_null(strstr(text, "triple fault"));
	assert_non_null(strstr(text, "RIP=0000000000100011 "));
	assert_non_null(strstr(text, "RSI=0000000000007000 "));
	assert_non_null(strstr(text, "CS =0010 "));
	assert_non_null(strstr(text, "CPL=0 "));
	assert_non_null(strstr(text, "Code at RIP: 0f 0b 00 00 00 00"));
	arch_describe_stop(m.vcpu[0], m.run, &m.gm, cut, sizeof(cut));
	assert_string_equal(cut, "triple fa");
	machine_drop(&m);
}

/* What KVM leaves in its structures, without a guest that gets it there. */
static void every_stop_has_its_sentence(void **state)
{
	static const struct {
		uint32_t reason, suberror;
		const char *says;
	} cases[] = {
		{ KVM_EXIT_INTERNAL_ERROR, 1, "could not emulate the instruction 66 ba f0 05" },
		{ KVM_EXIT_INTERNAL_ERROR, 2, "two exceptions" },
		{ KVM_EXIT_INTERNAL_ERROR, 3, "could not deliver" },
		{ KVM_EXIT_INTERNAL_ERROR, 4, "does not know" },
		{ KVM_EXIT_INTERNAL_ERROR, 99, "suberror 99" },
		{ KVM_EXIT_FAIL_ENTRY, 0, "refused to enter" },
		{ KVM_EXIT_UNKNOWN, 0, "KVM does not know" },
		{ 12345, 0, "exit 12345" },
	};
	struct machine m;
	struct test_file f;
	char text[4096];

	(void)state;
	open_kvm(&m);
	test_elf(&f, code64, sizeof(code64));
	machine_make(&m, &f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kvm_run run = { .exit_reason = cases[i].reason };

		if (cases[i].reason == KVM_EXIT_INTERNAL_ERROR) {
			run.internal.suberror = cases[i].suberror;
			run.internal.ndata = 0xffff; /* more than there can be */
		}
		arch_describe_stop(m.vcpu[0], &run, &m.gm, text, sizeof(text));
		if (!strstr(text, cases[i].says))
			fail_msg("\"%s\" lacks \"%s\"", text, cases[i].says);
	}
	machine_drop(&m);
}

static void kvms_own_copy_of_the_instruction_is_told(void **state)
{
	struct kvm_run run = { .exit_reason = KVM_EXIT_INTERNAL_ERROR };
	const struct guest_memory none = { 0 };
	char text[4096];

	(void)state;
	run.emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run.emulation_failure.ndata = 3;
	run.emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	run.emulation_failure.insn_size = 200; /* more than there can be */
	memset(run.emulation_failure.insn_bytes, 0xcc, 15);
	arch_describe_stop(-1, &run, &none, text, sizeof(text));
	assert_non_null(
		strstr(text, "instruction cc cc cc cc cc cc cc cc cc cc cc cc cc cc cc at"));
	assert_non_null(strstr(text, "cannot be read"));
}

/* The state that cpu.c leaves to KVM is what it says it is. */
static void reset_state(void **state)
{
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp;
	struct kvm_xsave xsave;
	struct kvm_fpu fpu;
	struct machine m;
	struct test_file f;
	uint32_t lvt;

	(void)state;
	open_kvm(&m);
	test_elf(&f, code64, sizeof(code64));
	machine_make(&m, &f);
	for (unsigned int i = 0; i < NCPUS; i++) {
		assert_int_equal(ioctl(m.vcpu[i], KVM_GET_FPU, &fpu), 0);
		assert_int_equal(fpu.fcw, 0x37f);
		/* KVM_GET_FPU leaves mxcsr out; it is at 24 in the FXSAVE area. */
		assert_int_equal(ioctl(m.vcpu[i], KVM_GET_XSAVE, &xsave), 0);
		assert_int_equal(xsave.region[6], 0x1f80);
		assert_int_equal(ioctl(m.vcpu[i], KVM_GET_MP_STATE, &mp), 0);
		assert_int_equal(mp.mp_state,
				 i ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE);
		assert_int_equal(ioctl(m.vcpu[i], KVM_GET_LAPIC, &lapic), 0);
		memcpy(&lvt, lapic.regs + 0x350, sizeof(lvt)); /* LINT0 */
		assert_int_equal(lvt >> 16 & 1, 1);	       /* masked */
		memcpy(&lvt, lapic.regs + 0x20, sizeof(lvt));
		assert_int_equal(lvt >> 24, i);
	}
	machine_drop(&m);
}

static void model_refuses_odd_counts(void **state)
{
	struct arch_cpu_model *model;
	struct machine m;
	struct err e = { 0 };

	(void)state;
	open_kvm(&m);
	assert_null(model_of(m.kvm, 0, &e));
	assert_null(model_of(m.kvm, ARCH_MAX_CPUS + 1, &e));
	assert_string_equal(e.text, "65 CPUs; 1 to 64 can be had");
	assert_null(arch_cpu_model_new(m.kvm, "", 1, 1, &e));
	model = model_of(m.kvm, 1, &e);
	assert_non_null(model);
	assert_int_equal(arch_vcpu_setup(model, -1, 1, NULL, &e), -EINVAL);
	assert_int_equal(arch_vcpu_setup(model, -1, 0, NULL, &e), -EBADF);
	free(model);
	close(m.kvm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_by_the_64_bit_protocol),
		cmocka_unit_test(bzimage_by_the_64_bit_protocol),
		cmocka_unit_test(elf_by_pvh),
		cmocka_unit_test(triple_fault_is_described),
		cmocka_unit_test(every_stop_has_its_sentence),
		cmocka_unit_test(kvms_own_copy_of_the_instruction_is_told),
		cmocka_unit_test(reset_state),
		cmocka_unit_test(model_refuses_odd_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
