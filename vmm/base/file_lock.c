/* file_lock.c - see file_lock.h. */
#include "vmm/base/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/err.h"

#define PAUSE_NS (5 * 1000 * 1000)
#define TRIES	 100

static void wait_a_little(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	nanosleep(&pause, NULL);
}

static bool is_held(int error)
{
	return error == EAGAIN || error == EACCES;
}

int file_lock(int fd, bool write)
{
	struct flock fl = { .l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
	int r = fcntl(fd, F_OFD_SETLK, &fl);

	for (int i = 0; r < 0 && is_held(errno) && i < TRIES; i++) {
		wait_a_little();
		r = fcntl(fd, F_OFD_SETLK, &fl);
	}
	if (r == 0)
		return 0;
	if (is_held(errno))
		return -EBUSY;
	if (errno == EINVAL || errno == ENOLCK || errno == EOPNOTSUPP)
		return 0;
	return neg_errno();
}

int file_open(const char *path, int flags)
{
	int fd = open(path, flags);

	for (int i = 0; fd < 0 && errno == EBUSY && (flags & O_EXCL) && i < TRIES; i++) {
		wait_a_little();
		fd = open(path, flags);
	}
	return fd;
}
