/*
 * console.c - see console.h
 *
 * Init itself is the session leader of the terminal and the command a
 * foreground process group in it.  Were the command the leader, its exit
 * would hang the terminal up, and hanging up a serial port throws away what
 * it has not sent yet: the command's last lines.
 *
 * Flow control is RTS/CTS in both modes: when Linux's input buffer is full it
 * drops RTS and the monitor stops sending; nothing is ever lost.
 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "report.h"

#define CONSOLE "/dev/ttyS0"

/* A break carries no byte: IGNBRK, or it would be read as 0x00. */
static void set_raw(struct termios *t)
{
	t->c_iflag = IGNBRK;
	t->c_oflag = 0;
	t->c_lflag = 0;
	t->c_cc[VMIN] = 1;
	t->c_cc[VTIME] = 0;
}

static void set_cooked(struct termios *t)
{
	t->c_iflag = IGNBRK | ICRNL | IXON | IUTF8;
	t->c_oflag = OPOST | ONLCR;
	t->c_lflag = ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE;
}

static void set_modes(int tty, const struct params *p)
{
	struct termios t;

	if (tcgetattr(tty, &t) < 0)
		fail("cannot read the settings of " CONSOLE ": %s", strerror(errno));
	if (p->console == PARAMS_CONSOLE_STREAM)
		set_raw(&t);
	else
		set_cooked(&t);
	t.c_cflag = B115200 | CS8 | CREAD | CLOCAL | CRTSCTS;
	if (tcsetattr(tty, TCSANOW, &t) < 0)
		fail("cannot set up " CONSOLE ": %s", strerror(errno));
}

static void set_window(int tty, const struct params *p)
{
	struct winsize size = { .ws_row = p->rows, .ws_col = p->cols };

	if ((p->rows || p->cols) && ioctl(tty, TIOCSWINSZ, &size) < 0)
		note("cannot set the size of the terminal: %s", strerror(errno));
}

int console_open(const struct params *p)
{
	int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
	int fd, tty;

	if (p->console == PARAMS_CONSOLE_STREAM)
		flags |= O_NONBLOCK;
	fd = open(CONSOLE, flags);
	if (fd < 0)
		fail("cannot open " CONSOLE ": %s", strerror(errno));
	/* Off the standard descriptors, which the kernel may have left free. */
	tty = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (tty < 0)
		fail("cannot duplicate a descriptor: %s", strerror(errno));
	close(fd);
	set_modes(tty, p);
	set_window(tty, p);
	/* The image's own init makes sessions as it likes. */
	if (p->console != PARAMS_CONSOLE_TERMINAL || p->image_init)
		return tty;
	if (setsid() < 0 && errno != EPERM)
		fail("cannot make a session: %s", strerror(errno));
	if (ioctl(tty, TIOCSCTTY, 1) < 0)
		fail("cannot make " CONSOLE " the controlling terminal: %s", strerror(errno));
	return tty;
}

void console_drain(int tty)
{
	while (tcdrain(tty) < 0 && errno == EINTR)
		;
}

void console_detach_init(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		fail("cannot open /dev/null: %s", strerror(errno));
	for (int std = 0; std <= 2; std++) {
		if (fd != std)
			dup2(fd, std);
	}
	if (fd > 2)
		close(fd);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}
