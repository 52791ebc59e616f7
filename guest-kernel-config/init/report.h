/*
 * report.h - how init talks to the monitor: phases, the end of the run, and
 * the sentence that explains a failure (the exit device of guest_abi.h)
 */
#ifndef GUEST_INIT_REPORT_H
#define GUEST_INIT_REPORT_H

#include <stdbool.h>

/* Gives this process access to the exit device; call first. */
void report_open(void);

/* Takes it away again: a command must not write its own status by accident. */
void report_close(void);

/* From now on note() says something. */
void report_set_verbose(bool verbose);

void report_phase(unsigned int phase);

/* What the host wants since the power button was pressed (BH_WANT_*; 0: nothing);
 * to stop, where there is no exit device. */
unsigned int report_wanted(void);

/* Before the command has begun, when nothing else can be wanted: is this the end? */
bool report_stop_is_wanted(void);

/* A sentence about the end that follows. */
void report_text(const char *text);

/* Ends the VM with this status; switches off if there is no exit device. */
__attribute__((noreturn)) void report_end(unsigned int kind, unsigned int code);

/* Ends the VM with BH_EXIT_FAILED and the sentence. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

/* A line in the kernel's log, with verbose=1 only. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);

#endif
