/*
 * tables.h - an instance's packet filter as text for `nft -f -`.  Pure.
 *
 * Two tables of the same name for each instance:
 *
 *   netdev NAME  at the ingress of its port on the bridge: a frame whose MAC
 *                or source address is not the instance's own is dropped
 *                at its egress, when there are rules, what is for many
 *   inet NAME    the rules, by connection.  Bridged frames come there by
 *                br_netfilter, which is switched on for the bridge.
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

/* "bulkhead_0123abcd", of the instance's identity. */
void tables_name(char out[TABLES_NAME_MAX], const struct run_config *cfg);
/* The same of a UUID as text. */
void tables_name_of(char out[TABLES_NAME_MAX], const char *uuid);
bool tables_is_name(const char *name);

/* What makes the tables of cfg's bridged interfaces and rules.  0 or -E2BIG. */
int tables_format(char *out, size_t size, const struct run_config *cfg, struct err *e);

/* What removes them, whether they are there or not. */
void tables_format_removal(char *out, size_t size, const char *name);

/* What puts rules in front of those that there are, and denies the rest. */
int tables_format_change(char *out, size_t size, const char *name, const struct net_rule *rules,
			 size_t nrules, bool denies_already, struct err *e);

#endif
