/*
 * doctor_host.c - what else Bulkhead can use on this host: a tap, bridges, io_uring,
 * user namespaces, Landlock, cgroups, huge pages behind shared memory, mkfs.erofs
 * and a guest kernel.
 *
 * Nothing is taken from a version number: each thing is tried, those that
 * would change this process (namespaces, mounts) in a child.
 */
#include "vmm/cli/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "vmm/base/util.h"
#include "vmm/image/guest_kernel.h"
#include "vmm/jail/landlock.h"
#include "vmm/jail/private_tmpfs.h"
#include "vmm/net/tool.h"

#define PATH_LEN  1024
#define HUGE_SIZE (2 * MIB)

int doctor_read(const char *root, const char *path, char *out, size_t size)
{
	_cleanup_close_ int fd = -1;
	char full[PATH_LEN];
	size_t used = 0;
	ssize_t n;

	snprintf(full, sizeof(full), "%s%s", root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return neg_errno();
	while (used < size - 1 && (n = read(fd, out + used, size - 1 - used)) != 0) {
		if (n < 0)
			return neg_errno();
		used += (size_t)n;
	}
	out[used] = '\0';
	if (used && out[used - 1] == '\n')
		out[used - 1] = '\0';
	return 0;
}

int doctor_choice(const char *text, char *out, size_t size)
{
	const char *open = strchr(text, '[');
	const char *close = open ? strchr(open, ']') : NULL;
	size_t len;

	if (!close)
		return -EINVAL;
	len = (size_t)(close - open) - 1;
	if (!len || len >= size)
		return -EINVAL;
	memcpy(out, open + 1, len);
	out[len] = '\0';
	return 0;
}

/* CAP_NET_ADMIN in the effective set, by the raw call: libcap is not needed
 * for one bit. */
static bool may_admin_net(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return data[0].effective & (1u << CAP_NET_ADMIN);
}

/* The first tap that this user owns, "" for none. */
static void owned_tap(const char *root, char *out, size_t size)
{
	char path[PATH_LEN], text[32], owner[32];
	const struct dirent *d;
	uint64_t uid;
	DIR *dir;

	out[0] = '\0';
	snprintf(path, sizeof(path), "%s/sys/class/net", root);
	dir = opendir(path);
	if (!dir)
		return;
	snprintf(owner, sizeof(owner), "%u", geteuid());
	while (!out[0] && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/owner", d->d_name);
		if (doctor_read(root, path, text, sizeof(text)) == 0 &&
		    parse_u64(text, 0, UINT_MAX, &uid) == 0 && strcmp(text, owner) == 0)
			snprintf(out, size, "%.15s", d->d_name);
	}
	closedir(dir);
}

static void check_tap(struct doctor_report *r, const char *root)
{
	struct doctor_check *c = doctor_add(r, "tap", "network by tap", false);
	_cleanup_close_ int fd = -1;
	char path[PATH_LEN], tap[64], text[160], user[64];

	snprintf(path, sizeof(path), "%s/dev/net/tun", root);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		doctor_open_failed(root, "/dev/net/tun", errno, c);
		if (!c->why[0])
			snprintf(c->why, sizeof(c->why), "a guest's network over --net tap=");
		if (!c->fix[0])
			snprintf(c->fix, sizeof(c->fix), "sudo modprobe tun");
		return;
	}
	owned_tap(root, tap, sizeof(tap));
	if (may_admin_net()) {
		doctor_set(c, DOCTOR_YES, "/dev/net/tun opens, and CAP_NET_ADMIN makes taps", "",
			   "");
	} else if (tap[0]) {
		snprintf(text, sizeof(text), "/dev/net/tun opens, and %s is this user's", tap);
		doctor_set(c, DOCTOR_YES, text, "", "");
	} else {
		doctor_user_name(root, geteuid(), user, sizeof(user));
		snprintf(text, sizeof(text),
			 "sudo ip tuntap add mode tap user %s name tap0 vnet_hdr", user);
		doctor_set(c, DOCTOR_NO, "/dev/net/tun opens, but no tap is this user's",
			   "a guest's network over --net tap=", text);
	}
}

static void check_io_uring(struct doctor_report *r, const char *root)
{
	struct doctor_check *c = doctor_add(r, "io_uring", "io_uring", false);
	struct io_uring_params params = { 0 };
	char sysctl[16] = "", text[160];
	int fd, code;

	fd = (int)syscall(SYS_io_uring_setup, 4, &params);
	code = errno;
	if (fd >= 0) {
		close(fd);
		doctor_set(c, DOCTOR_YES, "set up works", "", "");
		return;
	}
	(void)doctor_read(root, "/proc/sys/kernel/io_uring_disabled", sysctl, sizeof(sysctl));
	snprintf(text, sizeof(text), "set up fails: %s%s%s", strerror(code),
		 sysctl[0] ? "; kernel.io_uring_disabled is " : "", sysctl);
	doctor_set(c, DOCTOR_NO, text, "disks fall back to one blocking call for each request",
		   sysctl[0] && sysctl[0] != '0' ? "sudo sysctl kernel.io_uring_disabled=0" : "");
}

/*
 * Run fn in a child and give what it returned (0..255), or -errno.  The child
 * does only system calls, and is killed when it outlives 5 seconds.
 */
static int in_child(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return neg_errno();
	if (pid == 0) {
		alarm(5);
		_exit(fn(arg));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return neg_errno();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

/* 0 or the errno, which fits an exit status. */
static int try_userns(void *arg)
{
	(void)arg;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) < 0 ? errno : 0;
}

static void check_userns(struct doctor_report *r, const char *root)
{
	static const struct {
		const char *path;
		const char *blocking; /* the value that forbids */
		const char *fix;
	} knobs[] = {
		{ "/proc/sys/kernel/unprivileged_userns_clone", "0",
		  "sudo sysctl kernel.unprivileged_userns_clone=1" },
		{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
		  "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (or an AppArmor "
		  "profile for bulkhead)" },
		{ "/proc/sys/user/max_user_namespaces", "0",
		  "sudo sysctl user.max_user_namespaces=10000" },
	};
	struct doctor_check *c = doctor_add(r, "userns", "user namespaces", false);
	char value[32], text[160];
	const char *fix = "";
	unsigned int i;
	int ret;

	ret = in_child(try_userns, NULL);
	if (ret == 0) {
		doctor_set(c, DOCTOR_YES, "user, mount, process and network namespaces can be made",
			   "", "");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(knobs); i++)
		if (doctor_read(root, knobs[i].path, value, sizeof(value)) == 0 &&
		    strcmp(value, knobs[i].blocking) == 0)
			fix = knobs[i].fix;
	snprintf(text, sizeof(text), "cannot be made: %s", strerror(abs(ret)));
	doctor_set(c, DOCTOR_NO, text,
		   "isolation by namespaces for processes that do not run as root", fix);
}

static void check_landlock(struct doctor_report *r)
{
	struct doctor_check *c = doctor_add(r, "landlock", "Landlock", false);
	int version = landlock_version();
	char text[160];

	snprintf(text, sizeof(text), version ? "version %d of its interface" : "none", version);
	if (landlock_check(NULL) == 0)
		doctor_set(c, DOCTOR_YES, text, "", "");
	else
		doctor_set(c, DOCTOR_NO, text,
			   "--isolation process, and a second wall behind the filters of a "
			   "machine's processes",
			   "boot Linux 5.19 or later with landlock in its lsm= list");
}

int doctor_cgroup_version(const char *root, char *ret_path, size_t size)
{
	char text[4096], controllers[256] = "";
	char *line, *state = NULL;
	bool v1 = false;

	ret_path[0] = '\0';
	if (doctor_read(root, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		if (strncmp(line, "0::", 3) == 0)
			snprintf(ret_path, size, "%s", line + 3);
		else
			v1 = true;
	}
	/* A hybrid host mounts v2 too, without controllers: that is v1. */
	(void)doctor_read(root, "/sys/fs/cgroup/cgroup.controllers", controllers,
			  sizeof(controllers));
	if (ret_path[0] && controllers[0])
		return 2;
	return v1 ? 1 : 0;
}

static void check_cgroup(struct doctor_report *r, const char *root)
{
	struct doctor_check *c = doctor_add(r, "cgroup", "cgroups", false);
	char group[512], path[PATH_LEN], text[160];
	int version;
	bool may;

	version = doctor_cgroup_version(root, group, sizeof(group));
	if (version == 0) {
		doctor_set(c, DOCTOR_NO, "no controllers are mounted",
			   "limits on memory, CPU time and number of processes",
			   "mount cgroup2 at /sys/fs/cgroup");
		return;
	}
	if (version == 2)
		snprintf(path, sizeof(path), "%s/sys/fs/cgroup%s/cgroup.procs", root, group);
	else
		snprintf(path, sizeof(path), "%s/sys/fs/cgroup/memory", root);
	may = access(path, W_OK) == 0;
	snprintf(text, sizeof(text), "version %d, %s", version,
		 may ? "writable for this user" : "not delegated to this user");
	if (may)
		doctor_set(c, DOCTOR_YES, text, "", "");
	else
		doctor_set(
			c, DOCTOR_NO, text, "limits on memory, CPU time and number of processes",
			version == 2
				? "start it with: systemd-run --user --scope -p Delegate=yes "
				  "bulkhead ..."
				: "run as root, or boot with systemd.unified_cgroup_hierarchy=1");
}

/* Is the page at `p` mapped huge?  From smaps, which counts it. */
static bool mapped_huge(const void *p)
{
	unsigned long start, end, kib;
	char line[512];
	bool here = false;
	bool huge = false;
	FILE *f = fopen("/proc/self/smaps", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start == (unsigned long)(uintptr_t)p;
		else if (here && sscanf(line, "ShmemPmdMapped: %lu kB", &kib) == 1)
			huge = kib > 0;
	}
	if (f)
		fclose(f);
	return huge;
}

/* 0: huge pages behind a mapping of the file; 1: small ones; 2: no file. */
static int try_huge(void *arg)
{
	bool memfd = *(const bool *)arg;
	_cleanup_close_ int fd = -1;
	uintptr_t at;
	uint8_t *p;

	fd = memfd ? memfd_create("doctor", MFD_CLOEXEC) : private_tmpfs_file(NULL);
	if (fd < 0 || ftruncate(fd, HUGE_SIZE) < 0)
		return 2;
	p = mmap(NULL, 2 * HUGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 2;
	at = ALIGN_UP((uintptr_t)p, HUGE_SIZE);
	p = mmap(p + (at - (uintptr_t)p), HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 fd, 0);
	if (p == MAP_FAILED || madvise(p, HUGE_SIZE, MADV_HUGEPAGE) < 0)
		return 2;
	*(volatile uint8_t *)p = 1;
	return mapped_huge(p) ? 0 : 1;
}

static void check_huge(struct doctor_report *r, const char *root)
{
	struct doctor_check *c = doctor_add(r, "hugepages", "huge pages", false);
	char all[128] = "", setting[32] = "unknown", text[160];
	bool memfd = true;
	int by_memfd, by_tmpfs;

	if (doctor_read(root, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", all,
			sizeof(all)) == 0)
		(void)doctor_choice(all, setting, sizeof(setting));
	by_memfd = in_child(try_huge, &memfd);
	memfd = false;
	by_tmpfs = in_child(try_huge, &memfd);
	snprintf(text, sizeof(text),
		 "shmem_enabled is %s; behind a memfd: %s, behind a private tmpfs: %s", setting,
		 by_memfd == 0 ? "yes" : "no", by_tmpfs == 0 ? "yes" : "no");
	if (by_memfd == 0 || by_tmpfs == 0)
		doctor_set(c, DOCTOR_YES, text, "", "");
	else
		doctor_set(
			c, DOCTOR_NO, text,
			"guests touch their memory in small pages, which is slower",
			"echo advise | sudo tee /sys/kernel/mm/transparent_hugepage/shmem_enabled");
}

static bool find_program(const char *name, char *out, size_t size)
{
	const char *p = getenv("PATH");
	size_t len;

	for (p = p ? p : ""; *p; p += len + (p[len] == ':')) {
		len = strcspn(p, ":");
		snprintf(out, size, "%.*s/%s", (int)len, p, name);
		if (len && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

/* That a bridge is there, and what the kernel filters by, is found out by a run. */
static void check_bridge(struct doctor_report *r)
{
	static const struct {
		const char *name, *package;
	} tools[] = { { "ip", "iproute2" }, { "tc", "iproute2" }, { "nft", "nftables" } };
	struct doctor_check *c = doctor_add(r, "bridge", "network by bridge", false);
	char path[PATH_MAX], text[64], fix[64];

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		if (tool_find(tools[i].name, path) == 0)
			continue;
		snprintf(text, sizeof(text), "%s is not installed", tools[i].name);
		snprintf(fix, sizeof(fix), "sudo apt install %s", tools[i].package);
		doctor_set(c, DOCTOR_NO, text, "--net bridge=", fix);
		return;
	}
	doctor_set(c, DOCTOR_YES, "ip, tc and nft are installed; root makes the ports", "", "");
}

static void check_programs(struct doctor_report *r)
{
	struct doctor_check *c = doctor_add(r, "mkfs.erofs", "mkfs.erofs", false);
	char path[PATH_LEN], text[160];

	if (find_program("mkfs.erofs", path, sizeof(path))) {
		snprintf(text, sizeof(text), "%.150s", path);
		doctor_set(c, DOCTOR_YES, text, "", "");
	} else {
		doctor_set(c, DOCTOR_NO, "not found in PATH", "--rootfs DIR (--rootfs IMAGE works)",
			   "sudo apt install erofs-utils");
	}
}

static void check_guest_kernel(struct doctor_report *r)
{
	struct doctor_check *c = doctor_add(r, "guest-kernel", "guest kernel", false);
	_cleanup_free_ char *path = NULL;
	char text[160];
	struct err e = { 0 };

	if (guest_kernel_find(NULL, &path, &e) == 0) {
		snprintf(text, sizeof(text), "%.150s", path);
		doctor_set(c, DOCTOR_YES, text, "", "");
	} else {
		/* The full message names every place: too long for a line. */
		snprintf(text, sizeof(text), "%.150s",
			 getenv("BULKHEAD_KERNEL") ? e.text
						   : "none in the places that run searches");
		doctor_set(c, DOCTOR_NO, text, "running without --kernel FILE",
			   "make guest-kernel, or name one in BULKHEAD_KERNEL");
	}
}

void doctor_check_host(struct doctor_report *r, const char *root)
{
	check_tap(r, root);
	check_bridge(r);
	check_io_uring(r, root);
	check_userns(r, root);
	check_landlock(r);
	check_cgroup(r, root);
	check_huge(r, root);
	check_programs(r);
	check_guest_kernel(r);
}
