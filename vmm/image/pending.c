/* pending.c - see pending.h. */
#include "vmm/image/pending.h"

#include <signal.h>
#include <stddef.h>

#include "vmm/base/util.h"

bool end_is_pending(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (sigismember(&pending, ends[i]) == 1)
			return true;
	return false;
}
