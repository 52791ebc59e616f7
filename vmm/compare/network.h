/*
 * network.h - the host's side of the workload `network`: a bridge with an
 * address, in a network namespace of its own, and a namespace beside it for walls
 * that can join one and make none.
 *
 * Nothing names these namespaces but open files of this process.  So nothing of
 * it is to be seen on the host, nothing of the host's network is touched, and
 * when this process ends, however that comes, all of it is gone.
 */
#ifndef COMPARE_NETWORK_H
#define COMPARE_NETWORK_H

#include "vmm/base/err.h"
#include "vmm/compare/wall_command.h"

/* Of the addresses that RFC 2544 keeps for measurements. */
#define NETWORK_HOST   "198.18.0.1"
#define NETWORK_BRIDGE "bulkhead0"
#define NETWORK_TAP    "bulkhead1" /* a port of it, for who cannot make one */
#define NETWORK_OPTION "bridge=" NETWORK_BRIDGE ",ip=198.18.0.2/29" /* of --net */
#define NETWORK_PEER   "198.18.0.3" /* of who joins the namespace `peers` */

struct network {
	int home, own; /* namespaces; -1: none */
	/* One with an end of a veth pair whose other is a port of the bridge, for
	 * walls that make no ports; -1: none. */
	int peers;
	char peers_path[64]; /* for other processes while this one lives, or "" */
};

#define NETWORK_NONE ((struct network){ .home = -1, .own = -1, .peers = -1 })

/* Make it.  0; -EPERM without CAP_SYS_ADMIN; -errno, and *e.  To be released in
 * any case. */
int network_make(struct network *n, struct err *e);
void network_release(struct network *n);

/* Move this process there, so that what it starts is there; and back again.
 * 0; -errno and *e. */
int network_enter(const struct network *n, struct err *e);
int network_leave(const struct network *n, struct err *e);

/* What serves the workload, on the host's side. */
void network_server(const struct wall_setup *setup, struct wall_command *ret);

#endif
