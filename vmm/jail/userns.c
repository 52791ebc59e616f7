/* userns.c - see userns.h. */
#include "vmm/jail/userns.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"

#define FILE_MAX (1 << 20) /* of /etc/passwd and the like */

/* The field `n` (from 0) of a line "a:b:c"; its length, or -1. */
static int field(const char *line, unsigned int n, const char **ret)
{
	for (; n; n--) {
		line += strcspn(line, ":\n");
		if (*line != ':')
			return -1;
		line++;
	}
	*ret = line;
	return (int)strcspn(line, ":\n");
}

static bool field_number(const char *line, unsigned int n, uint64_t max, uint64_t *ret)
{
	char text[16];
	const char *at;
	int len = field(line, n, &at);

	if (len <= 0 || (size_t)len >= sizeof(text))
		return false;
	memcpy(text, at, (size_t)len);
	text[len] = '\0';
	return parse_u64(text, 0, max, ret) == 0;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : NULL;
}

bool subid_find(const char *text, const char *name, uid_t uid, struct id_range *ret)
{
	for (const char *line = text; line; line = next_line(line)) {
		uint64_t start, count, id;
		const char *at;
		int len = field(line, 0, &at);
		bool named = name && len == (int)strlen(name) &&
			     strncmp(at, name, (size_t)len) == 0;

		if (!named && !(field_number(line, 0, UINT32_MAX, &id) && id == uid))
			continue;
		if (!field_number(line, 1, UINT32_MAX, &start) ||
		    !field_number(line, 2, UINT32_MAX - 1, &count) || count == 0 ||
		    start + count > UINT32_MAX)
			continue;
		*ret = (struct id_range){ (uint32_t)start, (uint32_t)count };
		return true;
	}
	return false;
}

bool passwd_find(const char *text, uid_t uid, char *out, size_t size)
{
	for (const char *line = text; line; line = next_line(line)) {
		uint64_t id;
		const char *at;
		int len;

		if (!field_number(line, 2, UINT32_MAX, &id) || id != uid)
			continue;
		len = field(line, 0, &at);
		if (len <= 0 || (size_t)len >= size)
			return false;
		memcpy(out, at, (size_t)len);
		out[len] = '\0';
		return true;
	}
	return false;
}

/* The text of a small file, or NULL; the caller's. */
static char *read_text(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t len = 0, room = 4096;

	if (fd < 0)
		return NULL;
	for (;;) {
		char *more = realloc(text, room);
		ssize_t n;

		if (!more)
			return NULL;
		text = more;
		n = read(fd, text + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || room > FILE_MAX)
			return NULL;
		len += (size_t)n;
		text[len] = '\0';
		if (n == 0)
			return take_ptr(&text);
		if (len == room - 1)
			room *= 2;
	}
}

static int put(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd, r;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return neg_errno();
	/* One write(2): the kernel takes a map as a whole. */
	r = write(fd, text, strlen(text)) < 0 ? neg_errno() : 0;
	close(fd);
	return r;
}

/* Our own map with the outer ids replaced by the inner ones: each id as itself. */
static int map_as_itself(pid_t pid, const char *name)
{
	char path[32], map[4096];
	size_t len = 0;
	_cleanup_free_ char *own = NULL;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	own = read_text(path);
	if (!own)
		return -EIO;
	for (const char *line = own; line && *line; line = next_line(line)) {
		unsigned int inside, outside, count;

		if (sscanf(line, "%u %u %u", &inside, &outside, &count) != 3)
			return -EIO;
		len += (size_t)snprintf(map + len, sizeof(map) - len, "%u %u %u\n", inside, inside,
					count);
		if (len >= sizeof(map))
			return -E2BIG;
	}
	return put(pid, name, map);
}

/* `newuidmap PID 0 OWN 1 1 START COUNT`; true: done. */
static bool run_helper(const char *program, pid_t pid, unsigned int own,
		       const struct id_range *range)
{
	char words[6][16], path[32];
	char *argv[] = { path,	   words[0],	    (char[]){ "0" },
			 words[1], (char[]){ "1" }, (char[]){ "1" },
			 words[2], words[3],	    NULL };
	int status;
	pid_t helper;

	snprintf(path, sizeof(path), "/usr/bin/%s", program);
	snprintf(words[0], sizeof(words[0]), "%d", (int)pid);
	snprintf(words[1], sizeof(words[1]), "%u", own);
	snprintf(words[2], sizeof(words[2]), "%u", range->start);
	snprintf(words[3], sizeof(words[3]), "%u", range->count);
	if (posix_spawn(&helper, path, NULL, NULL, argv, (char *[]){ NULL }) != 0)
		return false;
	while (waitpid(helper, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool own_range(const char *file, struct id_range *ret)
{
	_cleanup_free_ char *users = read_text("/etc/passwd");
	_cleanup_free_ char *text = read_text(file);
	char name[64];
	bool named = users && passwd_find(users, geteuid(), name, sizeof(name));

	return text && subid_find(text, named ? name : NULL, geteuid(), ret);
}

/* True: both are done; one of them may be otherwise. */
static bool map_ranges(pid_t pid)
{
	struct id_range uids, gids;

	if (!own_range("/etc/subuid", &uids) || !own_range("/etc/subgid", &gids))
		return false;
	if (access("/usr/bin/newuidmap", X_OK) < 0 || access("/usr/bin/newgidmap", X_OK) < 0) {
		log_info("one id only: newuidmap and newgidmap are missing (package uidmap)");
		return false;
	}
	return run_helper("newgidmap", pid, getegid(), &gids) &&
	       run_helper("newuidmap", pid, geteuid(), &uids);
}

static bool is_mapped(pid_t pid, const char *name)
{
	char path[64];
	_cleanup_free_ char *map = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	map = read_text(path);
	return map && *map;
}

/* What no helper has mapped: nothing can be mapped twice. */
static int map_one(pid_t pid)
{
	char map[32];
	int r = 0;

	snprintf(map, sizeof(map), "0 %u 1\n", geteuid());
	if (!is_mapped(pid, "uid_map"))
		r = put(pid, "uid_map", map);
	if (r < 0 || is_mapped(pid, "gid_map"))
		return r;
	snprintf(map, sizeof(map), "0 %u 1\n", getegid());
	r = put(pid, "setgroups", "deny");
	return r < 0 ? r : put(pid, "gid_map", map);
}

int userns_map(pid_t pid, bool *ret_ranges, struct err *e)
{
	int r;

	*ret_ranges = true;
	if (geteuid() == 0) {
		r = map_as_itself(pid, "uid_map");
		if (r == 0)
			r = map_as_itself(pid, "gid_map");
		return r < 0 ? err_code(e, r, "map the ids of the user namespace") : 0;
	}
	if (map_ranges(pid))
		return 0;
	*ret_ranges = false;
	r = map_one(pid);
	return r < 0 ? err_code(e, r, "map the id of the user namespace") : 0;
}
