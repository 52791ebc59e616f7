/*
 * net.c - see net.h
 *
 * rtnetlink, one request at a time, each acknowledged by the kernel: the same
 * messages serve IPv4 and IPv6.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

/* A fresh guest numbers its interfaces from 1. */
#define IF_INDEX_MAX 256

struct request {
	struct nlmsghdr header;
	char body[256];
};

/* Starts a message whose fixed part has `len` bytes; returns that part. */
static void *request_begin(struct request *rq, uint16_t type, uint16_t flags, size_t len)
{
	*rq = (struct request){ 0 };
	rq->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
	rq->header.nlmsg_type = type;
	rq->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	return rq->body;
}

/* All attributes of our messages together are far below sizeof(body). */
static void request_add(struct request *rq, uint16_t type, const void *data, size_t len)
{
	size_t at = NLMSG_ALIGN(rq->header.nlmsg_len) - sizeof(rq->header);
	struct rtattr attribute = {
		.rta_len = (uint16_t)RTA_LENGTH(len),
		.rta_type = type,
	};

	memcpy(rq->body + at, &attribute, sizeof(attribute));
	memcpy(rq->body + at + RTA_LENGTH(0), data, len);
	rq->header.nlmsg_len = (uint32_t)(sizeof(rq->header) + at + RTA_ALIGN(attribute.rta_len));
}

/* 0 or a negative errno, the kernel's answer. */
static int request_send(int fd, const struct request *rq)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[sizeof(struct request)];
	} answer;
	ssize_t n;

	if (send(fd, rq, rq->header.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(answer.header) + sizeof(answer.error) ||
	    answer.header.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return answer.error.error;
}

static int link_up(int fd, int index)
{
	struct request rq;
	struct ifinfomsg *link = request_begin(&rq, RTM_NEWLINK, 0, sizeof(*link));

	link->ifi_index = index;
	link->ifi_flags = IFF_UP;
	link->ifi_change = IFF_UP;
	return request_send(fd, &rq);
}

/* NODAD: a static IPv6 address is usable at once instead of after a second. */
static int add_address(int fd, int index, const struct params_net *net)
{
	struct request rq;
	struct ifaddrmsg *address =
		request_begin(&rq, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*address));

	address->ifa_family = (uint8_t)net->address.family;
	address->ifa_prefixlen = net->prefix_len;
	address->ifa_index = (uint32_t)index;
	if (net->address.family == AF_INET6)
		address->ifa_flags = IFA_F_NODAD;
	request_add(&rq, IFA_LOCAL, net->address.bytes, net->address.len);
	request_add(&rq, IFA_ADDRESS, net->address.bytes, net->address.len);
	return request_send(fd, &rq);
}

/* ONLINK: the gateway may be outside of the prefix (a /32 behind a tap). */
static int add_default_route(int fd, int index, const struct params_net *net)
{
	struct request rq;
	struct rtmsg *route =
		request_begin(&rq, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*route));

	route->rtm_family = (uint8_t)net->gateway.family;
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_UNIVERSE;
	route->rtm_type = RTN_UNICAST;
	route->rtm_flags = RTNH_F_ONLINK;
	request_add(&rq, RTA_GATEWAY, net->gateway.bytes, net->gateway.len);
	request_add(&rq, RTA_OIF, &index, sizeof(index));
	return request_send(fd, &rq);
}

/* The index of the interface with this MAC address, its name in ifr; or 0. */
static int find_interface(int fd, const uint8_t mac[6], struct ifreq *ifr)
{
	for (int index = 1; index <= IF_INDEX_MAX; index++) {
		*ifr = (struct ifreq){ .ifr_ifindex = index };
		if (ioctl(fd, SIOCGIFNAME, ifr) < 0)
			continue;
		if (ioctl(fd, SIOCGIFHWADDR, ifr) < 0)
			continue;
		if (memcmp(ifr->ifr_hwaddr.sa_data, mac, 6) == 0)
			return index;
	}
	return 0;
}

/* A guest before this one may have had the address with another MAC: neighbours are
 * told of ours when the interface goes up (ARP's announcement, RFC 5227; the
 * unsolicited advertisement of RFC 4861, 7.2.6). */
static void announce(const char *ifname, int family)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s",
		 family == AF_INET6 ? "ipv6/conf/" : "ipv4/conf/");
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "%.16s/%s", ifname,
		 family == AF_INET6 ? "ndisc_notify" : "arp_notify");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) < 0)
		note("the address of %s is not announced: %s", ifname, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void configure_interface(int netlink, int inet, const struct params_net *net)
{
	const uint8_t *mac = net->mac;
	struct ifreq ifr;
	int index = find_interface(inet, mac, &ifr);
	int r;

	if (index == 0)
		fail("there is no network interface with the address "
		     "%02x:%02x:%02x:%02x:%02x:%02x",
		     mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	/* The address first: it is announced when the interface goes up. */
	if (net->address.family) {
		announce(ifr.ifr_name, net->address.family);
		r = add_address(netlink, index, net);
		if (r < 0)
			fail("cannot set the address of %s: %s", ifr.ifr_name, strerror(-r));
	}
	r = link_up(netlink, index);
	if (r < 0)
		fail("cannot bring up %s: %s", ifr.ifr_name, strerror(-r));
	if (net->gateway.family) {
		r = add_default_route(netlink, index, net);
		if (r < 0)
			fail("cannot set the default route by %s: %s", ifr.ifr_name, strerror(-r));
	}
	note("network interface %s is set up", ifr.ifr_name);
}

void net_configure(const struct params *p)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (p->hostname && sethostname(p->hostname, strlen(p->hostname)) < 0)
		fail("cannot set the host name: %s", strerror(errno));
	if (netlink < 0 || inet < 0)
		fail("cannot open a network socket: %s", strerror(errno));
	/* lo is the first interface of every network namespace. */
	r = link_up(netlink, 1);
	if (r < 0)
		fail("cannot bring up lo: %s", strerror(-r));
	for (size_t i = 0; i < p->net_count; i++)
		configure_interface(netlink, inet, &p->net[i]);
	close(netlink);
	close(inet);
}

/*
 * In images resolv.conf is often a symbolic link to what a service of the
 * running system would write: it is replaced, not followed.
 */
void net_write_resolv_conf(const struct params *p)
{
	const char *path = "/etc/resolv.conf";
	int fd;

	if (p->dns_count == 0)
		return;
	mkdir("/etc", 0755);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		if (errno != EROFS && errno != EEXIST)
			fail("cannot write %s: %s", path, strerror(errno));
		note("%s stays as it is: the root is read-only", path);
		return;
	}
	for (size_t i = 0; i < p->dns_count; i++) {
		if (dprintf(fd, "nameserver %s\n", p->dns[i]) < 0)
			fail("cannot write %s: %s", path, strerror(errno));
	}
	close(fd);
}
