/*
 * neighbour: sends one neighbour discovery message (RFC 4861, 4.3 and 4.4), be it
 * a lie.
 *
 *	neighbour solicit|advertise SOURCE DESTINATION TARGET
 *
 * By eth0, from its MAC address, to a multicast DESTINATION; the option that tells
 * the sender's link-layer address names that MAC too, and is left out when the
 * SOURCE is "::", as duplicate address detection has it.
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <netpacket/packet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define OPTION_SIZE 8

struct message {
	struct ether_header eth;
	struct ip6_hdr ip;
	struct nd_neighbor_solicit nd; /* the advertisement has the same shape */
	struct nd_opt_hdr option;
	unsigned char mac[6];
} __attribute__((packed));

/* Of the ICMPv6 part and what stands for the header before it, RFC 8200, 8.1. */
static uint16_t checksum(const struct message *m, size_t length)
{
	const unsigned char *p = (const unsigned char *)&m->ip.ip6_src;
	uint32_t sum = (uint32_t)length + IPPROTO_ICMPV6;

	for (size_t i = 0; i < 2 * sizeof(struct in6_addr) + length; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static size_t compose(struct message *m, int solicit, const unsigned char *mac)
{
	static const struct in6_addr none;
	size_t length = sizeof(m->nd) + OPTION_SIZE;

	m->eth.ether_type = htons(ETHERTYPE_IPV6);
	memcpy(m->eth.ether_shost, mac, ETH_ALEN);
	m->eth.ether_dhost[0] = m->eth.ether_dhost[1] = 0x33;
	memcpy(m->eth.ether_dhost + 2, m->ip.ip6_dst.s6_addr + 12, 4);
	m->option.nd_opt_type = solicit ? ND_OPT_SOURCE_LINKADDR : ND_OPT_TARGET_LINKADDR;
	m->option.nd_opt_len = OPTION_SIZE / 8;
	memcpy(m->mac, mac, ETH_ALEN);
	if (memcmp(&m->ip.ip6_src, &none, sizeof(none)) == 0)
		length = sizeof(m->nd);
	m->nd.nd_ns_type = solicit ? ND_NEIGHBOR_SOLICIT : ND_NEIGHBOR_ADVERT;
	m->nd.nd_ns_reserved = solicit ? 0 : ND_NA_FLAG_OVERRIDE;
	m->nd.nd_ns_cksum = checksum(m, length);
	m->ip.ip6_vfc = 6 << 4;
	m->ip.ip6_plen = htons((uint16_t)length);
	m->ip.ip6_nxt = IPPROTO_ICMPV6;
	m->ip.ip6_hlim = 255;
	return offsetof(struct message, nd) + length;
}

int main(int argc, char **argv)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	struct ifreq mac = { .ifr_name = "eth0" };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = ETH_ALEN };
	struct message m = { 0 };
	size_t size;

	if (argc != 5 || inet_pton(AF_INET6, argv[2], &m.ip.ip6_src) != 1 ||
	    inet_pton(AF_INET6, argv[3], &m.ip.ip6_dst) != 1 ||
	    inet_pton(AF_INET6, argv[4], &m.nd.nd_ns_target) != 1) {
		fprintf(stderr, "usage: neighbour solicit|advertise SOURCE DESTINATION TARGET\n");
		return 2;
	}
	to.sll_ifindex = (int)if_nametoindex("eth0");
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &mac) < 0) {
		perror("neighbour");
		return 1;
	}
	size = compose(&m, strcmp(argv[1], "solicit") == 0,
		       (const unsigned char *)mac.ifr_hwaddr.sa_data);
	if (sendto(fd, &m, size, 0, (struct sockaddr *)&to, sizeof(to)) != (ssize_t)size) {
		perror("neighbour: send");
		return 1;
	}
	return 0;
}
