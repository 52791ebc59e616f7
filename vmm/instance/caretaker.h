/*
 * caretaker.h - a process that waits to remove what a run has made of the
 * host's network: its supervisor's filter allows no execve, and it may be
 * killed.
 *
 * It is forked before anything is started and reads nothing but its
 * supervisor's orders: another rate, and the end of the run, which is also that
 * the socket is closed.
 */
#ifndef INSTANCE_CARETAKER_H
#define INSTANCE_CARETAKER_H

#include <jansson.h>
#include <sys/types.h>

#include "vmm/base/err.h"
#include "vmm/config/run_config.h"

struct caretaker {
	int sock; /* -1: there is none */
	pid_t pid;
};

/* 0 or -errno. */
int caretaker_start(struct caretaker *c, const struct run_config *cfg, struct err *e);

/*
 * Another rate for the ports of a process wall whose namespace `pid` is in, and
 * wait until it holds.  0; -errno: some of them may have it.
 * System calls: sendto, poll, recvfrom.
 */
int caretaker_set_rate(struct caretaker *c, pid_t pid, uint64_t bps, struct err *e);

/*
 * The run is over: wait until all is removed.  *ret_counts (ports_count(); the
 * caller's) is NULL when they could not be had.  0; -errno: something is left.
 * System calls: sendto, poll, recvfrom, wait4, close.
 */
int caretaker_finish(struct caretaker *c, json_t **ret_counts, struct err *e);

/* What it does, for a run that did not get as far as to have one. */
int caretaker_remove(const struct run_config *cfg, struct err *e);

#endif
