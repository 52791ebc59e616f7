/*
 * vhost_user_frontend.h - a virtio device whose model runs in another process:
 * `struct virtio_backend_ops` spoken as vhost-user.
 *
 * Life: new (any thread, before the machine is confined) - start (the
 * handshake begins, all devices at the same time) - attach, activate, reset,
 * as the transport calls them - free, after the loop has ended.
 *
 * Threading.  Only the control thread (the loop's) touches the socket, the
 * pidfd and the state.  A vCPU thread hands it a job and waits for the result;
 * the control thread takes no lock but the loop's own, so the vCPU may hold
 * its transport's lock meanwhile.  What goes wrong otherwise:
 *  - Two vCPUs at two devices need no order; two at one device would mix their
 *    messages and take each other's answers.  The transport's lock and the
 *    one-operation rule here (-EBUSY) prevent it.
 *  - vCPU 0 holds the transport's lock and waits in activate; the device dies;
 *    the control thread must set NEEDS_RESET: with that lock it would wait for
 *    the vCPU that waits for it.  So on_lost must be lock-free towards the
 *    transport (virtio_mmio_lost() is).
 *  - An activation times out on the control thread just as its answer comes in:
 *    both ends of the job are on one thread, fd events first, so there is one
 *    winner and the job is finished once.
 * `info` and the config space are written before attach's job is finished and
 * never again; the loop's lock orders that before the vCPU's reads.
 *
 * No operation waits for ever: the handshake, activation and stop have a
 * deadline each, kept by the control thread.  The exception is deliberate: a
 * reset that the device does not obey kills the process and waits for its
 * exit, however long that takes (a process in the middle of a disk request
 * cannot die), because a late write would land in memory that the guest has
 * reused.  Only the vCPU that asked waits; other devices and the console go
 * on, and the loop's end ends the wait with -ESHUTDOWN.  (At the end of a
 * machine, therefore, end the vCPU gate before loop_stop(): a vCPU whose wait
 * was cut short must not enter the guest.)  What an exit does not wait for:
 * reads with O_DIRECT that the process had given to io_uring; the kernel
 * finishes these on its own and they may still land in guest memory.
 *
 * A device is lost when its process dies, hangs up, misses a deadline or says
 * something that makes no sense.  Its process is killed, on_lost is called
 * once, everything later fails at once with -ENODEV.  Kick and call eventfds
 * stay open, so ioeventfds and irqfds that are bound to them stay harmless.
 *
 * A back end without a pidfd (by socket path) cannot be killed.  If it is lost
 * while rings are running, nobody can tell when it stops writing: on_lost says
 * `unsafe`, and the machine must end, whatever the user chose.  A reset that
 * waits for such a device ends with the loop, never before.
 *
 * A device that breaks a ring rule (error eventfd) is not lost: on_needs_reset
 * is called at most once per activation, and a reset makes it usable again.
 *
 * Restart (to come).  A successor is the same front end with a new socket and
 * pidfd: in state LOST, after the pidfd has reported exit, set both, run the
 * ATTACH script, require that features, queue number and config length are
 * what the driver has already seen, then ACTIVATE with the queues that are
 * still in the dialogue.  What it needs is kept there: driver_features,
 * queue[], the inflight area with its fd, kick, call and error fds (and
 * `running`, which says whether there is anything to activate).  Two things
 * differ from a first activation: SET_VRING_BASE is the used index in guest
 * memory for devices that complete in order, and GET_INFLIGHT_FD is left out.
 * The area comes from a process that may have been owned: the successor checks
 * it as it checks a ring, and it may shrink under the reader.  activate and
 * reset that arrive meanwhile wait as a reset does now.
 *
 * System calls of the control thread in here, all of them after confinement:
 *   epoll_wait, epoll_ctl   the loop; fds come and go, EPOLLOUT when a socket
 *                           is full
 *   read, write             the loop's own wake-up eventfd
 *   sendmsg, recvmsg        vhost-user, always MSG_DONTWAIT
 *   pidfd_send_signal       kill a device process that is lost
 *   close                   the socket of a lost device, fds of answers
 *   futex                   the loop's lock
 *   clock_gettime           deadlines, where the vDSO cannot answer
 * and of vCPU threads: futex (loop_call), write (notify, and the wake-up
 * eventfd).  No memory is allocated after new.
 */
#ifndef MONITOR_VHOST_USER_FRONTEND_H
#define MONITOR_VHOST_USER_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "devices/platform/virtio_mmio.h"
#include "vmm/base/err.h"
#include "vmm/base/loop.h"

#define VHOST_USER_FRONTEND_DEADLINE_MS 5000u

struct vhost_user_frontend;

struct vhost_user_frontend_params {
	const char *name;   /* "blk0"; copied, at most 31 bytes */
	uint32_t device_id; /* virtio 1.3, 5 */
	int sock;	    /* Unix stream socket to the back end; taken over */
	int pidfd;	    /* of its process, taken over; -1: a foreign back end */

	/* Regions (gpa, size, file_offset) of the memory file; borrowed until
	 * free, as is the fd. */
	const struct guest_memory *memory;
	int memory_fd;

	unsigned int max_queues; /* 1..VIRTIO_MAX_QUEUES */
	uint16_t queue_size_max; /* entries, a power of two */
	/* Features that the driver may be offered, of those that the back end
	 * has; VIRTIO_F_VERSION_1 is implied.  Leave out those that need
	 * writes to config space (VIRTIO_BLK_F_CONFIG_WCE): these are dropped. */
	uint64_t feature_mask;
	size_t config_len; /* bytes, of this device type; 0: none */

	/* Deadlines in ms; 0: VHOST_USER_FRONTEND_DEADLINE_MS. */
	unsigned int attach_ms, activate_ms, reset_ms;

	struct loop *loop;

	/*
	 * Both run on the control thread, must not block and must not call
	 * the operations below.  `why` is one printable line that begins with
	 * the name; it is valid during the call.  on_needs_reset may be NULL.
	 */
	void (*on_lost)(void *ctx, struct vhost_user_frontend *fe, const char *why, bool unsafe);
	void (*on_needs_reset)(void *ctx, struct vhost_user_frontend *fe, const char *why);
	/* The handshake is over, well; control thread; may be NULL. */
	void (*on_attached)(void *ctx, struct vhost_user_frontend *fe);
	void *ctx;
};

/* NULL and *e: EINVAL, ENOMEM, EMFILE.  sock and pidfd are closed then. */
struct vhost_user_frontend *vhost_user_frontend_new(const struct vhost_user_frontend_params *params,
						    struct err *e);

/* The loop is not running any more (or never was), no vCPU will call. */
void vhost_user_frontend_free(struct vhost_user_frontend *fe);

/* Begin the handshake; does not wait.  Any thread, before or while the loop
 * runs; once.  attach() does it if nobody has.  0 or -ESHUTDOWN. */
int vhost_user_frontend_start(struct vhost_user_frontend *fe);

/* Constant from new to free; for ioeventfds (one per queue, index below
 * max_queues) and the device's one irqfd.  Owned by the front end. */
int vhost_user_frontend_kick_fd(const struct vhost_user_frontend *fe, unsigned int queue);
int vhost_user_frontend_call_fd(const struct vhost_user_frontend *fe);
/* What it was made with. */
void *vhost_user_frontend_ctx(const struct vhost_user_frontend *fe);
const char *vhost_user_frontend_name(const struct vhost_user_frontend *fe);

/*
 * For virtio_mmio_new(), with the front end as ctx.  attach may be called by
 * several threads, and again later (it then returns at once); the others one
 * at a time per device.  Results of theirs: -ENODEV: lost; -ESHUTDOWN: the
 * loop has ended; activate also -EIO: the back end refused (reset it), and
 * -EINVAL: features that were not offered, or not reset before.  notify
 * writes the queue's kick eventfd, which blocks only if the device's process
 * has made it so: it would stop its own guest, and a signal ends the wait.
 */
extern const struct virtio_backend_ops vhost_user_frontend_ops;

#endif
