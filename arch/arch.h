/*
 * arch.h - what machine.c needs from an architecture: where things are,
 * loading a kernel, describing the machine to it, making its CPUs.
 *
 * Everything here runs in the monitor.  Files are untrusted: every offset and
 * size in them is checked, and each refusal is one clear line in *e.
 */
#ifndef ARCH_H
#define ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>

#include "devices/guest_memory.h"
#include "vmm/base/err.h"

#define ARCH_MAX_CPUS	 64
#define ARCH_MAX_VIRTIO	 19 /* one I/O APIC pin each: GSI 5 to 23 */
#define ARCH_CMDLINE_MAX 2048
#define ARCH_MIN_MEMORY	 (32ULL << 20)

/*
 * What the firmware tables say about the platform's own devices.  arch knows
 * no devices: machine.c, which builds them, holds these against
 * devices/platform and guest_abi.h with static assertions.
 */
#define ARCH_SERIAL_PORT	0x3f8
#define ARCH_PVPANIC_PORT	0x505
#define ARCH_SLEEP_CONTROL_PORT 0x600
#define ARCH_SLEEP_STATUS_PORT	0x601
#define ARCH_RESET_PORT		0x602
#define ARCH_SLP_TYP_S5		5
#define ARCH_IOAPIC_BASE	0xfec00000

/* Where the n-th virtio-mmio device is (a page), and its interrupt. */
uint64_t arch_virtio_base(unsigned int n);
unsigned int arch_virtio_gsi(unsigned int n);
unsigned int arch_serial_gsi(void);
unsigned int arch_power_button_gsi(void);

/* How many pins the I/O APIC of a machine with `nvirtio` devices has: GSI 0 and up. */
unsigned int arch_ioapic_pins(unsigned int nvirtio);

/*
 * Lay `bytes` of RAM (a multiple of the page size) out around the hole below
 * 4 GiB: fills the gpa, size and file_offset of *ret_layout, host is NULL.
 * -EINVAL: no multiple of the page size; -ERANGE: less than 32 MiB or more
 * than the guest's address width holds.
 */
int arch_memory_layout(uint64_t bytes, struct guest_memory *ret_layout, struct err *e);

/* What the firmware tables describe. */
struct arch_machine {
	unsigned int ncpus;
	unsigned int nvirtio; /* devices 0..n-1 at arch_virtio_base(i) */
};

/* How the first CPU starts. */
struct arch_boot {
	enum {
		ARCH_BOOT_LINUX64, /* Documentation/arch/x86/boot.rst, 64-bit entry */
		ARCH_BOOT_PVH,	   /* Xen's PVH start info, 32-bit entry */
	} protocol;
	uint64_t entry;	  /* guest physical address of the first instruction */
	uint64_t info;	  /* of boot_params (rsi) or hvm_start_info (ebx) */
	bool linux_image; /* a Linux kernel (bzImage, or an ELF that says so) */
};

struct arch_image {
	int kernel_fd;		 /* seekable, borrowed */
	const char *kernel_name; /* for messages */
	int initrd_fd;		 /* -1: none; borrowed */
	const char *initrd_name;
	const char *cmdline; /* NUL-terminated */
};

/*
 * Load kernel, initrd and command line into guest memory, write the firmware
 * tables and the boot protocol's structures, and tell how to start.
 * -ENOEXEC: the file is no kernel that we can load; -E2BIG: it or its initrd
 * or command line does not fit; -errno of reading.
 *
 * Guest memory must be fresh (all zero): what a kernel wants zeroed (bss) is
 * not written.  Nothing runs yet.  System calls: lseek, pread64.
 */
int arch_load(const struct guest_memory *gm, const struct arch_machine *machine,
	      const struct arch_image *image, struct arch_boot *ret_boot, struct err *e);

/* Between KVM_CREATE_VM and arch_irqchip_create(), before any vCPU. */
int arch_vm_setup(int vm_fd, struct err *e);

/* The local APICs, in the kernel; who raises a GSI tells KVM the message that it
 * stands for first (KVM_SET_GSI_ROUTING). */
int arch_irqchip_create(int vm_fd, struct err *e);

/*
 * What this host's KVM can give a CPU, as bytes without pointers, to be asked
 * once and used for any number of machines.  *ret is malloc'ed, *ret_len at most
 * ARCH_HOST_CPU_MAX.  0 or -errno and *e.
 */
#define ARCH_HOST_CPU_MAX 10248
int arch_host_cpu_ask(int kvm_fd, void **ret, size_t *ret_len, struct err *e);

/* Has it the shape of what arch_host_cpu_ask() gives?  Whether it is true of
 * this host is the caller's to know. */
bool arch_host_cpu_valid(const void *bytes, size_t len);

/* What all CPUs share, from valid bytes as above.  Free with free().  NULL and
 * *e on failure. */
struct arch_cpu_model;
struct arch_cpu_model *arch_cpu_model_new(int kvm_fd, const void *host_cpu, size_t host_cpu_len,
					  unsigned int ncpus, struct err *e);

/*
 * Set up vCPU `index` (its APIC id): CPUID and MSRs.  CPU 0 is also given the
 * boot protocol's registers, which needs `boot`; the others wait for INIT and
 * SIPI and ignore it.  The two steps can be taken apart, so that CPUs are made
 * while the kernel is still being loaded: arch_vcpu_setup() with boot NULL,
 * then arch_vcpu_set_entry() for CPU 0.  Different vCPUs: any threads.
 */
int arch_vcpu_setup(const struct arch_cpu_model *model, int vcpu_fd, unsigned int index,
		    const struct arch_boot *boot, struct err *e);
int arch_vcpu_set_entry(int vcpu_fd, const struct arch_boot *boot, struct err *e);

/*
 * For a vCPU that cannot go on: its registers, the bytes at its instruction
 * pointer (read through KVM_TRANSLATE where it can be) and a plain sentence
 * about run->exit_reason.  Several lines, NUL-terminated, cut at `size`.
 */
void arch_describe_stop(int vcpu_fd, const struct kvm_run *run, const struct guest_memory *gm,
			char *out, size_t size);

#endif
