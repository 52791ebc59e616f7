/*
 * report.h - a comparison as a JSON file, as a table for a terminal, as a page.
 *
 * The file holds what was measured, every value of it, and no verdicts: those
 * are made anew by whoever reads it.  docs/comparison.md describes its fields.
 */
#ifndef COMPARE_REPORT_H
#define COMPARE_REPORT_H

#include <stdio.h>

#include "vmm/base/err.h"
#include "vmm/compare/analysis.h"
#include "vmm/compare/comparison.h"

#define REPORT_VERSION 1
#define REPORT_MAX     (256u << 20) /* bytes of a file that is read */

/* Write it as JSON.  0; -ENOMEM, -errno and *e. */
int report_write_json(const struct comparison *c, FILE *out, struct err *e);

/*
 * Read a file of anybody's into *ret, which the caller initialised and
 * releases in any case.  0; -EINVAL: no report, another version, a field that
 * cannot be; -EFBIG; -errno; *e names the file and the place.
 */
int report_read_json(const char *path, struct comparison *ret, struct err *e);

/* A table of at most 100 columns. */
void report_write_text(const struct comparison *c, const struct analysis *a, FILE *out);

/* What came through each wall: for the table, for the page.  Nothing when no
 * attempt was made. */
void report_write_attempts(const struct comparison *c, FILE *out);
void report_write_attempts_html(const struct comparison *c, FILE *out);

/* What of the host's kernel is within reach behind each wall, likewise.  Nothing
 * when that was not looked at. */
void report_write_surface(const struct comparison *c, FILE *out);
void report_write_surface_html(const struct comparison *c, FILE *out);

/* Each row of two reports side by side, for what both have. */
void report_write_difference(const struct comparison *before, const struct comparison *after,
			     FILE *out);

/* A page that needs nothing from elsewhere. */
void report_write_html(const struct comparison *c, const struct analysis *a, FILE *out);

#endif
