/*
 * run.h - process 1 while the command runs: from its start to a clean disk
 */
#ifndef GUEST_INIT_RUN_H
#define GUEST_INIT_RUN_H

#include "params.h"

/* Runs p->argv on the console `tty` and ends the VM with its status. */
__attribute__((noreturn)) void run_command(const struct params *p, int tty);

#endif
