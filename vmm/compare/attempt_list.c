/* attempt_list.c - see attempt_list.h. */
#include "vmm/compare/attempt_list.h"

#define ENTRY(function, name, kind, space, gives) { name, ATTEMPT_##kind, space, gives },
const struct attempt attempts[] = { ATTEMPTS(ENTRY) };
const size_t nattempts = sizeof(attempts) / sizeof(attempts[0]);
