/* kvm.c - see kvm.h. */
#include "vmm/monitor/kvm.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vmm/base/util.h"

int kvm_vm_create(struct kvm_vm *vm, int kvm_fd, struct err *e)
{
	int version = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);
	int size;

	if (version != KVM_API_VERSION)
		return err_set(e, EPROTO, "/dev/kvm speaks API version %d, %d is needed", version,
			       KVM_API_VERSION);
	size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0 || (size_t)size < sizeof(struct kvm_run))
		return err_set(e, EPROTO, "KVM_GET_VCPU_MMAP_SIZE gave %d", size);
	vm->kvm_fd = kvm_fd;
	vm->run_size = (size_t)size;
	do {
		/* A signal during the creation is no reason to fail. */
		vm->fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	} while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return err_errno(e, "create a virtual machine (KVM_CREATE_VM)");
	return 0;
}

int kvm_vm_set_memory(const struct kvm_vm *vm, const struct guest_memory *gm, struct err *e)
{
	for (unsigned int i = 0; i < gm->nregions; i++) {
		const struct guest_region *r = &gm->region[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = r->gpa,
			.memory_size = r->size,
			.userspace_addr = (uintptr_t)r->host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return err_errno(e, "give the guest %llu MiB of memory at 0x%llx",
					 (unsigned long long)(r->size / MIB),
					 (unsigned long long)r->gpa);
	}
	return 0;
}

int kvm_vcpu_create(const struct kvm_vm *vm, unsigned int index, int *ret_fd,
		    struct kvm_run **ret_run, struct err *e)
{
	_cleanup_close_ int fd = ioctl(vm->fd, KVM_CREATE_VCPU, index);
	void *run;

	if (fd < 0)
		return err_errno(e, "create vCPU %u", index);
	run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED)
		return err_errno(e, "map the shared page of vCPU %u", index);
	*ret_run = run;
	*ret_fd = take_fd(&fd);
	return 0;
}

int kvm_ioeventfd(const struct kvm_vm *vm, uint64_t addr, uint32_t value, int eventfd,
		  struct err *e)
{
	struct kvm_ioeventfd io = {
		.addr = addr,
		.len = sizeof(value),
		.datamatch = value,
		.fd = eventfd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (ioctl(vm->fd, KVM_IOEVENTFD, &io) < 0)
		return err_errno(e, "attach an ioeventfd at 0x%llx", (unsigned long long)addr);
	return 0;
}

int kvm_set_routes(const struct kvm_vm *vm, const struct ioapic_message *messages, unsigned int n,
		   struct err *e)
{
	union {
		struct kvm_irq_routing head;
		uint8_t room[sizeof(struct kvm_irq_routing) +
			     IOAPIC_MAX_PINS * sizeof(struct kvm_irq_routing_entry)];
	} table = { .head = { 0 } };

	for (unsigned int i = 0; i < n; i++) {
		if (!messages[i].open)
			continue;
		table.head.entries[table.head.nr++] = (struct kvm_irq_routing_entry){
			.gsi = i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = messages[i].address, .data = messages[i].data },
		};
	}
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, &table) < 0)
		return err_errno(e, "tell KVM of the guest's interrupts (KVM_SET_GSI_ROUTING)");
	return 0;
}

int kvm_irqfd(const struct kvm_vm *vm, unsigned int gsi, int eventfd, struct err *e)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)eventfd, .gsi = gsi };

	if (ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0)
		return err_errno(e, "attach an irqfd to interrupt %u", gsi);
	return 0;
}

void kvm_irq_pulse(void *ctx, unsigned int gsi)
{
	const struct kvm_vm *vm = ctx;
	struct kvm_irq_level level = { .irq = gsi, .level = 1 };

	/* Fails where the guest has masked the pin: the edge is lost then. */
	ioctl(vm->fd, KVM_IRQ_LINE, &level);
}
