/* exits.h - what to do when the guest leaves KVM_RUN: a table by reason. */
#ifndef MONITOR_EXITS_H
#define MONITOR_EXITS_H

#include <stdbool.h>

#include "vmm/monitor/vcpu.h"

/* Handle vcpu->run->exit_reason on the vCPU's thread.  False: the vCPU must
 * not enter the guest again. */
bool exits_handle(struct vcpu *vcpu);

/* End the machine with `text` and the vCPU's registers as the explanation. */
void exits_stop(struct vcpu *vcpu, enum vm_end end, const char *text);

/* "io", "mmio", ...; NULL for a reason that has no name here. */
const char *exits_name(unsigned int reason);

#endif
