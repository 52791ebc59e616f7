/*
 * vm_parts.h - everything that a virtual machine needs from the host, opened
 * and checked before anything is forked.
 */
#ifndef WALLS_VM_PARTS_H
#define WALLS_VM_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "devices/virtio/device_process.h"
#include "vmm/base/err.h"
#include "vmm/config/run_config.h"
#include "vmm/jail/filter.h"
#include "vmm/walls/vm_memory.h"
#include "vmm/walls/wall.h"

struct vm_device {
	char name[8];	    /* "blk0" */
	const char *role;   /* "the root disk", or the file's or interface's name */
	uint32_t virtio_id; /* virtio 1.3, 5 */
	uint32_t config_len;
	unsigned int queues;
	bool is_root;
	bool foreign;	   /* somebody else runs its process; `front` is all that we have */
	bool ends_machine; /* its loss cannot be survived, whatever the user says */
	enum filter_kind filter;
	union {
		struct blk_params blk;
		struct net_params net;
		struct rng_params rng;
	};
	int own_fd;	 /* disk or tap; -1: none */
	int front, back; /* ends of the vhost-user socket pair */
	int counters_fd, controls_fd;
	const struct device_counters *counters; /* mapped read-only, not inherited */
	struct device_controls *controls;	/* mapped, not inherited */
};

struct vm_parts {
	int kvm_fd, kernel_fd, initrd_fd, null_fd;
	struct vm_memory memory;
	void *host_cpu; /* what KVM can give a CPU (arch.h) */
	size_t host_cpu_len;
	char *kernel_path;
	char *cmdline;
	unsigned int ndevices;
	struct vm_device device[ARCH_MAX_VIRTIO];
};

/*
 * Open what `cfg` asks for.  On failure nothing stays open.  0 or -errno.
 */
int vm_parts_open(struct vm_parts *p, const struct run_config *cfg,
		  const struct wall_console *console, struct err *e);

/* How fast disks and interfaces may be from now on, those of --vhost-user aside. */
void vm_parts_set_rates(struct vm_parts *p, const struct limits_config *limits);

/* Close everything; harmless on what was not opened. */
void vm_parts_close(struct vm_parts *p);

/* Close what the children have and the supervisor needs no longer. */
void vm_parts_close_inherited(struct vm_parts *p);

/* The device's process is gone: its disk is free for others, at once. */
void vm_device_unlock(const struct vm_device *d);

#endif
