/*
 * vm_process.h - a process of a virtual machine (the monitor, a device) as the
 * supervisor sees it: its log, its end, its CPU time.
 */
#ifndef WALLS_VM_PROCESS_H
#define WALLS_VM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/base/log.h"
#include "vmm/base/loop.h"
#include "vmm/jail/compartment.h"

struct vm_process {
	const char *name; /* "blk0"; borrowed */
	struct compartment c;
	struct loop *loop;
	struct loop_source exited, log;
	void (*on_exit)(struct vm_process *p);
	void *ctx;
	bool running;	 /* not reaped yet */
	uint64_t forked; /* when we began to fork it: now_ns() */
	int wait_status; /* once it was reaped; see wait(2) */
	uint64_t cpu_ns; /* likewise */
	unsigned int log_lines;
	char line[LOG_LINE_MAX];
	size_t line_len;
};

/*
 * After compartment_spawn() into p->c: listen to its log pipe and call
 * `on_exit` when it has exited (which reaps it).  0 or -errno.
 */
int vm_process_watch(struct vm_process *p, struct loop *loop, void (*on_exit)(struct vm_process *p),
		     void *ctx, struct err *e);

/* Reap it if it has exited; with `wait`, when it has.  True: it was reaped,
 * now or before, or was never started. */
bool vm_process_reap(struct vm_process *p, bool wait);

/* For one that is probably about to end: reap it if it does within `ms`. */
void vm_process_reap_soon(struct vm_process *p, unsigned int ms);

void vm_process_kill(struct vm_process *p);

/* Pass on what it has logged so far. */
void vm_process_read_log(struct vm_process *p);

/* Listen no longer. */
void vm_process_unwatch(struct vm_process *p);

/* Close its fds; it need not have exited. */
void vm_process_close(struct vm_process *p);

/* "was killed by signal 9 (Killed)" */
void vm_process_describe(const struct vm_process *p, char *out, size_t size);

#endif
