/*
 * hold.c - machines that are made at the start, and never run.
 *
 * The host's kernel rewrites its own code when the first machine comes and when
 * the last one goes, and when the first vCPU of some kinds does (static keys:
 * __schedule() calls KVM only while there is a machine).  While it rewrites, there
 * is an int3 in the place, and QEMU 7.2 with a thread for each CPU can keep a
 * translation of that int3 for good: a CPU that translates does not lock the page
 * before it reads it (QEMU does since 8.1).  The CPU that runs into it finds no
 * breakpoint in memory, tries again, and so on for ever: no task is switched to
 * any more, no message comes.  Of some 150 starts of a guest one ended so.
 *
 * As long as these machines are there, nothing of that is rewritten.
 */
#include "init.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>

/* The descriptors are kept open; what does not work is not held, and that is all. */
static void hold(int kvm, bool irqchip)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0 || fcntl(vm, F_SETFD, FD_CLOEXEC) < 0)
		return;
	if (!irqchip || ioctl(vm, KVM_CREATE_IRQCHIP, 0) == 0)
		(void)ioctl(vm, KVM_CREATE_VCPU, 0);
}

void hold_machines(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		return;
	hold(kvm, true);
	hold(kvm, false);
}
