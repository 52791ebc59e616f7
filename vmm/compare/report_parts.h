/* report_parts.h - what the files of the page share. */
#ifndef COMPARE_REPORT_PARTS_H
#define COMPARE_REPORT_PARTS_H

#include <stdio.h>

#include "vmm/compare/analysis.h"

/* A text of anybody's, escaped. */
void report_text(FILE *out, const char *s);

/* The curve of memory over the number of instances; nothing without figures. */
void report_curve(const struct comparison *c, const struct analysis *a, FILE *out);

#endif
