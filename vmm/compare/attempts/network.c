/* network.c - sockets of the host, and the kernel's network code. */
#include "vmm/compare/attempts/attempts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REPLACE_ROOM	   256 /* more than struct ipt_replace */
#define IPT_SO_SET_REPLACE 64

static int try_connect(int domain, const struct sockaddr *to, socklen_t size)
{
	int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = connect(fd, to, size) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int attempt_socket_abstract(const struct canaries *c)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(c->token);

	if (n + 1 > sizeof(to.sun_path))
		return -EINVAL;
	memcpy(to.sun_path + 1, c->token, n);
	return try_connect(AF_UNIX, (const struct sockaddr *)&to,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n));
}

int attempt_socket_loopback(const struct canaries *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(c->port) };

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return try_connect(AF_INET, (const struct sockaddr *)&to, sizeof(to));
}

int attempt_socket_raw(const struct canaries *c)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	(void)c;
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/*
 * The entry of CVE-2021-22555: with a user and a network namespace of one's own
 * anyone is CAP_NET_ADMIN there.  do_ipt_set_ctl() asks for that right, then
 * do_replace() refuses a table of no counters with EINVAL.
 */
int attempt_netfilter(const struct canaries *c)
{
	char replace[REPLACE_ROOM] = { 0 };
	int fd, r;

	(void)c;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		return -errno;
	r = attempt_refused(
		setsockopt(fd, IPPROTO_IP, IPT_SO_SET_REPLACE, replace, sizeof(replace)), EINVAL);
	close(fd);
	return r;
}
