/* test_instance.c - endings, the terminal's escape, the console's relay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-kernel-config/guest_abi.h"
#include "vmm/base/loop.h"
#include "vmm/base/util.h"
#include "vmm/instance/ending.h"
#include "vmm/instance/relay.h"
#include "vmm/instance/terminal.h"

/* --- endings --- */

static void test_endings(void **state)
{
	static const struct {
		struct ending end;
		int status;
		const char *word, *message; /* message: a part of it; NULL: none */
	} rows[] = {
		{ { .reason = ENDING_EXITED, .value = 0 }, 0, "exited", NULL },
		{ { .reason = ENDING_EXITED, .value = 255 }, 255, "exited", NULL },
		{ { .reason = ENDING_EXITED, .value = 256 + 7 }, 7, "exited", NULL },
		{ { .reason = ENDING_SIGNALED, .value = SIGKILL }, 137, "signaled", "signal 9" },
		{ { .reason = ENDING_SIGNALED, .value = SIGINT }, 130, "signaled", NULL },
		{ { .reason = ENDING_NOT_FOUND, .value = ENOENT }, 127, "not-found", "cmd: not" },
		{ { .reason = ENDING_NOT_EXECUTABLE, .value = EACCES },
		  126,
		  "not-executable",
		  "Permission denied" },
		{ { .reason = ENDING_POWER_OFF }, 0, "power-off", NULL },
		{ { .reason = ENDING_REBOOT }, 0, "reboot", NULL },
		{ { .reason = ENDING_PANIC }, 134, "panic", "panicked" },
		{ { .reason = ENDING_TRIPLE_FAULT, .text = "RIP" }, 134, "triple-fault", "RIP" },
		{ { .reason = ENDING_TIMEOUT, .text = "1 s" }, 124, "timeout", "1 s" },
		{ { .reason = ENDING_STOPPED, .value = SIGTERM }, 143, "stopped", NULL },
		{ { .reason = ENDING_STOPPED }, 137, "stopped", NULL },
		{ { .reason = ENDING_DEVICE_LOST, .text = "blk0" }, 125, "device-lost", "blk0" },
		{ { .reason = ENDING_EMULATION, .text = "x" }, 125, "emulation", "x" },
		{ { .reason = ENDING_KVM, .text = "x" }, 125, "kvm", "x" },
		{ { .reason = ENDING_GUEST_SETUP, .text = "no root" },
		  125,
		  "guest-setup",
		  "no root" },
		{ { .reason = ENDING_ERROR, .text = "x" }, 125, "error", "x" },
	};
	char message[ENDING_TEXT_MAX + 128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ending_status(&rows[i].end), rows[i].status);
		assert_string_equal(ending_word(&rows[i].end), rows[i].word);
		ending_message(&rows[i].end, "cmd", message, sizeof(message));
		if (rows[i].message)
			assert_non_null(strstr(message, rows[i].message));
		else
			assert_string_equal(message, "");
	}
}

/* --- Ctrl-A --- */

static void test_escape(void **state)
{
	static const struct {
		const char *typed, *passed;
		bool quit;
	} rows[] = {
		{ "hello", "hello", false },	 { "a\001xb", "a", true },
		{ "\001X", "", true },		 { "\001\001", "\001", false },
		{ "\001a", "\001", false },	 { "\001b", "\001b", false },
		{ "\001\001x", "\001x", false }, { "x", "x", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* In one piece, and byte by byte: the state must carry over. */
		for (size_t piece = 1; piece <= 16; piece += 15) {
			struct terminal_escape esc = { false };
			unsigned char out[64];
			size_t n = 0, len = strlen(rows[i].typed);
			bool quit = false;

			for (size_t at = 0; at < len && !quit; at += piece)
				n += terminal_escape_filter(
					&esc, (const unsigned char *)rows[i].typed + at,
					MIN(piece, len - at), out + n, &quit);
			assert_int_equal(quit, rows[i].quit);
			assert_int_equal(n, strlen(rows[i].passed));
			assert_memory_equal(out, rows[i].passed, n);
		}
	}
}

static void test_stream_escape(void **state)
{
	const unsigned char in[] = { 0, 1, BH_DLE, 2, BH_DLE, BH_DLE, 0xff };
	const unsigned char want[] = {
		0, 1, BH_DLE, BH_DLE, 2, BH_DLE, BH_DLE, BH_DLE, BH_DLE, 0xff
	};
	unsigned char out[2 * sizeof(in)];

	(void)state;
	assert_int_equal(relay_escape(in, sizeof(in), out), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
}

/* --- the relay, between pipes --- */

struct rig {
	struct loop *loop;
	struct relay relay;
	int user_in[2], user_out[2], wall_in[2], wall_out[2];
	unsigned int quits, breaks;
	pthread_t thread;
};

static void on_quit(void *ctx)
{
	((struct rig *)ctx)->quits++;
}

static void on_broken(void *ctx, int code)
{
	assert_int_equal(code, EPIPE);
	((struct rig *)ctx)->breaks++;
}

static void *run_loop(void *arg)
{
	loop_run(((struct rig *)arg)->loop);
	return NULL;
}

static void rig_up(struct rig *g, enum relay_input input, bool ready)
{
	memset(g, 0, sizeof(*g));
	g->loop = loop_new(NULL);
	assert_non_null(g->loop);
	assert_int_equal(pipe2(g->user_in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(g->user_out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(g->wall_in, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(g->wall_out, O_CLOEXEC | O_NONBLOCK), 0);
	fcntl(g->user_out[1], F_SETFL, O_NONBLOCK);
	g->relay.quit = on_quit;
	g->relay.broken_pipe = on_broken;
	g->relay.ctx = g;
	assert_int_equal(relay_start(&g->relay, g->loop, input, g->user_in[0], g->user_out[1],
				     g->wall_in[1], g->wall_out[0], NULL),
			 0);
	if (ready)
		relay_ready(&g->relay);
	assert_int_equal(pthread_create(&g->thread, NULL, run_loop, g), 0);
}

static void rig_down(struct rig *g)
{
	int *ends[] = { g->user_in, g->user_out, g->wall_in, g->wall_out };

	loop_stop(g->loop);
	pthread_join(g->thread, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		close_fd(&ends[i][0]);
		close_fd(&ends[i][1]);
	}
	loop_free(g->loop);
}

static void read_exactly(int fd, unsigned char *data, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, data + have, len - have);

		if (n < 0 && errno == EAGAIN) {
			usleep(200);
			continue;
		}
		assert_true(n > 0);
		have += (size_t)n;
	}
}

/* More than all buffers hold, to a reader that sleeps until nothing moves: nothing
 * is lost.  How much the buffers hold is the kernel's business: it gives small pipes
 * to a user who has many. */
static void test_output_is_exact(void **state)
{
	static unsigned char sent[400000], got[400000];
	size_t done = 0, taken = 0;
	unsigned int stalls = 0;
	struct rig g;

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (unsigned char)(i * 7 + i / 251);
	rig_up(&g, RELAY_INPUT_NONE, true);
	while (done < sizeof(sent)) {
		ssize_t n = write(g.wall_out[1], sent + done, MIN(sizeof(sent) - done, 5000UL));

		if (n > 0) {
			done += (size_t)n;
			stalls = 0;
		} else if (++stalls < 50) {
			usleep(100);
		} else { /* the reader wakes up */
			n = read(g.user_out[0], got + taken, 50000);
			taken += n > 0 ? (size_t)n : 0;
			stalls = 0;
		}
	}
	read_exactly(g.user_out[0], got + taken, sizeof(got) - taken);
	assert_memory_equal(sent, got, sizeof(sent));
	rig_down(&g);
}

static void test_stream_input(void **state)
{
	const unsigned char in[] = { 'a', BH_DLE, 'b' };
	const unsigned char want[] = { 'a', BH_DLE, BH_DLE, 'b', BH_DLE, BH_STREAM_EOF };
	unsigned char got[sizeof(want)];
	struct rig g;

	(void)state;
	rig_up(&g, RELAY_INPUT_STREAM, true);
	assert_int_equal(write(g.user_in[1], in, sizeof(in)), sizeof(in));
	close_fd(&g.user_in[1]);
	read_exactly(g.wall_in[0], got, sizeof(got));
	assert_memory_equal(got, want, sizeof(want));
	rig_down(&g);
}

/* Before init is ready nothing reaches the guest, but Ctrl-A X works. */
static void test_keys_before_ready(void **state)
{
	unsigned char byte;
	struct rig g;

	(void)state;
	rig_up(&g, RELAY_INPUT_KEYS, false);
	assert_int_equal(write(g.user_in[1], "hi\001x", 4), 4);
	for (int i = 0; i < 5000 && !__atomic_load_n(&g.quits, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	assert_int_equal(g.quits, 1);
	assert_int_equal(read(g.wall_in[0], &byte, 1), -1);
	rig_down(&g);
}

static void test_broken_output(void **state)
{
	struct rig g;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	rig_up(&g, RELAY_INPUT_NONE, true);
	close_fd(&g.user_out[0]);
	assert_int_equal(write(g.wall_out[1], "x", 1), 1);
	for (int i = 0; i < 5000 && !__atomic_load_n(&g.breaks, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	assert_int_equal(g.breaks, 1);
	rig_down(&g);
}

/* The wall is gone, its reader slow: all of it arrives, and a signal ends the
 * wait for one that never reads. */
static void test_finish(void **state)
{
	static unsigned char sent[60000], got[60000];
	struct rig g;
	int stop[2], others[2] = { -1, -1 };

	(void)state;
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	rig_up(&g, RELAY_INPUT_NONE, true);
	loop_stop(g.loop);
	pthread_join(g.thread, NULL);
	fcntl(g.user_out[1], F_SETPIPE_SZ, 4096);
	memset(sent, 'x', sizeof(sent));
	assert_int_equal(write(g.wall_out[1], sent, sizeof(sent)), sizeof(sent));
	close_fd(&g.wall_out[1]);
	assert_int_equal(relay_finish(&g.relay, now_ns() + 5 * NS_PER_MS, others), RELAY_LATE);
	assert_int_equal(write(stop[1], "s", 1), 1);
	for (int i = 0; i < 2; i++) {
		others[i] = stop[0];
		assert_int_equal(relay_finish(&g.relay, 0, others), RELAY_INTERRUPTED);
		others[i] = -1;
	}
	others[0] = stop[0];
	assert_int_equal(read(stop[0], got, 1), 1);
	if (fork() == 0) {
		read_exactly(g.user_out[0], got, sizeof(got));
		_exit(0);
	}
	assert_int_equal(relay_finish(&g.relay, 0, others), RELAY_TAKEN);
	g.thread = pthread_self();
	close_fd(&stop[0]);
	close_fd(&stop[1]);
	for (int *end = g.user_in; end < g.user_in + 2; end++)
		close_fd(end);
	close_fd(&g.user_out[0]);
	close_fd(&g.user_out[1]);
	close_fd(&g.wall_in[0]);
	close_fd(&g.wall_in[1]);
	close_fd(&g.wall_out[0]);
	loop_free(g.loop);
}

/* A sink that blocks and that nobody reads must not stop the loop. */
static void test_blocking_socket(void **state)
{
	unsigned char data[4096] = { 0 };
	const int none[] = { -1, -1 };
	struct relay r = { .broken_pipe = on_broken };
	struct loop *loop = loop_new(NULL);
	int user[2], wall[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, user), 0);
	assert_int_equal(pipe2(wall, O_CLOEXEC | O_NONBLOCK), 0);
	r.ctx = &r;
	assert_int_equal(relay_start(&r, loop, RELAY_INPUT_NONE, -1, user[1], -1, wall[0], NULL),
			 0);
	for (int i = 0; i < 500; i++) { /* far more than a socket holds */
		ssize_t n = write(wall[1], data, sizeof(data));

		if (n < 0)
			break;
		relay_finish(&r, 1, none);
	}
	loop_free(loop);
	close(user[0]);
	close(user[1]);
	close(wall[0]);
	close(wall[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endings),		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_stream_escape),	cmocka_unit_test(test_output_is_exact),
		cmocka_unit_test(test_stream_input),	cmocka_unit_test(test_keys_before_ready),
		cmocka_unit_test(test_broken_output),	cmocka_unit_test(test_finish),
		cmocka_unit_test(test_blocking_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
