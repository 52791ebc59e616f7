/*
 * outside: the lab's half on this machine.
 *
 *	outside --setup FILE --how FILE --log FILE [--timeout SECONDS]
 *		[--up SECONDS] [--tty] [--stdin] -- QEMU ARG...
 *
 * Starts QEMU with one end of a socket pair as descriptor 3 (the wire), sends
 * the set-up, relays the command's output to standard output and error, and
 * ends QEMU when the status has come, when the time is up or when a signal
 * asks for it. How it ended goes to the --how file as one word: "status",
 * "timeout", "lost" (QEMU ended without a status), "escape" (Ctrl-A X),
 * "signal" or "error" with a sentence. With "status" the exit status is the
 * command's. A start that hangs before the command runs is given up after --up
 * seconds and made anew (README.md, "Hangs and their cures"), with a line on
 * standard error.
 *
 * The --setup file holds records that end with NUL: one character, the frame's
 * type, and the payload (wire.h).
 *
 * One thread, one poll loop. Writes to standard output block on purpose: a
 * slow reader throttles the command through the port, nothing is dropped.
 * Writes to the wire never block: the emulated host may itself be waiting for
 * this side to read.
 */
#include "wire.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#define QEMU_WIRE_FD 3
#define ESCAPE	     0x01 /* Ctrl-A */
#define DUMP_SECONDS 4	  /* for the emulated host to print its tasks */
#define UP_SECONDS   60	  /* for the emulated host to start the command, the first time */
#define TRIES	     3	  /* each with as much time again: the machine may only be busy */

struct session {
	const char *setup;
	const char *how_path;
	const char *log;
	long timeout; /* of the command, 0: none */
	long up;      /* see UP_SECONDS */
	bool tty;
	bool feed; /* relay standard input */
	char **qemu;

	int wire;
	int signals;
	pid_t pid;
	bool escaped; /* the last key was Ctrl-A */
	bool started; /* the command runs */
	int tries;    /* to come so far */
	bool dumping;
	int64_t deadline; /* in milliseconds, 0: none */
	struct termios saved;
	bool raw;
	struct wire_in in;
	struct {
		unsigned char *bytes;
		size_t used;
		size_t room;
	} out; /* frames that the wire did not take yet */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void restore_terminal(struct session *s)
{
	if (s->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->saved);
	s->raw = false;
}

/* The one way out: terminal restored, QEMU gone, the reason written. */
static _Noreturn void finish(struct session *s, int status, const char *how, size_t length)
{
	int fd = open(s->how_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	restore_terminal(s);
	if (s->pid > 0) {
		/*
		 * Nothing in the emulated host outlives the session, and files
		 * of the exchange are already in this machine's page cache.
		 */
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	if (fd < 0 || write_all(fd, how, length) < 0)
		fprintf(stderr, "lab: cannot write %s: %s\n", s->how_path, strerror(errno));
	exit(status);
}

static _Noreturn void finish_word(struct session *s, int status, const char *how)
{
	finish(s, status, how, strlen(how));
}

static _Noreturn void fail(struct session *s, const char *what, int error)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "error %s: %s", what, strerror(error));

	finish(s, 125, text, (size_t)n);
}

static void make_raw(struct session *s)
{
	struct termios t;

	if (!s->tty || tcgetattr(STDIN_FILENO, &s->saved) < 0)
		return;
	t = s->saved;
	cfmakeraw(&t);
	s->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0;
}

static void flush_out(struct session *s)
{
	ssize_t n = write(s->wire, s->out.bytes, s->out.used);

	/* A QEMU that is gone shows as end of file on the reading side. */
	if (n <= 0)
		return;
	s->out.used -= (size_t)n;
	memmove(s->out.bytes, s->out.bytes + n, s->out.used);
}

/* Queues a frame; @length is at most WIRE_PAYLOAD_MAX. */
static void post(struct session *s, uint32_t type, const void *payload, size_t length)
{
	struct wire_header h = { .type = type, .length = (uint32_t)length };
	size_t need = s->out.used + sizeof(h) + length;

	if (need > s->out.room) {
		s->out.room = 2 * need;
		s->out.bytes = realloc(s->out.bytes, s->out.room);
		if (!s->out.bytes)
			fail(s, "memory", ENOMEM);
	}
	memcpy(s->out.bytes + s->out.used, &h, sizeof(h));
	if (length > 0)
		memcpy(s->out.bytes + s->out.used + sizeof(h), payload, length);
	s->out.used = need;
}

/* A string of any length: what does not fit one frame goes ahead in parts. */
static void post_string(struct session *s, uint32_t type, const char *text, size_t length)
{
	while (length > WIRE_PAYLOAD_MAX) {
		post(s, WIRE_PART, text, WIRE_PAYLOAD_MAX);
		text += WIRE_PAYLOAD_MAX;
		length -= WIRE_PAYLOAD_MAX;
	}
	post(s, type, text, length);
}

static void send_window(struct session *s)
{
	struct winsize size;

	if (s->tty && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		post(s, WIRE_WINDOW, &size, sizeof(size));
}

static void send_setup(struct session *s)
{
	FILE *f = fopen(s->setup, "re");
	char *record = NULL;
	size_t room = 0;
	ssize_t n;

	if (!f)
		fail(s, s->setup, errno);
	while ((n = getdelim(&record, &room, '\0', f)) > 1)
		post_string(s, (unsigned char)record[0], record + 1, (size_t)n - 2);
	free(record);
	fclose(f);
	send_window(s);
	post(s, WIRE_GO, NULL, 0);
}

static void start_qemu(struct session *s)
{
	int ends[2];
	int log;
	int null;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		fail(s, "socketpair", errno);
	log = open(s->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (log < 0 || null < 0)
		fail(s, "opening QEMU's log", errno);
	s->wire = ends[0];
	fcntl(s->wire, F_SETFL, O_NONBLOCK);
	s->pid = fork();
	if (s->pid < 0)
		fail(s, "fork", errno);
	if (s->pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		/* Out of the terminal's process group: Ctrl-C is not for QEMU. */
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, STDIN_FILENO);
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
		/* dup2 onto itself would keep close-on-exec. */
		if (ends[1] == QEMU_WIRE_FD)
			fcntl(ends[1], F_SETFD, 0);
		else
			dup2(ends[1], QEMU_WIRE_FD);
		execvp(s->qemu[0], s->qemu);
		dprintf(STDERR_FILENO, "%s: %s\n", s->qemu[0], strerror(errno));
		_exit(127);
	}
	close(ends[1]);
	close(log);
	close(null);
}

/* Looks for Ctrl-A X; what else was typed is left in @keys. */
static size_t take_escapes(struct session *s, unsigned char *keys, size_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = keys[i];

		if (s->escaped) {
			s->escaped = false;
			if (c == 'x' || c == 'X')
				finish_word(s, 0, "escape");
			/* Ctrl-A twice is one; anything else is swallowed. */
			if (c != ESCAPE)
				continue;
		} else if (c == ESCAPE) {
			s->escaped = true;
			continue;
		}
		keys[kept++] = c;
	}
	return kept;
}

static void relay_input(struct session *s)
{
	unsigned char data[4096];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));
	size_t length;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		s->feed = false;
		post(s, WIRE_STDIN, NULL, 0);
		return;
	}
	length = s->tty ? take_escapes(s, data, (size_t)n) : (size_t)n;
	if (length > 0)
		post(s, WIRE_STDIN, data, length);
}

static void take_frame(struct session *s, const struct wire_header *h, const unsigned char *data)
{
	int32_t status;

	switch (h->type) {
	case WIRE_STDOUT:
		/* A reader that went away ends only its own stream, as `| head` does. */
		(void)write_all(STDOUT_FILENO, data, h->length);
		break;
	case WIRE_STDERR:
		(void)write_all(STDERR_FILENO, data, h->length);
		break;
	case WIRE_STARTED:
		/* The command's time does not depend on how busy this machine is. */
		s->started = true;
		s->deadline = s->timeout > 0 ? now_ms() + s->timeout * 1000 : 0;
		break;
	case WIRE_ERROR:
		finish(s, 125, (const char *)data, h->length);
	case WIRE_STATUS:
		if (h->length != sizeof(status))
			finish_word(s, 125, "error the status frame is malformed");
		memcpy(&status, data, sizeof(status));
		if (!s->dumping)
			finish_word(s, status, "status");
		break;
	default:
		finish_word(s, 125, "error unknown frame from the emulated host");
	}
}

static void relay_output(struct session *s)
{
	const unsigned char *data;
	struct wire_header h;
	int r = wire_fill(s->wire, &s->in);

	/* QEMU is gone; what it said last has been relayed. */
	if (r <= 0)
		finish_word(s, s->dumping ? 124 : 125, s->dumping ? "timeout" : "lost");
	while ((r = wire_take(&s->in, &h, &data)) > 0)
		take_frame(s, &h, data);
	if (r < 0)
		finish_word(s, 125, "error a frame from the emulated host is too long");
}

static void take_signal(struct session *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		send_window(s);
	else
		finish_word(s, 128 + (int)info.ssi_signo, "signal");
}

/* A new emulated host, with nothing of the one before. */
static void begin(struct session *s)
{
	s->tries++;
	s->out.used = 0;
	s->in.used = s->in.next = 0;
	start_qemu(s);
	s->deadline = now_ms() + s->up * s->tries * 1000;
	send_setup(s);
}

/* Nothing of the command has run, so nothing is done twice. */
static void begin_anew(struct session *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	close(s->wire);
	fprintf(stderr, "lab: the emulated host did not come up in %ld s; starting it anew%s\n",
		s->up * s->tries, s->raw ? "\r" : "");
	begin(s);
}

/*
 * The time is up: first the emulated host is asked to print what its tasks
 * do, then it is ended.
 */
static void time_is_up(struct session *s)
{
	if (s->dumping)
		finish_word(s, 124, "timeout");
	if (!s->started && s->tries < TRIES) {
		begin_anew(s);
		return;
	}
	if (!s->started)
		finish_word(s, 125, "error the emulated host did not come up");
	s->dumping = true;
	s->deadline = now_ms() + DUMP_SECONDS * 1000;
	post(s, WIRE_DUMP, NULL, 0);
}

static void loop(struct session *s)
{
	struct pollfd fds[3] = {
		{ .events = POLLIN },
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	for (;;) {
		int64_t left = s->deadline - now_ms();
		int wait = -1;
		bool feed;

		if (s->deadline > 0)
			wait = left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
		fds[0].fd = s->wire;
		fds[0].events = s->out.used > 0 ? POLLIN | POLLOUT : POLLIN;
		/*
		 * One chunk of input at a time waits here, no more, and none for
		 * an emulated host that may not come up. Keys are looked at always:
		 * they may be the escape.
		 */
		feed = s->feed && (s->started || s->tty) && s->out.used < WIRE_FRAME_MAX;
		if (poll(fds, feed ? 3 : 2, wait) < 0 && errno != EINTR)
			fail(s, "poll", errno);
		if (s->deadline > 0 && now_ms() >= s->deadline)
			time_is_up(s);
		if (fds[1].revents)
			take_signal(s);
		if (feed && fds[2].revents)
			relay_input(s);
		if (fds[0].revents & POLLOUT)
			flush_out(s);
		if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
			relay_output(s);
		fds[0].revents = fds[1].revents = fds[2].revents = 0;
	}
}

static void parse(struct session *s, int argc, char **argv)
{
	static const struct option options[] = {
		{ "setup", required_argument, NULL, 's' },
		{ "how", required_argument, NULL, 'h' },
		{ "log", required_argument, NULL, 'l' },
		{ "timeout", required_argument, NULL, 't' },
		{ "up", required_argument, NULL, 'u' },
		{ "tty", no_argument, NULL, 'y' },
		{ "stdin", no_argument, NULL, 'i' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			s->setup = optarg;
			break;
		case 'h':
			s->how_path = optarg;
			break;
		case 'l':
			s->log = optarg;
			break;
		case 't':
			s->timeout = atol(optarg);
			break;
		case 'u':
			s->up = atol(optarg);
			break;
		case 'y':
			s->tty = s->feed = true;
			break;
		case 'i':
			s->feed = true;
			break;
		default:
			exit(125);
		}
	}
	s->qemu = argv + optind;
	if (!s->setup || !s->how_path || !s->log || !s->qemu[0]) {
		fprintf(stderr, "outside: --setup, --how, --log and a command are needed\n");
		exit(125);
	}
}

int main(int argc, char **argv)
{
	static struct session s = { .up = UP_SECONDS };
	sigset_t set;

	parse(&s, argc, argv);
	/* The script that started this waits for it; without it there is no reader. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (s.signals < 0)
		fail(&s, "signalfd", errno);
	make_raw(&s);
	begin(&s);
	loop(&s);
}
