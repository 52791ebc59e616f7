/*
 * messages.h - what the monitor and the supervisor tell each other, over a
 * SOCK_SEQPACKET pair: one fixed-size structure per message.
 *
 * The supervisor takes nothing from the monitor on trust: a monitor that was
 * taken over may say anything.  Numbers go into the report as they are, texts
 * are cut and made printable, kinds and indices are checked.
 */
#ifndef MONITOR_MESSAGES_H
#define MONITOR_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

/* How a virtual machine ended. */
enum vm_end {
	VM_END_NONE,	     /* it has not */
	VM_END_STATUS,	     /* init told the command's status (detail: status word) */
	VM_END_POWER_OFF,    /* ACPI S5 */
	VM_END_RESET,	     /* reboot: i8042 or the ACPI reset register */
	VM_END_PANIC,	     /* pvpanic */
	VM_END_TRIPLE_FAULT, /* KVM_EXIT_SHUTDOWN */
	VM_END_EMULATION,    /* KVM could not emulate an instruction */
	VM_END_KVM_ERROR,    /* any other end of KVM_RUN that the guest cannot survive */
	VM_END_DEVICE_LOST,  /* a device's process is gone (detail: its index) */
	VM_END_FAILED,	     /* an error of Bulkhead's: the text says which */
	VM_END_STOPPED,	     /* the supervisor asked for it */
	VM_END_COUNT
};

/* Moments of a launch, CLOCK_MONOTONIC in ns; 0: did not happen. */
enum vm_moment {
	VM_MOMENT_MONITOR_START, /* first line of the monitor's process */
	VM_MOMENT_MEMORY,	 /* guest memory mapped, its slots set */
	VM_MOMENT_IRQCHIP,
	VM_MOMENT_VCPUS,   /* made, threads parked, notifications wired */
	VM_MOMENT_FILTER,  /* the monitor is confined */
	VM_MOMENT_DEVICES, /* the last device has been attached */
	VM_MOMENT_LOADED,  /* kernel, initrd and tables are in guest memory */
	VM_MOMENT_ENTRY,   /* first KVM_RUN */
	VM_MOMENT_INIT,	   /* the guest's init has reported */
	VM_MOMENT_COMMAND, /* the command is about to run */
	VM_MOMENT_COUNT
};

#define VM_EXIT_REASONS 64 /* exits by KVM's reason; higher ones go into the last */
#define VM_END_TEXT_MAX 3072

enum monitor_msg_kind {
	MONITOR_PHASE = 1, /* detail: BH_PHASE_* */
	MONITOR_LOST,	   /* detail: index of the virtio device; text: why */
	MONITOR_END,	   /* everything below is set; the last message */
};

struct monitor_msg {
	uint32_t kind;
	uint32_t end; /* enum vm_end */
	uint32_t detail;
	uint32_t linux_image; /* the kernel is a Linux */
	uint64_t cpu_ns;      /* user and system time of the monitor's process */
	uint64_t moments[VM_MOMENT_COUNT];
	uint64_t exits[VM_EXIT_REASONS];
	/* How KVM maps the guest's memory at the end, and how many faults of the
	 * second level (or of shadow paging) made it so. */
	uint64_t pages_4k, pages_2m, pages_1g, memory_faults;
	char text[VM_END_TEXT_MAX]; /* NUL-terminated; may hold newlines */
};

enum monitor_order_kind {
	ORDER_POWER_BUTTON = 1,
	ORDER_PAUSE,
	ORDER_RESUME,
	ORDER_STOP, /* end now; MONITOR_END follows */
	ORDER_PIDS, /* value: at most so many processes in the guest; 0: any number */
};

struct monitor_order {
	uint32_t kind;
	uint32_t value; /* 0 where the list above names none */
};

#endif
