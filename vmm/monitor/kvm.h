/*
 * kvm.h - the system calls of /dev/kvm that build a machine (Linux
 * Documentation/virt/kvm/api.rst), each with a message that says what failed.
 *
 * KVM's own I/O APIC and 8259 are not used (devices/platform/ioapic.h): with
 * them a memory slot that is set later, and the end of the machine, wait for an
 * RCU grace period, milliseconds instead of a tenth of one.
 */
#ifndef MONITOR_KVM_H
#define MONITOR_KVM_H

#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>

#include "devices/guest_memory.h"
#include "devices/platform/ioapic.h"
#include "vmm/base/err.h"

struct kvm_vm {
	int kvm_fd;	 /* borrowed */
	int fd;		 /* of the machine */
	size_t run_size; /* bytes of a vCPU's struct kvm_run mapping */
};

/* KVM_CREATE_VM; checks the API version.  0 or -errno.  Owns vm->fd. */
int kvm_vm_create(struct kvm_vm *vm, int kvm_fd, struct err *e);

/* One slot for each region of `gm`, all of them mapped. */
int kvm_vm_set_memory(const struct kvm_vm *vm, const struct guest_memory *gm, struct err *e);

/* KVM_CREATE_VCPU and its shared page.  0 and *ret_fd, *ret_run (both owned
 * by the caller), or -errno. */
int kvm_vcpu_create(const struct kvm_vm *vm, unsigned int index, int *ret_fd,
		    struct kvm_run **ret_run, struct err *e);

/* A 32-bit write of `value` to the MMIO address signals `eventfd` and does
 * not leave the kernel. */
int kvm_ioeventfd(const struct kvm_vm *vm, uint64_t addr, uint32_t value, int eventfd,
		  struct err *e);

/* From now on an edge on GSI i is the message that messages[i] says, 0 <= i < n <=
 * IOAPIC_MAX_PINS; others are nobody's.  0 or -errno. */
int kvm_set_routes(const struct kvm_vm *vm, const struct ioapic_message *messages, unsigned int n,
		   struct err *e);

/* Writing `eventfd` makes one edge on `gsi`. */
int kvm_irqfd(const struct kvm_vm *vm, unsigned int gsi, int eventfd, struct err *e);

/* One edge on `gsi`, from any thread; for struct irq_line (ctx: the kvm_vm). */
void kvm_irq_pulse(void *ctx, unsigned int gsi);

#endif
