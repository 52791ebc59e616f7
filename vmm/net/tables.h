/*
 * tables.h - an instance's packet filter as text for `nft -f -`.  Pure.
 *
 * Two tables of the same name for each instance:
 *
 *   netdev NAME  at the ingress of its port on the bridge: a frame whose MAC
 *                or source address is not the instance's own is dropped
 *                at its egress, when there are rules, what is for many
 *   bridge NAME  the rules, by connection, where the host follows connections on
 *                bridges (nf_conntrack_bridge); elsewhere the same as
 *   inet NAME    to which bridged frames come by br_netfilter, which is switched
 *                on for the bridge.
 *
 * What comes from the instance is judged in prerouting, before anybody knows
 * whether it goes to the host, across the bridge or is routed; what goes to it
 * in postrouting.  Replies pass, because what they answer has passed; every
 * other packet is judged by the rules each time, so that a rule that is taken
 * back ends connections too.
 */
#ifndef NET_TABLES_H
#define NET_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/config/run_config.h"

#define TABLES_NAME_MAX 20
#define TABLES_TEXT_MAX (128 * 1024)

enum tables_family { TABLES_BRIDGE, TABLES_INET, TABLES_FAMILIES };

/* As nft(8) calls it. */
const char *tables_family_name(enum tables_family family);

/* "bulkhead_0123abcd", of the instance's identity. */
void tables_name(char out[TABLES_NAME_MAX], const struct run_config *cfg);
/* The same of a UUID as text. */
void tables_name_of(char out[TABLES_NAME_MAX], const char *uuid);
bool tables_is_name(const char *name);

/* What makes the tables of cfg's bridged interfaces and rules, these in that
 * family.  0 or -E2BIG. */
int tables_format(char *out, size_t size, const struct run_config *cfg, enum tables_family family,
		  struct err *e);

/*
 * Behind the rate that a process's own end keeps (ports.c): more than a good
 * deal above it is dropped at the port of cfg->net[index].  0: nothing is.
 */
void tables_format_fence(char *out, size_t size, const char *name, size_t index, uint64_t bps);

/* What removes a table, whether it is there or not. */
void tables_format_removal(char *out, size_t size, const char *family, const char *name);

/* What puts rules in front of those that there are, and denies the rest. */
int tables_format_change(char *out, size_t size, const char *name, enum tables_family family,
			 const struct net_rule *rules, size_t nrules, bool denies_already,
			 struct err *e);

#endif
