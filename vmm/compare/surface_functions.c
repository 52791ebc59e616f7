/*
 * surface_functions.c - see surface_functions.h.
 *
 * The buffers are read as pages (per_cpu/cpuN/trace_pipe_raw): as text there
 * would be a hundred bytes for each call.  Formats: events/header_page,
 * events/header_event, events/ftrace/function/format.
 */
#include "vmm/compare/surface_functions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "vmm/base/util.h"

#define PAGE	    65536 /* the kernel's or less */
#define CPUS	    256
#define BUFFER_KIB  "16384" /* of each CPU */
#define TRACE_FN    1	    /* the type of a function's entry */
#define MISSED	    (1ULL << 31)
#define LENGTH_MASK 0xfffffU
#define SYMBOL	    128
#define PREFIX	    "bulkhead-compare-"
#define OUTERMOST   0xEFFFFFFCU /* inode of the first PID namespace: PROC_PID_INIT_INO */

struct symbol {
	uint64_t address;
	char *name;
};

struct surface_functions {
	int tracefs, instance;
	char name[64];
	int cpu[CPUS];
	size_t ncpus;
	uint64_t *seen; /* a table of addresses, 0: free */
	size_t n, room;
	struct symbol *symbol; /* sorted */
	size_t nsymbols;
	bool lost;
	uint8_t page[PAGE];
};

/* --- files of the instance --- */

static int put(const struct surface_functions *f, const char *file, const char *text, int flags)
{
	_cleanup_close_ int fd = openat(f->instance, file, O_WRONLY | O_CLOEXEC | flags);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return neg_errno();
	return 0;
}

/* Where it is mounted, or as a mount that nobody else sees. */
static int open_tracefs(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	int context, fd;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		fd = open(places[i], O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && faccessat(fd, "instances", F_OK, 0) == 0)
			return fd;
		close_fd(&fd);
	}
	context = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		fd = neg_errno();
	else
		fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	fd = fd == -1 ? neg_errno() : fd;
	close_fd(&context);
	return fd;
}

static int open_cpus(struct surface_functions *f)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "per_cpu/cpu%u/trace_pipe_raw", i);
		fd = openat(f->instance, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			f->cpu[f->ncpus++] = fd;
		else if (errno != ENOENT)
			return neg_errno();
	}
	return f->ncpus ? 0 : -ENOENT;
}

/* What a comparison that was killed has left. */
static void remove_stale(int tracefs)
{
	DIR *dir = fdopendir(openat(tracefs, "instances", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	char path[320];

	while (dir && (entry = readdir(dir)) != NULL) {
		struct surface_functions stale = { .instance = -1 };
		uint64_t pid;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    parse_u64(entry->d_name + strlen(PREFIX), 1, INT32_MAX, &pid) < 0 ||
		    kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "instances/%s", entry->d_name);
		stale.instance = openat(tracefs, path, O_DIRECTORY | O_CLOEXEC);
		put(&stale, "tracing_on", "0", O_TRUNC);
		put(&stale, "current_tracer", "nop", O_TRUNC);
		close_fd(&stale.instance);
		unlinkat(tracefs, path, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
}

/* The tracer is told the numbers that tasks have in the outermost namespace. */
static bool is_outermost(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == OUTERMOST;
}

static int prepare(struct surface_functions *f, struct err *e)
{
	static const char *const settings[][2] = {
		{ "tracing_on", "0" },
		{ "options/function-fork", "1" },
		{ "options/overwrite", "1" },
		{ "buffer_size_kb", BUFFER_KIB },
		{ "current_tracer", "function" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		int r = put(f, settings[i][0], settings[i][1], O_TRUNC);

		if (r < 0)
			return err_code(e, r, "the function tracer's %s", settings[i][0]);
	}
	return 0;
}

/* --- names --- */

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int add_symbol(struct surface_functions *f, size_t *room, uint64_t address, const char *name)
{
	if (f->nsymbols == *room) {
		size_t more = *room ? 2 * *room : 65536;
		struct symbol *s = reallocarray(f->symbol, more, sizeof(*s));

		if (!s)
			return -ENOMEM;
		f->symbol = s;
		*room = more;
	}
	f->symbol[f->nsymbols].address = address;
	f->symbol[f->nsymbols].name = strdup(name);
	return f->symbol[f->nsymbols++].name ? 0 : -ENOMEM;
}

static int load_symbols(struct surface_functions *f, struct err *e)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], name[SYMBOL], type;
	size_t room = 0;
	uint64_t address;
	int r = 0;

	if (!file)
		return err_errno(e, "open /proc/kallsyms");
	while (r == 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx %c %127s", &address, &type, name) == 3 && address &&
		    strchr("tTwW", type))
			r = add_symbol(f, &room, address, name);
	fclose(file);
	if (r < 0)
		return err_code(e, r, "read the kernel's symbols");
	if (!f->nsymbols)
		return err_set(e, EPERM, "the kernel tells no addresses (kernel.kptr_restrict)");
	qsort(f->symbol, f->nsymbols, sizeof(*f->symbol), by_address);
	return 0;
}

/* The function that this address is in; the tracer's is near its beginning. */
static const char *name_of(const struct surface_functions *f, uint64_t address)
{
	size_t low = 0, high = f->nsymbols;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (f->symbol[middle].address <= address)
			low = middle;
		else
			high = middle;
	}
	return f->symbol[low].address <= address ? f->symbol[low].name : NULL;
}

/* --- what was seen --- */

static int remember(struct surface_functions *f, uint64_t address);

static int make_room(struct surface_functions *f)
{
	size_t room = f->room ? 2 * f->room : 65536;
	uint64_t *before = f->seen, *table = calloc(room, sizeof(*table));
	size_t n = f->room;
	int r = 0;

	if (!table)
		return -ENOMEM;
	f->seen = table;
	f->room = room;
	f->n = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (before[i])
			r = remember(f, before[i]);
	free(before);
	return r;
}

static int remember(struct surface_functions *f, uint64_t address)
{
	size_t i;

	if (address == 0)
		return 0;
	if (2 * f->n >= f->room && make_room(f) < 0)
		return -ENOMEM;
	i = (size_t)(address * 0x9e3779b97f4a7c15ULL >> 32) & (f->room - 1);
	while (f->seen[i] && f->seen[i] != address)
		i = (i + 1) & (f->room - 1);
	f->n += !f->seen[i];
	f->seen[i] = address;
	return 0;
}

static int remember_it(void *ctx, uint64_t address)
{
	return remember(ctx, address);
}

/* The event at `at`: its length with its header, and where its data is.  False:
 * there is none any more. */
static bool next_event(const uint8_t *page, size_t at, size_t end, size_t *ret_data,
		       size_t *ret_len)
{
	uint32_t header, length = 0, type;

	if (end - at < 4)
		return false;
	memcpy(&header, page + at, 4);
	type = header & 31;
	*ret_data = 0;
	if (type >= 30) { /* time */
		*ret_len = 8;
		return true;
	}
	if (type == 0 || type == 29) {
		if (end - at < 8 || (type == 29 && header >> 5 == 0))
			return false;
		memcpy(&length, page + at + 4, 4);
		*ret_data = type == 0 ? at + 8 : 0;
		*ret_len = (size_t)length + 4;
		return *ret_len >= 8;
	}
	*ret_data = at + 4;
	*ret_len = 4 + 4 * (size_t)type;
	return true;
}

int surface_functions_parse(const uint8_t *page, size_t size,
			    int (*seen)(void *ctx, uint64_t address), void *ctx, bool *ret_lost)
{
	uint64_t commit, address;
	size_t at = 16, end, data, len;
	int r = 0;

	if (size < at)
		return -EINVAL;
	memcpy(&commit, page + 8, sizeof(commit));
	end = at + (commit & LENGTH_MASK);
	if (end > size)
		return -EINVAL;
	*ret_lost |= (commit & MISSED) != 0;
	while (r == 0 && at < end && next_event(page, at, end, &data, &len)) {
		uint16_t type;

		if (len > end - at)
			return -EINVAL;
		if (data && at + len - data >= 16) {
			memcpy(&type, page + data, sizeof(type));
			memcpy(&address, page + data + 8, sizeof(address));
			if (type == TRACE_FN)
				r = seen(ctx, address);
		}
		at += len;
	}
	return r;
}

/* --- from outside --- */

struct surface_functions *surface_functions_open(struct err *e)
{
	struct surface_functions *f = calloc(1, sizeof(*f));
	int r;

	if (!f) {
		err_set(e, ENOMEM, "no memory");
		return NULL;
	}
	f->instance = -1;
	f->tracefs = open_tracefs();
	snprintf(f->name, sizeof(f->name), "instances/" PREFIX "%d", (int)getpid());
	r = f->tracefs < 0 ? err_code(e, f->tracefs, "open tracefs") : 0;
	if (r == 0 && !is_outermost())
		r = err_set(e, ENOTSUP, "the tracer cannot be used from within a PID namespace");
	if (r == 0)
		remove_stale(f->tracefs);
	if (r == 0 && mkdirat(f->tracefs, f->name, 0700) < 0)
		r = err_errno(e, "make an instance of the tracer");
	if (r == 0) {
		f->instance = openat(f->tracefs, f->name, O_DIRECTORY | O_CLOEXEC);
		r = f->instance < 0 ? err_errno(e, "open the tracer's instance") : prepare(f, e);
	}
	if (r == 0) {
		r = open_cpus(f);
		if (r < 0)
			err_code(e, r, "open the tracer's buffers");
	}
	if (r == 0)
		r = load_symbols(f, e);
	if (r == 0)
		return f;
	surface_functions_close(f);
	return NULL;
}

void surface_functions_close(struct surface_functions *f)
{
	const struct timespec pause = { 0, 20 * (long)NS_PER_MS };

	if (!f)
		return;
	for (size_t i = 0; i < f->ncpus; i++)
		close_fd(&f->cpu[i]);
	if (f->instance >= 0) {
		put(f, "tracing_on", "0", O_TRUNC);
		put(f, "current_tracer", "nop", O_TRUNC);
		close_fd(&f->instance);
		/* Busy as long as somebody looks at it. */
		for (int i = 0; i < 100 && unlinkat(f->tracefs, f->name, AT_REMOVEDIR) < 0; i++)
			nanosleep(&pause, NULL);
	}
	close_fd(&f->tracefs);
	for (size_t i = 0; i < f->nsymbols; i++)
		free(f->symbol[i].name);
	free(f->symbol);
	free(f->seen);
	free(f);
}

int surface_functions_follow(struct surface_functions *f, pid_t tid)
{
	char text[16];
	int r;

	snprintf(text, sizeof(text), "%d", (int)tid);
	r = put(f, "set_ftrace_pid", text, O_APPEND);
	/* Before anybody is in the list, everybody would be traced. */
	return r < 0 ? r : put(f, "tracing_on", "1", O_TRUNC);
}

int surface_functions_collect(struct surface_functions *f)
{
	for (size_t i = 0; i < f->ncpus; i++) {
		ssize_t n;

		while ((n = read(f->cpu[i], f->page, sizeof(f->page))) > 0) {
			int r = surface_functions_parse(f->page, (size_t)n, remember_it, f,
							&f->lost);

			if (r < 0)
				return r;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return neg_errno();
	}
	return 0;
}

int surface_functions_take(struct surface_functions *f, struct surface_names *to, bool *ret_lost)
{
	int r = put(f, "tracing_on", "0", O_TRUNC);

	if (r == 0)
		r = surface_functions_collect(f);
	for (size_t i = 0; r == 0 && to && i < f->room; i++) {
		const char *name = f->seen[i] ? name_of(f, f->seen[i]) : NULL;

		if (name)
			r = surface_names_add(to, name);
	}
	*ret_lost = f->lost;
	f->lost = false;
	f->n = 0;
	if (f->room)
		memset(f->seen, 0, f->room * sizeof(*f->seen));
	/* Opened to be written anew, the list is empty; the tracer is off. */
	return r < 0 ? r : put(f, "set_ftrace_pid", " ", O_TRUNC);
}
