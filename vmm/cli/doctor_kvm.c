/*
 * doctor_kvm.c - what a Linux guest needs: /dev/kvm, the right to open it,
 * its API, its capabilities, and a CPU that it virtualizes well enough.
 *
 * Users and groups are looked up in the files themselves: the C library's
 * lookup loads shared objects, which a static program should not.
 */
#include "vmm/cli/doctor.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "vmm/base/util.h"
#include "vmm/monitor/probe.h"
#include "vmm/monitor/probe_cache.h"

#define KVM_API		  12
#define PROBE_DEADLINE_MS 5000
#define PATH_LEN	  512

struct capability {
	int number;
	const char *name;
	const char *reason;
	bool required;
};

static const struct capability capabilities[] = {
	{ KVM_CAP_USER_MEMORY, "USER_MEMORY", "guest memory", true },
	{ KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP", "local APICs in the kernel, without the rest",
	  true },
	{ KVM_CAP_IOEVENTFD, "IOEVENTFD", "a guest's kick goes straight to a device process",
	  true },
	{ KVM_CAP_IRQFD, "IRQFD", "a device process interrupts the guest by itself", true },
	{ KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", "stopping a vCPU without a race", true },
	{ KVM_CAP_EXT_CPUID, "EXT_CPUID", "choosing the guest's CPU features", true },
	{ KVM_CAP_MP_STATE, "MP_STATE", "secondary CPUs that wait for INIT", true },
	{ KVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR", "real mode on older Intel CPUs", true },
	{ KVM_CAP_TSC_DEADLINE_TIMER, "TSC_DEADLINE_TIMER", "cheap timers in the guest", false },
	{ KVM_CAP_ADJUST_CLOCK, "ADJUST_CLOCK", "a clock that is right after a pause", false },
	{ KVM_CAP_KVMCLOCK_CTRL, "KVMCLOCK_CTRL", "no soft lock-up report after a pause", false },
	{ KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS", "saving a vCPU's state", false },
	{ KVM_CAP_XSAVE, "XSAVE", "saving a vCPU's vector registers", false },
};

const char *doctor_hypervisor_name(const char signature[12])
{
	static const struct {
		char signature[13];
		const char *name;
	} known[] = {
		{ "KVMKVMKVM\0\0\0", "KVM" },	   { "TCGTCGTCGTCG", "QEMU TCG" },
		{ "Microsoft Hv", "Hyper-V" },	   { "VMwareVMware", "VMware" },
		{ "XenVMMXenVMM", "Xen" },	   { "bhyve bhyve ", "bhyve" },
		{ "ACRNACRNACRN", "ACRN" },	   { "VBoxVBoxVBox", "VirtualBox" },
		{ "OpenBSDVMM58", "OpenBSD vmm" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (memcmp(known[i].signature, signature, 12) == 0)
			return known[i].name;
	return "unknown hypervisor";
}

/* Under what this host runs itself; "" for nothing that tells. */
static const char *host_hypervisor(void)
{
	unsigned int a, b, c, d;
	char signature[12];

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 31)))
		return "";
	__cpuid(0x40000000, a, b, c, d);
	memcpy(signature, &b, 4);
	memcpy(signature + 4, &c, 4);
	memcpy(signature + 8, &d, 4);
	return doctor_hypervisor_name(signature);
}

const char *doctor_backend_label(const char *backend, const char *hypervisor)
{
	if (strcmp(backend, "pvm") == 0)
		return "software";
	if (strcmp(hypervisor, "QEMU TCG") == 0)
		return "emulated (TCG)";
	if (strcmp(backend, "unknown") == 0)
		return "unknown";
	return hypervisor[0] ? "nested" : "hardware";
}

static bool has_flag(const char *cpuinfo, const char *flag)
{
	const char *p = cpuinfo;
	size_t len = strlen(flag);

	while ((p = strstr(p, flag))) {
		if (p > cpuinfo && (p[-1] == ' ' || p[-1] == '\t') &&
		    (p[len] == ' ' || p[len] == '\n' || !p[len]))
			return true;
		p += len;
	}
	return false;
}

void doctor_missing_kvm(const char *cpuinfo, bool module_loaded, struct doctor_check *c)
{
	bool intel = has_flag(cpuinfo, "vmx");
	bool amd = has_flag(cpuinfo, "svm");

	if (module_loaded)
		doctor_set(c, DOCTOR_NO, "/dev/kvm does not exist",
			   "the KVM module is loaded, but this file system has no device node "
			   "for it (a container without the device?)",
			   "hand /dev/kvm into the container (--device /dev/kvm)");
	else if (intel || amd)
		doctor_set(c, DOCTOR_NO, "/dev/kvm does not exist",
			   "the CPU has virtualization, but the KVM module is not loaded",
			   intel ? "sudo modprobe kvm_intel (if it says that it is disabled by "
				   "the BIOS: enable VT-x in the firmware's set-up)"
				 : "sudo modprobe kvm_amd (if it says that it is disabled by "
				   "the BIOS: enable SVM in the firmware's set-up)");
	else if (has_flag(cpuinfo, "hypervisor"))
		doctor_set(c, DOCTOR_NO, "/dev/kvm does not exist",
			   "this host is a virtual machine whose CPU shows no virtualization",
			   "enable nested virtualization for it on its own host (kvm_intel or "
			   "kvm_amd nested=1, CPU model \"host\"), or rent a type that has it");
	else
		doctor_set(c, DOCTOR_NO, "/dev/kvm does not exist",
			   "the CPU shows no virtualization (no vmx or svm in /proc/cpuinfo)",
			   "enable VT-x or SVM in the firmware's set-up");
}

/* The line of ROOT/FILE whose third field is `id`, as NAME:x:ID:REST. */
static bool find_id(const char *root, const char *file, unsigned int id, char *line, size_t size)
{
	char full[PATH_LEN];
	unsigned int found;
	bool ok = false;
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, file);
	f = fopen(full, "re");
	if (!f)
		return false;
	while (!ok && fgets(line, (int)size, f))
		ok = sscanf(line, "%*[^:]:%*[^:]:%u", &found) == 1 && found == id;
	fclose(f);
	return ok;
}

void doctor_user_name(const char *root, uid_t uid, char *out, size_t size)
{
	char line[1024];

	if (find_id(root, "/etc/passwd", uid, line, sizeof(line)))
		snprintf(out, size, "%.*s", (int)strcspn(line, ":"), line);
	else
		snprintf(out, size, "%u", uid);
}

void doctor_group_name(const char *root, gid_t gid, const char *user, char *out, size_t size,
		       bool *ret_listed)
{
	char line[4096];
	char *members, *name, *state = NULL;

	*ret_listed = false;
	if (!find_id(root, "/etc/group", gid, line, sizeof(line))) {
		snprintf(out, size, "%u", gid);
		return;
	}
	snprintf(out, size, "%.*s", (int)strcspn(line, ":"), line);
	members = strrchr(line, ':') + 1;
	for (name = strtok_r(members, ",\n", &state); name; name = strtok_r(NULL, ",\n", &state))
		if (strcmp(name, user) == 0)
			*ret_listed = true;
}

void doctor_denied(const struct doctor_access *a, struct doctor_check *c)
{
	bool group_may = (a->mode & 060) == 060;

	c->state = DOCTOR_NO;
	snprintf(c->value, sizeof(c->value), "%s: permission denied for user %s", a->path, a->user);
	if (group_may && a->group_listed && !a->in_group) {
		snprintf(c->why, sizeof(c->why),
			 "group %s may open it and lists %s, but this login is older than that",
			 a->group, a->user);
		snprintf(c->fix, sizeof(c->fix), "log in again, or: newgrp %s", a->group);
	} else if (group_may && !a->in_group) {
		snprintf(c->why, sizeof(c->why),
			 "it belongs to group %s (mode %04o), %s is not in it", a->group,
			 a->mode & 07777, a->user);
		snprintf(c->fix, sizeof(c->fix),
			 "sudo usermod -aG %s %s and log in again, or for now: "
			 "sudo setfacl -m u:%s:rw %s",
			 a->group, a->user, a->user, a->path);
	} else {
		snprintf(c->why, sizeof(c->why), "its mode %04o (group %s) lets no group open it%s",
			 a->mode & 07777, a->group,
			 group_may
				 ? " here: an ACL, a security module or a device cgroup forbids it"
				 : "");
		snprintf(c->fix, sizeof(c->fix), "sudo setfacl -m u:%s:rw %s", a->user, a->path);
	}
}

static bool in_group(gid_t gid)
{
	gid_t groups[256];
	int i, n;

	if (getegid() == gid)
		return true;
	n = getgroups(ARRAY_SIZE(groups), groups);
	for (i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

void doctor_open_failed(const char *root, const char *path, int errno_value, struct doctor_check *c)
{
	char full[PATH_LEN], user[64], group[64];
	struct doctor_access a = { .path = path, .user = user, .group = group };
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", root, path);
	if ((errno_value == EACCES || errno_value == EPERM) && stat(full, &st) == 0) {
		doctor_user_name(root, geteuid(), user, sizeof(user));
		doctor_group_name(root, st.st_gid, user, group, sizeof(group), &a.group_listed);
		a.mode = st.st_mode;
		a.in_group = in_group(st.st_gid);
		doctor_denied(&a, c);
		return;
	}
	c->state = DOCTOR_NO;
	snprintf(c->value, sizeof(c->value), "open %s: %s", path, strerror(errno_value));
}

static int open_kvm(struct doctor_report *r, const char *root)
{
	struct doctor_check *c = doctor_add(r, "kvm", "/dev/kvm", true);
	_cleanup_free_ char *cpuinfo = calloc(1, 65536);
	char full[PATH_LEN], text[96];
	int fd, api;

	snprintf(full, sizeof(full), "%s/dev/kvm", root);
	fd = open(full, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO)) {
		if (cpuinfo)
			(void)doctor_read(root, "/proc/cpuinfo", cpuinfo, 65536);
		doctor_missing_kvm(cpuinfo ? cpuinfo : "",
				   strcmp(probe_backend(root), "unknown") != 0, c);
		return -1;
	}
	if (fd < 0) {
		doctor_open_failed(root, "/dev/kvm", errno, c);
		return -1;
	}
	api = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (api != KVM_API) {
		snprintf(text, sizeof(text), "API version %d, not %d", api, KVM_API);
		doctor_set(c, DOCTOR_NO, text,
			   "not the KVM interface that Linux has had since 2.6.22",
			   "use a current Linux kernel");
		close(fd);
		return -1;
	}
	snprintf(text, sizeof(text), "open for reading and writing, API version %d", api);
	doctor_set(c, DOCTOR_YES, text, "", "");
	return fd;
}

/* Append to a list with commas; what does not fit is left out. */
static void list_add(char *list, size_t size, const char *word)
{
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
}

static void check_capabilities(struct doctor_report *r, int fd)
{
	struct doctor_check *c = doctor_add(r, "capabilities", "KVM capabilities", true);
	char missing[160] = "", line[192];
	const struct capability *cap;
	unsigned int i, lacking = 0;
	int max;
	bool has;

	if (fd < 0) {
		doctor_set(c, DOCTOR_UNKNOWN, "needs /dev/kvm", "", "");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(capabilities); i++) {
		cap = &capabilities[i];
		has = ioctl(fd, KVM_CHECK_EXTENSION, cap->number) > 0;
		doctor_detail(r, "  %-7s  KVM_CAP_%-20s %s%s", has ? "yes" : "no", cap->name,
			      cap->reason, cap->required ? "" : " (optional)");
		if (has || !cap->required)
			continue;
		lacking++;
		list_add(missing, sizeof(missing), cap->name);
	}
	max = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (max <= 0)
		max = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);
	r->max_vcpus = max > 0 ? (unsigned int)max : 0;
	if (lacking) {
		snprintf(line, sizeof(line), "missing: %s", missing);
		doctor_set(c, DOCTOR_NO, line, "Bulkhead's monitor is built on them",
			   "use a current Linux kernel");
		return;
	}
	snprintf(line, sizeof(line), "all that are needed, up to %d vCPUs in a guest", max);
	doctor_set(c, DOCTOR_YES, line, "", "");
}

static void describe_backend(struct doctor_report *r, const char *root)
{
	struct doctor_check *c = doctor_add(r, "backend", "KVM back end", false);
	const char *hypervisor = host_hypervisor();
	char text[160];

	snprintf(r->backend, sizeof(r->backend), "%s", probe_backend(root));
	snprintf(r->label, sizeof(r->label), "%s", doctor_backend_label(r->backend, hypervisor));
	snprintf(text, sizeof(text), "kvm-%s, %s%s%s", r->backend, r->label,
		 hypervisor[0] ? "; this host runs under " : "", hypervisor);
	doctor_set(c, DOCTOR_YES, text, "", "");
	if (strcmp(r->backend, "unknown") == 0)
		doctor_set(c, DOCTOR_UNKNOWN, "no module named kvm_intel, kvm_amd or kvm_pvm",
			   "nothing, if the probe says that Linux runs", "");
}

static void detail_steps(struct doctor_report *r, const struct probe_result *res)
{
	static const char *const outcome[] = { "unknown", "unknown", "yes", "no", "not had" };
	const struct probe_item *item;
	char how[160];
	unsigned int i;

	for (i = 0; i < PROBE_NSTEPS; i++) {
		item = &res->items[i];
		how[0] = '\0';
		if (item->outcome == PROBE_FAILS)
			probe_describe(item, how, sizeof(how));
		doctor_detail(r, "  %-7s  %-18s %s%s%s", outcome[item->outcome],
			      probe_steps[i].name, probe_steps[i].purpose, how[0] ? ": " : "", how);
	}
}

static void failed_steps(const struct probe_result *res, char *out, size_t size)
{
	unsigned int i;

	out[0] = '\0';
	for (i = 0; i < PROBE_NSTEPS; i++)
		if (res->items[i].outcome == PROBE_FAILS)
			list_add(out, size, probe_steps[i].name);
}

static void check_linux(struct doctor_report *r, int fd)
{
	struct doctor_check *c = doctor_add(r, "linux", "runs Linux", true);
	struct probe_result res = { 0 };
	char names[160], how[160];
	int first, ret;

	if (fd < 0) {
		doctor_set(c, DOCTOR_UNKNOWN, "needs /dev/kvm", "", "");
		return;
	}
	ret = probe_linux(fd, &res, PROBE_DEADLINE_MS);
	if (ret < 0) {
		snprintf(names, sizeof(names), "the probe could not be started: %s",
			 strerror(-ret));
		doctor_set(c, DOCTOR_UNKNOWN, names, "", "");
		return;
	}
	r->insn_per_s = res.insn_per_s;
	r->exit_ns = res.exit_ns;
	first = probe_first_failure(&res);
	probe_remember(&res);
	detail_steps(r, &res);
	if (first < 0) {
		snprintf(c->value, sizeof(c->value),
			 "%d steps of a micro-guest; %.1f million instructions a second at CPL 0, "
			 "%.1f us an exit",
			 PROBE_NSTEPS, (double)res.insn_per_s / 1e6, (double)res.exit_ns / 1e3);
		c->state = DOCTOR_YES;
		return;
	}
	failed_steps(&res, names, sizeof(names));
	snprintf(c->value, sizeof(c->value), "a micro-guest failed at: %s", names);
	if (res.items[first].outcome == PROBE_FAILS)
		snprintf(c->why, sizeof(c->why), "%s (%s): %s", probe_steps[first].name,
			 probe_steps[first].purpose,
			 probe_describe(&res.items[first], how, sizeof(how)));
	snprintf(c->fix, sizeof(c->fix), "%s",
		 strcmp(r->label, "software") == 0
			 ? "use a host with VT-x or AMD-V (bare metal, or a virtual machine with "
			   "nested virtualization); bare-metal guests still run here"
			 : "update this host's kernel, or use a host with VT-x or AMD-V");
}

void doctor_check_kvm(struct doctor_report *r, const char *root)
{
	_cleanup_close_ int fd = open_kvm(r, root);

	describe_backend(r, root);
	check_capabilities(r, fd);
	check_linux(r, fd);
}
