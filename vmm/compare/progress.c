/* progress.c - see progress.h. */
#include "vmm/compare/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "vmm/base/util.h"

#define WIDTH 30

void progress_text(struct progress *p, const char *what, const char *of)
{
	if (!isatty(STDERR_FILENO))
		return;
	p->shown = true;
	fprintf(stderr, "\r\033[K%s %s", what, of);
}

void progress_begin(struct progress *p, size_t all)
{
	p->done = 0;
	p->all = MAX(all, 1U);
	p->began_ns = now_ns();
}

void progress_step(struct progress *p, const char *what)
{
	uint64_t passed = now_ns() - p->began_ns, left;
	int full = (int)(p->done * WIDTH / p->all);

	left = p->done ? passed / p->done * (p->all - p->done) / NS_PER_S : 0;
	if (isatty(STDERR_FILENO)) {
		p->shown = true;
		fprintf(stderr, "\r\033[K[%.*s%*s] %zu of %zu, %s", full,
			"##############################", WIDTH - full, "", p->done, p->all, what);
		if (p->done)
			fprintf(stderr, ", %lu:%02lu left", left / 60, left % 60);
	}
	p->done++;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r\033[K");
	p->shown = false;
}
