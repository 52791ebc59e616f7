/* fd_message.h - one message over a Unix socket, and a file descriptor with it. */
#ifndef JAIL_FD_MESSAGE_H
#define JAIL_FD_MESSAGE_H

#include <stddef.h>

/* Send `len` bytes, and a copy of `fd` unless it is -1.  0 or -errno (-EPIPE,
 * without a signal: nobody listens any more). */
int fd_message_send(int sock, const void *data, size_t len, int fd);

/*
 * Wait for a message of exactly `len` bytes.  *ret_fd is the caller's,
 * close-on-exec; -1: none came.  0, -EIO (another length, or the end), -errno;
 * no fd is kept then.
 */
int fd_message_receive(int sock, void *data, size_t len, int *ret_fd);

#endif
