/*
 * network.c - TCP over IPv4 with the host: how much of it goes out and comes in,
 * and how long a request of 64 bytes and its answer take.
 *
 * The host's side is `serve`, without a wall, at an address of a bridge.  Behind
 * `process` a veth pair leads there and behind `vm` virtio-net, Bulkhead's
 * device process and a tap, each with the packet filter at its port that Bulkhead
 * always makes; behind `none` it is the host's own address, so that nothing but
 * its loopback is in between, and no wall can be as fast.
 *
 * What it does not show: a real network card, other machines, many connections,
 * small packets in great numbers.  On a host with few processors both ends
 * share them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/compare/workloads/workloads.h"

#define PORT	  4004
#define REQUEST	  64	    /* bytes, and as many back */
#define REQUESTS  500	    /* that count */
#define WARM_UP	  20	    /* that do not */
#define STREAM_NS 200000000 /* each way */
#define BLOCK	  (256 << 10)
#define PATIENCE  300 /* seconds that a server stays */

/* What a connection is for: its first byte. */
enum { TAKE = 't', GIVE = 'g', ANSWER = 'a' };

static int local_socket(const char *address, struct sockaddr_in *ret)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT) };
	if (inet_pton(AF_INET, address, &ret->sin_addr) != 1)
		errno = EINVAL;
	else if (s >= 0 && setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0)
		return s;
	return -1;
}

/* --- the host's side --- */

static void answer(int s)
{
	char block[REQUEST];

	while (recv(s, block, REQUEST, MSG_WAITALL) == REQUEST &&
	       send(s, block, REQUEST, MSG_NOSIGNAL) == REQUEST)
		;
}

/* All that comes, and a byte when it was all. */
static void take(int s)
{
	static char block[BLOCK];

	while (recv(s, block, sizeof(block), 0) > 0)
		;
	send(s, block, 1, MSG_NOSIGNAL);
}

static void give(int s)
{
	static char block[BLOCK];

	while (send(s, block, sizeof(block), MSG_NOSIGNAL) > 0)
		;
}

static void serve_one(int s)
{
	char what;

	if (recv(s, &what, 1, 0) != 1)
		return;
	if (what == ANSWER)
		answer(s);
	else if (what == TAKE)
		take(s);
	else if (what == GIVE)
		give(s);
}

/* Until who started it ends it, or ends. */
int workload_serve(const char *address)
{
	struct sockaddr_in at;
	int s = local_socket(address, &at), one = 1;

	workload_leave_on_sigterm();
	alarm(PATIENCE);
	if (s < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(s, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(s, 8) < 0)
		return workload_fail(address);
	if (write(STDOUT_FILENO, ".\n", 2) != 2)
		return workload_fail("write");
	for (;;) {
		int c = accept(s, NULL, NULL);

		if (c < 0)
			return workload_fail("accept");
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		serve_one(c);
		close(c);
	}
}

/* --- behind the wall --- */

static int connect_for(const char *address, char what)
{
	struct sockaddr_in at;
	int s = local_socket(address, &at);

	if (s >= 0 && connect(s, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    send(s, &what, 1, 0) == 1)
		return s;
	workload_fail(address);
	return -1;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int requests(const char *address)
{
	static double took[REQUESTS];
	char block[REQUEST] = { 0 };
	int s = connect_for(address, ANSWER);

	if (s < 0)
		return 1;
	for (int i = -WARM_UP; i < REQUESTS; i++) {
		uint64_t start = workload_now();

		if (send(s, block, REQUEST, 0) != REQUEST ||
		    recv(s, block, REQUEST, MSG_WAITALL) != REQUEST)
			return workload_fail("a request");
		if (i >= 0)
			took[i] = (double)(workload_now() - start) / 1000;
	}
	close(s);
	qsort(took, REQUESTS, sizeof(took[0]), by_size);
	workload_tell("request-p50", took[REQUESTS / 2]);
	workload_tell("request-p99", took[REQUESTS * 99 / 100]);
	return 0;
}

static double megabytes(uint64_t bytes, uint64_t start)
{
	return (double)bytes * 1000 / (double)(workload_now() - start);
}

/* What has only been put into a buffer has not been sent: the time ends when the
 * other side says that it has all. */
static int send_stream(const char *address)
{
	static char block[BLOCK];
	int s = connect_for(address, TAKE);
	uint64_t start = workload_now(), bytes = 0;

	if (s < 0)
		return 1;
	while (workload_now() < start + STREAM_NS) {
		ssize_t n = send(s, block, sizeof(block), 0);

		if (n < 0)
			return workload_fail("send");
		bytes += (uint64_t)n;
	}
	if (shutdown(s, SHUT_WR) < 0 || recv(s, block, 1, 0) != 1)
		return workload_fail("the other side's word");
	workload_tell("send", megabytes(bytes, start));
	close(s);
	return 0;
}

static int receive_stream(const char *address)
{
	static char block[BLOCK];
	int s = connect_for(address, GIVE);
	uint64_t start = workload_now(), bytes = 0;

	if (s < 0)
		return 1;
	while (workload_now() < start + STREAM_NS) {
		ssize_t n = recv(s, block, sizeof(block), 0);

		if (n <= 0)
			return workload_fail("receive");
		bytes += (uint64_t)n;
	}
	workload_tell("receive", megabytes(bytes, start));
	close(s);
	return 0;
}

int workload_network(const char *address)
{
	return requests(address) || send_stream(address) || receive_stream(address);
}
