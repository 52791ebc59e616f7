/* mtu.h - what an interface carries. */
#ifndef NET_MTU_H
#define NET_MTU_H

/*
 * The MTU to have at the other end of the interface `ifname` of this network
 * namespace (a tap, a bridge), where none was given: 0, which leaves an ordinary one
 * (1500) to the guest, and is for an interface that is not there, too.
 */
unsigned int mtu_for(const char *ifname);

#endif
