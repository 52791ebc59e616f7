/* mock_front_end.c - see mock_front_end.h. */
#include "tests/unit/support/mock_front_end.h"

#include <linux/virtio_ring.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"

#define LIMIT_NS (10 * NS_PER_S)

void front_init(struct front_end *f)
{
	memset(f, 0, sizeof(*f));
	f->sock = -1;
	f->memfd = memfd_create("guest", MFD_CLOEXEC);
	assert_true(f->memfd >= 0);
	/* One page more: the region begins behind the file's first page. */
	assert_int_equal(ftruncate(f->memfd, FRONT_MEM + 4096), 0);
	f->mem = mmap(NULL, FRONT_MEM, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 4096);
	assert_ptr_not_equal(f->mem, MAP_FAILED);
	for (unsigned int q = 0; q < FRONT_QUEUES; q++) {
		f->kick[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		f->call[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		f->err[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
}

void front_release(struct front_end *f)
{
	if (f->running)
		front_hang_up(f);
	for (unsigned int q = 0; q < FRONT_QUEUES; q++) {
		close(f->kick[q]);
		close(f->call[q]);
		close(f->err[q]);
	}
	munmap(f->mem, FRONT_MEM);
	close(f->memfd);
}

static int no_confinement(const struct device_seat *seat, struct err *e)
{
	(void)seat;
	(void)e;
	return 0;
}

static void *device_thread(void *arg)
{
	struct front_end *f = arg;

	f->result = f->main(&f->seat, f->params, &f->e);
	close(f->seat.vhost_sock);
	return NULL;
}

void front_run(struct front_end *f,
	       int (*entry)(const struct device_seat *, const void *, struct err *),
	       const void *params)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	f->sock = sv[0];
	f->seat = (struct device_seat){ .name = "dev0",
					.vhost_sock = sv[1],
					.controls = &f->controls,
					.counters = &f->counters,
					.confine = no_confinement };
	f->main = entry;
	f->params = params;
	f->e.text[0] = '\0';
	assert_int_equal(pthread_create(&f->thread, NULL, device_thread, f), 0);
	f->running = true;
}

int front_hang_up(struct front_end *f)
{
	close_fd(&f->sock);
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	f->running = false;
	return f->result;
}

void front_ask(struct front_end *f, struct vhost_user_msg *msg)
{
	uint32_t request = msg->hdr.request;

	assert_int_equal(vhost_user_send(f->sock, msg, now_ns() + LIMIT_NS), 0);
	assert_int_equal(vhost_user_recv(f->sock, msg, now_ns() + LIMIT_NS), 0);
	assert_int_equal(msg->hdr.request, request);
	assert_true(msg->hdr.flags & VHOST_USER_FLAG_REPLY);
}

uint64_t front_send(struct front_end *f, struct vhost_user_msg *msg)
{
	msg->hdr.flags |= VHOST_USER_FLAG_NEED_REPLY;
	front_ask(f, msg);
	assert_int_equal(msg->hdr.size, 8);
	return msg->payload.u64;
}

uint64_t front_u64(struct front_end *f, uint32_t request, uint64_t value)
{
	struct vhost_user_msg msg = { .hdr = { .request = request, .size = 8 } };

	msg.payload.u64 = value;
	return front_send(f, &msg);
}

uint64_t front_get_u64(struct front_end *f, uint32_t request)
{
	struct vhost_user_msg msg = { .hdr = { .request = request } };

	front_ask(f, &msg);
	assert_int_equal(msg.hdr.size, 8);
	return msg.payload.u64;
}

uint64_t front_state(struct front_end *f, uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_user_msg msg = { .hdr = { .request = request, .size = 8 } };

	msg.payload.state.index = index;
	msg.payload.state.num = num;
	return front_send(f, &msg);
}

uint64_t front_vring_fd(struct front_end *f, uint32_t request, uint32_t index, int fd)
{
	struct vhost_user_msg msg = { .hdr = { .request = request, .size = 8 } };

	msg.payload.u64 = fd < 0 ? index | VHOST_USER_VRING_NOFD : index;
	msg.nfds = fd >= 0;
	msg.fds[0] = fd;
	return front_send(f, &msg);
}

uint64_t front_mem_table(struct front_end *f)
{
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_SET_MEM_TABLE,
					       .size = 8 + 2 * 32 } };
	const uint64_t half = FRONT_MEM / 2;

	/* Two regions that adjoin, so that buffers may cross the seam. */
	msg.payload.memory.nregions = 2;
	for (unsigned int i = 0; i < 2; i++) {
		msg.payload.memory.region[i] = (struct vhost_user_region){
			.guest_phys_addr = FRONT_GPA + i * half,
			.memory_size = half,
			.userspace_addr = FRONT_USER + FRONT_GPA + i * half,
			.mmap_offset = 4096 + i * half,
		};
		msg.fds[i] = f->memfd;
	}
	msg.nfds = 2;
	return front_send(f, &msg);
}

void front_negotiate(struct front_end *f, uint64_t without)
{
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_SET_PROTOCOL_FEATURES,
					       .size = 8 } };
	uint64_t offered = front_get_u64(f, VHOST_USER_GET_FEATURES);
	uint64_t protocol = front_get_u64(f, VHOST_USER_GET_PROTOCOL_FEATURES);

	assert_true(offered >> VHOST_USER_F_PROTOCOL_FEATURES & 1);
	assert_true(protocol >> VHOST_USER_PROTOCOL_F_REPLY_ACK & 1);
	msg.payload.u64 = protocol;
	assert_int_equal(vhost_user_send(f->sock, &msg, now_ns() + LIMIT_NS), 0);
	f->features = offered & ~without;
	assert_int_equal(front_u64(f, VHOST_USER_SET_FEATURES, f->features), 0);
	assert_int_equal(front_mem_table(f), 0);
}

void front_init_driver(struct front_end *f, unsigned int q, uint16_t size)
{
	mock_init(&f->driver[q], f->mem + q * FRONT_AREA, FRONT_GPA + q * FRONT_AREA, FRONT_AREA,
		  size, f->features >> VIRTIO_RING_F_EVENT_IDX & 1);
}

uint64_t front_set_addr(struct front_end *f, unsigned int q)
{
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_SET_VRING_ADDR, .size = 40 } };

	msg.payload.addr.index = q;
	msg.payload.addr.desc = FRONT_USER + f->driver[q].desc_gpa;
	msg.payload.addr.avail = FRONT_USER + f->driver[q].avail_gpa;
	msg.payload.addr.used = FRONT_USER + f->driver[q].used_gpa;
	return front_send(f, &msg);
}

void front_start_queue(struct front_end *f, unsigned int q, uint16_t base)
{
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_NUM, q, f->driver[q].size), 0);
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_BASE, q, base), 0);
	assert_int_equal(front_set_addr(f, q), 0);
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_CALL, q, f->call[q]), 0);
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_ERR, q, f->err[q]), 0);
	assert_int_equal(front_vring_fd(f, VHOST_USER_SET_VRING_KICK, q, f->kick[q]), 0);
	assert_int_equal(front_state(f, VHOST_USER_SET_VRING_ENABLE, q, 1), 0);
}

uint32_t front_stop_queue(struct front_end *f, unsigned int q)
{
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_GET_VRING_BASE, .size = 8 } };

	msg.payload.state.index = q;
	front_ask(f, &msg);
	assert_int_equal(msg.payload.state.index, q);
	return msg.payload.state.num;
}

void front_kick(struct front_end *f, unsigned int q)
{
	if (mock_publish(&f->driver[q]))
		assert_int_equal(eventfd_write(f->kick[q], 1), 0);
}

bool front_wait_eventfd(int fd, unsigned int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	eventfd_t value;

	return poll(&p, 1, (int)ms) == 1 && eventfd_read(fd, &value) == 0;
}

void front_collect(struct front_end *f, unsigned int q, uint16_t *ret_head, uint32_t *ret_len)
{
	uint64_t end = now_ns() + LIMIT_NS;

	/* As a driver does: ask for the interrupt, look again, then sleep.  A
	 * lost interrupt therefore fails the test. */
	for (;;) {
		if (mock_collect(&f->driver[q], ret_head, ret_len))
			return;
		mock_want_interrupt(&f->driver[q]);
		if (mock_collect(&f->driver[q], ret_head, ret_len))
			return;
		assert_true(now_ns() < end);
		assert_true(front_wait_eventfd(f->call[q], 5000));
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Mostly in memory, now and then at an edge or beyond. */
static uint64_t random_gpa(uint32_t *seed)
{
	switch (next_random(seed) % 64) {
	case 0:
		return FRONT_GPA + FRONT_MEM - next_random(seed) % 5000;
	case 1:
		return FRONT_GPA + FRONT_MEM / 2 - next_random(seed) % 5000;
	case 2:
		return (uint64_t)next_random(seed) << (next_random(seed) % 48);
	default:
		return FRONT_GPA + next_random(seed) % FRONT_AREA;
	}
}

static void random_desc(struct vring_desc *d, uint32_t *seed, uint16_t limit)
{
	static const uint16_t flags[] = { 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 0x8003 };
	static const uint32_t lens[] = { 16, 512, 1, 4096, 17, 32, 12, 65536, 1526, 513 };

	d->addr = random_gpa(seed);
	d->len = next_random(seed) % 3 ? lens[next_random(seed) % 10]
				       : 1 + next_random(seed) % 70000;
	if (next_random(seed) % 256 == 0)
		d->len = next_random(seed) % 2 ? 0 : UINT32_MAX;
	d->flags = flags[next_random(seed) % 14];
	d->next = (uint16_t)(next_random(seed) % (next_random(seed) % 32 ? limit : limit + 1u));
	if (next_random(seed) % 64 == 0)
		d->flags = (uint16_t)next_random(seed);
	if (d->flags & VRING_DESC_F_INDIRECT && next_random(seed) % 32) {
		d->addr &= ~UINT64_C(15);
		d->len = 16 * (next_random(seed) % 20);
	}
}

/* A fresh ring full of chains that are nearly right. */
static void torment_init(struct front_end *f, unsigned int q, uint32_t *seed)
{
	struct mock_driver *d = &f->driver[q];

	mock_init(d, d->mem, d->gpa, d->len, d->size, d->event_idx);
	for (unsigned int i = 0; i < d->size; i++)
		random_desc(&d->desc[i], seed, d->size);
	for (unsigned int i = 0; i < 64; i++)
		random_desc((struct vring_desc *)(void *)(d->mem + 0x4000 + i * 16), seed, 16);
}

void front_torment(struct front_end *f, unsigned int q, unsigned int rounds, uint32_t seed)
{
	struct mock_driver *d = &f->driver[q];

	for (unsigned int i = 0; i < rounds; i++) {
		for (unsigned int n = next_random(&seed) % 24; n; n--)
			random_desc(&d->desc[next_random(&seed) % d->size], &seed, d->size);
		/* Small numbers where a table or a request's header may be. */
		for (unsigned int n = next_random(&seed) % 8; n; n--)
			random_desc((struct vring_desc *)(void *)(d->mem + 0x4000 +
								  next_random(&seed) % 64 * 16),
				    &seed, 16);
		for (unsigned int n = next_random(&seed) % 8; n; n--)
			mock_offer(d, (uint16_t)(next_random(&seed) % d->size));
		if (next_random(&seed) % 64 == 0)
			d->avail_idx = (uint16_t)next_random(&seed);
		mock_publish(d);
		assert_int_equal(eventfd_write(f->kick[q], 1), 0);
		if (!front_wait_eventfd(f->err[q], next_random(&seed) % 2))
			continue;
		front_stop_queue(f, q);
		torment_init(f, q, &seed);
		front_start_queue(f, q, 0);
	}
	front_stop_queue(f, q);
	mock_init(d, d->mem, d->gpa, d->len, d->size, d->event_idx);
	front_wait_eventfd(f->err[q], 0);
	front_start_queue(f, q, 0);
}
