/* landlock.c - see landlock.h; landlock(7).  The constants are spelt out: the
 * build machine's headers may be older than the kernel that runs this. */
#include "vmm/jail/landlock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/util.h"

#define ABI_REFER     2 /* Linux 5.19: files may be moved between directories */
#define ABI_TRUNCATE  3
#define ABI_NET	      4
#define ABI_IOCTL_DEV 5
#define ABI_SCOPED    6

#define ACCESS_EXECUTE	   (1ULL << 0)
#define ACCESS_WRITE_FILE  (1ULL << 1)
#define ACCESS_READ_FILE   (1ULL << 2)
#define ACCESS_READ_DIR	   (1ULL << 3)
#define ACCESS_REMOVE_DIR  (1ULL << 4)
#define ACCESS_REMOVE_FILE (1ULL << 5)
#define ACCESS_ABI_1	   ((1ULL << 13) - 1)
#define ACCESS_ABI_2	   ((1ULL << 14) - 1)
#define ACCESS_TRUNCATE	   (1ULL << 14)
#define ACCESS_IOCTL_DEV   (1ULL << 15)

#define ACCESS_TCP ((1ULL << 0) | (1ULL << 1)) /* bind, connect */

#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL		   (1ULL << 1)
#define SCOPE_ALL		   (SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL)

#define RULE_PATH_BENEATH 1
#define CREATE_VERSION	  1

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

int landlock_version(void)
{
	return MAX((int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION), 0);
}

int landlock_check(struct err *e)
{
	int version = landlock_version();

	if (version >= ABI_REFER)
		return 0;
	return err_set(e, EOPNOTSUPP,
		       "this kernel %s, which keeps the host's files out; it takes %s",
		       version == 0 ? "has no Landlock" : "has a Landlock of before Linux 5.19",
		       version == 0 ? "Linux 5.19 with landlock in its lsm= list" : "a newer one");
}

/* A file that is open already may be opened again, no wider than it is. */
static int allow_open_file(int ruleset, int fd, uint64_t handled)
{
	struct path_beneath rule = { .fd = fd };
	struct stat st;
	int mode = fcntl(fd, F_GETFL);

	if (mode < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return 0;
	mode &= O_ACCMODE;
	if (mode == O_RDONLY || mode == O_RDWR)
		rule.access |= ACCESS_READ_FILE;
	if (mode == O_WRONLY || mode == O_RDWR)
		rule.access |= ACCESS_WRITE_FILE | ACCESS_TRUNCATE;
	if (S_ISCHR(st.st_mode))
		rule.access |= ACCESS_IOCTL_DEV;
	rule.access &= handled;
	/* EBADFD: a pipe or socket, which Landlock has no say over. */
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0 &&
	    errno != EBADFD)
		return neg_errno();
	return 0;
}

/* Of *ret what this kernel knows to forbid, and everything of files. */
static int make_ruleset(struct ruleset *ret, struct err *e)
{
	int version = landlock_version();
	int fd;

	ret->fs = version >= ABI_REFER ? ACCESS_ABI_2 : ACCESS_ABI_1;
	if (version >= ABI_TRUNCATE)
		ret->fs |= ACCESS_TRUNCATE;
	if (version >= ABI_IOCTL_DEV)
		ret->fs |= ACCESS_IOCTL_DEV;
	if (version < ABI_SCOPED)
		ret->scoped = 0;
	if (version < ABI_NET)
		ret->net = 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, ret, sizeof(*ret), 0);
	return fd < 0 ? err_errno(e, "make the Landlock rules") : fd;
}

static int allow_beneath(int ruleset, int fd, uint64_t access, struct err *e)
{
	const struct path_beneath rule = { .access = access, .fd = fd };

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_errno(e, "add a Landlock rule");
	return 0;
}

static int restrict_self(int ruleset, const int *fds, unsigned int nfds, uint64_t handled,
			 struct err *e)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < nfds; i++)
		r = allow_open_file(ruleset, fds[i], handled);
	if (r < 0)
		return err_code(e, r, "add a Landlock rule for an open file");
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_errno(e, "confine the process by Landlock");
	return 0;
}

int landlock_confine(const int *fds, unsigned int nfds, struct err *e)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ruleset set = { .scoped = SCOPE_ALL };
	_cleanup_close_ int ruleset = make_ruleset(&set, e);
	int r;

	if (ruleset < 0)
		return ruleset;
	if (root < 0)
		return err_errno(e, "open the root directory");
	r = allow_beneath(ruleset, root, set.fs, e);
	return r < 0 ? r : restrict_self(ruleset, fds, nfds, set.fs, e);
}

/* Reading and executing.  What is not there needs no leave. */
static int allow_reading(int ruleset, const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	uint64_t access = ACCESS_READ_FILE | ACCESS_EXECUTE;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		access |= ACCESS_READ_DIR;
	return allow_beneath(ruleset, fd, access, e);
}

int landlock_limit_files(const char *const *read, unsigned int nread, const int *fds,
			 unsigned int nfds, int write, struct err *e)
{
	struct ruleset set = { .scoped = SCOPE_ALL };
	_cleanup_close_ int ruleset = make_ruleset(&set, e);
	int r = ruleset < 0 ? ruleset : 0;

	for (unsigned int i = 0; r == 0 && i < nread; i++)
		r = allow_reading(ruleset, read[i], e);
	if (r == 0)
		r = allow_beneath(ruleset, write, set.fs & ~ACCESS_EXECUTE, e);
	return r < 0 ? r : restrict_self(ruleset, fds, nfds, set.fs, e);
}

int landlock_deny(bool signals, struct err *e)
{
	struct ruleset set = { .net = ACCESS_TCP,
			       .scoped = signals ? SCOPE_ABSTRACT_UNIX_SOCKET : SCOPE_ALL };
	_cleanup_close_ int ruleset = -1;

	if (landlock_version() == 0)
		return -EOPNOTSUPP;
	ruleset = make_ruleset(&set, e);
	return ruleset < 0 ? ruleset : restrict_self(ruleset, NULL, 0, set.fs, e);
}

int landlock_limit_removal(const int *dirs, unsigned int ndirs, struct err *e)
{
	/* What is open stays as it is: nothing of this is about reading or
	 * writing, which a process that may not open files cannot begin. */
	const struct ruleset set = { .fs = ACCESS_ABI_1 };
	_cleanup_close_ int ruleset = -1;

	if (landlock_version() == 0) /* or a container's filter says EPERM */
		return -EOPNOTSUPP;
	/* An older kernel takes the shorter structure. */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof(set.fs), 0);
	if (ruleset < 0)
		return err_errno(e, "make the Landlock rules");
	for (unsigned int i = 0; i < ndirs; i++) {
		int r = allow_beneath(ruleset, dirs[i], ACCESS_REMOVE_DIR | ACCESS_REMOVE_FILE, e);

		if (r < 0)
			return r;
	}
	return restrict_self(ruleset, NULL, 0, set.fs, e);
}
