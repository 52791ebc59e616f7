/* caretaker.c - see caretaker.h. */
#include "vmm/instance/caretaker.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/net/ports.h"
#include "vmm/net/tables.h"

#define ANSWER_MS  20000       /* for some tools to run */
#define ANSWER_MAX (64 * 1024) /* "ok" or "error TEXT", and the counters behind a newline */

struct order {
	bool end;
	pid_t pid; /* another rate: for what is in its namespace */
	uint64_t bps;
};

int caretaker_remove(const struct run_config *cfg, struct err *e)
{
	char tables[TABLES_NAME_MAX];
	int r = 0, last;

	for (size_t i = 0; i < cfg->nnets; i++) {
		if (cfg->net[i].kind != NET_BRIDGE)
			continue;
		last = ports_remove_link(cfg->net[i].ifname, e);
		r = last < 0 ? last : r;
	}
	tables_name(tables, cfg);
	last = ports_remove_tables(tables, e);
	return last < 0 ? last : r;
}

/* --- in the caretaker --- */

static void finish(const struct run_config *cfg, int sock)
{
	char *answer = malloc(ANSWER_MAX), *text = NULL;
	char tables[TABLES_NAME_MAX];
	struct err e = { "" };
	json_t *counts = NULL;
	int n;

	tables_name(tables, cfg);
	if (ports_count(tables, &counts, NULL) == 0)
		text = json_dumps(counts, JSON_COMPACT);
	n = caretaker_remove(cfg, &e);
	if (!answer)
		return;
	n = n < 0 ? snprintf(answer, ANSWER_MAX, "error %s\n", e.text)
		  : snprintf(answer, ANSWER_MAX, "ok\n");
	if (text && strlen(text) + (size_t)n < ANSWER_MAX)
		strcpy(answer + n, text);
	send(sock, answer, strlen(answer), MSG_NOSIGNAL);
}

static void set_rate(const struct run_config *cfg, const struct order *order, int sock)
{
	char answer[ERR_TEXT_MAX + 16] = "ok\n";
	struct err e = { "" };

	if (ports_set_rate(cfg, order->pid, order->bps, &e) < 0)
		snprintf(answer, sizeof(answer), "error %s\n", e.text);
	send(sock, answer, strlen(answer), MSG_NOSIGNAL);
}

static int life(const struct run_config *cfg, int sock)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct order order;
	sigset_t all;
	ssize_t n;

	/* Keys of the terminal and signals for the run are the supervisor's. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "bulkhead-net");
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(null_fd, fd) < 0)
			return 1;
	if (dup2(sock, 3) < 0 || syscall(SYS_close_range, 4, UINT_MAX, 0) < 0)
		return 1;
	for (;;) {
		n = recv(3, &order, sizeof(order), 0);
		if (n == sizeof(order) && !order.end)
			set_rate(cfg, &order, 3);
		else if (n >= 0 || errno != EINTR)
			break;
	}
	finish(cfg, 3);
	return 0;
}

/* --- in the supervisor --- */

int caretaker_start(struct caretaker *c, const struct run_config *cfg, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, "make the socket of the network's caretaker");
	c->pid = fork();
	if (c->pid == 0)
		_exit(life(cfg, pair[1]));
	close(pair[1]);
	if (c->pid < 0) {
		close(pair[0]);
		return err_errno(e, "fork the network's caretaker");
	}
	c->sock = pair[0];
	return 0;
}

/* "ok\nJSON" or "error TEXT\nJSON" */
static int take_answer(char *answer, json_t **ret_counts, struct err *e)
{
	char *counts = strchr(answer, '\n');

	if (counts)
		*counts++ = '\0';
	if (counts && *counts)
		*ret_counts = json_loads(counts, 0, NULL);
	if (strcmp(answer, "ok") == 0)
		return 0;
	return err_set(e, EIO, "%.400s", strncmp(answer, "error ", 6) == 0 ? answer + 6 : answer);
}

/* What it answers is a string in `answer` of ANSWER_MAX + 1; false: nothing. */
static bool ask(const struct caretaker *c, const struct order *order, char *answer)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };
	ssize_t n = -1;

	if (send(c->sock, order, sizeof(*order), MSG_NOSIGNAL) == sizeof(*order) &&
	    poll(&p, 1, ANSWER_MS) == 1)
		n = recv(c->sock, answer, ANSWER_MAX, MSG_DONTWAIT);
	answer[MAX(n, 0)] = '\0';
	return n > 0;
}

int caretaker_set_rate(struct caretaker *c, pid_t pid, uint64_t bps, struct err *e)
{
	const struct order order = { .pid = pid, .bps = bps };
	_cleanup_free_ char *answer = malloc(ANSWER_MAX + 1);
	json_t *none = NULL;

	if (c->sock < 0 || !answer || !ask(c, &order, answer))
		return err_set(e, EIO, "the network's caretaker does not answer");
	return take_answer(answer, &none, e);
}

int caretaker_finish(struct caretaker *c, json_t **ret_counts, struct err *e)
{
	const struct order order = { .end = true };
	_cleanup_free_ char *answer = NULL;
	int r;

	*ret_counts = NULL;
	if (c->sock < 0)
		return 0;
	answer = malloc(ANSWER_MAX + 1);
	if (answer && ask(c, &order, answer)) {
		r = take_answer(answer, ret_counts, e);
		waitpid(c->pid, NULL, 0);
	} else {
		r = err_set(e, EIO, "the network's caretaker has not removed it");
	}
	close_fd(&c->sock);
	return r;
}
