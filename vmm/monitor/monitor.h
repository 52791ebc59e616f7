/*
 * monitor.h - the process that owns the virtual machine: its one entry.
 *
 * It runs as a compartment (vmm/jail/compartment.h) and reads what strangers
 * wrote (the guest's exits, kernel files) under its filter.  Threads: the
 * control thread (this one: supervisor, device processes, console) and one
 * per vCPU.  vCPU 0's thread also loads the kernel, so that the control
 * thread attaches the devices meanwhile.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "vmm/base/err.h"

struct monitor_device {
	const char *name;    /* "blk0" */
	uint32_t device_id;  /* virtio 1.3, 5 */
	uint32_t config_len; /* bytes of its config space */
	unsigned int queues; /* virtqueues that it may have */
	int sock;	     /* vhost-user, front end */
	int pidfd;	     /* of the device process */
	bool ends_machine;   /* the machine is of no use without it */
};

struct monitor_params {
	int kvm_fd;
	int memory_fd; /* the guest's memory file, memory_bytes long */
	uint64_t memory_bytes;
	unsigned int ncpus;
	const void *host_cpu; /* what KVM can give a CPU (arch.h), borrowed */
	size_t host_cpu_len;
	struct arch_image image;
	int sock;	 /* SOCK_SEQPACKET to the supervisor (messages.h) */
	int console_out; /* write end of a pipe, non-blocking */
	int console_in;	 /* read end, non-blocking; -1: no input */
	bool confine;	 /* install the seccomp filter */
	bool statistics; /* MONITOR_END tells KVM's, which cost a few system calls */
	unsigned int ndevices;
	struct monitor_device device[ARCH_MAX_VIRTIO];
};

/*
 * Build the machine and run it to its end.  Everything that happens is told
 * through `sock`, the last message being MONITOR_END.  Returns the exit
 * status of the process.  For struct compartment_spec.
 */
int monitor_main(void *params);

#endif
