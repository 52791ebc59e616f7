/* progress.h - one line on a terminal that says how far it is and how long it
 * will take; nothing where standard error is none. */
#ifndef COMPARE_PROGRESS_H
#define COMPARE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool shown;
	size_t done, all;
	uint64_t began_ns;
};

/* Before progress_begin(): what is being prepared. */
void progress_text(struct progress *p, const char *what, const char *of);

void progress_begin(struct progress *p, size_t all);

/* One of `all` is about to begin. */
void progress_step(struct progress *p, const char *what);

/* Take the line away. */
void progress_end(struct progress *p);

#endif
