/* disk_inline.c - see disk_inline.h.  Pure: no system calls. */
#include "devices/backend/disk_inline.h"

#include <stddef.h>

#include "vmm/base/util.h"

/* NULL: never served at once. */
static struct disk_inline_kind *kind_of(struct disk_inline *in, enum disk_op op)
{
	switch (op) {
	case DISK_READ:
		return &in->read;
	case DISK_WRITE:
		return &in->write;
	case DISK_FLUSH:
		return &in->flush;
	case DISK_DISCARD:
	case DISK_ZERO:
		break;
	}
	return NULL;
}

bool disk_inline_may(struct disk_inline *in, const struct disk_request *req)
{
	struct disk_inline_kind *k = kind_of(in, req->op);

	if (!k || (req->op == DISK_WRITE && req->len > DISK_INLINE_BYTES))
		return false;
	if (k->left == 0)
		return true;
	k->left--;
	return false;
}

void disk_inline_took(struct disk_inline *in, enum disk_op op, uint64_t ns)
{
	struct disk_inline_kind *k = kind_of(in, op);

	if (!k)
		return;
	if (ns <= DISK_INLINE_SLOW_NS) {
		k->pause /= 2;
		return;
	}
	k->pause = MAX(MIN(4 * k->pause, DISK_INLINE_PAUSE_MAX), DISK_INLINE_PAUSE_MIN);
	k->left = k->pause;
}
