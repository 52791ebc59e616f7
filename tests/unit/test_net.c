/* test_net.c - virtio-net end to end, a datagram socket in place of the tap;
 * and the tap itself where there is one. */
#include <errno.h>
#include <fcntl.h>
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "devices/backend/tap.h"
#include "tests/unit/support/mock_front_end.h"
#include "vmm/base/util.h"

#define RX  0u
#define TX  1u
#define HDR 12u

struct fixture {
	struct front_end f;
	struct net_params p;
	int wire; /* the other end of the "tap" */
};

static int entry(const struct device_seat *seat, const void *params, struct err *e)
{
	return net_main(seat, params, e);
}

static int setup(void **state)
{
	struct fixture *t = calloc(1, sizeof(*t));
	int sv[2], size = 4 << 20;

	front_init(&t->f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	t->wire = sv[0];
	t->p = (struct net_params){ .tap_fd = sv[1], .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 9000 };
	front_run(&t->f, entry, &t->p);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *t = *state;

	front_release(&t->f);
	close_fd(&t->wire);
	free(t);
	return 0;
}

static void start(struct fixture *t, uint64_t without)
{
	front_negotiate(&t->f, without);
	for (unsigned int q = 0; q < 2; q++) {
		front_init_driver(&t->f, q, 64);
		front_start_queue(&t->f, q, 0);
	}
}

static void make_frame(uint8_t *frame, uint32_t len, unsigned int seed)
{
	memset(frame, 0, HDR);
	for (uint32_t i = HDR; i < len; i++)
		frame[i] = (uint8_t)(i * 3 + seed);
}

static uint64_t post(struct fixture *t, uint32_t len)
{
	struct mock_driver *d = &t->f.driver[RX];
	struct mock_buf buf = { mock_alloc(d, len, 8), len, true };

	assert_true(buf.gpa);
	memset(mock_ptr(d, buf.gpa), 0xee, len);
	assert_true(mock_add(d, &buf, 1) != UINT16_MAX);
	return buf.gpa;
}

static void from_wire(struct fixture *t, uint32_t len, unsigned int seed)
{
	uint8_t frame[20000];

	make_frame(frame, len, seed);
	assert_int_equal(send(t->wire, frame, len, 0), len);
}

static void frames_are_sent(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[TX];
	uint8_t frame[3000], got[4000];
	uint16_t head;
	uint32_t len;

	start(t, 0);
	for (unsigned int i = 0; i < 300; i++) {
		uint32_t size = 60 + i * 9;
		uint64_t gpa;

		d->next_free = 0x4000;
		gpa = mock_alloc(d, size, 1);
		make_frame(frame, size, i);
		memcpy(mock_ptr(d, gpa), frame, size);
		/* Cut anywhere, in the header too. */
		struct mock_buf bufs[] = { { gpa, 1 + i % 40, false },
					   { gpa + 1 + i % 40, size - 1 - i % 40, false } };

		if (i & 1)
			mock_add_indirect(d, bufs, 2);
		else
			mock_add(d, bufs, 2);
		front_kick(&t->f, TX);
		front_collect(&t->f, TX, &head, &len);
		assert_int_equal(len, 0);
		assert_int_equal(recv(t->wire, got, sizeof(got), 0), size);
		assert_memory_equal(got, frame, size);
	}
	assert_int_equal(t->f.counters.errors, 0);
}

static void bad_frames_are_counted(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[TX];
	uint64_t gpa;
	uint16_t head;
	uint32_t len;

	start(t, 0);
	gpa = mock_alloc(d, 70000, 8);
	struct mock_buf bad[] = {
		{ gpa, HDR, false }, { gpa, 1, false }, { gpa, 66000, false }, { gpa, 64, true }
	};
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		mock_add(d, &bad[i], 1);
		front_kick(&t->f, TX);
		front_collect(&t->f, TX, &head, &len);
	}
	assert_int_equal(t->f.counters.errors, ARRAY_SIZE(bad));
	assert_int_equal(recv(t->wire, &gpa, 8, 0), -1);
}

static uint16_t buffers_used(const void *frame)
{
	struct virtio_net_hdr_v1 h;

	memcpy(&h, frame, sizeof(h));
	return h.num_buffers;
}

static void frames_are_received(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[RX];
	uint8_t expect[2000];
	uint16_t head;
	uint32_t len;

	start(t, 0);
	for (unsigned int i = 0; i < 200; i++) {
		uint64_t gpa;

		d->next_free = 0x4000;
		gpa = post(t, 2000);
		front_kick(&t->f, RX);
		from_wire(t, 60 + i * 7, i);
		front_collect(&t->f, RX, &head, &len);
		assert_int_equal(len, 60 + i * 7);
		make_frame(expect, len, i);
		assert_memory_equal((uint8_t *)mock_ptr(d, gpa) + HDR, expect + HDR, len - HDR);
		assert_int_equal(buffers_used(mock_ptr(d, gpa)), 1);
	}
}

static void large_frames_take_several_buffers(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[RX];
	uint8_t expect[5000];
	uint64_t gpa[10];
	uint32_t done = 0, len;
	uint16_t head;

	start(t, 0);
	for (unsigned int i = 0; i < 10; i++)
		gpa[i] = post(t, i ? 1000 : 7); /* the header itself is cut */
	front_kick(&t->f, RX);
	from_wire(t, 4500, 1);
	make_frame(expect, 4500, 1);
	for (unsigned int i = 0; done < 4500; i++) {
		front_collect(&t->f, RX, &head, &len);
		for (uint32_t b = 0; b < len; b++)
			if (done + b < 10 || done + b >= HDR)
				assert_int_equal(((uint8_t *)mock_ptr(d, gpa[i]))[b],
						 expect[done + b]);
		done += len;
	}
	assert_int_equal(done, 4500);
	/* 7 + 4 * 1000 + 493, the field at offset 10 is in the second one. */
	assert_int_equal(((uint8_t *)mock_ptr(d, gpa[1]))[3], 6);
	assert_int_equal(d->used_idx, 6);
}

/* Without buffers frames wait, in the tap and in the spill; none is lost. */
static void frames_wait_for_buffers(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[RX];
	uint64_t first, second;
	uint8_t expect[3000];
	uint16_t head;
	uint32_t len;

	start(t, 0);
	first = post(t, 1000);
	front_kick(&t->f, RX);
	from_wire(t, 2500, 4);
	from_wire(t, 100, 5);
	usleep(20000);
	assert_int_equal(d->used->idx, 0);
	second = post(t, 1600);
	front_kick(&t->f, RX);
	front_collect(&t->f, RX, &head, &len);
	assert_int_equal(len, 1000);
	front_collect(&t->f, RX, &head, &len);
	assert_int_equal(len, 1500);
	make_frame(expect, 2500, 4);
	assert_memory_equal((uint8_t *)mock_ptr(d, first) + HDR, expect + HDR, 1000 - HDR);
	assert_memory_equal(mock_ptr(d, second), expect + 1000, 1500);
	assert_int_equal(buffers_used(mock_ptr(d, first)), 2);
	post(t, 1600);
	front_kick(&t->f, RX);
	front_collect(&t->f, RX, &head, &len);
	assert_int_equal(len, 100);
	assert_int_equal(t->f.counters.errors, 0);
}

/* A receive ring of 8 descriptors. */
static void start_small(struct fixture *t)
{
	front_negotiate(&t->f, 0);
	front_init_driver(&t->f, RX, 8);
	front_start_queue(&t->f, RX, 0);
}

static void post_chain(struct fixture *t, unsigned int n, bool indirect)
{
	struct mock_driver *d = &t->f.driver[RX];
	struct mock_buf bufs[3];

	for (unsigned int i = 0; i < n; i++)
		bufs[i] = (struct mock_buf){ mock_alloc(d, 500, 8), 500, true };
	assert_true((indirect ? mock_add_indirect(d, bufs, n) : mock_add(d, bufs, n)) !=
		    UINT16_MAX);
}

/* The ring is used up, and the frame still has no room: it goes, so that those
 * behind it come.  That is so as well when a chain like those before would not
 * fit into what is left. */
static void frame_that_the_ring_can_never_hold(void **state)
{
	struct fixture *t = *state;
	uint16_t head;
	uint32_t len;

	for (unsigned int n = 1; n <= 3; n++) {
		start_small(t);
		for (unsigned int i = 0; i < 8 / n; i++)
			post_chain(t, n, false);
		front_kick(&t->f, RX);
		from_wire(t, 6000, 1);
		from_wire(t, 400, 2);
		front_collect(&t->f, RX, &head, &len);
		assert_int_equal(len, 400);
		assert_int_equal(t->f.counters.errors, n);
		front_stop_queue(&t->f, RX);
	}
}

/* Not so with indirect tables, which take one descriptor each. */
static void frame_waits_for_indirect_buffers(void **state)
{
	struct fixture *t = *state;
	uint16_t head;
	uint32_t len;

	start_small(t);
	for (unsigned int i = 0; i < 5; i++)
		post_chain(t, 2, true);
	front_kick(&t->f, RX);
	from_wire(t, 6000, 1);
	usleep(20000);
	assert_int_equal(t->f.driver[RX].used->idx, 0);
	post_chain(t, 2, true);
	front_kick(&t->f, RX);
	for (unsigned int i = 0; i < 6; i++) {
		front_collect(&t->f, RX, &head, &len);
		assert_int_equal(len, 1000);
	}
	assert_int_equal(t->f.counters.errors, 0);
}

static void without_mergeable_buffers(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[RX];
	uint64_t gpa[2];
	uint16_t head;
	uint32_t len;

	start(t, UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF);
	for (unsigned int i = 0; i < 2; i++)
		gpa[i] = post(t, 1600);
	front_kick(&t->f, RX);
	from_wire(t, 2000, 1); /* fits no buffer: dropped, counted */
	from_wire(t, 600, 2);
	from_wire(t, 1600, 3);
	front_collect(&t->f, RX, &head, &len);
	assert_int_equal(len, 600);
	assert_int_equal(buffers_used(mock_ptr(d, gpa[0])), 1);
	front_collect(&t->f, RX, &head, &len);
	assert_int_equal(len, 1600);
	assert_int_equal(((uint8_t *)mock_ptr(d, gpa[1]))[1599], (uint8_t)(1599 * 3 + 3));
	assert_int_equal(t->f.counters.errors, 1);
}

/* The window goes back to the ring at a stop, and comes again. */
static void stop_gives_buffers_back(void **state)
{
	struct fixture *t = *state;
	uint16_t head;
	uint32_t len;

	start(t, 0);
	for (unsigned int i = 0; i < 20; i++)
		post(t, 1600);
	front_kick(&t->f, RX);
	from_wire(t, 100, 1);
	front_collect(&t->f, RX, &head, &len);
	assert_int_equal(front_stop_queue(&t->f, RX), 1);
	from_wire(t, 200, 2);
	usleep(10000);
	assert_int_equal(t->f.driver[RX].used->idx, 1);
	front_start_queue(&t->f, RX, 1);
	front_collect(&t->f, RX, &head, &len);
	assert_int_equal(len, 200);
}

static void readable_receive_buffer_breaks_the_ring(void **state)
{
	struct fixture *t = *state;
	struct mock_buf bad = { FRONT_GPA + 0x8000, 2000, false };

	start(t, 0);
	post(t, 1600);
	mock_add(&t->f.driver[RX], &bad, 1);
	front_kick(&t->f, RX);
	from_wire(t, 100, 1);
	assert_true(front_wait_eventfd(t->f.err[RX], 5000));
	assert_int_equal(front_stop_queue(&t->f, RX), 0);
	/* The other direction is none the worse. */
	struct mock_buf ok = { FRONT_GPA + FRONT_AREA + 0x8000, 100, false };
	uint16_t head;
	uint32_t len;

	mock_add(&t->f.driver[TX], &ok, 1);
	front_kick(&t->f, TX);
	front_collect(&t->f, TX, &head, &len);
}

static _Atomic unsigned int rewatched;

/* The C library's, for the device as well: to count. */
int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *ev)
{
	if (op == EPOLL_CTL_MOD)
		atomic_fetch_add(&rewatched, 1);
	return (int)syscall(SYS_epoll_ctl, epoll_fd, op, fd, ev);
}

/* A full "tap" holds sending up and wakes it again.  It is looked at once more
 * while it is full: a tap, other than a socket, wakes nobody without that. */
static void full_tap_delays_sending(void **state)
{
	struct fixture *t = *state;
	struct mock_driver *d = &t->f.driver[TX];
	uint64_t gpa;
	uint8_t got[2000];
	uint16_t head;
	uint32_t len;
	unsigned int sent = 0, received = 0;
	int small = 8192; /* a few frames */

	setsockopt(t->p.tap_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	start(t, 0);
	gpa = mock_alloc(d, 1500, 8);
	struct mock_buf buf = { gpa, 1500, false };
	for (; sent < 60; sent++)
		mock_add(d, &buf, 1);
	atomic_store(&rewatched, 0);
	front_kick(&t->f, TX);
	for (int i = 0; i < 5000 && atomic_load(&rewatched) == 0; i++)
		usleep(1000);
	usleep(20000);
	assert_true(d->used->idx < sent);		/* held up */
	assert_in_range(atomic_load(&rewatched), 1, 3); /* and not all the time */
	while (received < sent) {
		struct pollfd p = { .fd = t->wire, .events = POLLIN };

		assert_int_equal(poll(&p, 1, 5000), 1);
		while (recv(t->wire, got, sizeof(got), 0) == 1500)
			received++;
	}
	for (unsigned int i = 0; i < sent; i++)
		front_collect(&t->f, TX, &head, &len);
}

static void send_frame(struct fixture *t, unsigned int seed)
{
	struct mock_driver *d = &t->f.driver[TX];
	uint64_t gpa = mock_alloc(d, 100, 8);
	struct mock_buf buf = { gpa, 100, false };
	uint16_t head;
	uint32_t len;

	make_frame(mock_ptr(d, gpa), 100, seed);
	assert_true(mock_add(d, &buf, 1) != UINT16_MAX);
	front_kick(&t->f, TX);
	front_collect(&t->f, TX, &head, &len);
}

/* What the tap has to say against a read is not the guest's fault: both
 * directions go on. */
static void tap_that_cannot_be_read_once(void **state)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct fixture *t = *state;
	struct pollfd tap = { .fd = t->p.tap_fd };
	uint8_t got[200], expect[100];

	start(t, 0);
	post(t, 1600);
	front_kick(&t->f, RX);
	/* A peer that leaves with a frame unread: the other end reads ECONNRESET. */
	send_frame(t, 1);
	assert_int_equal(t->f.counters.requests, 1);
	assert_int_equal(connect(t->wire, &nobody, sizeof(nobody)), 0);
	/* POLLERR stays until somebody has been told. */
	for (unsigned int i = 0; poll(&tap, 1, 0) == 1 && tap.revents & POLLERR; i++) {
		assert_true(i < 500);
		usleep(10000);
	}
	assert_int_equal(t->f.driver[RX].used->idx, 0);
	send_frame(t, 2);
	assert_int_equal(recv(t->wire, got, sizeof(got), 0), 100);
	make_frame(expect, 100, 2);
	assert_memory_equal(got, expect, 100);
	assert_int_equal(t->f.counters.errors, 0);
	assert_int_equal(front_hang_up(&t->f), 0);
}

/* A tap that takes no frame any more, an interface that was deleted: the
 * driver gets its buffers back, each loss is counted, and nothing ends. */
static void tap_that_is_gone(void **state)
{
	struct fixture *t = *state;

	start(t, 0);
	send_frame(t, 1);
	assert_int_equal(t->f.counters.errors, 0);
	close_fd(&t->wire);
	for (unsigned int i = 1; i <= 70; i++) {
		t->f.driver[TX].next_free = 0x4000;
		send_frame(t, i);
		assert_int_equal(t->f.counters.errors, i);
	}
	assert_int_equal(t->f.counters.requests, 1);
	assert_int_equal(front_hang_up(&t->f), 0);
}

/* Offloads that the tap refuses: the features are refused, so that no frame
 * comes that the driver cannot take; others may be agreed upon. */
static void offloads_that_the_tap_refuses(void **state)
{
	const uint64_t protocol = UINT64_C(1) << VHOST_USER_F_PROTOCOL_FEATURES;
	struct fixture *t = *state;
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_SET_PROTOCOL_FEATURES,
					       .size = 8 } };
	uint64_t offered;

	assert_int_equal(front_hang_up(&t->f), 0);
	/* A pipe can be watched, and knows nothing of offloads. */
	int ends[2];
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	t->p.tap_fd = ends[0];
	t->p.offloads = true;
	front_run(&t->f, entry, &t->p);
	offered = front_get_u64(&t->f, VHOST_USER_GET_FEATURES);
	assert_true(offered >> VIRTIO_NET_F_GUEST_TSO4 & 1);
	msg.payload.u64 = front_get_u64(&t->f, VHOST_USER_GET_PROTOCOL_FEATURES);
	front_send(&t->f, &msg);
	assert_int_equal(front_u64(&t->f, VHOST_USER_SET_FEATURES, offered | protocol), 1);
	close(ends[1]);
	assert_int_equal(front_hang_up(&t->f), 0);
}

static void tap_that_cannot_be_watched(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(front_hang_up(&t->f), 0);
	t->p.tap_fd = memfd_create("no-tap", MFD_CLOEXEC);
	front_run(&t->f, entry, &t->p);
	assert_int_equal(front_hang_up(&t->f), -EPERM);
	assert_non_null(strstr(t->f.e.text, "watch the tap: Operation not permitted"));
}

static void hostile_driver(void **state)
{
	struct fixture *t = *state;
	uint8_t frame[20000];
	uint16_t head;
	uint32_t len;

	start(t, 0);
	for (unsigned int seed = 0; seed < 8; seed++) {
		make_frame(frame, 9000, seed);
		for (unsigned int i = 0; i < 5; i++)
			if (send(t->wire, frame, 100 + i * 2000, 0) < 0)
				break;
		front_torment(&t->f, RX, 100, seed);
		front_torment(&t->f, TX, 100, seed);
		while (recv(t->wire, frame, sizeof(frame), 0) >= 0)
			continue;
	}
	for (unsigned int i = 0; i < 50; i++)
		post(t, 2000);
	front_kick(&t->f, RX);
	from_wire(t, 777, 1);
	for (;;) { /* frames of before come first */
		front_collect(&t->f, RX, &head, &len);
		if (len == 777)
			break;
		post(t, 2000);
		front_kick(&t->f, RX);
	}
	assert_int_equal(front_hang_up(&t->f), 0);
}

static void config_space(void **state)
{
	struct fixture *t = *state;
	struct vhost_user_msg msg = { .hdr = { .request = VHOST_USER_GET_CONFIG,
					       .size = 12 + sizeof(struct virtio_net_config) } };
	struct virtio_net_config c;

	front_negotiate(&t->f, 0);
	msg.payload.config.size = sizeof(c);
	front_ask(&t->f, &msg);
	memcpy(&c, msg.payload.config.region, sizeof(c));
	assert_int_equal(c.mac[0], 2);
	assert_int_equal(c.mac[5], 1);
	assert_int_equal(c.mtu, 9000);
	assert_true(t->f.features >> VIRTIO_NET_F_MTU & 1);
	assert_false(t->f.features >> VIRTIO_NET_F_CSUM & 1);
}

static void tap_errors_say_what_to_do(void **state)
{
	bool offloads;
	struct err e;

	(void)state;
	assert_int_equal(tap_open("", &offloads, &e), -EINVAL);
	assert_int_equal(tap_open("a-name-that-is-too-long", &offloads, &e), -EINVAL);
	assert_int_equal(tap_open("nosuchtap0", &offloads, &e), -ENODEV);
	assert_non_null(strstr(e.text, "ip tuntap add dev nosuchtap0 mode tap"));
	assert_int_equal(tap_setup(STDIN_FILENO, &offloads, &e), -EINVAL);
	assert_non_null(strstr(e.text, "is not a tap"));
}

/* --- on a real tap, in a network namespace of our own --- */

/* A persistent tap, up.  Its index, or 0: cannot be had here. */
static unsigned int make_tap(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	_cleanup_close_ int fd = -1, sock = -1;

	if (unshare(CLONE_NEWNET) < 0)
		return 0;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0)
		return 0;
	ifr.ifr_flags = IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
		return 0;
	return if_nametoindex(name);
}

static int packet_socket(unsigned int ifindex)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(0x88b5),
				  .sll_ifindex = (int)ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x88b5));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void real_tap(void **state)
{
	struct fixture t = { .wire = -1 };
	uint8_t frame[HDR + 1000], got[2000];
	unsigned int ifindex = make_tap("bhtest0");
	bool offloads = false, other;
	struct err e = { "" };
	uint64_t gpa;
	uint16_t head;
	uint32_t len;
	int fd;

	(void)state;
	if (!ifindex) {
		print_message("no tap can be made here (root and /dev/net/tun are needed)\n");
		skip();
	}
	fd = tap_open("bhtest0", &offloads, &e);
	assert_string_equal(e.text, "");
	assert_true(fd >= 0);
	assert_true(offloads);
	assert_int_equal(tap_open("bhtest0", &other, &e), -EBUSY);
	assert_non_null(strstr(e.text, "in use"));
	assert_int_equal(tap_open("lo", &other, &e), -EINVAL);
	assert_int_equal(tap_setup(fd, &other, &e), 0);

	front_init(&t.f);
	t.p = (struct net_params){ .tap_fd = fd, .offloads = offloads };
	front_run(&t.f, entry, &t.p);
	start(&t, 0);
	assert_true(t.f.features >> VIRTIO_NET_F_GUEST_TSO4 & 1);
	t.wire = packet_socket(ifindex);
	make_frame(frame, sizeof(frame), 1);
	memset(frame + HDR, 0xff, 6); /* to everybody */
	frame[HDR + 6] = 2;
	frame[HDR + 12] = 0x88;
	frame[HDR + 13] = 0xb5;
	gpa = mock_alloc(&t.f.driver[TX], sizeof(frame), 8);
	memcpy(mock_ptr(&t.f.driver[TX], gpa), frame, sizeof(frame));
	struct mock_buf buf = { gpa, sizeof(frame), false };
	mock_add(&t.f.driver[TX], &buf, 1);
	front_kick(&t.f, TX);
	front_collect(&t.f, TX, &head, &len);
	assert_int_equal(recv(t.wire, got, sizeof(got), 0), sizeof(frame) - HDR);
	assert_memory_equal(got, frame + HDR, sizeof(frame) - HDR);

	gpa = post(&t, 2000);
	front_kick(&t.f, RX);
	assert_int_equal(send(t.wire, frame + HDR, sizeof(frame) - HDR, 0), sizeof(frame) - HDR);
	/* The kernel may have things of its own to say on a new interface. */
	do {
		front_collect(&t.f, RX, &head, &len);
		if (len != sizeof(frame)) {
			gpa = post(&t, 2000);
			front_kick(&t.f, RX);
		}
	} while (len != sizeof(frame));
	assert_memory_equal((uint8_t *)mock_ptr(&t.f.driver[RX], gpa) + HDR, frame + HDR,
			    sizeof(frame) - HDR);
	front_release(&t.f);
	close(t.wire);
}

/* What is written to the tap bhtest1 waits at the other end of a bridge, where
 * it goes on at 50 KB/s, and is counted against the tap's buffer all the time.
 * Nobody else says anything: IPv6 would. */
static bool slow_bridge(void)
{
	return system("{ for i in all default; do"
		      " echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; done;"
		      " ip link add bhbridge type bridge &&"
		      " ip link add bhslow type veth peer name bhpeer &&"
		      " ip link set bhtest1 master bhbridge &&"
		      " ip link set bhslow master bhbridge &&"
		      " for i in bhpeer bhslow bhbridge; do ip link set $i up || exit; done &&"
		      " tc qdisc add dev bhslow root tbf rate 400kbit burst 3000 limit 1000000; }"
		      " >/dev/null 2>&1") == 0;
}

/* Both ports of the bridge have noticed that they are up. */
static bool bridge_forwards(void)
{
	return system("for n in $(seq 100); do"
		      " ip -d link show bhslow | grep -q 'bridge_slave state forwarding' &&"
		      " ip -d link show bhtest1 | grep -q 'bridge_slave state forwarding' &&"
		      " exit; sleep 0.02; done; exit 1") == 0;
}

/* --net fd= may bring one whose buffer is small: it fills up, and has to say
 * when it takes frames again although nothing comes from it meanwhile. */
static void real_tap_that_fills(void **state)
{
	struct fixture t = { .wire = -1 };
	struct err e = { "" };
	uint8_t frame[HDR + 1000];
	int small = 20000, fd;
	bool offloads = false;
	uint16_t head;
	uint32_t len;

	(void)state;
	if (!make_tap("bhtest1") || !slow_bridge()) {
		print_message("no tap behind a slow bridge can be made here (root, ip and tc)\n");
		skip();
	}
	fd = tap_open("bhtest1", &offloads, &e);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETSNDBUF, &small), 0);
	assert_true(bridge_forwards());
	front_init(&t.f);
	t.p = (struct net_params){ .tap_fd = fd, .offloads = offloads };
	front_run(&t.f, entry, &t.p);
	start(&t, 0);
	make_frame(frame, sizeof(frame), 1);
	frame[HDR] = frame[HDR + 6] = 2; /* from and to somebody alone */
	struct mock_buf buf = { mock_alloc(&t.f.driver[TX], sizeof(frame), 8), sizeof(frame),
				false };
	memcpy(mock_ptr(&t.f.driver[TX], buf.gpa), frame, sizeof(frame));
	for (unsigned int i = 0; i < 40; i++)
		mock_add(&t.f.driver[TX], &buf, 1);
	atomic_store(&rewatched, 0);
	front_kick(&t.f, TX);
	for (unsigned int i = 0; i < 40; i++)
		front_collect(&t.f, TX, &head, &len);
	assert_int_not_equal(atomic_load(&rewatched), 0);
	assert_int_equal(t.f.counters.errors, 0);
	front_release(&t.f);
}

#define NET_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(frames_are_sent),
		NET_TEST(bad_frames_are_counted),
		NET_TEST(frames_are_received),
		NET_TEST(large_frames_take_several_buffers),
		NET_TEST(frames_wait_for_buffers),
		NET_TEST(frame_that_the_ring_can_never_hold),
		NET_TEST(frame_waits_for_indirect_buffers),
		NET_TEST(without_mergeable_buffers),
		NET_TEST(stop_gives_buffers_back),
		NET_TEST(readable_receive_buffer_breaks_the_ring),
		NET_TEST(full_tap_delays_sending),
		NET_TEST(tap_that_cannot_be_read_once),
		NET_TEST(tap_that_is_gone),
		NET_TEST(offloads_that_the_tap_refuses),
		NET_TEST(tap_that_cannot_be_watched),
		NET_TEST(hostile_driver),
		NET_TEST(config_space),
		cmocka_unit_test(tap_errors_say_what_to_do),
		cmocka_unit_test(real_tap),
		cmocka_unit_test(real_tap_that_fills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
