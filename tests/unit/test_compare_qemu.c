/* test_compare_qemu.c - QEMU's command line, and what its exit status says. */
#include "vmm/compare/qemu.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PLACE "/tmp/bulkhead-test-qemu"

static const char *const command[] = { "/sh", "it" };

/* The arguments in one line, "" without QEMU. */
static void line(const struct wall_setup *setup, char *out, size_t size)
{
	struct wall_command *c = calloc(1, sizeof(*c));
	struct err e = { "" };
	int r;

	assert_non_null(c);
	r = wall_command_make(setup, "qemu", command, 2, 7, c, &e);
	if (r < 0)
		fail_msg("%s", e.text);
	out[0] = '\0';
	for (size_t i = 0; c->argv[i]; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? " " : "", c->argv[i]);
	free(c);
}

static void contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in %s", part, text);
}

static int make_place(void **state)
{
	(void)state;
	setenv("XDG_CACHE_HOME", PLACE "/cache", 1);
	setenv("BULKHEAD_KERNEL", PLACE "/kernel", 1);
	return system("rm -rf " PLACE " && mkdir -p " PLACE "/root " PLACE "/a,b " PLACE
		      "/scratch && touch " PLACE "/kernel && cp /bin/true " PLACE "/root/sh");
}

static int remove_place(void **state)
{
	(void)state;
	return system("rm -rf " PLACE);
}

static void a_machine(void **state)
{
	struct wall_setup setup = { .root = PLACE "/root", .scratch = PLACE "/scratch" };
	char text[16384];

	(void)state;
	if (wall_command_find("qemu", NULL) < 0)
		skip();
	line(&setup, text, sizeof(text));
	contains(text, QEMU_PROGRAM " -M microvm,acpi=off");
	contains(text, " -sandbox on,");
	contains(text, " -m 256 ");
	contains(text, "/cache/bulkhead/rootfs/");
	contains(text, ".erofs,if=none,format=raw,id=d0,readonly=on -device ");
	contains(text, " -kernel " PLACE
		       "/kernel -append console=ttyS0 panic=-1 loglevel=1 -initrd " PLACE
		       "/scratch/qemu-7.cpio");
	assert_int_equal(access(PLACE "/scratch/qemu-7.cpio", R_OK), 0);
	assert_null(strstr(text, "-netdev"));
	assert_null(strstr(text, "id=d1"));
}

static void a_disk_a_network_and_memory(void **state)
{
	const struct wall_limits memory = { .memory_mib = 64 }, cpu = { .cpu_percent = 50 },
				 rate = { .disk_mib = 4 };
	const struct wall_disk disk = { .root = PLACE "/disk",
					.file = PLACE "/a,b/data",
					.vm_root = PLACE "/root",
					.prefix = "" };
	struct wall_setup setup = {
		.root = PLACE "/root", .scratch = PLACE "/scratch", .disk = &disk, .limits = &memory
	};
	struct wall_command *c = calloc(1, sizeof(*c));
	struct err e = { "" };
	char text[16384];

	(void)state;
	if (wall_command_find("qemu", NULL) < 0)
		skip();
	line(&setup, text, sizeof(text));
	contains(text, " -m 64 ");
	contains(text, "-drive file=" PLACE "/a,,b/data,if=none,format=raw,id=d1,aio=threads ");
	setup.limits = &rate;
	line(&setup, text, sizeof(text));
	contains(text, " -m 256 ");
	contains(text, ",id=d1,aio=threads,throttling.bps-total=4194304 ");
	setup.limits = &memory;
	setup.disk = NULL;
	setup.network = true;
	line(&setup, text, sizeof(text));
	contains(text, " -netdev tap,id=n,ifname=bulkhead1,script=no,downscript=no -device "
		       "virtio-net-device,netdev=n,mac=");
	setup.limits = &cpu;
	assert_non_null(c);
	assert_int_equal(wall_command_make(&setup, "qemu", command, 2, 1, c, &e), -ENOTSUP);
	free(c);
}

static void statuses(void **state)
{
	(void)state;
	assert_int_equal(qemu_status(1, ""), 0);
	assert_int_equal(qemu_status(3 << 1 | 1, ""), 3);
	/* It ended without a word from the guest: a panic, or power off. */
	assert_int_equal(qemu_status(0, ""), 125);
	/* Killed. */
	assert_int_equal(qemu_status(137, ""), 137);
	assert_int_equal(qemu_status(143, ""), 143);
	/* Its own failure has the number of a guest's success. */
	assert_int_equal(qemu_status(1, QEMU_PROGRAM ": -m x: no\n"), 125);
	assert_int_equal(qemu_status(1, QEMU_PROGRAM ": warning: old\n"), 0);
	assert_int_equal(qemu_status(1, QEMU_PROGRAM ": warning: old\n" QEMU_PROGRAM ": no\n"),
			 125);
	assert_int_equal(wall_command_status("qemu", 1, ""), 0);
	assert_int_equal(wall_command_status("vm", 1, QEMU_PROGRAM ": no\n"), 1);
	assert_true(wall_command_is_machine("qemu") && wall_command_is_machine("vm"));
	assert_false(wall_command_is_machine("process"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_machine, make_place, remove_place),
		cmocka_unit_test_setup_teardown(a_disk_a_network_and_memory, make_place,
						remove_place),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
