/* descendants.c - see descendants.h. */
#include "vmm/walls/descendants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/util.h"

struct family {
	struct member {
		pid_t pid, parent;
		bool ours;
	} * members;
	size_t n, room;
};

/* proc(5), /proc/PID/stat: the parent is the second field behind the name,
 * which stands in brackets and may hold anything. */
static pid_t parent_of(const char *pid)
{
	char path[64], text[512];
	const char *end;
	ssize_t n;
	int fd, parent;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	end = strrchr(text, ')');
	return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

static void add(struct family *f, pid_t pid, pid_t parent)
{
	if (f->n == f->room) {
		size_t room = f->room ? 2 * f->room : 256;
		struct member *more = reallocarray(f->members, room, sizeof(*more));

		if (!more)
			return; /* the next round finds it */
		f->members = more;
		f->room = room;
	}
	f->members[f->n++] = (struct member){ .pid = pid, .parent = parent };
}

static void read_processes(struct family *f)
{
	DIR *dir = opendir("/proc");
	const struct dirent *d;

	if (!dir)
		return;
	while ((d = readdir(dir)) != NULL) {
		uint64_t pid;

		if (parse_u64(d->d_name, 1, INT32_MAX, &pid) == 0)
			add(f, (pid_t)pid, parent_of(d->d_name));
	}
	closedir(dir);
}

static bool is_ours(const struct family *f, pid_t pid, pid_t self)
{
	if (pid == self)
		return true;
	for (size_t i = 0; i < f->n; i++)
		if (f->members[i].pid == pid)
			return f->members[i].ours;
	return false;
}

void descendants_signal(int sig)
{
	struct family f = { .members = NULL };
	pid_t self = getpid();
	bool changed = true;

	read_processes(&f);
	while (changed) {
		changed = false;
		for (size_t i = 0; i < f.n; i++) {
			struct member *m = &f.members[i];

			if (m->ours || m->pid == self || !is_ours(&f, m->parent, self))
				continue;
			m->ours = changed = true;
		}
	}
	for (size_t i = 0; i < f.n; i++)
		if (f.members[i].ours)
			kill(f.members[i].pid, sig);
	free(f.members);
}

bool descendants_end(uint64_t limit_ns)
{
	static const struct timespec again = { .tv_nsec = 20 * (long)NS_PER_MS };
	uint64_t deadline = now_ns() + limit_ns;

	for (;;) {
		pid_t pid;

		do {
			pid = waitpid(-1, NULL, WNOHANG);
		} while (pid > 0);
		if (pid < 0 && errno == ECHILD)
			return true;
		if (now_ns() >= deadline)
			return false;
		descendants_signal(SIGKILL);
		nanosleep(&again, NULL);
	}
}
