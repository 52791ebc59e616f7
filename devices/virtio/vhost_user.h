/*
 * vhost_user.h - the vhost-user protocol as both ends of it read it.
 *
 * Source: the "Vhost-user Protocol" text of the QEMU project (interop) and
 * virtio 1.3.  A message is a header, a payload of `size` bytes, and up to
 * VHOST_USER_MAX_FDS file descriptors.  Integers are in host byte order.
 * Addresses inside the messages are guest physical: our front end maps the
 * vring addresses of SET_VRING_ADDR one to one ("user address" = guest
 * physical address; each region's userspace_addr is its guest_phys_addr), so
 * that no pointer of the monitor ever leaves it.
 */
#ifndef VHOST_USER_H
#define VHOST_USER_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"

enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4, /* deprecated; known by name only */
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_LOG_BASE = 6, /* dirty log: known by name only */
	VHOST_USER_SET_LOG_FD = 7,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG = 25,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD = 32,
	VHOST_USER_RESET_DEVICE = 34,
};

#define VHOST_USER_VERSION	     1u
#define VHOST_USER_FLAG_VERSION_MASK 3u
#define VHOST_USER_FLAG_REPLY	     (1u << 2)
#define VHOST_USER_FLAG_NEED_REPLY   (1u << 3)

/* A feature bit of the virtio feature word that never reaches the driver. */
#define VHOST_USER_F_PROTOCOL_FEATURES 30

#define VHOST_USER_PROTOCOL_F_MQ	     0
#define VHOST_USER_PROTOCOL_F_REPLY_ACK	     3
#define VHOST_USER_PROTOCOL_F_CONFIG	     9
#define VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD 12
#define VHOST_USER_PROTOCOL_F_RESET_DEVICE   13

#define VHOST_USER_MAX_FDS	    8
#define VHOST_USER_CONFIG_MAX	    256
#define VHOST_USER_VRING_INDEX_MASK 0xffu
#define VHOST_USER_VRING_NOFD	    (1u << 8)

struct vhost_user_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload, bytes */
};

struct vhost_user_vring_state {
	uint32_t index, num;
};

struct vhost_user_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail; /* user addresses: ours are guest physical */
	uint64_t log;
};

struct vhost_user_region {
	uint64_t guest_phys_addr, memory_size, userspace_addr, mmap_offset;
};

struct vhost_user_memory {
	uint32_t nregions, padding;
	struct vhost_user_region region[8];
};

struct vhost_user_config {
	uint32_t offset, size, flags;
	uint8_t region[VHOST_USER_CONFIG_MAX];
};

struct vhost_user_inflight {
	uint64_t mmap_size, mmap_offset;
	uint16_t num_queues, queue_size;
};

/* Bytes of a config payload before region[]; bytes of an inflight payload
 * without C's padding at its end.  Peers send 20 or 24, so both are taken;
 * back ends such as DPDK's and libvhost-user take sizeof(struct) only, so that
 * is what is sent. */
#define VHOST_USER_CONFIG_HEADER_LEN 12u
#define VHOST_USER_INFLIGHT_LEN	     20u

union vhost_user_payload {
	uint64_t u64;
	struct vhost_user_vring_state state;
	struct vhost_user_vring_addr addr;
	struct vhost_user_memory memory;
	struct vhost_user_config config;
	struct vhost_user_inflight inflight;
};

struct vhost_user_msg {
	struct vhost_user_header hdr;
	union vhost_user_payload payload;
	unsigned int nfds;
	int fds[VHOST_USER_MAX_FDS]; /* received: owned by the receiver */
};

#define VHOST_USER_HEADER_LEN 12u

/*
 * `sock` below is a Unix stream socket.  Neither function ever blocks past
 * its deadline, whatever the file's O_NONBLOCK says.
 *
 * Send one message with its fds (which stay the caller's).  Sends hdr.size
 * bytes of payload; the version in hdr.flags is filled in.  Does not raise
 * SIGPIPE.  deadline_ns: absolute, of now_ns(); 0 waits for ever.
 * 0, -ETIMEDOUT, -EPIPE (the peer is gone), -EINVAL (size or nfds beyond the
 * bounds), -errno.  After a failure the stream may hold half a message.
 */
int vhost_user_send(int sock, const struct vhost_user_msg *msg, uint64_t deadline_ns);

/*
 * Receive one message.  Whatever the peer sends, nothing but *ret_msg is
 * written, and fds that do not fit are closed.
 * Bytes of the payload beyond hdr.size read as zero.
 * 0; -EPIPE: the peer has closed; -ETIMEDOUT; -EPROTO: a header that makes no
 * sense or a payload larger than the union (the connection is then useless);
 * -errno.  On failure no fd is handed over.
 */
int vhost_user_recv(int sock, struct vhost_user_msg *ret_msg, uint64_t deadline_ns);

/* Close all fds that *msg still owns. */
void vhost_user_msg_release(struct vhost_user_msg *msg);

/* Take over fd `index` of a received message; -1 if it has none there. */
int vhost_user_msg_take_fd(struct vhost_user_msg *msg, unsigned int index);

/* For messages to people: "GET_FEATURES", or "unknown request" (print the
 * number beside it). */
const char *vhost_user_request_name(uint32_t request);

#endif
