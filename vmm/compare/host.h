/* host.h - describe the host that a comparison was made on. */
#ifndef COMPARE_HOST_H
#define COMPARE_HOST_H

#include "vmm/compare/comparison.h"

/* What cannot be found out stays empty.  `program` is Bulkhead's own, whose
 * doctor is asked which KVM there is. */
void host_describe(const char *program, int signal_fd, struct compare_host *ret);

#endif
