/*
 * ports.h - an instance's ports on the host's bridges: a tap for a virtual
 * machine, a veth pair for a process, and the packet filter at them.
 */
#ifndef NET_PORTS_H
#define NET_PORTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/err.h"
#include "vmm/config/run_config.h"

/* Does cfg have any? */
bool ports_wanted(const struct run_config *cfg);

/*
 * Give each that was given no MTU its bridge's, so that it sends nothing that the
 * bridge drops, and does not make the bridge carry less: one whose MTU nobody has set
 * takes the smallest of its ports'.  An ordinary one (1500) is left to the guest.
 */
void ports_take_mtu(struct run_config *cfg);

/* Make them, and the tables (tables.h).  Needs CAP_NET_ADMIN.  0 or -errno; what
 * was made is ports_remove()'s. */
int ports_make(const struct run_config *cfg, struct err *e);

/*
 * Of a process: move the other ends into the network namespace of `pid`, as
 * eth0, eth1, ..., with their addresses and the default route.  0 or -errno.
 */
int ports_enter(const struct run_config *cfg, pid_t pid, struct err *e);

/* Another rate for these interfaces, both ways; 0: none.  0 or -errno. */
int ports_set_rate(const struct run_config *cfg, pid_t pid, uint64_t bps, struct err *e);

/* Remove the port or the tables of that name; it is no failure that they are
 * gone, and an error that the name is none of ours.  0 or -errno. */
int ports_remove_link(const char *ifname, struct err *e);
int ports_remove_tables(const char *name, struct err *e);

/*
 * What the filter has counted:
 *   { "family": "bridge" or "inet", "rules": [ { "rule", "packets", "bytes" } ],
 *     "denied": { "packets", "bytes" }, "spoofed": ..., "invalid": ... }
 * *ret is the caller's.  0 or -errno.
 */
int ports_count(const char *table, json_t **ret, struct err *e);

/* Rules in front of those that a running instance has.  0 or -errno. */
int ports_change(const char *table, const struct net_rule *rules, size_t nrules, struct err *e);

#endif
