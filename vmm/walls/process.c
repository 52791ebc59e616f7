/*
 * process.c - the process wall: the command in namespaces of its own, under an
 * overlay of the root directory, with few capabilities, a list of system calls
 * and Landlock.  docs/process-wall.md says what it protects from.
 *
 * The order is the point: the supervisor makes the overlay where it may, forks
 * init into all namespaces at once, maps its ids; init then builds the root,
 * and is process 1; the command's process gives up the rest just before it
 * becomes the command.
 */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <grp.h>

#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/image/unpack.h"
#include "vmm/jail/disk.h"
#include "vmm/jail/fd_message.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/image_mount.h"
#include "vmm/jail/landlock.h"
#include "vmm/jail/netns.h"
#include "vmm/jail/rights.h"
#include "vmm/jail/root.h"
#include "vmm/jail/seccomp_code.h"
#include "vmm/jail/userns.h"
#include "vmm/net/announce.h"
#include "vmm/net/ports.h"
#include "vmm/walls/host_wall.h"

/* The cgroup namespace comes when the group is entered: host_wall.c. */
#define NAMESPACES                                                                                 \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

struct process_wall {
	struct host_wall host; /* first: wall_ops' functions take it */
	struct jail_root root;
	struct unpacked unpacked;	      /* the image that `root` was */
	struct jail_disk disk[RUN_DISKS_MAX]; /* as those of cfg */
	size_t ndisks;
	int netns; /* of --net netns=; -1: a new one */
	uint64_t capabilities;
	struct seccomp_code code; /* instead of FILTER_COMMAND, if there is one */
};

/* What the supervisor tells the new process once its ids are mapped. */
struct go {
	bool ranges;
};

/* --- in init --- */

/* The host's uptime is none of the command's business, and it starts at 0 in a
 * guest too.  A kernel without time namespaces is no reason to stop. */
static void own_time(void)
{
	struct timespec mono, boot;
	char text[96];
	int fd;

	if (unshare(CLONE_NEWTIME) < 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	snprintf(text, sizeof(text), "monotonic -%lld 0\nboottime -%lld 0\n",
		 (long long)mono.tv_sec, (long long)boot.tv_sec);
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		log_warn("cannot set the clocks of the time namespace: %s", strerror(errno));
	close(fd);
}

static int loopback_up(struct err *e)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return err_errno(e, "set up the loopback interface");
	return 0;
}

/* The instance before this one may have had the same address. */
static void announce(const struct run_config *cfg)
{
	unsigned int index = 0;

	for (size_t i = 0; i < cfg->nnets; i++) {
		const struct net_config *n = &cfg->net[i];
		char name[IFNAMSIZ];
		int r;

		if (n->kind != NET_BRIDGE)
			continue;
		snprintf(name, sizeof(name), "eth%u", index++);
		r = n->ip[0] ? announce_address(name, n->mac, n->ip) : 0;
		if (r < 0)
			log_info("%s: the address is not announced: %s", name, strerror(-r));
	}
}

/* In images resolv.conf is often a symbolic link to what a service would write:
 * it is replaced, not followed, as in a guest. */
static int name_servers(const struct run_config *cfg, struct err *e)
{
	_cleanup_close_ int fd = -1;

	for (size_t i = 0; i < cfg->nnets; i++) {
		if (!cfg->net[i].dns[0])
			continue;
		if (fd < 0) {
			mkdir("/etc", 0755);
			unlink("/etc/resolv.conf");
			fd = open("/etc/resolv.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				  0644);
		}
		if (fd < 0 || dprintf(fd, "nameserver %s\n", cfg->net[i].dns) < 0)
			return err_errno(e, "write /etc/resolv.conf");
	}
	return 0;
}

/* The groups of who started us would be the command's.  In a container whose
 * own user namespace forbids it (user_namespaces(7), setgroups) they are. */
static int leave_groups(struct err *e)
{
	_cleanup_close_ int fd = -1;
	char word[8] = "";

	if (setgroups(0, NULL) == 0)
		return 0;
	if (errno != EPERM)
		return err_errno(e, "leave the groups");
	fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, word, sizeof(word) - 1) < 4 || strncmp(word, "deny", 4) != 0)
		return err_set(e, EPERM, "leave the groups: %s", strerror(EPERM));
	log_info("the command keeps the groups of who started it: this user namespace does not "
		 "let them be left");
	return 0;
}

static int attach_disks(struct process_wall *w, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->ndisks; i++) {
		r = disk_attach(&w->disk[i], w->host.cfg->disk[i].dir, e);
		close_fd(&w->disk[i].tree);
	}
	return r;
}

static int prepare(void *ctx, struct err *e)
{
	struct process_wall *w = ctx;
	const char *name = w->host.cfg->name ? w->host.cfg->name : "bulkhead";
	struct go go;
	int fd;
	int r = fd_message_receive(w->host.in.sock, &go, sizeof(go), &fd);

	if (r < 0)
		return err_code(e, r, "wait for the supervisor");
	r = go.ranges ? leave_groups(e) : 0;
	if (r == 0)
		r = root_enter(&w->root, go.ranges, e);
	close_fd(&w->root.tree);
	close_fd(&w->root.sys);
	if (r == 0)
		r = attach_disks(w, e);
	if (r < 0)
		return r;
	if (sethostname(name, strlen(name)) < 0)
		return err_errno(e, "set the host name");
	r = w->netns < 0 ? loopback_up(e) : 0;
	if (r == 0)
		r = name_servers(w->host.cfg, e);
	if (r < 0)
		return r;
	announce(w->host.cfg);
	own_time();
	/* Nobody inside looks into this process, whose program is the host's. */
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? err_errno(e, "become undumpable") : 0;
}

/* In the command's process. */
static int confine(void *ctx, struct err *e)
{
	static const int std[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	struct process_wall *w = ctx;
	int r = rights_limit(e);

	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, "give up new privileges");
	r = landlock_confine(std, ARRAY_SIZE(std), e);
	if (r == 0)
		r = rights_keep(w->capabilities, e);
	if (r < 0 || !w->host.cfg->seccomp)
		return r;
	return w->code.code ? seccomp_code_install(&w->code, e)
			    : filter_install(FILTER_COMMAND, false, e);
}

/* In init again: it has started the one thing that it was for. */
static int settle(void *ctx, struct err *e)
{
	const struct process_wall *w = ctx;

	if (!w->host.cfg->seccomp)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, "give up new privileges");
	return filter_install(FILTER_INIT, false, e);
}

/* --- in the supervisor --- */

static int map_ids(struct host_wall *host, struct err *e)
{
	struct go go;
	int r = userns_map(host->init.c.pid, &go.ranges, e);

	if (r < 0)
		return r;
	r = ports_enter(host->cfg, host->init.c.pid, e);
	if (r < 0)
		return r;
	r = fd_message_send(host->sock, &go, sizeof(go), -1);
	return r < 0 ? err_code(e, r, "tell the command's init to go on") : 0;
}

static pid_t process_net_pid(const struct wall *wall)
{
	return ((const struct host_wall *)wall)->init.c.pid;
}

static void process_free(struct wall *wall)
{
	struct process_wall *w = (struct process_wall *)wall;

	host_wall_close(&w->host);
	for (size_t i = 0; i < w->ndisks; i++)
		disk_close(&w->disk[i]);
	seccomp_code_release(&w->code);
	close_fd(&w->root.sys);
	root_close(&w->root);
	free(w->unpacked.path);
	close_fd(&w->unpacked.lock);
	close_fd(&w->netns);
	free(w);
}

/* Is it an image that only others may mount? */
static bool has_to_be_unpacked(const struct run_config *cfg)
{
	struct stat st;

	return !cfg->root.rw && stat(cfg->root.path, &st) == 0 && !S_ISDIR(st.st_mode) &&
	       (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) < 0);
}

static int open_root(struct process_wall *w, struct err *e)
{
	const struct run_config *cfg = w->host.cfg;
	_cleanup_close_ int image = -1;
	int r;

	if (!has_to_be_unpacked(cfg))
		return root_open(&w->root, cfg->root.path, cfg->root.rw, e);
	image = image_open(cfg->root.path, false, e);
	if (image < 0)
		return image;
	r = rootfs_unpack(cfg->root.path, image, &w->unpacked, e);
	if (r < 0)
		return r;
	log_warn("--isolation process: the image %s is unpacked, as only root mounts one: owners, "
		 "device files and extended attributes of its files are lost",
		 cfg->root.path);
	return root_open(&w->root, w->unpacked.path, false, e);
}

static int open_disks(struct process_wall *w, struct err *e)
{
	const struct run_config *cfg = w->host.cfg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < cfg->ndisks; i++) {
		r = disk_open(&w->disk[w->ndisks++], cfg->disk[i].path, cfg->disk[i].ro, e);
		if (r == 0)
			log_warn("--isolation process: the host's kernel reads the disk %s, and is "
				 "open to what a stranger put in there",
				 cfg->disk[i].path);
	}
	return r;
}

static const char *given_netns(const struct process_wall *w)
{
	const struct run_config *cfg = w->host.cfg;

	return cfg->nnets && cfg->net[0].kind == NET_NETNS ? cfg->net[0].netns : NULL;
}

/* The one that is given, and its sysfs. */
static int open_netns(struct process_wall *w, struct err *e)
{
	const char *where = given_netns(w);
	int home;

	if (!where)
		return 0;
	w->netns = netns_open(where, e);
	home = w->netns < 0 ? w->netns : netns_enter(w->netns, where, e);
	if (home < 0) {
		err_context(e, "--net netns=%s", where);
		return home;
	}
	w->host.clone_flags &= ~(uint64_t)CLONE_NEWNET;
	w->root.sys = netns_sysfs(e);
	if (netns_leave(home, w->root.sys < 0 ? NULL : e) < 0)
		return -EIO;
	return MIN(w->root.sys, 0);
}

static int open_parts(struct process_wall *w, struct err *e)
{
	const struct run_config *cfg = w->host.cfg;
	uint64_t usual = rights_default_capabilities();
	int r = landlock_check(e);

	if (r < 0) {
		err_context(e, "--isolation process");
		return r;
	}
	w->capabilities = usual | cfg->cap_add;
	if (cfg->seccomp_profile || (w->capabilities != usual && cfg->seccomp))
		r = seccomp_code_request(cfg->seccomp_profile, w->capabilities, &w->code, e);
	if (r == 0)
		r = open_root(w, e);
	if (r == 0)
		r = open_disks(w, e);
	return r == 0 ? open_netns(w, e) : r;
}

/* A namespace is joined by being forked in it: of the new user namespace nobody
 * may enter one that is not its own. */
static int process_start(struct wall *wall, struct loop *loop, const struct wall_events *events,
			 const struct cgroup *group, struct err *e)
{
	struct process_wall *w = (struct process_wall *)wall;
	int home, r;

	if (w->netns < 0)
		return host_wall_start(wall, loop, events, group, e);
	home = netns_enter(w->netns, given_netns(w), e);
	if (home < 0)
		return home;
	r = host_wall_start(wall, loop, events, group, e);
	if (netns_leave(home, r < 0 ? NULL : e) < 0)
		return r < 0 ? r : -EIO;
	return r;
}

static struct wall *process_open(const struct run_config *cfg, const struct wall_console *console,
				 struct err *e)
{
	struct process_wall *w = calloc(1, sizeof(*w));

	if (!w) {
		err_set(e, ENOMEM, "no memory");
		return NULL;
	}
	host_wall_init(&w->host, cfg, console);
	w->root.tree = w->root.image = w->root.sys = w->unpacked.lock = w->netns = -1;
	w->host.clone_flags = NAMESPACES;
	w->host.forked = map_ids;
	w->host.in.own_pids = true;
	w->host.in.prepare = prepare;
	w->host.in.confine = confine;
	w->host.in.settle = settle;
	w->host.in.ctx = w;
	if (open_parts(w, e) < 0) {
		process_free((struct wall *)w);
		return NULL;
	}
	if (w->root.tree >= 0)
		w->host.keep[w->host.nkeep++] = w->root.tree;
	if (w->root.sys >= 0)
		w->host.keep[w->host.nkeep++] = w->root.sys;
	for (size_t i = 0; i < w->ndisks; i++)
		w->host.keep[w->host.nkeep++] = w->disk[i].tree;
	return (struct wall *)w;
}

const struct wall_ops wall_process = {
	.name = "process",
	.passes_files = true,
	.open = process_open,
	HOST_WALL_OPS(process_start),
	.net_pid = process_net_pid,
	.free = process_free,
};
