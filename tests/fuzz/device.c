/* device.c - see device.h. */
#include "tests/fuzz/device.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "vmm/base/log.h"

#define FILE_OFFSET 4096u /* the regions begin behind the file's first page */
#define AREA(q)	    ((q)*0x14000u)
#define AREA_LEN(q) ((q) ? FUZZ_MEM - AREA(1) : AREA(1))

/* Whose turn it is; NULL while no device runs. */
static struct fuzz_device *current;

int __real_epoll_pwait(int fd, struct epoll_event *ev, int max, int timeout, const sigset_t *mask);
int __wrap_epoll_pwait(int fd, struct epoll_event *ev, int max, int timeout, const sigset_t *mask);
int __real_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts, const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts, const sigset_t *mask);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);

/* --- messages --- */

void fuzz_send(struct fuzz_device *d, struct vhost_user_msg *msg)
{
	if (!d->hung_up)
		vhost_user_send(d->sock, msg, now_ns() + NS_PER_S);
}

void fuzz_state(struct fuzz_device *d, uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_user_msg msg = { .hdr = { .request = request, .size = 8 } };

	msg.payload.state.index = index;
	msg.payload.state.num = num;
	fuzz_send(d, &msg);
}

static void send_u64(struct fuzz_device *d, uint32_t request, uint64_t value, int fd)
{
	struct vhost_user_msg msg = { .hdr = { .request = request, .size = 8 } };

	msg.payload.u64 = value;
	msg.nfds = fd >= 0;
	msg.fds[0] = fd;
	fuzz_send(d, &msg);
}

void fuzz_mem_table(struct fuzz_device *d)
{
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_SET_MEM_TABLE,
					       .size = 8 + 2 * 32 } };

	msg.payload.memory.nregions = msg.nfds = 2;
	for (unsigned int i = 0; i < 2; i++) {
		msg.payload.memory.region[i] = (struct vhost_user_region){
			.guest_phys_addr = FUZZ_GPA + i * FUZZ_REGION,
			.memory_size = FUZZ_REGION,
			.userspace_addr = FUZZ_USER + FUZZ_GPA + i * FUZZ_REGION,
			.mmap_offset = FILE_OFFSET + i * FUZZ_REGION,
		};
		msg.fds[i] = d->memfd;
	}
	fuzz_send(d, &msg);
}

void fuzz_start_queue(struct fuzz_device *d, unsigned int q, uint16_t size)
{
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_SET_VRING_ADDR, .size = 40 } };
	struct mock_driver *drv = &d->driver[q];

	mock_init(drv, d->mem + AREA(q), FUZZ_GPA + AREA(q), AREA_LEN(q), size,
		  d->features >> VIRTIO_RING_F_EVENT_IDX & 1);
	msg.payload.addr.index = q;
	msg.payload.addr.desc = FUZZ_USER + drv->desc_gpa;
	msg.payload.addr.avail = FUZZ_USER + drv->avail_gpa;
	msg.payload.addr.used = FUZZ_USER + drv->used_gpa;
	fuzz_state(d, VHOST_USER_SET_VRING_NUM, q, size);
	fuzz_state(d, VHOST_USER_SET_VRING_BASE, q, 0);
	fuzz_send(d, &msg);
	send_u64(d, VHOST_USER_SET_VRING_CALL, q, d->call[q]);
	send_u64(d, VHOST_USER_SET_VRING_ERR, q, d->err[q]);
	send_u64(d, VHOST_USER_SET_VRING_KICK, q, d->kick[q]);
	fuzz_state(d, VHOST_USER_SET_VRING_ENABLE, q, 1);
	d->polite[q] = true;
	d->restart &= ~(1u << q);
	if (d->fresh)
		d->fresh(d, q);
}

static void take_answers(struct fuzz_device *d)
{
	struct pollfd p = { .fd = d->sock, .events = POLLIN };
	struct vhost_user_msg msg;

	while (!d->hung_up && poll(&p, 1, 0) == 1) {
		if (vhost_user_recv(d->sock, &msg, now_ns() + NS_PER_S) < 0)
			return;
		must(msg.hdr.flags & VHOST_USER_FLAG_REPLY);
		if (d->answer) {
			d->answer(d, &msg);
		} else if (msg.hdr.request == VHOST_USER_GET_VRING_BASE) {
			const struct vhost_user_vring_state *s = &msg.payload.state;

			/* Nothing is out: both indices are at one place. */
			must(s->index < d->nqueues);
			if (d->polite[s->index])
				must(s->num == d->driver[s->index].used->idx);
		}
		vhost_user_msg_release(&msg);
	}
}

/* --- the driver's turn, where the device would sleep --- */

static void hang_up(struct fuzz_device *d)
{
	must(!d->hung_up); /* it was told once and sleeps again */
	d->hung_up = true;
	close_fd(&d->sock);
}

uint16_t fuzz_queue_size(struct input *in)
{
	static const uint16_t sizes[] = { 8, 1, 2, 4, 16, 32, 64, 256 };

	return sizes[in_below(in, ARRAY_SIZE(sizes))];
}

static void begin_again(struct fuzz_device *d)
{
	for (unsigned int q = 0; q < d->nqueues; q++)
		if (d->restart >> q & 1)
			fuzz_start_queue(d, q, fuzz_queue_size(&d->in));
}

static void driver_turn(struct fuzz_device *d)
{
	take_answers(d);
	for (unsigned int q = 0; q < d->nqueues; q++)
		if (d->polite[q] && !(d->restart >> q & 1) && d->rest)
			d->rest(d, q);
	if (!d->in.left)
		hang_up(d);
	else if (d->restart)
		begin_again(d);
	else
		d->turn(d);
}

int __wrap_epoll_pwait(int fd, struct epoll_event *ev, int max, int timeout, const sigset_t *mask)
{
	int n;

	for (;;) {
		n = __real_epoll_pwait(fd, ev, max, current ? 0 : timeout, mask);
		if (n != 0 || timeout == 0 || !current)
			return n;
		driver_turn(current);
	}
}

/* The device waits for the rest of a message. */
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts, const sigset_t *mask)
{
	if (!current)
		return __real_ppoll(fds, n, ts, mask);
	take_answers(current);
	if (!current->in.left)
		hang_up(current);
	else
		current->turn(current);
	return 1;
}

/* The same bytes each time. */
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
	(void)flags;
	memset(buf, 0xa5, len);
	return (ssize_t)len;
}

/* --- life --- */

static int no_confinement(const struct device_seat *seat, struct err *e)
{
	(void)seat;
	(void)e;
	return 0;
}

/* What costs time and has no state that lasts: made once. */
static struct fuzz_device shared;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* FUZZ_VERBOSE=1 with one input: what the device says. */
	log_set_level(getenv("FUZZ_VERBOSE") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	shared.memfd = memfd_create("guest", MFD_CLOEXEC);
	must(shared.memfd >= 0 && ftruncate(shared.memfd, FILE_OFFSET + FUZZ_MEM) == 0);
	shared.mem =
		mmap(NULL, FUZZ_MEM, PROT_READ | PROT_WRITE, MAP_SHARED, shared.memfd, FILE_OFFSET);
	must(shared.mem != MAP_FAILED);
	for (unsigned int q = 0; q < FUZZ_QUEUES; q++) {
		shared.kick[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		shared.call[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		shared.err[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	return 0;
}

static void take_shared(struct fuzz_device *d)
{
	eventfd_t value;

	d->mem = shared.mem;
	d->memfd = shared.memfd;
	memset(d->mem, 0, FUZZ_MEM);
	for (unsigned int q = 0; q < FUZZ_QUEUES; q++) {
		d->kick[q] = shared.kick[q];
		d->call[q] = shared.call[q];
		d->err[q] = shared.err[q];
		eventfd_read(d->kick[q], &value);
		eventfd_read(d->call[q], &value);
		eventfd_read(d->err[q], &value);
	}
}

void fuzz_device_init(struct fuzz_device *d, const uint8_t *data, size_t len)
{
	int sv[2];

	d->in = (struct input){ data, len };
	take_shared(d);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	d->sock = sv[0];
	d->seat = (struct device_seat){ .name = "dev0",
					.vhost_sock = sv[1],
					.counters = &d->counters,
					.confine = no_confinement };
}

void fuzz_device_setup(struct fuzz_device *d)
{
	send_u64(d, VHOST_USER_SET_PROTOCOL_FEATURES,
		 1u << VHOST_USER_PROTOCOL_F_MQ | 1u << VHOST_USER_PROTOCOL_F_REPLY_ACK, -1);
	send_u64(d, VHOST_USER_SET_FEATURES,
		 d->features | UINT64_C(1) << VIRTIO_F_VERSION_1 |
			 1u << VHOST_USER_F_PROTOCOL_FEATURES,
		 -1);
	fuzz_mem_table(d);
	d->restart = (1u << d->nqueues) - 1;
	begin_again(d);
}

int fuzz_device_run(struct fuzz_device *d,
		    int (*entry)(const struct device_seat *, const void *, struct err *),
		    const void *params)
{
	struct err e = { "" };
	int r;

	current = d;
	r = entry(&d->seat, params, &e);
	current = NULL;
	must((r < 0) == (e.text[0] != '\0'));
	close_fd(&d->sock);
	close(d->seat.vhost_sock);
	return r;
}

/* --- parts of a turn --- */

void fuzz_publish(struct fuzz_device *d, unsigned int q, bool always_kick)
{
	if (mock_publish(&d->driver[q]) || always_kick)
		must(eventfd_write(d->kick[q], 1) == 0);
}

uint16_t fuzz_add(struct fuzz_device *d, unsigned int q, const struct mock_buf *bufs,
		  unsigned int n, bool indirect)
{
	struct mock_driver *drv = &d->driver[q];
	uint64_t bytes = (n + 1) * sizeof(struct vring_desc), at;

	if (!indirect || !(d->features >> VIRTIO_RING_F_INDIRECT_DESC & 1))
		return mock_add(drv, bufs, n);
	/* A table lies in one region, unlike a buffer. */
	at = drv->gpa + drv->next_free;
	if (at < FUZZ_GPA + FUZZ_REGION && bytes > FUZZ_GPA + FUZZ_REGION - at)
		drv->next_free = FUZZ_GPA + FUZZ_REGION - drv->gpa;
	if (drv->next_free + bytes > drv->len)
		return UINT16_MAX;
	return mock_add_indirect(drv, bufs, n);
}

bool fuzz_interrupted(struct fuzz_device *d, unsigned int q)
{
	eventfd_t value;

	return eventfd_read(d->call[q], &value) == 0;
}

/* In memory, at an edge, at the seam, or anywhere. */
static uint64_t odd_gpa(struct fuzz_device *d, unsigned int q)
{
	uint16_t into = in_u16(&d->in);

	switch (in_below(&d->in, 8)) {
	case 0:
		return FUZZ_GPA + FUZZ_MEM - into % 1024;
	case 1:
		return FUZZ_GPA + FUZZ_REGION - into % 1024;
	case 2:
		return FUZZ_GPA - into % 64;
	case 3:
		return in_odd_number(&d->in);
	default:
		/* Aligned, where tables and headers lie. */
		return d->driver[q].gpa + 0x2000 + (into % 0x1000) * 4u;
	}
}

static void odd_desc(struct fuzz_device *d, unsigned int q, struct vring_desc *desc)
{
	static const uint32_t lens[] = { 16, 1, 512, 513, 0, 32, 64, 4096, 70000, UINT32_MAX };
	static const uint16_t flags[] = { 0, 1, 2, 3, 4, 5, 6, 7, 0x8003 };
	unsigned int i = in_below(&d->in, 16);

	desc->addr = odd_gpa(d, q);
	desc->len = i < ARRAY_SIZE(lens) ? lens[i] : in_u16(&d->in);
	desc->flags = flags[in_below(&d->in, ARRAY_SIZE(flags))];
	desc->next =
		(uint16_t)in_below(&d->in, d->driver[q].size < 256 ? d->driver[q].size + 1u : 256u);
	if (desc->flags & VRING_DESC_F_INDIRECT && i < 12)
		desc->len = 16 * (desc->len % 160);
}

void fuzz_hostile(struct fuzz_device *d, unsigned int q)
{
	struct mock_driver *drv = &d->driver[q];
	struct input *in = &d->in;

	d->polite[q] = false;
	switch (in_below(in, 8)) {
	case 0:
	case 1:
		odd_desc(d, q, &drv->desc[in_u8(in) & (drv->size - 1)]);
		break;
	case 2: /* one of a table, or of a request's header */
		odd_desc(d, q,
			 (struct vring_desc *)(void *)(drv->mem + 0x2000 + in_below(in, 160) * 16));
		break;
	case 3:
		mock_offer(drv, (uint16_t)in_below(in, drv->size < 256 ? drv->size + 1u : 256u));
		break;
	case 4:
		drv->avail_idx = in_u16(in);
		break;
	case 5:
		in_bytes(in, drv->mem + in_u16(in) % (drv->len - 16), in_below(in, 17));
		break;
	case 6:
		drv->used->flags = in_u16(in);
		drv->used->idx = in_u16(in);
		break;
	default:
		drv->avail->flags = in_u16(in);
		break;
	}
	fuzz_publish(d, q, in_u8(in) & 1);
}

/* What a front end may ask of a queue while it runs. */
void fuzz_front_end(struct fuzz_device *d, unsigned int q)
{
	switch (in_below(&d->in, 6)) {
	case 0:
	case 1:
		fuzz_state(d, VHOST_USER_GET_VRING_BASE, q, 0);
		d->restart |= 1u << q;
		break;
	case 2:
		fuzz_mem_table(d);
		break;
	case 3: /* off and on again: nothing may be lost */
		fuzz_state(d, VHOST_USER_SET_VRING_ENABLE, q, 0);
		fuzz_state(d, VHOST_USER_SET_VRING_ENABLE, q, 1);
		break;
	case 4:
		send_u64(d, VHOST_USER_SET_VRING_KICK, q, d->kick[q]);
		break;
	default: /* frozen while the ring runs: refused */
		fuzz_state(d, VHOST_USER_SET_VRING_NUM, q, in_u16(&d->in));
		fuzz_state(d, VHOST_USER_SET_VRING_BASE, q, in_u16(&d->in));
		break;
	}
}
