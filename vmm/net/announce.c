/* announce.c - see announce.h. */
#include "vmm/net/announce.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <net/if_arp.h>
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

int announce_address(const char *ifname, const uint8_t mac[6], const char *ip)
{
	struct arp arp = { .hardware = htons(ARPHRD_ETHER),
			   .protocol = htons(PROTOCOL_IP),
			   .hardware_len = 6,
			   .protocol_len = 4,
			   .operation = htons(ARPOP_REQUEST) };
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(PROTOCOL_ARP),
				  .sll_ifindex = (int)if_nametoindex(ifname),
				  .sll_halen = 6 };
	_cleanup_close_ int fd = -1;
	char text[INET_ADDRSTRLEN];

	snprintf(text, sizeof(text), "%.*s", (int)MIN(strcspn(ip, "/"), sizeof(text) - 1), ip);
	if (inet_pton(AF_INET, text, arp.sender_ip) != 1)
		return 0;
	memcpy(arp.target_ip, arp.sender_ip, sizeof(arp.target_ip));
	memcpy(arp.sender_mac, mac, sizeof(arp.sender_mac));
	memset(to.sll_addr, 0xff, 6);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return neg_errno();
	return 0;
}
