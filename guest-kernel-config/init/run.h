/*
 * run.h - process 1 while the command runs: from its start to a clean disk
 */
#ifndef GUEST_INIT_RUN_H
#define GUEST_INIT_RUN_H

#include "params.h"

/*
 * The power button tells those who have its device open.  Who asked for the end
 * before that is heard here, and the machine switched off: there is no command yet.
 */
void run_end_if_wanted(int tty);

/* Runs p->argv on the console `tty` and ends the VM with its status. */
__attribute__((noreturn)) void run_command(const struct params *p, int tty);

#endif
