/* control.c - see control.h. */
#include "vmm/instance/control.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/util.h"

#define ASKER_MS 500 /* for a request, behind its connection */
#define ANSWER_S 10  /* for a supervisor to answer */
#define PAUSE_NS (20 * 1000 * 1000)
#define OK	 "ok\n"
#define ERROR	 "error\n"

static void watch_listener(struct control *c, int fd)
{
	if (!c->listener.watched)
		loop_add(c->loop, &c->listener, fd, EPOLLIN);
}

static void hang_up(struct control_peer *p)
{
	int fd = p->source.fd;

	if (!p->source.watched)
		return;
	loop_remove(p->control->loop, &p->source);
	close_fd(&fd);
	watch_listener(p->control, p->control->listener.fd);
}

static int serve(const struct control *c, char *request, char *answer, size_t size, struct err *e)
{
	char *text = strchr(request, '\n'), shown[32];

	if (text)
		*text++ = '\0';
	for (size_t i = 0; i < c->nverbs; i++)
		if (strcmp(c->verbs[i].name, request) == 0)
			return c->verbs[i].run(c->ctx, text ? text : request + strlen(request),
					       answer, size, e);
	return err_set(e, EOPNOTSUPP, "this instance does not know how to do '%s'",
		       printable(shown, sizeof(shown), request));
}

static void on_peer(void *ctx, uint32_t events)
{
	struct control_peer *p = ctx;
	char request[CONTROL_MAX], answer[CONTROL_MAX] = OK;
	struct err e = { "" };
	ssize_t n = recv(p->source.fd, request, sizeof(request) - 1, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(p);
		return;
	}
	request[n] = '\0';
	if (serve(p->control, request, answer + strlen(OK), sizeof(answer) - strlen(OK), &e) < 0)
		snprintf(answer, sizeof(answer), ERROR "%s", e.text);
	send(p->source.fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool may_ask(const struct control *c, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       (who.uid == c->uid || who.uid == 0);
}

static void on_listener(void *ctx, uint32_t events)
{
	struct control *c = ctx;
	struct control_peer *p = NULL;
	_cleanup_close_ int fd = -1;

	(void)events;
	for (size_t i = 0; i < ARRAY_SIZE(c->peer) && !p; i++)
		if (!c->peer[i].source.watched)
			p = &c->peer[i];
	if (!p) { /* until one of them hangs up */
		loop_remove(c->loop, &c->listener);
		return;
	}
	fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 || !may_ask(c, fd))
		return;
	*p = (struct control_peer){ .control = c, .source = { .ready = on_peer, .ctx = p } };
	if (loop_add(c->loop, &p->source, fd, EPOLLIN) == 0)
		take_fd(&fd);
}

int control_start(struct control *c, struct loop *loop, int fd, const struct control_verb *verbs,
		  size_t nverbs, void *ctx)
{
	*c = (struct control){
		.loop = loop,
		.verbs = verbs,
		.nverbs = nverbs,
		.ctx = ctx,
		.uid = geteuid(),
		.listener = { .ready = on_listener, .ctx = c },
	};
	return loop_add(loop, &c->listener, fd, EPOLLIN);
}

bool control_serve_one(struct control *c)
{
	struct control_peer p = { .control = c };
	struct pollfd pfd = { .events = POLLIN };

	if (!c->loop)
		return false;
	p.source.fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (p.source.fd < 0)
		return false;
	pfd.fd = p.source.fd;
	if (may_ask(c, pfd.fd) && poll(&pfd, 1, ASKER_MS) > 0)
		on_peer(&p, POLLIN);
	close_fd(&p.source.fd);
	return true;
}

void control_stop(struct control *c)
{
	if (!c->loop)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(c->peer); i++)
		hang_up(&c->peer[i]);
	loop_remove(c->loop, &c->listener);
	c->loop = NULL;
}

/* --- the asking side --- */

/* Until it listens: an instance that is starting has no socket yet. */
static int connect_to(int fd, int dir, const struct sockaddr_un *addr)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t end = now_ns() + ANSWER_S * NS_PER_S;

	while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		int r = neg_errno();

		if ((r != -ENOENT && r != -ECONNREFUSED) || now_ns() > end)
			return r;
		if (flock(dir, LOCK_SH | LOCK_NB) == 0) { /* its supervisor is gone */
			flock(dir, LOCK_UN);
			return -ESRCH;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int call(int dir, struct err *e)
{
	const struct timeval limit = { .tv_sec = ANSWER_S };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/control", dir);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return err_errno(e, "make a socket");
	r = connect_to(fd, dir, &addr);
	if (r < 0)
		return err_code(e, r, "connect to the instance's control socket");
	return take_fd(&fd);
}

int control_ask(int dir, const char *request, char *answer, struct err *e)
{
	char got[CONTROL_MAX];
	_cleanup_close_ int fd = call(dir, e);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (strlen(request) >= CONTROL_MAX)
		return err_set(e, E2BIG, "the request is too long");
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return err_errno(e, "ask the instance");
	n = recv(fd, got, sizeof(got) - 1, 0);
	if (n < 0 && errno == EAGAIN)
		return err_set(e, ETIMEDOUT, "the instance does not answer within %d s", ANSWER_S);
	if (n < 0)
		return err_errno(e, "read the instance's answer");
	got[n] = '\0';
	if (strncmp(got, ERROR, strlen(ERROR)) == 0)
		return err_set(e, EIO, "%s", got + strlen(ERROR));
	if (strncmp(got, OK, strlen(OK)) != 0)
		return err_set(e, EPROTO, "the instance ended before it answered");
	strcpy(answer, got + strlen(OK));
	return 0;
}
