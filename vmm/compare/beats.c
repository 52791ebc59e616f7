/* beats.c - see beats.h. */
#include "vmm/compare/beats.h"

size_t beats_of_delay(uint64_t late, uint64_t interval, uint64_t *ret, size_t room)
{
	size_t n = 0;

	if (room == 0)
		return 0;
	ret[n++] = late;
	/* One whose moment is just now can still be waited for. */
	for (; n < room && late > interval; late -= interval)
		ret[n++] = late - interval;
	return n;
}
