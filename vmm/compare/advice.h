/*
 * advice.h - the sentences at the top of a report: which wall for what, at
 * what price, on this host.  They are made from the findings; a wall that wins
 * is said to win, whichever it is.  Pure.
 */
#ifndef COMPARE_ADVICE_H
#define COMPARE_ADVICE_H

#include "vmm/compare/analysis.h"

#define ADVICE_TEXT 2048

/* Is the host's KVM hardware's? */
bool advice_is_hardware(const struct comparison *c);

/* Sentence number `i`, from 0; false: there are no more. */
bool advice_sentence(const struct comparison *c, const struct analysis *a, size_t i,
		     char out[ADVICE_TEXT]);

#endif
