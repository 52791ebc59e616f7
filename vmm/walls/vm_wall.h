/*
 * vm_wall.h - the supervisor's state of one virtual machine; for vm*.c only.
 */
#ifndef WALLS_VM_WALL_H
#define WALLS_VM_WALL_H

#include "vmm/monitor/messages.h"
#include "vmm/walls/vm_parts.h"
#include "vmm/walls/vm_probe.h"
#include "vmm/walls/vm_process.h"
#include "vmm/walls/wall.h"

struct vm_wall {
	const struct run_config *cfg;
	bool stream;
	struct vm_parts parts;
	const struct cgroup *group; /* NULL: none */
	struct loop *loop;
	struct wall_events events;
	uint64_t signals;	     /* compartment_signals() of the supervisor */
	int sock;		     /* to the monitor */
	int console_in, console_out; /* our ends of the console's pipes */
	struct loop_source messages;
	struct vm_process monitor;
	struct vm_process device[ARCH_MAX_VIRTIO];
	bool device_lost[ARCH_MAX_VIRTIO]; /* told once */
	struct vm_probe probe;
	bool init_seen, command_seen;
	uint64_t pids; /* as the guest's init was last told; 0: any number */
	bool ended;
	bool released;
	struct monitor_msg last; /* MONITOR_END, for the report */
};

/* wall_ops.report */
void vm_wall_report(const struct wall *wall, json_t *report);

#endif
