/*
 * console.h - the serial port's other side: two pipes to the supervisor.
 *
 * Output: bytes go from the vCPU's thread straight into the pipe.  A pipe
 * that is full makes the serial port hold its transmitter back; the control
 * thread waits for room.  Input: the control thread reads as much as the
 * serial port takes, the rest stays in the pipe and with the supervisor.  It
 * also makes the pauses between the bursts in which the guest gets it.
 */
#ifndef MONITOR_CONSOLE_H
#define MONITOR_CONSOLE_H

#include "devices/platform/serial.h"
#include "vmm/base/loop.h"

struct console {
	struct loop *loop;
	struct serial *serial;
	struct loop_source out, in;
	struct loop_job room_out, room_in, burst_ended; /* posted by vCPU threads */
	struct loop_timer pause;
	uint64_t burst_began;	    /* of now_ns() */
	unsigned int burst;	    /* bytes */
	bool out_posted, in_posted; /* atomic: the job is under way */
	int out_fd, in_fd;
	uint8_t held[512]; /* read from the pipe, not yet taken by the serial port */
	size_t nheld;
};

/*
 * `out_fd` and `in_fd` (non-blocking; in_fd may be -1) are borrowed.  The
 * console makes the serial port, console->serial; both live as long as the process.
 */
int console_init(struct console *c, struct loop *loop, int out_fd, int in_fd, struct irq_line irq,
		 struct err *e);

#endif
