/*
 * claims.h - what is often said of process walls and of virtual machines, with
 * the figure that was measured here beside it.
 */
#ifndef COMPARE_CLAIMS_H
#define COMPARE_CLAIMS_H

#include <stdio.h>

#include "vmm/compare/analysis.h"

void claims_write_html(const struct comparison *c, const struct analysis *a, FILE *out);

#endif
