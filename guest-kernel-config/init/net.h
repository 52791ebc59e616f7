/*
 * net.h - addresses, routes, name servers, host name
 */
#ifndef GUEST_INIT_NET_H
#define GUEST_INIT_NET_H

#include "params.h"

/* Host name, lo, and every interface of *p; fail() when it cannot be done. */
void net_configure(const struct params *p);

/* /etc/resolv.conf in the final root, when there are name servers. */
void net_write_resolv_conf(const struct params *p);

#endif
