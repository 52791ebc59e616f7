/*
 * vm_device.h - a device process: from what it was handed to its work.
 */
#ifndef WALLS_VM_DEVICE_H
#define WALLS_VM_DEVICE_H

#include "vmm/base/err.h"
#include "vmm/config/devices_config.h"
#include "vmm/walls/vm_parts.h"

/*
 * In the device's own process: serve d->back until its front end hangs up.
 * Maps the shared pages of d->counters_fd and d->controls_fd (-1: private
 * memory instead).  `confine`: install the filter.  0 or -errno.
 */
int vm_device_serve(struct vm_device *d, bool confine, struct err *e);

/* `bulkhead device`: one device process by itself, for any front end. */
struct device_alone {
	enum foreign_kind kind;
	const char *socket;		/* path to listen on; must not exist */
	const struct disk_config *disk; /* of FOREIGN_BLK */
	const struct net_config *net;	/* of FOREIGN_NET */
	bool confine;
};

/*
 * Listen, take one connection, remove the socket, keep nothing open but the
 * device's own, and serve until the front end hangs up.  0 or -errno.
 */
int device_alone_run(const struct device_alone *cfg, struct err *e);

/* What a device needs of a --net: its tap, opened in the network namespace that it
 * names, MAC address and MTU, by default the tap's.  0 or -errno; ret->tap_fd is the
 * caller's, but for fd=, which is the user's. */
int vm_net_open(const struct net_config *c, struct net_params *ret, struct err *e);

#endif
