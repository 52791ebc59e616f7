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
#include <unistd.h>

#include "vmm/base/util.h"
#include "vmm/compare/place.h"
#include "vmm/net/tool.h"

#define NETMASK "255.255.255.248"
#define PORT	"bulkhead2" /* the end of the veth pair that is the bridge's */
#define INSIDE	"eth0"

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

static int add_port(int s, const char *name)
{
	struct ifreq ifr = { .ifr_ifindex = (int)if_nametoindex(name) };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", NETWORK_BRIDGE);
	return ioctl(s, SIOCBRADDIF, &ifr);
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
	if (add_port(s, NETWORK_TAP) == 0)
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

/* From the bridge's namespace into the peers', where this process is then. */
static int join_peers(const struct network *n, struct err *e)
{
	_cleanup_close_ int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char script[256];
	const struct tool_call call = { .argv = (const char *const[]){ "ip", "-b", "-", NULL },
					.package = "iproute2",
					.input = script };
	int r;

	snprintf(script, sizeof(script),
		 "link add " PORT " type veth peer name " INSIDE " netns %s\n", n->peers_path);
	r = s < 0 ? err_errno(e, "socket") : tool_run(&call, e);
	if (r < 0)
		return r;
	if (add_port(s, PORT) < 0 || set_up(s, PORT) < 0)
		return err_errno(e, "set up the port for other walls");
	if (setns(n->peers, CLONE_NEWNET) < 0)
		return err_errno(e, "enter the network namespace of other walls");
	return 0;
}

static int set_up_peers(struct err *e)
{
	_cleanup_close_ int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0 || set_address(s, SIOCSIFADDR, INSIDE, NETWORK_PEER) < 0 ||
	    set_address(s, SIOCSIFNETMASK, INSIDE, NETMASK) < 0 || set_up(s, INSIDE) < 0 ||
	    set_up(s, "lo") < 0)
		return err_errno(e, "set up the network of other walls");
	return 0;
}

/* Called in the bridge's namespace; leaves this process in either. */
static int make_peers(struct network *n, struct err *e)
{
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return err_errno(e, "make a network namespace");
	n->peers = open_own(e);
	if (n->peers < 0)
		return n->peers;
	snprintf(n->peers_path, sizeof(n->peers_path), "/proc/%d/fd/%d", (int)getpid(), n->peers);
	r = network_enter(n, e);
	if (r == 0)
		r = join_peers(n, e);
	return r == 0 ? set_up_peers(e) : r;
}

int network_make(struct network *n, struct err *e)
{
	struct err left = { "" };
	int r;

	*n = NETWORK_NONE;
	n->home = open_own(e);
	if (n->home < 0)
		return n->home;
	if (unshare(CLONE_NEWNET) < 0)
		return errno == EPERM ? err_set(e, EPERM, "networks are made by root")
				      : err_errno(e, "make a network namespace");
	r = make_bridge(e);
	if (r == 0)
		r = n->own = open_own(e);
	if (r >= 0)
		r = make_peers(n, e);
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
	close_fd(&n->peers);
	n->peers_path[0] = '\0';
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
