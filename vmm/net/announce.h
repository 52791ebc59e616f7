/* announce.h - telling the neighbours who has an address now. */
#ifndef NET_ANNOUNCE_H
#define NET_ANNOUNCE_H

#include <stdint.h>

/*
 * Send everybody an announcement from the interface `ifname` with that MAC
 * address, for IPv4 ARP's (RFC 5227, 3), for IPv6 the unsolicited neighbour
 * advertisement (RFC 4861, 7.2.6): a neighbour that knew `ip`, with or without a
 * prefix length, by another MAC address learns this one.  An IPv6 address has to
 * be the interface's already, and not tentative.  Needs CAP_NET_RAW in the
 * network namespace.  0 or -errno.
 */
int announce_address(const char *ifname, const uint8_t mac[6], const char *ip);

#endif
