/*
 * The session: the command, its streams, its status. Runs as process 1 of the
 * emulated host, so every orphan is reaped here.
 *
 * The command's streams are pipes (or a terminal), not the port itself: the
 * port can be opened only once, and a command may open /dev/stdout again.
 * One thread, one poll loop; a write to the port blocks while `outside` does
 * not read, which is what throttles the command.
 */
#include "init.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/klog.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#define DRAIN_MS 2000 /* how long output may still come when all writers are dead */

struct session {
	struct lab *lab;
	pid_t pid;
	int status; /* the command's, when pid is 0 */
	int signals;
	int input;  /* to the command: pipe or terminal; -1 when closed */
	int output; /* from the command; -1 at end of file */
	int error;
	int child[3]; /* the command's ends */
	/* Input that the command has not taken. Frames wait meanwhile. */
	unsigned char pending[WIRE_PAYLOAD_MAX];
	size_t pending_used;
	bool pending_end;
};

/* A string that comes in one frame or in several. */
struct string {
	char *text;
	size_t length;
};

static void add(struct string *to, const unsigned char *data, size_t length)
{
	to->text = realloc(to->text, to->length + length + 1);
	if (!to->text)
		abort();
	memcpy(to->text + to->length, data, length);
	to->length += length;
	to->text[to->length] = '\0';
}

/* Ends the string that @parts began; the caller owns it. */
static char *complete(struct string *parts, const unsigned char *data, size_t length)
{
	char *text;

	add(parts, data, length);
	text = parts->text;
	*parts = (struct string){ 0 };
	return text;
}

static void append(char ***list, char *text)
{
	size_t n = 0;
	char **grown;

	while (*list && (*list)[n])
		n++;
	grown = realloc(*list, (n + 2) * sizeof(*grown));
	if (!grown)
		abort();
	grown[n] = text;
	grown[n + 1] = NULL;
	*list = grown;
}

/* Returns true when the set-up is complete. */
static bool request_take(struct lab *lab, struct string *parts, const struct wire_header *h,
			 const unsigned char *data)
{
	struct request *q = &lab->request;

	switch (h->type) {
	case WIRE_PART:
		add(parts, data, h->length);
		break;
	case WIRE_MODULES:
		q->modules = complete(parts, data, h->length);
		break;
	case WIRE_SEE:
		append(&q->see, complete(parts, data, h->length));
		break;
	case WIRE_OUT:
		q->out = complete(parts, data, h->length);
		break;
	case WIRE_DISK:
		q->disk = complete(parts, data, h->length);
		break;
	case WIRE_CWD:
		q->cwd = complete(parts, data, h->length);
		break;
	case WIRE_ENV:
		append(&q->env, complete(parts, data, h->length));
		break;
	case WIRE_ARG:
		append(&q->arg, complete(parts, data, h->length));
		break;
	case WIRE_MODE:
		q->tty = h->length == 3 && memcmp(data, "tty", 3) == 0;
		q->feed = h->length > 0;
		break;
	case WIRE_WINDOW:
		q->have_window = h->length == sizeof(q->window);
		if (q->have_window)
			memcpy(&q->window, data, sizeof(q->window));
		break;
	case WIRE_GO:
		return true;
	default:
		lab_fail(lab, "unknown set-up frame %u", h->type);
	}
	return false;
}

void request_read(struct lab *lab)
{
	struct string parts = { 0 };
	const unsigned char *data;
	struct wire_header h;

	for (;;) {
		int r = wire_take(&lab->in, &h, &data);

		if (r < 0)
			lab_fail(lab, "a set-up frame is too long");
		if (r > 0 && request_take(lab, &parts, &h, data))
			return;
		if (r == 0 && wire_fill(lab->wire, &lab->in) <= 0)
			lab_fail(lab, "the wire ended before the set-up was complete");
	}
}

static void open_streams(struct session *s)
{
	const struct request *q = &s->lab->request;
	int in[2] = { -1, -1 };
	int out[2];
	int err[2];

	if (q->tty) {
		s->input = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
		if (s->input < 0 || grantpt(s->input) < 0 || unlockpt(s->input) < 0)
			lab_fail(s->lab, "no terminal: %s", strerror(errno));
		if (q->have_window)
			ioctl(s->input, TIOCSWINSZ, &q->window);
		s->output = s->input;
		s->error = -1;
		s->child[0] = open(ptsname(s->input), O_RDWR | O_NOCTTY | O_CLOEXEC);
		s->child[1] = s->child[2] = s->child[0];
		return;
	}
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
	    (q->feed && pipe2(in, O_CLOEXEC) < 0))
		lab_fail(s->lab, "pipe: %s", strerror(errno));
	if (q->feed)
		fcntl(in[1], F_SETFL, O_NONBLOCK);
	else
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->input = in[1];
	s->output = out[0];
	s->error = err[0];
	s->child[0] = in[0];
	s->child[1] = out[1];
	s->child[2] = err[1];
}

static _Noreturn void become_command(struct session *s)
{
	const struct request *q = &s->lab->request;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (q->tty)
		ioctl(s->child[0], TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(s->child[i], i);
	if (q->env)
		environ = q->env;
	if (q->cwd && chdir(q->cwd) < 0) {
		fprintf(stderr, "lab: %s: %s\n", q->cwd, strerror(errno));
		_exit(125);
	}
	execvp(q->arg[0], q->arg);
	fprintf(stderr, "lab: %s: %s\n", q->arg[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void start_command(struct session *s)
{
	s->pid = fork();
	if (s->pid < 0)
		lab_fail(s->lab, "fork: %s", strerror(errno));
	if (s->pid == 0)
		become_command(s);
	for (int i = 0; i < 3; i++)
		if (i == 0 || s->child[i] != s->child[0])
			close(s->child[i]);
}

static void close_input(struct session *s)
{
	/* A terminal stays open: its other direction is the output. */
	if (s->input >= 0 && s->input != s->output)
		close(s->input);
	s->input = -1;
	s->pending_used = 0;
}

/* Hands the command what it takes of its input; the rest stays pending. */
static void feed_input(struct session *s)
{
	ssize_t n = write(s->input, s->pending, s->pending_used);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		close_input(s);
		return;
	}
	s->pending_used -= (size_t)n;
	memmove(s->pending, s->pending + n, s->pending_used);
	if (s->pending_used == 0 && s->pending_end)
		close_input(s);
}

/* Returns false at end of file. */
static bool relay(struct session *s, int fd, uint32_t type)
{
	unsigned char data[WIRE_PAYLOAD_MAX];
	ssize_t n = read(fd, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	/* EIO: a terminal that nobody has open any more. */
	if (n <= 0)
		return false;
	(void)wire_send(s->lab->wire, type, data, (size_t)n);
	return true;
}

static void read_proc(const char *pid, const char *name, char *ret_text, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, ret_text, size - 1);
		close(fd);
	}
	ret_text[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if (!isprint((unsigned char)ret_text[i]))
			ret_text[i] = ' ';
}

/* For a timeout: what the kernel has blocked, then every process and where it waits. */
static void dump_tasks(struct session *s)
{
	int trigger = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	klogctl(8, NULL, 7);
	if (trigger >= 0)
		(void)write_all(trigger, "w", 1);
	close(trigger);
	dprintf(s->lab->console, "\nlab: processes at the timeout:\n");
	while (proc && (entry = readdir(proc))) {
		char stat[128];
		char line[160];
		char wchan[64];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		read_proc(entry->d_name, "cmdline", line, sizeof(line));
		/* Kernel threads have none. */
		if (line[0] == '\0')
			continue;
		read_proc(entry->d_name, "stat", stat, sizeof(stat));
		read_proc(entry->d_name, "wchan", wchan, sizeof(wchan));
		stat[40] = '\0';
		dprintf(s->lab->console, "lab: %-40s in %s: %s\n", stat, wchan, line);
	}
	if (proc)
		closedir(proc);
}

static void take_frame(struct session *s, const struct wire_header *h, const unsigned char *data)
{
	switch (h->type) {
	case WIRE_STDIN:
		if (s->input < 0)
			break;
		memcpy(s->pending, data, h->length);
		s->pending_used = h->length;
		s->pending_end = h->length == 0;
		feed_input(s);
		break;
	case WIRE_WINDOW:
		if (s->lab->request.tty && h->length == sizeof(struct winsize))
			ioctl(s->output, TIOCSWINSZ, data);
		break;
	case WIRE_DUMP:
		dump_tasks(s);
		break;
	default:
		break;
	}
}

/* Frames are taken only while no input is pending: the wire is the buffer. */
static void take_frames(struct session *s)
{
	const unsigned char *data;
	struct wire_header h;

	while (s->pending_used == 0 && wire_take(&s->lab->in, &h, &data) > 0)
		take_frame(s, &h, data);
}

static void reap(struct session *s)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	(void)!read(s->signals, &info, sizeof(info));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != s->pid)
			continue;
		s->pid = 0;
		s->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

/* One turn of the loop. Waits @wait milliseconds at the most; false on timeout. */
static bool turn(struct session *s, int wait)
{
	struct pollfd fds[5] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = s->output, .events = POLLIN },
		{ .fd = s->error, .events = POLLIN },
		{ .fd = s->pending_used ? s->input : -1, .events = POLLOUT },
		{ .fd = s->pending_used ? -1 : s->lab->wire, .events = POLLIN },
	};
	int n = poll(fds, 5, wait);

	if (n == 0)
		return false;
	if (n < 0)
		return true;
	if (fds[1].revents && !relay(s, s->output, WIRE_STDOUT))
		s->output = -1;
	if (fds[2].revents && !relay(s, s->error, WIRE_STDERR))
		s->error = -1;
	if (fds[3].revents)
		feed_input(s);
	if (fds[4].revents)
		(void)wire_fill(s->lab->wire, &s->lab->in);
	take_frames(s);
	if (fds[0].revents)
		reap(s);
	return true;
}

void session_run(struct lab *lab)
{
	static struct session s;
	int32_t status;
	sigset_t set;

	s.lab = lab;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	open_streams(&s);
	start_command(&s);
	(void)wire_send(lab->wire, WIRE_STARTED, NULL, 0);
	while (s.pid > 0)
		turn(&s, -1);
	/*
	 * The emulated host ends with the command. Whoever is left could hold
	 * the streams open for ever: end them, then take what they wrote.
	 */
	kill(-1, SIGKILL);
	while ((s.output >= 0 || s.error >= 0) && turn(&s, DRAIN_MS))
		;
	if (lab->request.out) {
		int fd = open(lab->request.out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			syncfs(fd);
	}
	status = s.status;
	(void)wire_send(lab->wire, WIRE_STATUS, &status, sizeof(status));
}
