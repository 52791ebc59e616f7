/*
 * device_process.h - what a device process is handed, and the entries of the
 * device models.
 *
 * The process was forked by the supervisor, has every fd closed but those
 * named here, no new privileges, and no filter yet.  An entry does its
 * set-up (allocate everything that the run will need, set up io_uring), then
 * calls seat->confine(), then serves until its front end hangs up.
 */
#ifndef DEVICE_PROCESS_H
#define DEVICE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"

/*
 * Counters: one shared page, written by the device with relaxed atomics, read
 * by the supervisor for the report; numbers without authority.
 */
struct device_counters {
	uint64_t kicks;	     /* wake-ups by the guest */
	uint64_t interrupts; /* call eventfd writes */
	uint64_t requests;   /* chains served (net: packets) */
	uint64_t errors;     /* chains answered with an error, packets dropped */
	uint64_t bytes_in;   /* from the guest's point of view: read, received */
	uint64_t bytes_out;  /* written, sent */
	uint64_t malformed;  /* rings or chains that broke the rules */
	uint64_t syscalls;   /* system calls of the data path */
	uint64_t throttled;  /* times that a queue had to wait for its rate */
	uint64_t confined;   /* when its filter was installed: CLOCK_MONOTONIC, ns */
};

/* Controls: one shared page, read-only here, written by the supervisor at any
 * time: rates (rate.h), zero means no limit. */
struct device_controls {
	uint64_t bytes_per_second;	/* net: of each direction */
	uint64_t operations_per_second; /* blk */
};

struct device_seat {
	const char *name;			/* "blk0": for messages */
	int vhost_sock;				/* vhost-user, this is the back end */
	struct device_counters *counters;	/* the shared page, or private memory */
	const struct device_controls *controls; /* the shared page; NULL: no limits */
	/* Install the process's seccomp filter; no way back.  0 or -errno. */
	int (*confine)(const struct device_seat *seat, struct err *e);
	void *ctx; /* for confine() */
};

struct blk_params {
	int fd;		/* raw image or block device, opened by the supervisor */
	uint64_t bytes; /* size, a multiple of 512 */
	bool read_only;
	bool direct;	  /* fd was opened with O_DIRECT */
	bool discard;	  /* the file can punch holes / discard */
	bool no_io_uring; /* use preadv and pwritev even where io_uring is offered */
	uint16_t queues;  /* 1..16 */
	char serial[21];  /* VIRTIO_BLK_T_GET_ID, NUL-terminated */
};

struct net_params {
	int tap_fd; /* non-blocking, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, header
		       size and offloads are set by tap_open() or tap_setup() before the fork */
	uint8_t mac[6];
	uint16_t mtu;  /* 0: not offered */
	bool offloads; /* the tap takes checksum and TSO offloads */
};

struct rng_params {
	int unused; /* randomness comes from getrandom(2) */
};

/*
 * Serve until the front end closes the socket (0), or something ends it
 * (-errno and *e).  The caller exits with the result.  Own `params` fds.
 */
int blk_main(const struct device_seat *seat, const struct blk_params *params, struct err *e);
int net_main(const struct device_seat *seat, const struct net_params *params, struct err *e);
int rng_main(const struct device_seat *seat, const struct rng_params *params, struct err *e);

/*
 * What a device process asks of the kernel after confine(), with the reason;
 * its filter allows this and nothing else.  (The C library is glibc; liburing
 * adds nothing of its own.)
 *
 * All of them:
 *   epoll_pwait		the loop
 *   epoll_ctl			a kick fd comes or goes
 *   recvmsg, sendmsg		the front end's messages
 *   ppoll			half a message, a full socket, no memory in the kernel
 *   restart_syscall		ppoll with a deadline, after a stop signal
 *   write			call and error eventfds, log lines
 *   fstat			size of a memory region's file
 *   madvise		MADV_HUGEPAGE on a memory region
 *   mmap			a memory region: PROT_READ | PROT_WRITE, MAP_SHARED, fd >= 0
 *   munmap			the same; buffers at the end
 *   close			fds that the front end replaced or sent too many
 *   brk			free() at the end
 *   clock_gettime		where the vDSO cannot answer it
 *   exit_group
 * blk, net:
 *   sched_setscheduler		SCHED_BATCH, SCHED_OTHER only: patience.h
 * blk:
 *   io_uring_enter		requests in and out (the ring is restricted)
 *   preadv2, pwritev2		without io_uring; and bounced direct I/O
 *   fdatasync			without io_uring
 *   fallocate			without io_uring; and again where io_uring's failed
 *   ioctl BLKDISCARD, BLKZEROOUT	disk is a block device only
 * net:
 *   readv, writev		frames: on the tap only
 *   ioctl TUNSETOFFLOAD	the offloads that the guest accepted (tap with offloads)
 * rng:
 *   getrandom			what it is for
 */

#endif
