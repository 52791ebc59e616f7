/*
 * tap.h - a tap interface as the back end of a network device: frames with a
 * 12-byte virtio-net header (virtio 1.3, 5.1.6), the layout that VERSION_1
 * drivers use, so that frames go from guest pages into the kernel and back
 * without a copy of ours.
 */
#ifndef BACKEND_TAP_H
#define BACKEND_TAP_H

#include <stdbool.h>

#include "vmm/base/err.h"

#define TAP_HEADER_LEN 12

/*
 * Attach to the existing tap `ifname`: before the fork, by who may.
 * Returns its fd (the caller's; close-on-exec, non-blocking, set up as by
 * tap_setup()), or -errno with *e saying what to do: no such interface, in use,
 * not permitted, not a tap.
 */
int tap_open(const char *ifname, bool *ret_offloads, struct err *e);

/*
 * Make a tap fd that somebody else opened ready: header size, no offloads yet,
 * non-blocking.  *ret_offloads: the kernel takes checksum and TSO offloads.
 * 0, -EINVAL (no tap, or without IFF_VNET_HDR or IFF_NO_PI) or -errno, with *e.
 */
int tap_setup(int fd, bool *ret_offloads, struct err *e);

/*
 * What the guest is able to receive: the kernel sends nothing else to it.
 * One ioctl (TUNSETOFFLOAD), allowed after confine().  0 or -errno.
 */
int tap_set_offload(int fd, bool csum, bool tso4, bool tso6);

#endif
