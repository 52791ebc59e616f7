/* test_vhost_user.c - the message layer: framing, fds, deadlines, hostile peers. */
#include "devices/virtio/vhost_user.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/base/util.h"

static uint64_t in_ms(unsigned int ms)
{
	return now_ns() + ms * NS_PER_MS;
}

static int pair_setup(void **state)
{
	int *sv = calloc(2, sizeof(int));

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	*state = sv;
	return 0;
}

static int pair_teardown(void **state)
{
	int *sv = *state;

	close_fd(&sv[0]);
	close_fd(&sv[1]);
	free(sv);
	return 0;
}

static void message_with_fds_arrives_whole(void **state)
{
	int *sv = *state;
	struct vhost_user_msg out = { .hdr = { .request = VHOST_USER_SET_MEM_TABLE, .size = 72 } };
	struct vhost_user_msg in;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	out.payload.memory.nregions = 2;
	out.payload.memory.region[1].memory_size = 0x1234;
	out.nfds = 2;
	memcpy(out.fds, fds, sizeof(fds));
	assert_int_equal(vhost_user_send(sv[0], &out, in_ms(1000)), 0);
	assert_int_equal(vhost_user_recv(sv[1], &in, in_ms(1000)), 0);
	assert_int_equal(in.hdr.request, VHOST_USER_SET_MEM_TABLE);
	assert_int_equal(in.hdr.flags, VHOST_USER_VERSION);
	assert_int_equal(in.payload.memory.region[1].memory_size, 0x1234);
	assert_int_equal(in.payload.memory.region[2].memory_size, 0);
	assert_int_equal(in.nfds, 2);
	assert_int_equal(fcntl(in.fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(in.fds[1], "x", 1), 1);
	vhost_user_msg_release(&in);
	assert_int_equal(in.nfds, 0);
	close(fds[0]);
	close(fds[1]);
}

static void pieces_are_put_together(void **state)
{
	int *sv = *state;
	struct vhost_user_header hdr = { .request = 2, .flags = VHOST_USER_VERSION, .size = 8 };
	uint64_t value = 0x1122334455667788;
	struct vhost_user_msg in;

	assert_int_equal(write(sv[0], &hdr, 5), 5);
	assert_int_equal(vhost_user_recv(sv[1], &in, in_ms(20)), -ETIMEDOUT);
	/* The stream is lost then; a fresh one, cut elsewhere, works. */
	close_fd(&sv[0]);
	close_fd(&sv[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(write(sv[0], &hdr, sizeof(hdr)), sizeof(hdr));
	assert_int_equal(write(sv[0], &value, 3), 3);
	assert_int_equal(write(sv[0], (char *)&value + 3, 5), 5);
	assert_int_equal(vhost_user_recv(sv[1], &in, in_ms(1000)), 0);
	assert_int_equal(in.payload.u64, value);
}

static void silence_and_hang_up(void **state)
{
	int *sv = *state;
	struct vhost_user_msg msg = { .hdr = { .request = 1 } };

	assert_int_equal(vhost_user_recv(sv[1], &msg, in_ms(10)), -ETIMEDOUT);
	assert_int_equal(msg.hdr.request, 1);
	close_fd(&sv[0]);
	assert_int_equal(vhost_user_recv(sv[1], &msg, in_ms(1000)), -EPIPE);
	assert_int_equal(vhost_user_send(sv[1], &msg, in_ms(1000)), -EPIPE);
}

static void full_socket_meets_deadline(void **state)
{
	int *sv = *state;
	struct vhost_user_msg msg = { .hdr = { .request = 24, .size = 268 } };
	int r;

	do
		r = vhost_user_send(sv[0], &msg, in_ms(20));
	while (r == 0);
	assert_int_equal(r, -ETIMEDOUT);
}

static void bad_headers_are_refused(void **state)
{
	static const struct vhost_user_header bad[] = {
		{ .request = 1, .flags = 0, .size = 0 },
		{ .request = 1, .flags = 2, .size = 0 },
		{ .request = 1, .flags = 1, .size = sizeof(union vhost_user_payload) + 1 },
		{ .request = 1, .flags = 1, .size = UINT32_MAX },
	};
	int *sv = *state;
	struct vhost_user_msg in;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(write(sv[0], &bad[i], sizeof(bad[i])), sizeof(bad[i]));
		assert_int_equal(vhost_user_recv(sv[1], &in, in_ms(1000)), -EPROTO);
	}
}

static void own_mistakes_are_refused(void **state)
{
	int *sv = *state;
	struct vhost_user_msg msg = { .hdr = { .size = sizeof(union vhost_user_payload) + 1 } };

	assert_int_equal(vhost_user_send(sv[0], &msg, 0), -EINVAL);
	msg.hdr.size = 0;
	msg.nfds = VHOST_USER_MAX_FDS + 1;
	assert_int_equal(vhost_user_send(sv[0], &msg, 0), -EINVAL);
}

/* How many fds are open: the next free number says it well enough. */
static int lowest_free_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void surplus_fds_leak_nothing(void **state)
{
	int *sv = *state;
	struct vhost_user_header hdr = { .request = 5, .flags = VHOST_USER_VERSION, .size = 8 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(20 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = &hdr, .iov_len = sizeof(hdr) };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	struct vhost_user_msg in;
	int before, fd = 0;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(20 * sizeof(int));
	for (size_t i = 0; i < 20; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
	before = lowest_free_fd();
	/* Once with its payload, once cut off, so that recv fails holding fds. */
	assert_int_equal(sendmsg(sv[0], &mh, 0), sizeof(hdr));
	assert_int_equal(write(sv[0], "12345678", 8), 8);
	assert_int_equal(vhost_user_recv(sv[1], &in, in_ms(1000)), 0);
	assert_int_equal(in.nfds, VHOST_USER_MAX_FDS);
	fd = vhost_user_msg_take_fd(&in, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(vhost_user_msg_take_fd(&in, VHOST_USER_MAX_FDS), -1);
	vhost_user_msg_release(&in);
	assert_int_equal(lowest_free_fd(), before);
	assert_int_equal(sendmsg(sv[0], &mh, 0), sizeof(hdr));
	assert_int_equal(vhost_user_recv(sv[1], &in, in_ms(20)), -ETIMEDOUT);
	assert_int_equal(lowest_free_fd(), before);
}

static void requests_have_names(void **state)
{
	(void)state;
	assert_string_equal(vhost_user_request_name(VHOST_USER_GET_VRING_BASE), "GET_VRING_BASE");
	assert_string_equal(vhost_user_request_name(0), "unknown request");
	assert_string_equal(vhost_user_request_name(UINT32_MAX), "unknown request");
}

#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(message_with_fds_arrives_whole),
		PAIR_TEST(pieces_are_put_together),
		PAIR_TEST(silence_and_hang_up),
		PAIR_TEST(full_socket_meets_deadline),
		PAIR_TEST(bad_headers_are_refused),
		PAIR_TEST(own_mistakes_are_refused),
		PAIR_TEST(surplus_fds_leak_nothing),
		cmocka_unit_test(requests_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
