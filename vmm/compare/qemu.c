/*
 * qemu.c - see qemu.h; QEMU's docs/system/i386/microvm.rst.
 *
 * The paths in the arguments have a comma doubled, for that is how QEMU's
 * options have one.
 */
#include "vmm/compare/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>

#include "vmm/base/util.h"
#include "vmm/compare/network.h"
#include "vmm/config/cmdline.h"
#include "vmm/config/guest_params.h"
#include "vmm/config/run_config.h"
#include "vmm/image/guest_kernel.h"
#include "vmm/image/initramfs.h"
#include "vmm/image/pack.h"

/* As many initramfses may be in use at a time. */
#define INITRAMFSES 64

#define FAILED 125 /* as `bulkhead run` says it */

/* --- what the guest is --- */

static int configure(const struct wall_setup *setup, const char *const *command, size_t n,
		     struct run_config *cfg, struct err *e)
{
	char memory[32];
	int r = run_config_set(cfg, RUN_SET_ROOTFS,
			       setup->disk ? setup->disk->vm_root : setup->root, e);

	if (r == 0 && setup->limits && setup->limits->memory_mib) {
		snprintf(memory, sizeof(memory), "%uM", setup->limits->memory_mib);
		r = run_config_set(cfg, RUN_SET_MEMORY, memory, e);
	}
	if (r == 0 && setup->network)
		r = run_config_set(cfg, RUN_SET_NET, NETWORK_OPTION, e);
	if (r == 0)
		r = run_config_set_command(cfg, n, (char *const *)(uintptr_t)command, e);
	if (r == 0)
		r = run_config_check(cfg, e);
	if (r == 0)
		run_config_fill_macs(cfg, now_ns());
	return r;
}

static int copy_to(const char *path, int from, uint64_t size, struct err *e)
{
	_cleanup_close_ int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t at = 0;

	if (to < 0)
		return err_errno(e, "write %s", path);
	while ((uint64_t)at < size)
		if (sendfile(to, from, &at, size - (uint64_t)at) <= 0)
			return err_errno(e, "write %s", path);
	return 0;
}

static int write_initramfs(const struct run_config *cfg, const char *path, struct err *e)
{
	const struct guest_terminal no_terminal = { .no_input = true };
	size_t init_len = (size_t)(guest_init_end - guest_init_start);
	struct guest_params params = { NULL, 0, 0 };
	_cleanup_close_ int fd = -1;
	uint64_t size = 0;
	int r = guest_params_build(&params, cfg, &no_terminal, e);

	if (r == 0)
		r = initramfs_build(guest_init_start, init_len, &params, &fd, &size, e);
	guest_params_release(&params);
	return r < 0 ? r : copy_to(path, fd, size, e);
}

/* --- the command line --- */

/* An argument of it, as printf() has it; they lie behind one another. */
__attribute__((format(printf, 3, 4))) static void add(struct wall_command *c, size_t *n,
						      const char *format, ...)
{
	size_t room = sizeof(c->options) - c->options_len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(c->options + c->options_len, room, format, args);
	va_end(args);
	c->argv[(*n)++] = c->options + c->options_len;
	c->argv[*n] = NULL;
	/* What is cut is seen by who adds the last. */
	c->options_len += MIN((size_t)MAX(len, 0) + 1, room);
}

static void add_all(struct wall_command *c, size_t *n, const char *const *arg)
{
	for (; *arg; arg++)
		add(c, n, "%s", *arg);
}

static void double_commas(const char *path, char out[2 * PATH_MAX])
{
	size_t n = 0;

	for (; *path && n < 2 * PATH_MAX - 2; path++) {
		out[n++] = *path;
		if (*path == ',')
			out[n++] = ',';
	}
	out[n] = '\0';
}

static void add_disk(struct wall_command *c, size_t *n, const char *path, const char *how, int id)
{
	char escaped[2 * PATH_MAX];

	double_commas(path, escaped);
	add(c, n, "-drive");
	add(c, n, "file=%s,if=none,format=raw,id=d%d,%s", escaped, id, how);
	add(c, n, "-device");
	add(c, n, "virtio-blk-device,drive=d%d", id);
}

static void add_data(const struct wall_setup *setup, struct wall_command *c, size_t *n)
{
	const char *how = setup->disk->direct ? "cache=none" : "aio=threads";
	char limited[80];

	snprintf(limited, sizeof(limited), "%s,throttling.bps-total=%llu", how,
		 setup->limits ? setup->limits->disk_mib * MIB : 0);
	add_disk(c, n, setup->disk->file, setup->limits && setup->limits->disk_mib ? limited : how,
		 1);
}

static void add_network(struct wall_command *c, size_t *n, const struct net_config *net)
{
	const uint8_t *m = net->mac;

	add(c, n, "-netdev");
	add(c, n, "tap,id=n,ifname=" NETWORK_TAP ",script=no,downscript=no");
	add(c, n, "-device");
	add(c, n, "virtio-net-device,netdev=n,mac=%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
	    m[3], m[4], m[5]);
}

static void add_machine(struct wall_command *c, size_t *n, const struct run_config *cfg)
{
	static const char *const machine[] = {
		"-M", "microvm,acpi=off,pic=off,pit=off,rtc=off,isa-serial=on", "-accel", "kvm",
		"-cpu", "host", "-smp", "1", "-nodefaults", "-no-user-config", "-no-reboot",
		"-display", "none", "-monitor", "none", "-serial", "stdio",
		/* As libvirt has it. */
		"-sandbox",
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		/* The port of guest_abi.h. */
		"-device", "isa-debug-exit,iobase=0x5b0,iosize=4", "-device", "virtio-rng-device",
		NULL
	};

	add_all(c, n, machine);
	add(c, n, "-m");
	add(c, n, "%llu", (unsigned long long)(cfg->memory_bytes / MIB));
}

static int add_boot(const struct wall_setup *setup, const struct run_config *cfg,
		    unsigned int serial, struct wall_command *c, size_t *n, struct err *e)
{
	_cleanup_free_ char *kernel = NULL, *cmdline = NULL;
	char initramfs[PATH_MAX + 32];
	int r = guest_kernel_find(NULL, &kernel, e);

	snprintf(initramfs, sizeof(initramfs), "%s/qemu-%u.cpio", setup->scratch,
		 serial % INITRAMFSES);
	if (r == 0)
		r = cmdline_build(cfg, &cmdline, e);
	if (r == 0)
		r = write_initramfs(cfg, initramfs, e);
	if (r < 0)
		return r;
	add_all(c, n,
		(const char *const[]){ "-kernel", kernel, "-append", cmdline, "-initrd", initramfs,
				       NULL });
	return 0;
}

static int make(const struct wall_setup *setup, const struct run_config *cfg, unsigned int serial,
		struct wall_command *c, struct err *e)
{
	_cleanup_free_ char *image = NULL;
	_cleanup_close_ int fd = -1;
	size_t n = 0;
	int r = rootfs_pack(cfg->root.path, &fd, &image, e);

	if (r < 0)
		return r;
	add(c, &n, "%s", c->program);
	add_machine(c, &n, cfg);
	add_disk(c, &n, image, "readonly=on", 0);
	if (setup->disk)
		add_data(setup, c, &n);
	if (setup->network)
		add_network(c, &n, &cfg->net[0]);
	r = add_boot(setup, cfg, serial, c, &n, e);
	if (r == 0 && c->options_len == sizeof(c->options))
		r = err_set(e, ENAMETOOLONG, "the paths are too long for QEMU's command line");
	return r;
}

int qemu_make(const struct wall_setup *setup, const char *const *command, size_t n,
	      unsigned int serial, struct wall_command *ret, struct err *e)
{
	struct run_config cfg;
	int r;

	if (setup->limits && setup->limits->cpu_percent)
		return err_set(e, ENOTSUP, "qemu has no limit on processor time of its own");
	if (wall_command_search("", QEMU_PROGRAM, ret->program) < 0)
		return err_set(e, ENOENT, "%s is not installed", QEMU_PROGRAM);
	run_config_init(&cfg);
	r = configure(setup, command, n, &cfg, e);
	if (r == 0)
		r = make(setup, &cfg, serial, ret, e);
	run_config_release(&cfg);
	return r;
}

int qemu_status(int status, const char *errors)
{
	static const char says[] = QEMU_PROGRAM ": ", warns[] = "warning: ";

	for (const char *at = errors; (at = strstr(at, says)) != NULL;) {
		at += sizeof(says) - 1;
		if (strncmp(at, warns, sizeof(warns) - 1) != 0)
			return FAILED;
	}
	if (status == 128 + 9 || status == 128 + 15) /* it was killed */
		return status;
	return status & 1 ? status >> 1 : FAILED;
}
