/*
 * main.c - the first process of a guest that Bulkhead makes
 *
 * The monitor puts this program, static, into an initramfs together with the
 * run's parameters (guest_abi.h).  It prepares the root file system, the
 * console and the network, runs the command and tells the monitor how it
 * ended.  A step that fails ends the run with a sentence that says what, on
 * what, and why.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../guest_abi.h"
#include "clock.h"
#include "command.h"
#include "console.h"
#include "groups.h"
#include "mounts.h"
#include "net.h"
#include "params.h"
#include "report.h"
#include "run.h"

#define KLOG_CONSOLE_LEVEL 8

/* The buffer lives as long as the guest: *p points into it. */
static void read_params(struct params *p)
{
	char error[PARAMS_ERROR_MAX];
	struct stat st;
	char *buf;
	int fd = open(BH_PARAMS_PATH, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		fail("cannot read the run's parameters " BH_PARAMS_PATH ": %s", strerror(errno));
	if (st.st_size > (off_t)BH_PARAMS_MAX)
		fail("the run's parameters are larger than %u bytes", BH_PARAMS_MAX);
	buf = malloc((size_t)st.st_size + 1);
	if (!buf)
		fail("no memory for the run's parameters");
	/* A file in the initramfs is read in one piece. */
	if (read(fd, buf, (size_t)st.st_size) != (ssize_t)st.st_size)
		fail("cannot read the run's parameters " BH_PARAMS_PATH);
	close(fd);
	unlink(BH_PARAMS_PATH);
	if (params_parse(p, buf, (size_t)st.st_size, error) < 0)
		fail("%s", error);
}

/*
 * The kernel's messages share the console with the command: without verbose
 * only those of a panic may appear there.
 */
static void quiet_kernel(void)
{
	klogctl(KLOG_CONSOLE_LEVEL, NULL, 1);
}

int main(void)
{
	struct params p;
	int tty;

	if (getpid() != 1)
		return 1;
	umask(022);
	report_open();
	mounts_devices();
	read_params(&p);
	report_set_verbose(p.verbose);
	if (!p.verbose)
		quiet_kernel();
	tty = console_open(&p);
	console_detach_init();
	clock_set_from_host();
	report_phase(BH_PHASE_INIT);
	mounts_root(&p);
	mounts_system(&p);
	groups_set_up(&p);
	mounts_disks(&p);
	net_configure(&p);
	net_write_resolv_conf(&p);
	/* The terminal stays open until exec: closed, it would forget its size. */
	if (p.image_init) {
		run_end_if_wanted(tty);
		command_become_image_init(&p);
	}
	run_command(&p, tty);
}
