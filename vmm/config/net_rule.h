/*
 * net_rule.h - the values of --allow and --deny: who may open connections to
 * whom across the wall.
 *
 *   [out:|in:]PROTOCOL:ADDRESS[:PORT[-PORT]]
 *
 * out (the default): the instance to ADDRESS; in: ADDRESS to the instance.
 * PROTOCOL is tcp, udp, icmp or any; ADDRESS an address, one with a prefix
 * length, or "any"; IPv6 in brackets.  PORT is that of the side that is
 * connected to; without it all.
 */
#ifndef CONFIG_NET_RULE_H
#define CONFIG_NET_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"

#define NET_RULE_ADDRESS_MAX 64
#define NET_RULE_TEXT_MAX    112

enum net_protocol { NET_ANY, NET_TCP, NET_UDP, NET_ICMP };

struct net_rule {
	bool allow, in;
	enum net_protocol protocol;
	int family;			    /* AF_INET, AF_INET6; 0: any address */
	char address[NET_RULE_ADDRESS_MAX]; /* with its prefix length, or "" */
	uint16_t first, last;		    /* ports; 0: all */
};

/* 0 or -EINVAL. */
int net_rule_parse(const char *text, bool allow, struct net_rule *ret, struct err *e);

/* "allow out:tcp:10.0.0.0/8:80-90", as net_rule_parse() would take it. */
void net_rule_format(char out[NET_RULE_TEXT_MAX], const struct net_rule *rule);

#endif
