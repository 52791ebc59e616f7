/*
 * vhost_user_memory.h - guest memory and in-flight areas as a vhost-user
 * front end hands them over: fds, mapped here.
 *
 * The front end's numbers are checked against each other and against the
 * file's size.  Who shrinks the file later kills this process with SIGBUS;
 * that is the front end's own loss.
 *
 * System calls: fstat, mmap(PROT_READ | PROT_WRITE, MAP_SHARED), munmap,
 * close.
 */
#ifndef VHOST_USER_MEMORY_H
#define VHOST_USER_MEMORY_H

#include "devices/guest_memory.h"
#include "devices/virtio/vhost_user.h"

/* A shared mapping: `data` is `offset` bytes into the file of the fd. */
struct shared_map {
	void *base; /* of the mapping; NULL: none */
	size_t len;
	uint8_t *data;
};

/* Map [offset, offset + size) of fd, which stays the caller's.  0, -EINVAL
 * (empty, wraps, beyond the file's end) or -errno. */
int shared_map_open(struct shared_map *ret_map, int fd, uint64_t offset, uint64_t size);
void shared_map_close(struct shared_map *map);

struct vhost_user_table {
	struct guest_memory mem;
	unsigned int nregions;
	struct {
		struct shared_map map;
		uint64_t gpa, size, user_addr;
	} region[GUEST_MEMORY_MAX_REGIONS];
};

/* Map all regions of a SET_MEM_TABLE message.  0 or -errno with *e set and
 * nothing mapped.  The message keeps its fds. */
int vhost_user_table_open(struct vhost_user_table *ret_table, const struct vhost_user_msg *msg,
			  struct err *e);
void vhost_user_table_close(struct vhost_user_table *table);

/* From the front end's address to a guest physical one.  0 or -EFAULT. */
int vhost_user_table_translate(const struct vhost_user_table *table, uint64_t user_addr,
			       gpa_t *ret_gpa);

#endif
