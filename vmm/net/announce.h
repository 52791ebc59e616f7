/* announce.h - telling the neighbours who has an address now. */
#ifndef NET_ANNOUNCE_H
#define NET_ANNOUNCE_H

#include <stdint.h>

/*
 * Broadcast an ARP announcement (RFC 5227, 3) from the interface `ifname` with
 * that MAC address: a neighbour that knew `ip`, with or without a prefix length,
 * by another MAC address learns this one.  Nothing is sent for IPv6, whose
 * neighbours find out by themselves in some seconds.  Needs CAP_NET_RAW in the
 * network namespace.  0 or -errno.
 */
int announce_address(const char *ifname, const uint8_t mac[6], const char *ip);

#endif
