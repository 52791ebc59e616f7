/* capability.h - the kernel's capabilities by name, see capabilities(7). */
#ifndef BASE_CAPABILITY_H
#define BASE_CAPABILITY_H

#include <stdint.h>

#define CAPABILITY_COUNT 41 /* up to CAP_CHECKPOINT_RESTORE */
#define CAPABILITY_ALL	 ((1ULL << CAPABILITY_COUNT) - 1)

/* The number of "CAP_NET_RAW", "NET_RAW" or "net_raw"; -EINVAL: there is none
 * of that name. */
int capability_number(const char *name);

#endif
