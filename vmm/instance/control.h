/*
 * control.h - the supervisor's control socket, and how a command talks to it.
 *
 * SOCK_SEQPACKET, one packet to ask and one to answer.  A request is "VERB" or
 * "VERB\nTEXT", an answer "ok\nTEXT" or "error\nTEXT"; none is longer than
 * CONTROL_MAX.  Only this user and root are answered (SO_PEERCRED), and nobody
 * is waited for: an answer that its asker does not take is lost.
 */
#ifndef INSTANCE_CONTROL_H
#define INSTANCE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/err.h"
#include "vmm/base/loop.h"

#define CONTROL_MAX   4096
#define CONTROL_PEERS 8 /* connections at a time; others wait */

struct control_verb {
	const char *name;
	/* Do it, on the supervisor's loop, without waiting for anything.
	 * `text` is what stands behind the verb, "" for nothing; the answer's
	 * text goes to `answer`, which is empty.  0, or -errno and *e. */
	int (*run)(void *ctx, char *text, char *answer, size_t size, struct err *e);
};

struct control;

struct control_peer {
	struct control *control;
	struct loop_source source; /* watched: it is connected */
};

struct control {
	struct loop *loop;
	const struct control_verb *verbs;
	size_t nverbs;
	void *ctx;
	uid_t uid; /* who may ask, besides root */
	struct loop_source listener;
	struct control_peer peer[CONTROL_PEERS];
};

/* Serve `fd` (borrowed: listening, non-blocking) until control_stop().
 * System calls: accept4, getsockopt, recvfrom, sendto, epoll_ctl, close.
 * 0 or -errno. */
int control_start(struct control *c, struct loop *loop, int fd, const struct control_verb *verbs,
		  size_t nverbs, void *ctx);

/*
 * Take one connection that waits, if there is one, and answer it, for a supervisor whose
 * loop is over.  Who asks is waited for half a second.  False: none was to be had.
 */
bool control_serve_one(struct control *c);

/* Harmless if it was not started. */
void control_stop(struct control *c);

/*
 * Ask the instance whose directory is `dir` (registry_find()), for at most
 * some seconds.  `request` is sent as it is; the answer's text goes to `answer`
 * (CONTROL_MAX).  0; -errno and *e, also what the supervisor said against it.
 */
int control_ask(int dir, const char *request, char *answer, struct err *e);

#endif
