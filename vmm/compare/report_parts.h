/* report_parts.h - what the files of the page, and those of the JSON, share. */
#ifndef COMPARE_REPORT_PARTS_H
#define COMPARE_REPORT_PARTS_H

#include <jansson.h>
#include <stdio.h>

#include "vmm/base/err.h"
#include "vmm/compare/analysis.h"

/* A text of anybody's, escaped. */
void report_text(FILE *out, const char *s);

/* The curve of memory over the number of instances; nothing without figures. */
void report_curve(const struct comparison *c, const struct analysis *a, FILE *out);

/* What of the host's kernel is within reach, as the JSON's field "surface"; the
 * caller's. */
json_t *report_surface_json(const struct comparison *c);

/* The same from a file of anybody's, after its walls.  0; -EINVAL and *e. */
int report_surface_read(json_t *surface, struct comparison *c, struct err *e);

#endif
