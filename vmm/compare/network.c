/* network.c - see network.h; netdevice(7), namespaces(7). */
#include "vmm/compare/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "vmm/base/util.h"
#include "vmm/compare/place.h"

#define NETMASK "255.255.255.252"

static int set_address(int s, unsigned long request, const char *name, const char *text)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct ifreq ifr = { 0 };

	inet_pton(AF_INET, text, &address.sin_addr);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	memcpy(&ifr.ifr_addr, &address, sizeof(address));
	return ioctl(s, request, &ifr);
}

static int set_up(int s, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(s, SIOCSIFFLAGS, &ifr);
}

/* A tap that stays when nobody has it open.  Where none can be made who asks for
 * it says so. */
static void make_tap(int s)
{
	_cleanup_close_ int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", NETWORK_TAP);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr) < 0 || ioctl(tun, TUNSETPERSIST, 1UL) < 0)
		return;
	ifr.ifr_ifindex = (int)if_nametoindex(NETWORK_TAP);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", NETWORK_BRIDGE);
	if (ioctl(s, SIOCBRADDIF, &ifr) == 0)
		(void)set_up(s, NETWORK_TAP);
}

/* In a namespace that has nothing yet. */
static int make_bridge(struct err *e)
{
	_cleanup_close_ int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0 || ioctl(s, SIOCBRADDBR, NETWORK_BRIDGE) < 0)
		return err_errno(e, "make a bridge");
	if (set_address(s, SIOCSIFADDR, NETWORK_BRIDGE, NETWORK_HOST) < 0 ||
	    set_address(s, SIOCSIFNETMASK, NETWORK_BRIDGE, NETMASK) < 0 ||
	    set_up(s, NETWORK_BRIDGE) < 0 || set_up(s, "lo") < 0)
		return err_errno(e, "set up the bridge");
	make_tap(s);
	return 0;
}

static int open_own(struct err *e)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_errno(e, "open /proc/self/ns/net") : fd;
}

int network_make(struct network *n, struct err *e)
{
	struct err left = { "" };
	int r;

	n->own = -1;
	n->home = open_own(e);
	if (n->home < 0)
		return n->home;
	if (unshare(CLONE_NEWNET) < 0)
		return errno == EPERM ? err_set(e, EPERM, "networks are made by root")
				      : err_errno(e, "make a network namespace");
	r = make_bridge(e);
	if (r == 0)
		r = n->own = open_own(e);
	/* Who cannot come back must not go on: all that follows would be in
	 * there too. */
	if (network_leave(n, &left) < 0)
		return err_set(e, ENOTRECOVERABLE, "%s", left.text);
	return MIN(r, 0);
}

void network_release(struct network *n)
{
	close_fd(&n->home);
	close_fd(&n->own);
}

int network_enter(const struct network *n, struct err *e)
{
	return setns(n->own, CLONE_NEWNET) < 0 ? err_errno(e, "enter the network namespace") : 0;
}

int network_leave(const struct network *n, struct err *e)
{
	return setns(n->home, CLONE_NEWNET) < 0 ? err_errno(e, "leave the network namespace") : 0;
}

void network_server(const struct wall_setup *setup, struct wall_command *ret)
{
	snprintf(ret->program, sizeof(ret->program), "%s", setup->root);
	strncat(ret->program, PLACE_WORKLOAD, sizeof(ret->program) - strlen(ret->program) - 1);
	ret->argv[0] = ret->program;
	ret->argv[1] = "serve";
	ret->argv[2] = NETWORK_HOST;
	ret->argv[3] = NULL;
}
