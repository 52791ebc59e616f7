/* announce.c - see announce.h. */
#include "vmm/net/announce.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/base/err.h"
#include "vmm/base/util.h"

#define PROTOCOL_IP  0x0800
#define PROTOCOL_ARP 0x0806

/* RFC 826, for IPv4 on Ethernet. */
struct arp {
	uint16_t hardware, protocol;
	uint8_t hardware_len, protocol_len;
	uint16_t operation;
	uint8_t sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
} __attribute__((packed));

static int announce_ipv4(unsigned int index, const uint8_t mac[6], const struct in_addr *ip)
{
	struct arp arp = { .hardware = htons(ARPHRD_ETHER),
			   .protocol = htons(PROTOCOL_IP),
			   .hardware_len = 6,
			   .protocol_len = 4,
			   .operation = htons(ARPOP_REQUEST) };
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(PROTOCOL_ARP),
				  .sll_ifindex = (int)index,
				  .sll_halen = 6 };
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(arp.sender_ip, ip, sizeof(arp.sender_ip));
	memcpy(arp.target_ip, ip, sizeof(arp.target_ip));
	memcpy(arp.sender_mac, mac, sizeof(arp.sender_mac));
	memset(to.sll_addr, 0xff, 6);
	if (fd < 0 || sendto(fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return neg_errno();
	return 0;
}

/* RFC 4861, 4.4, with the option of 4.6.1.  The kernel adds the checksum. */
struct advertisement {
	struct nd_neighbor_advert head;
	struct nd_opt_hdr option;
	uint8_t mac[6];
} __attribute__((packed));

static int announce_ipv6(unsigned int index, const uint8_t mac[6], const struct in6_addr *ip)
{
	/* Not solicited; it overrides what was known. */
	struct advertisement na = {
		.head.nd_na_type = ND_NEIGHBOR_ADVERT,
		.head.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE,
		.option = { .nd_opt_type = ND_OPT_TARGET_LINKADDR, .nd_opt_len = 1 },
	};
	const struct sockaddr_in6 from = { .sin6_family = AF_INET6,
					   .sin6_addr = *ip,
					   .sin6_scope_id = index };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_scope_id = index };
	const int hops = 255; /* proves to the receiver that no router was on the way */
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	na.head.nd_na_target = *ip;
	memcpy(na.mac, mac, sizeof(na.mac));
	inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) < 0 ||
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0 ||
	    sendto(fd, &na, sizeof(na), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return neg_errno();
	return 0;
}

int announce_address(const char *ifname, const uint8_t mac[6], const char *ip)
{
	unsigned int index = if_nametoindex(ifname);
	char text[INET6_ADDRSTRLEN];
	struct in6_addr six;
	struct in_addr four;

	if (index == 0)
		return neg_errno();
	snprintf(text, sizeof(text), "%.*s", (int)MIN(strcspn(ip, "/"), sizeof(text) - 1), ip);
	if (inet_pton(AF_INET, text, &four) == 1)
		return announce_ipv4(index, mac, &four);
	if (inet_pton(AF_INET6, text, &six) == 1)
		return announce_ipv6(index, mac, &six);
	return -EINVAL;
}
