/*
 * choice.h - which wall for what: advice that is computed from a report's
 * findings, for code that is trusted, for code that is not, and for what work
 * costs behind each.  Whichever wall wins is named.  What was not measured, or
 * in too few runs, is not said or said to be so.  Pure.
 */
#ifndef COMPARE_CHOICE_H
#define COMPARE_CHOICE_H

#include "vmm/compare/advice.h"

#define CHOICES 6

/* Sentence number `i` below CHOICES; false: nothing is known about that. */
bool choice_sentence(const struct comparison *c, const struct analysis *a, size_t i,
		     char out[ADVICE_TEXT]);

#endif
