/*
 * probe.c - see probe.h.
 *
 * One VM with one vCPU and 64 KiB runs step after step; each starts from the
 * same registers.  After a step that failed the VM is in an unknown state and
 * is made anew.
 *
 * Threading: none of its own; the child is a process so that whatever the
 * back end does in KVM_RUN, a kill ends it.
 */
#include "vmm/monitor/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "vmm/base/err.h"
#include "vmm/base/util.h"

#define CPUID_MAX  256
#define SPIN_FIRST 20000u
#define SPIN_LAST  50000000u
#define SPIN_NS	   (5 * NS_PER_MS) /* long enough to measure */
#define TICKS	   200u

#define PTE_RW	 0x3ULL
#define PTE_USER 0x4ULL
#define PTE_PCD	 0x10ULL
#define PTE_HUGE 0x80ULL

#define CR4_OSFXSR_XMM 0x620ULL /* PAE, OSFXSR, OSXMMEXCPT */
#define CR4_FSGSBASE   (1ULL << 16)
#define CR4_OSXSAVE    (1ULL << 18)
#define CR0_PROBE      0x80050033ULL /* PG AM WP NE ET MP PE */
#define EFER_PROBE     0x501ULL	     /* LMA LME SCE */

struct probe_vm {
	int kvm_fd;
	int vm_fd, vcpu_fd;
	uint8_t *mem;
	struct kvm_run *run;
	size_t run_size;
	bool made;
	uint64_t cr4;
	struct kvm_cpuid2 *cpuid; /* CPUID_MAX entries */
};

static uint32_t cpuid_reg(const struct probe_vm *vm, uint32_t leaf, uint32_t index, char reg)
{
	const struct kvm_cpuid_entry2 *c;
	unsigned int i;

	for (i = 0; i < vm->cpuid->nent; i++) {
		c = &vm->cpuid->entries[i];
		if (c->function != leaf)
			continue;
		if ((c->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) && c->index != index)
			continue;
		return reg == 'a' ? c->eax : reg == 'b' ? c->ebx : c->ecx;
	}
	return 0;
}

static bool cpu_has(const struct probe_vm *vm, enum probe_needs needs)
{
	switch (needs) {
	case PROBE_ALWAYS:
		return true;
	case PROBE_POPCNT:
		return cpuid_reg(vm, 1, 0, 'c') & (1u << 23);
	case PROBE_CX16:
		return cpuid_reg(vm, 1, 0, 'c') & (1u << 13);
	case PROBE_XSAVE:
		return cpuid_reg(vm, 1, 0, 'c') & (1u << 26);
	case PROBE_XSAVES:
		return cpu_has(vm, PROBE_XSAVE) && (cpuid_reg(vm, 0xd, 1, 'a') & (1u << 3));
	case PROBE_FSGSBASE:
		return cpuid_reg(vm, 7, 0, 'b') & 1u;
	case PROBE_SMAP:
		return cpuid_reg(vm, 7, 0, 'b') & (1u << 20);
	}
	return false;
}

static void put64(uint8_t *mem, uint32_t gpa, uint64_t value)
{
	memcpy(mem + gpa, &value, sizeof(value));
}

static void build_idt(uint8_t *mem)
{
	uint64_t low;
	unsigned int i;

	for (i = 0; i < 256; i++) {
		/* 64-bit interrupt gate, 16 bytes a stub; CPL 3 may INT 3, INT 0x80 */
		uint64_t dpl = i == 3 || i == 0x80 ? 3 : 0;
		uint64_t at = PROBE_CODE + 16ULL * i;

		low = (at & 0xffff) | (uint64_t)PROBE_KCS << 16 | (0x8eULL | dpl << 5) << 40 |
		      (at >> 16) << 48;
		put64(mem, PROBE_IDT + 16 * i, low);
	}
}

static void build_memory(uint8_t *mem)
{
	static const uint64_t gdt[] = {
		0,
		0x00af9b000000ffff, /* 0x08 CPL 0 code, 64 bits */
		0x00cf93000000ffff, /* 0x10 CPL 0 data */
		0x00cffb000000ffff, /* 0x18 CPL 3 code, 32 bits: SYSRET's base */
		0x00cff3000000ffff, /* 0x20 CPL 3 data */
		0x00affb000000ffff, /* 0x28 CPL 3 code, 64 bits */
		0x0000890000000067 | (uint64_t)PROBE_TSS << 16, /* 0x30 TSS */
		0,
	};
	unsigned int i;

	memset(mem, 0, PROBE_MEM);
	memcpy(mem + PROBE_GDT, gdt, sizeof(gdt));
	put64(mem, PROBE_TSS + 4, PROBE_KSTACK); /* rsp0 */
	build_idt(mem);
	put64(mem, PROBE_PML4, PROBE_PDPT | PTE_RW | PTE_USER);
	put64(mem, PROBE_PDPT, PROBE_PD_LOW | PTE_RW | PTE_USER);
	put64(mem, PROBE_PDPT + 8 * 3, PROBE_PD_HIGH | PTE_RW);
	put64(mem, PROBE_PD_LOW, PROBE_PT | PTE_RW | PTE_USER);
	for (i = 0; i < PROBE_MEM / 4096; i++)
		put64(mem, PROBE_PT + 8 * i, i * 4096 | PTE_RW | PTE_USER);
	/* 0xfee00000 is the 503rd 2 MiB of the fourth GiB. */
	put64(mem, PROBE_PD_HIGH + 8 * 503, 0xfee00000ULL | PTE_RW | PTE_PCD | PTE_HUGE);
	memcpy(mem + PROBE_CODE, probe_code_start, (size_t)(probe_code_end - probe_code_start));
}

static void vm_unmake(struct probe_vm *vm)
{
	if (vm->run)
		munmap(vm->run, vm->run_size);
	vm->run = NULL;
	close_fd(&vm->vcpu_fd);
	close_fd(&vm->vm_fd);
	vm->made = false;
}

static int vcpu_make(struct probe_vm *vm)
{
	int size;
	void *p;

	vm->vcpu_fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu_fd < 0)
		return neg_errno();
	size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return -EINVAL;
	p = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu_fd, 0);
	if (p == MAP_FAILED)
		return neg_errno();
	vm->run = p;
	vm->run_size = (size_t)size;
	vm->cpuid->nent = CPUID_MAX;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, vm->cpuid) < 0)
		return neg_errno();
	if (ioctl(vm->vcpu_fd, KVM_SET_CPUID2, vm->cpuid) < 0)
		return neg_errno();
	vm->cr4 = CR4_OSFXSR_XMM;
	if (cpu_has(vm, PROBE_XSAVE))
		vm->cr4 |= CR4_OSXSAVE;
	if (cpu_has(vm, PROBE_FSGSBASE))
		vm->cr4 |= CR4_FSGSBASE;
	return 0;
}

static int vm_make(struct probe_vm *vm)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = PROBE_MEM,
		.userspace_addr = (uint64_t)(uintptr_t)vm->mem,
	};
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP };
	int r;

	vm_unmake(vm);
	build_memory(vm->mem);
	vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->vm_fd < 0)
		return neg_errno();
	if (ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return neg_errno();
	/* Intel without unrestricted guests wants it; others ignore it. */
	(void)ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000UL);
	if (ioctl(vm->vm_fd, KVM_ENABLE_CAP, &split) < 0)
		return neg_errno();
	r = vcpu_make(vm);
	vm->made = r == 0;
	return r;
}

static int set_registers(const struct probe_vm *vm, const uint8_t *entry, uint64_t rcx)
{
	struct kvm_segment code = { .limit = 0xffffffff,
				    .selector = PROBE_KCS,
				    .type = 11,
				    .present = 1,
				    .s = 1,
				    .l = 1,
				    .g = 1 };
	struct kvm_segment data = { .limit = 0xffffffff,
				    .selector = PROBE_KDS,
				    .type = 3,
				    .present = 1,
				    .s = 1,
				    .db = 1,
				    .g = 1 };
	struct kvm_regs regs = { .rip = PROBE_CODE + (uint64_t)(entry - probe_code_start),
				 .rsp = PROBE_KSTACK,
				 .rcx = rcx,
				 .rflags = 2 };
	struct kvm_sregs s;

	if (ioctl(vm->vcpu_fd, KVM_GET_SREGS, &s) < 0)
		return neg_errno();
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = (struct kvm_segment){
		.base = PROBE_TSS, .limit = 0x67, .selector = PROBE_TR, .type = 11, .present = 1
	};
	s.gdt = (struct kvm_dtable){ .base = PROBE_GDT, .limit = 0x3f };
	s.idt = (struct kvm_dtable){ .base = PROBE_IDT, .limit = 0xfff };
	s.cr0 = CR0_PROBE;
	s.cr3 = PROBE_PML4;
	s.cr4 = vm->cr4;
	s.efer = EFER_PROBE;
	memset(vm->mem + PROBE_SCRATCH, 0, 4096);
	/* LTR marks the TSS busy, and takes only one that is not. */
	vm->mem[PROBE_GDT + 0x35] = 0x89;
	if (ioctl(vm->vcpu_fd, KVM_SET_SREGS, &s) < 0 ||
	    ioctl(vm->vcpu_fd, KVM_SET_REGS, &regs) < 0)
		return neg_errno();
	return 0;
}

static struct probe_item ended(enum probe_end end, uint64_t detail)
{
	return (struct probe_item){ .outcome = PROBE_FAILS, .end = end, .detail = detail };
}

/* Decode a port write; true when the step goes on. */
static bool on_port(const struct probe_vm *vm, struct probe_item *ret)
{
	const struct kvm_run *run = vm->run;
	uint32_t value = 0;

	if (run->io.direction != KVM_EXIT_IO_OUT || run->io.size != sizeof(value) ||
	    run->io.data_offset > vm->run_size - sizeof(value)) {
		*ret = ended(PROBE_END_EXIT, run->exit_reason);
		return false;
	}
	memcpy(&value, (const uint8_t *)run + run->io.data_offset, sizeof(value));
	switch (run->io.port) {
	case PROBE_PORT_TICK:
		return true;
	case PROBE_PORT_RESULT:
		*ret = ended(PROBE_END_REPORT, value);
		if (!value)
			ret->outcome = PROBE_WORKS;
		return false;
	case PROBE_PORT_TRAP:
		*ret = ended(PROBE_END_TRAP, value);
		return false;
	default:
		*ret = ended(PROBE_END_EXIT, run->exit_reason);
		return false;
	}
}

static struct probe_item run_code(const struct probe_vm *vm, const uint8_t *entry, uint64_t rcx)
{
	struct probe_item item;
	int r;

	r = set_registers(vm, entry, rcx);
	if (r < 0)
		return ended(PROBE_END_ERROR, (uint64_t)-r);
	for (;;) {
		if (ioctl(vm->vcpu_fd, KVM_RUN, 0) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return ended(PROBE_END_ERROR, (uint64_t)errno);
		}
		switch (vm->run->exit_reason) {
		case KVM_EXIT_IO:
			if (on_port(vm, &item))
				continue;
			return item;
		case KVM_EXIT_INTERNAL_ERROR:
			return ended(PROBE_END_INTERNAL, vm->run->internal.suberror);
		case KVM_EXIT_FAIL_ENTRY:
			return ended(PROBE_END_ENTRY,
				     vm->run->fail_entry.hardware_entry_failure_reason);
		case KVM_EXIT_SHUTDOWN:
			return ended(PROBE_END_SHUTDOWN, 0);
		default:
			return ended(PROBE_END_EXIT, vm->run->exit_reason);
		}
	}
}

/* The loop grows until it can be timed: back ends differ by a factor of 1000. */
static uint64_t measure_speed(const struct probe_vm *vm)
{
	uint64_t start, took;
	uint64_t n;

	for (n = SPIN_FIRST;; n *= 10) {
		start = now_ns();
		if (run_code(vm, probe_spin, n).outcome != PROBE_WORKS)
			return 0;
		took = now_ns() - start;
		if (took >= SPIN_NS || n * 10 > SPIN_LAST)
			return took ? n * 2 * NS_PER_S / took : 0;
	}
}

static uint64_t measure_exit(const struct probe_vm *vm)
{
	uint64_t start = now_ns();

	if (run_code(vm, probe_ticks, TICKS).outcome != PROBE_WORKS)
		return 0;
	return (now_ns() - start) / TICKS;
}

/*
 * A step that went wrong is tried once more, in a new VM: the verdict is kept
 * until the host's next start, and an emulated host has been seen to give the
 * wrong answer once in hundreds of times.  What KVM itself says is final.
 */
static struct probe_item run_step(struct probe_vm *vm, const struct probe_step *step)
{
	struct probe_item item = run_code(vm, step->entry, 0);

	if (item.outcome != PROBE_FAILS)
		return item;
	vm_unmake(vm);
	if (item.end == PROBE_END_INTERNAL || item.end == PROBE_END_ENTRY || vm_make(vm) < 0)
		return item;
	item = run_code(vm, step->entry, 0);
	if (item.outcome == PROBE_FAILS)
		vm_unmake(vm);
	return item;
}

void probe_steps_run(int kvm_fd, struct probe_result *shared)
{
	struct probe_vm vm = { .kvm_fd = kvm_fd, .vm_fd = -1, .vcpu_fd = -1 };
	_cleanup_free_ struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]));
	unsigned int i;
	int r;

	vm.cpuid = cpuid;
	vm.mem = mmap(NULL, PROBE_MEM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!cpuid || vm.mem == MAP_FAILED) {
		shared->items[0] = ended(PROBE_END_ERROR, (uint64_t)errno);
		return;
	}
	for (i = 0; i < PROBE_NSTEPS; i++) {
		shared->items[i].outcome = PROBE_RUNNING;
		r = vm.made ? 0 : vm_make(&vm);
		if (r < 0) {
			shared->items[i] = ended(PROBE_END_ERROR, (uint64_t)-r);
			break; /* no VM: no other step can run either */
		}
		if (cpu_has(&vm, probe_steps[i].needs))
			shared->items[i] = run_step(&vm, &probe_steps[i]);
		else
			shared->items[i] = (struct probe_item){ .outcome = PROBE_NOT_NEEDED };
	}
	if ((vm.made || vm_make(&vm) == 0) && shared->items[0].outcome == PROBE_WORKS) {
		shared->exit_ns = measure_exit(&vm);
		shared->insn_per_s = measure_speed(&vm);
	}
	vm_unmake(&vm);
	munmap(vm.mem, PROBE_MEM);
}

int probe_first_failure(const struct probe_result *result)
{
	int i;

	for (i = 0; i < PROBE_NSTEPS; i++)
		if (result->items[i].outcome != PROBE_WORKS &&
		    result->items[i].outcome != PROBE_NOT_NEEDED)
			return i;
	return -1;
}

void probe_conclude(struct probe_result *result)
{
	unsigned int i;

	for (i = 0; i < PROBE_NSTEPS; i++)
		if (result->items[i].outcome == PROBE_RUNNING)
			result->items[i] = ended(PROBE_END_TIME, 0);
	result->linux_ok = probe_first_failure(result) < 0;
}

/* Wait for the child until `deadline`, then kill it.  Always reaps it. */
static void await_child(pid_t pid, uint64_t deadline)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	uint64_t now;

	while (pidfd >= 0 && (now = now_ns()) < deadline) {
		if (poll(&p, 1, (int)((deadline - now) / NS_PER_MS) + 1) > 0)
			break;
	}
	/* Harmless when it has ended: it is a zombie until we reap it. */
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int probe_linux(int kvm_fd, struct probe_result *ret, unsigned int deadline_ms)
{
	uint64_t deadline = now_ns() + deadline_ms * NS_PER_MS;
	struct probe_result *shared;
	pid_t parent = getpid();
	pid_t pid;
	int r = 0;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return neg_errno();
	pid = fork();
	if (pid < 0) {
		r = neg_errno();
	} else if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			probe_steps_run(kvm_fd, shared);
		_exit(0);
	} else {
		await_child(pid, deadline);
		probe_conclude(shared);
		*ret = *shared;
	}
	munmap(shared, sizeof(*shared));
	return r;
}

static const char *exception_name(uint64_t vector)
{
	switch (vector) {
	case 6:
		return "#UD";
	case 8:
		return "#DF";
	case 13:
		return "#GP";
	case 14:
		return "#PF";
	default:
		return "an exception";
	}
}

const char *probe_describe(const struct probe_item *item, char *out, size_t size)
{
	unsigned long long d = item->detail;

	switch (item->end) {
	case PROBE_END_REPORT:
		snprintf(out, size, "it had the wrong effect (code %llu)", d);
		break;
	case PROBE_END_TRAP:
		snprintf(out, size, "it raised %s (vector %llu) instead", exception_name(d), d);
		break;
	case PROBE_END_INTERNAL:
		snprintf(out, size, "KVM cannot emulate it (internal error, suberror %llu)", d);
		break;
	case PROBE_END_ENTRY:
		snprintf(out, size, "the CPU refused to enter the guest (reason 0x%llx)", d);
		break;
	case PROBE_END_SHUTDOWN:
		snprintf(out, size, "the guest triple-faulted");
		break;
	case PROBE_END_EXIT:
		snprintf(out, size, "the guest stopped with exit reason %llu", d);
		break;
	case PROBE_END_ERROR:
		snprintf(out, size, "KVM returned an error: %s", strerror((int)d));
		break;
	case PROBE_END_TIME:
		snprintf(out, size, "it did not end in time");
		break;
	}
	return out;
}
