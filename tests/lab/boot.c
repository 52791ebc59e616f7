/*
 * The lab's init, first half: from the kernel's entry to an emulated host that
 * shows this machine's root file system under a scratch layer.
 *
 *	/            overlay: this machine's / (9p, read-only) below, tmpfs above
 *	/tmp, /run   fresh tmpfs; directories named by WIRE_SEE show through
 *	/run/lab/machine   this machine's / as it is, read-only
 *	/lib/modules/...   the emulated kernel's modules, for modprobe
 *
 * A C program and not a script: a fork costs 8 ms here and a script needs
 * dozens. The initial RAM disk holds this program, the modules that it needs
 * before the root is there, and two lists of them.
 */
#include "init.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define MACHINE "/run/lab/machine"

_Noreturn void lab_fail(struct lab *lab, const char *format, ...)
{
	char text[512] = "error ";
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + 6, sizeof(text) - 6, format, ap);
	va_end(ap);
	dprintf(lab->console, "lab: %s\n", text);
	if (lab->wire >= 0) {
		(void)wire_send(lab->wire, WIRE_ERROR, text, strlen(text));
		/* The other side ends QEMU when it has read this. */
		sleep(5);
	}
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void must_mount(struct lab *lab, const char *source, const char *target, const char *type,
		       unsigned long flags, const char *data)
{
	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		lab_fail(lab, "mkdir %s: %s", target, strerror(errno));
	if (mount(source, target, type, flags, data) < 0)
		lab_fail(lab, "mount %s on %s: %s", type ? type : source, target, strerror(errno));
}

/* For what a functional lab can do without. */
static void may_mount(const char *type, const char *target, const char *data)
{
	mkdir(target, 0755);
	(void)mount(type, target, type, 0, data);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	close(fd);
	return r;
}

static void make_parents(const char *path)
{
	char copy[4096];

	if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
		return;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(copy, 0755);
		*p = '/';
	}
	mkdir(copy, 0755);
}

/* Loads the modules that @list names, in its order. */
static void load_modules(struct lab *lab, const char *list)
{
	char name[128];
	FILE *f = fopen(list, "re");

	if (!f)
		lab_fail(lab, "%s: %s", list, strerror(errno));
	while (fscanf(f, "%127s", name) == 1) {
		char path[160];
		int fd;

		snprintf(path, sizeof(path), "/modules/%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			lab_fail(lab, "loading %s: %s", name, strerror(errno));
		close(fd);
	}
	fclose(f);
}

static bool port_is_ours(const char *port)
{
	char path[320];
	char name[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", port);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, name, sizeof(name) - 1);
	close(fd);
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return strcmp(name, WIRE_PORT_NAME) == 0;
}

static int find_wire(void)
{
	DIR *ports = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	char path[320];
	int fd = -1;

	while (ports && fd < 0 && (entry = readdir(ports))) {
		if (!port_is_ours(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (ports)
		closedir(ports);
	return fd;
}

/* The port shows up some milliseconds after its driver: QEMU names it by message. */
static void open_wire(struct lab *lab)
{
	const struct timespec pause = { .tv_nsec = 2000000 };

	for (int i = 0; i < 5000; i++) {
		lab->wire = find_wire();
		if (lab->wire >= 0)
			return;
		nanosleep(&pause, NULL);
	}
	lab_fail(lab, "the port %s did not appear", WIRE_PORT_NAME);
}

static void mount_root(struct lab *lab)
{
	must_mount(lab, "root", "/ro", "9p", MS_RDONLY,
		   "trans=virtio,version=9p2000.L,msize=512000,cache=loose,access=any");
	must_mount(lab, "scratch", "/rw", "tmpfs", 0, "mode=0755,size=90%");
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	must_mount(lab, "lab", "/new", "overlay", 0,
		   "lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work");
	must_mount(lab, "/dev", "/new/dev", NULL, MS_MOVE, NULL);
	must_mount(lab, "/proc", "/new/proc", NULL, MS_MOVE, NULL);
	must_mount(lab, "/sys", "/new/sys", NULL, MS_MOVE, NULL);
	must_mount(lab, "run", "/new/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
	mkdir("/new/run/lab", 0755);
	must_mount(lab, "/ro", "/new" MACHINE, NULL, MS_MOVE, NULL);
	must_mount(lab, "/rw", "/new/run/lab/scratch", NULL, MS_MOVE, NULL);
	if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		lab_fail(lab, "entering the new root: %s", strerror(errno));
}

static void mount_kernel_file_systems(struct lab *lab)
{
	must_mount(lab, "tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=90%");
	must_mount(lab, "pts", "/dev/pts", "devpts", 0, "mode=0620,ptmxmode=0666,gid=5");
	must_mount(lab, "shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	must_mount(lab, "cgroup", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	may_mount("debugfs", "/sys/kernel/debug", NULL);
	may_mount("tracefs", "/sys/kernel/tracing", NULL);
	may_mount("securityfs", "/sys/kernel/security", NULL);
	may_mount("bpf", "/sys/fs/bpf", NULL);
	may_mount("mqueue", "/dev/mqueue", NULL);
	may_mount("hugetlbfs", "/dev/hugepages", NULL);
}

static void enable_controllers(void)
{
	static const char *const names[] = { "+cpu", "+cpuset", "+io", "+memory", "+pids" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)write_file("/sys/fs/cgroup/cgroup.subtree_control", names[i]);
}

static void set_group(const char *path, const char *group)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *g;

	/* getgrnam() would pull the name service into a static program. */
	while (f && (g = fgetgrent(f)))
		if (strcmp(g->gr_name, group) == 0)
			(void)!chown(path, 0, g->gr_gid);
	if (f)
		fclose(f);
}

/*
 * What udev would do. The nodes whose driver is a module are made here: the
 * first open loads it, as on a real host.
 */
static void make_nodes(void)
{
	static const struct {
		const char *path;
		unsigned int minor;
		mode_t mode;
	} nodes[] = {
		{ "/dev/net/tun", 200, 0666 },	      { "/dev/fuse", 229, 0666 },
		{ "/dev/mapper/control", 236, 0600 }, { "/dev/loop-control", 237, 0660 },
		{ "/dev/vhost-net", 238, 0660 },      { "/dev/vhost-vsock", 241, 0660 },
	};

	mkdir("/dev/net", 0755);
	mkdir("/dev/mapper", 0755);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		(void)mknod(nodes[i].path, S_IFCHR | nodes[i].mode, makedev(10, nodes[i].minor));
		chmod(nodes[i].path, nodes[i].mode);
	}
	(void)!symlink("/proc/self/fd", "/dev/fd");
	(void)!symlink("/proc/self/fd/0", "/dev/stdin");
	(void)!symlink("/proc/self/fd/1", "/dev/stdout");
	(void)!symlink("/proc/self/fd/2", "/dev/stderr");
	chmod("/dev/kvm", 0660);
	set_group("/dev/kvm", "kvm");
	set_group("/dev/vhost-net", "kvm");
	set_group("/dev/vhost-vsock", "kvm");
}

static void bring_lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
}

static void show_modules(struct lab *lab)
{
	char from[4096];
	char to[256];
	struct utsname u;

	uname(&u);
	snprintf(from, sizeof(from), MACHINE "%s/lib/modules/%s", lab->request.modules, u.release);
	snprintf(to, sizeof(to), "/lib/modules/%s", u.release);
	make_parents(to);
	must_mount(lab, from, to, NULL, MS_BIND, NULL);
}

/*
 * A directory below /tmp or /run, which the fresh ones hide: its own overlay,
 * so that it can be written like the rest.
 */
static void show_hidden(struct lab *lab, const char *path, unsigned int n)
{
	static const char *const parts[] = { "upper", "work", "lower" };
	char base[64];
	char below[80];
	char options[256];
	char from[4096];

	if (strncmp(path, "/tmp/", 5) != 0 && strncmp(path, "/run/", 5) != 0)
		return;
	/* Already there: inside one that was shown before. */
	if (access(path, F_OK) == 0)
		return;
	snprintf(base, sizeof(base), "/run/lab/scratch/see%u", n);
	mkdir(base, 0755);
	for (int i = 0; i < 3; i++) {
		snprintf(below, sizeof(below), "%s/%s", base, parts[i]);
		mkdir(below, 0755);
	}
	/* A bind under a plain name: overlay's options give ',' and ':' a meaning. */
	snprintf(from, sizeof(from), MACHINE "%s", path);
	must_mount(lab, from, below, NULL, MS_BIND, NULL);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 base, base, base);
	make_parents(path);
	must_mount(lab, "lab", path, "overlay", 0, options);
}

static void run_tool(const char *a, const char *b)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp(a, a, b, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void mount_disk(struct lab *lab)
{
	const char *where = lab->request.disk;

	run_tool("modprobe", "virtio_blk");
	run_tool("modprobe", "ext4");
	make_parents(where);
	must_mount(lab, "/dev/vda", where, "ext4", MS_NOATIME, NULL);
}

static void show_requested(struct lab *lab)
{
	const struct request *q = &lab->request;

	for (unsigned int i = 0; q->see && q->see[i]; i++)
		show_hidden(lab, q->see[i], i);
	if (q->out) {
		make_parents(q->out);
		/* Not cached: this machine reads the same files meanwhile. */
		must_mount(lab, "out", q->out, "9p", 0,
			   "trans=virtio,version=9p2000.L,msize=512000,cache=mmap,access=any");
	}
	if (q->disk)
		mount_disk(lab);
}

int main(void)
{
	static struct lab lab = { .wire = -1, .console = STDERR_FILENO };
	pid_t later;

	umask(0);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	must_mount(&lab, "dev", "/dev", "devtmpfs", 0, "mode=0755");
	lab.console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		dup2(lab.console, i);
	must_mount(&lab, "proc", "/proc", "proc", 0, NULL);
	must_mount(&lab, "sys", "/sys", "sysfs", 0, NULL);
	/* KVM takes a third of all loading time and is needed last. */
	later = fork();
	if (later == 0) {
		load_modules(&lab, "/modules/later");
		_exit(0);
	}
	load_modules(&lab, "/modules/first");
	open_wire(&lab);
	request_read(&lab);
	mount_root(&lab);
	mount_kernel_file_systems(&lab);
	enable_controllers();
	sethostname("lab", 3);
	bring_lo_up();
	show_modules(&lab);
	show_requested(&lab);
	waitpid(later, NULL, 0);
	make_nodes();
	hold_machines();
	umask(022);
	session_run(&lab);
	for (;;)
		pause();
}
