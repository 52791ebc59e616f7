/*
 * clock.h - the guest's time of day
 */
#ifndef GUEST_INIT_CLOCK_H
#define GUEST_INIT_CLOCK_H

/*
 * Sets the time of day to the host's.  Linux reads it from kvm-clock when it
 * starts but counts ticks until kvm-clock has taken over, and on a busy host
 * some of those get lost: the time is late by that much ever after.  Where the
 * host does not tell its time (KVM_HC_CLOCK_PAIRING: the host's own clock must
 * be the TSC) it stays as it is.  Needs /dev.
 */
void clock_set_from_host(void);

#endif
