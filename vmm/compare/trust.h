/*
 * trust.h - who is trusted when a wall is what keeps the command in, in words,
 * made from what was measured: the calls that are let through (surface.h) and
 * the attempts that got through (strength.h).  What was not measured is not
 * said.  Pure.
 */
#ifndef COMPARE_TRUST_H
#define COMPARE_TRUST_H

#include "vmm/compare/comparison.h"

#define TRUST_TEXT 768

/* Half a sentence, "the host's kernel, ...".  False: nothing is known. */
bool trust_tell(const struct comparison *c, size_t wall, char out[TRUST_TEXT]);

#endif
