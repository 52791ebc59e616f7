/*
 * The smallest guest: adds two numbers, writes the sum to a port, halts.
 * Exits with 0 when KVM carried all of it out. Proves the lab's /dev/kvm.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* mov $0x3f8,%dx; add %bl,%al; out %al,(%dx); hlt */
static const uint8_t guest[] = { 0xba, 0xf8, 0x03, 0x00, 0xd8, 0xee, 0xf4 };

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = 0x1000,
		.memory_size = 4096,
		.userspace_addr = (uintptr_t)memory,
	};
	struct kvm_regs regs = { .rip = 0x1000, .rax = 2, .rbx = 3, .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_run *run;
	int vcpu;

	if (vm < 0 || memory == MAP_FAILED)
		return fail("/dev/kvm");
	memcpy(memory, guest, sizeof(guest));
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return fail("memory slot");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		   MAP_SHARED, vcpu, 0);
	if (vcpu < 0 || run == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return fail("vCPU");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		return fail("registers");
	if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_IO ||
	    run->io.port != 0x3f8 || ((uint8_t *)run)[run->io.data_offset] != 5)
		return fail("first exit: not the sum");
	if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_HLT)
		return fail("second exit: not HLT");
	return 0;
}
