/*
 * The lab's wire: what `outside` (on this machine) and `init` (in the emulated
 * host) say to each other over one virtio-serial port.
 *
 * A frame is a type, a length and a payload. One port carries everything, so
 * order is kept: when the status frame has arrived, so has all output before
 * it, and the emulated host can be ended without losing a byte.
 *
 * Both ends run on the same machine and trust each other; a length out of
 * range is a bug and ends the session.
 */
#ifndef LAB_WIRE_H
#define LAB_WIRE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* The port's name: /sys/class/virtio-ports/PORT/name. */
#define WIRE_PORT_NAME "lab.wire"

enum wire_type {
	/* Set-up, outside to init: one string each, no terminator. */
	WIRE_PART = 'p',    /* the beginning of the next frame's string */
	WIRE_MODULES = 'm', /* directory of this machine with lib/modules in it */
	WIRE_SEE = 's',	    /* a directory that must be seen below /tmp or the like */
	WIRE_OUT = 'o',	    /* the writable exchange's path */
	WIRE_DISK = 'k',    /* where to mount the scratch disk */
	WIRE_CWD = 'c',
	WIRE_ENV = 'e', /* NAME=VALUE */
	WIRE_ARG = 'a',
	WIRE_MODE = 'f', /* "tty", "stdin" or "" */
	WIRE_GO = 'g',	 /* set-up is complete */

	/* The session, outside to init. */
	WIRE_STDIN = 'i',  /* bytes; none means end of file */
	WIRE_WINDOW = 'w', /* struct winsize */
	WIRE_DUMP = 'd',   /* print the state of all tasks on the console */

	/* The session, init to outside. */
	WIRE_STARTED = 'r', /* the command runs from now on */
	WIRE_STDOUT = '1',
	WIRE_STDERR = '2',
	WIRE_STATUS = 'x', /* int32_t: exit status, 128 + N for a signal */
	WIRE_ERROR = '!',  /* the lab itself failed: a sentence */
};

struct wire_header {
	uint32_t type;
	uint32_t length;
};

/*
 * The kernel's virtio_console takes at most 32 KiB in one write: a frame of
 * this size goes out with one.
 */
#define WIRE_FRAME_MAX	 32768u
#define WIRE_PAYLOAD_MAX (WIRE_FRAME_MAX - (uint32_t)sizeof(struct wire_header))

/* Bytes that came in and are not yet a whole frame. */
struct wire_in {
	size_t used;
	size_t next; /* start of the first frame not yet taken */
	unsigned char bytes[2 * WIRE_FRAME_MAX];
};

static inline int write_all(int fd, const void *data, size_t length)
{
	const unsigned char *p = data;

	while (length > 0) {
		ssize_t n = write(fd, p, length);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Sends one frame. Blocks. Returns 0, -EMSGSIZE or what write() gave. */
static inline int wire_send(int fd, uint32_t type, const void *payload, size_t length)
{
	unsigned char frame[WIRE_FRAME_MAX];
	struct wire_header h = { .type = type, .length = (uint32_t)length };

	if (length > WIRE_PAYLOAD_MAX)
		return -EMSGSIZE;
	memcpy(frame, &h, sizeof(h));
	if (length > 0)
		memcpy(frame + sizeof(h), payload, length);
	return write_all(fd, frame, sizeof(h) + length);
}

/* Reads what is there. Returns 1, 0 at end of file, or a negative errno. */
static inline int wire_fill(int fd, struct wire_in *in)
{
	ssize_t n;

	if (in->next > 0) {
		memmove(in->bytes, in->bytes + in->next, in->used - in->next);
		in->used -= in->next;
		in->next = 0;
	}
	n = read(fd, in->bytes + in->used, sizeof(in->bytes) - in->used);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : -errno;
	in->used += (size_t)n;
	return n > 0;
}

/*
 * Takes the next whole frame. Returns 1 with *ret_payload pointing into @in
 * (valid until the next wire_fill()), 0 when none is complete, -EPROTO.
 */
static inline int wire_take(struct wire_in *in, struct wire_header *ret_h,
			    const unsigned char **ret_payload)
{
	size_t have = in->used - in->next;

	if (have < sizeof(*ret_h))
		return 0;
	memcpy(ret_h, in->bytes + in->next, sizeof(*ret_h));
	if (ret_h->length > WIRE_PAYLOAD_MAX)
		return -EPROTO;
	if (have - sizeof(*ret_h) < ret_h->length)
		return 0;
	*ret_payload = in->bytes + in->next + sizeof(*ret_h);
	in->next += sizeof(*ret_h) + ret_h->length;
	return 1;
}

#endif
