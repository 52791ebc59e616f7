/*
 * run_options.c - the options of `bulkhead run`: one row says how an option is
 * called, read, explained, documented and completed.
 */
#include <assert.h>

#include "vmm/base/util.h"
#include "vmm/cli/cli.h"
#include "vmm/config/run_config.h"

static const struct option run_options[] = {
	{
		.name = "isolation",
		.arg = "vm|process|none",
		.complete = COMPLETE_VALUES,
		.values = "vm process none",
		.help = "the wall: a virtual machine (default), namespaces and\n"
			"filters around a process, or none, to compare",
		.man = "The wall that the command runs behind.\n"
		       ".Cm vm ,\n"
		       "the default, is a virtual machine;\n"
		       ".Cm process\n"
		       "is namespaces, a list of system calls and Landlock around a process;\n"
		       ".Cm none\n"
		       "is no wall at all, see\n"
		       ".Sx WALLS .",
		.setting = RUN_SET_ISOLATION,
	},
	{
		.name = "rootfs",
		.arg = "DIR|IMAGE[,rw]",
		.complete = COMPLETE_FILE,
		.help = "the guest's files: a directory, or a raw ext4, erofs or\n"
			"squashfs image; what the guest changes is forgotten,\n"
			"but with rw it is written to the image",
		.man = "The guest's root file system.\n"
		       "A directory is packed into an image once, see\n"
		       ".Sx FILES ,\n"
		       "and never written.\n"
		       "An image is a raw ext4, erofs or squashfs file system in a file or block\n"
		       "device.\n"
		       "What the guest changes stays in the guest's memory and is forgotten with "
		       "it;\n"
		       "with\n"
		       ".Cm rw\n"
		       "the image is mounted for writing and keeps the changes, which only ext4\n"
		       "can; behind the process wall only root can have that.\n"
		       "A directory can be\n"
		       ".Cm rw\n"
		       "behind the process wall only.",
		.setting = RUN_SET_ROOTFS,
	},
	{
		.name = "kernel",
		.arg = "FILE",
		.complete = COMPLETE_FILE,
		.help = "an ELF vmlinux or a bzImage instead of Bulkhead's own",
		.man = "The guest's kernel: an ELF file (a Linux\n"
		       ".Pa vmlinux ,\n"
		       "or any with a PVH entry) or a Linux\n"
		       ".Pa bzImage .\n"
		       "Without this option Bulkhead's own is looked for, see\n"
		       ".Sx FILES .",
		.setting = RUN_SET_KERNEL,
	},
	{
		.name = "initrd",
		.arg = "FILE",
		.complete = COMPLETE_FILE,
		.help = "an initrd with an init of its own, instead of --rootfs",
		.man = "An initial RAM disk that brings its own init.\n"
		       "It excludes\n"
		       ".Fl -rootfs\n"
		       "and a command: attach images with\n"
		       ".Fl -disk .",
		.setting = RUN_SET_INITRD,
	},
	{
		.name = "cmdline",
		.arg = "TEXT",
		.help = "more for the kernel's command line; without --rootfs\n"
			"the whole of it",
		.man = "The kernel's command line.\n"
		       "With\n"
		       ".Fl -rootfs\n"
		       ".Ar TEXT\n"
		       "is appended to Bulkhead's own and so has the last word.\n"
		       "Without it\n"
		       ".Ar TEXT\n"
		       "is the whole command line; the default is then\n"
		       ".Dq console=ttyS0 panic=-1 .",
		.setting = RUN_SET_CMDLINE,
	},
	{
		.name = "vhost-user",
		.arg = "TYPE:SOCKET",
		.repeated = true,
		.complete = COMPLETE_FILE,
		.values = "blk: net: rng:",
		.help = "attach a device (blk, net, rng) that another program serves;\n"
			"may be repeated",
		.man = "Attach a device whose back end another program runs, for example\n"
		       ".Xr qemu-storage-daemon 1 .\n"
		       ".Ar TYPE\n"
		       "is\n"
		       ".Cm blk , net\n"
		       "or\n"
		       ".Cm rng ;\n"
		       ".Ar SOCKET\n"
		       "is the Unix socket that the back end listens on.\n"
		       "It speaks vhost-user and gets all of the guest's memory.\n"
		       "What it offers is offered to the guest, but for what is not served here:\n"
		       "a network has one pair of queues and no control queue, hence neither\n"
		       "multiqueue nor filters nor coalesced interrupts, and a disk has neither\n"
		       "secure erase nor zones.\n"
		       "A network whose back end tells no config space, such as that of\n"
		       ".Xr passt 1 ,\n"
		       "has an address that the guest makes up.\n"
		       "Such disks come behind those of\n"
		       ".Fl -disk .\n"
		       "When its back end is lost while it was in use, the guest is ended: nobody\n"
		       "could tell when it stops to write to the guest's memory.",
		.setting = RUN_SET_VHOST_USER,
	},
	{
		.name = "cpus",
		.arg = "N[.N]",
		.help = "how many CPUs it may use, 0.01 to 64 (vm: default 1)",
		.man = "How many CPUs it may use, 0.01 to 64 with up to three decimals.\n"
		       "A virtual machine gets as many, default 1; with a fraction it gets the "
		       "next\n"
		       "whole number of them, and a quota bounds all of its processes together.\n"
		       "Without a guest it is a quota for all of the command's processes.\n"
		       "See\n"
		       ".Sx LIMITS .",
		.setting = RUN_SET_CPUS,
	},
	{
		.name = "memory",
		.arg = "SIZE",
		.help = "of a guest: at least 32M (default 256M); else the most\n"
			"that the command may use; K, M, G, T: powers of 1024",
		.man = "Size of the guest's memory: a number of bytes, or one with\n"
		       ".Cm K , M , G\n"
		       "or\n"
		       ".Cm T\n"
		       "behind it (powers of 1024); a multiple of 4K, at least 32M.\n"
		       "Bulkhead's own kernel needs 48M to boot.\n"
		       "The default is 256M.\n"
		       "Without a guest it is the most that the command's processes may use "
		       "together,\n"
		       "what they have written to files in memory and to the page cache "
		       "included, at\n"
		       "least 4M; see\n"
		       ".Sx LIMITS .",
		.setting = RUN_SET_MEMORY,
	},
	{
		.name = "hugepages",
		.arg = "auto|thp|hugetlb|off",
		.complete = COMPLETE_VALUES,
		.values = "auto thp hugetlb off",
		.help = "huge pages behind the guest's memory (default auto)",
		.man = "Huge pages behind the guest's memory.\n"
		       ".Cm auto ,\n"
		       "the default, takes transparent ones where the host has them, on a tmpfs "
		       "of\n"
		       "its own that is mounted nowhere, and needs no setting of the host;\n"
		       ".Cm thp\n"
		       "is the same, and an error where that is not to be had;\n"
		       ".Cm hugetlb\n"
		       "takes them from the pool of\n"
		       ".Va vm.nr_hugepages ;\n"
		       ".Cm off\n"
		       "uses small pages.",
		.setting = RUN_SET_HUGEPAGES,
	},
	{
		.name = "disk",
		.arg = "FILE[,path=DIR][,ro][,id=ID][,direct=on][,queues=N]",
		.repeated = true,
		.complete = COMPLETE_FILE,
		.help = "attach a raw image or a block device; may be repeated",
		.man = "Attach a raw image file or a block device.\n"
		       "A file in another format (qcow2, VMDK, compressed) is taken as it is,\n"
		       "with a warning: what is in a disk, which the guest writes, never decides\n"
		       "how it is read.\n"
		       "It appears in the guest behind the root file system in the order given:\n"
		       ".Pa /dev/vdb\n"
		       "and so on, or\n"
		       ".Pa /dev/vda\n"
		       "first where there is no\n"
		       ".Fl -rootfs .\n"
		       ".Bl -tag -width direct=on\n"
		       ".It Cm path= Ns Ar DIR\n"
		       "Mount the ext4, erofs or squashfs file system that it holds on\n"
		       ".Ar DIR ,\n"
		       "an absolute path, made if it is missing, before the command starts.\n"
		       "Device files and set-user-ID programs on it count for nothing; what is\n"
		       "written is on the disk when\n"
		       ".Nm\n"
		       "exits.\n"
		       "Needs\n"
		       ".Fl -rootfs .\n"
		       "It is the one form for\n"
		       ".Fl -isolation Cm process ,\n"
		       "which has no devices, so that only\n"
		       ".Cm ro\n"
		       "goes with it; there it takes root, and the host's kernel parses the file\n"
		       "system.\n"
		       ".It Cm ro\n"
		       "It cannot be written to.\n"
		       "Without it the file is locked, and no other Bulkhead can attach it;\n"
		       "a block device that the host has mounted or claimed is refused.\n"
		       "A machine that was killed lets its disk go some 30 ms after its last\n"
		       "process; who comes in between waits for that.\n"
		       ".It Cm id= Ns Ar ID\n"
		       "The disk's serial number in the guest, up to 20 letters, digits,\n"
		       ".Ql \\&. ,\n"
		       ".Ql _\n"
		       "and\n"
		       ".Ql - .\n"
		       ".It Cm direct=on\n"
		       "Bypass the host's page cache.\n"
		       ".It Cm queues= Ns Ar N\n"
		       "Number of request queues, 1 to 16; default 1.\n"
		       ".El",
		.setting = RUN_SET_DISK,
	},
	{
		.name = "net",
		.arg = "bridge=BR|tap=IF|fd=N|netns=NS|none[,mac=MAC][,ip=CIDR][,gw=IP][,dns=IP][,"
		       "mtu=N]",
		.repeated = true,
		.complete = COMPLETE_VALUES,
		.values = "bridge= tap= fd= netns= none",
		.help = "attach a network interface (default none); may be repeated",
		.man = "Attach a network interface: a new port of the host's bridge\n"
		       ".Ar BR ,\n"
		       "which takes root; or one that is connected to the tap device\n"
		       ".Ar IF ,\n"
		       "or to the tap that is open as file descriptor\n"
		       ".Ar N\n"
		       "(it must have been opened with a virtio-net header); or the network\n"
		       "namespace\n"
		       ".Ar NS\n"
		       "as it is.\n"
		       ".Cm none ,\n"
		       "the default, stands alone.\n"
		       ".Bl -tag -width mtu=N\n"
		       ".It Cm mac= Ns Ar MAC\n"
		       "The interface's address; the default is made from the UUID.\n"
		       ".It Cm ip= Ns Ar CIDR\n"
		       "The guest's address with its prefix length, IPv4 or IPv6.\n"
		       ".It Cm gw= Ns Ar IP\n"
		       "The guest's default gateway; needs\n"
		       ".Cm ip= .\n"
		       ".It Cm dns= Ns Ar IP\n"
		       "A name server, up to three in all.\n"
		       ".It Cm mtu= Ns Ar N\n"
		       "The largest packet, 68 to 65535; by default what the bridge or the tap\n"
		       "carries (1500 with\n"
		       ".Cm fd= ) .\n"
		       ".It Cm netns= Ns Ar NS\n"
		       "Behind\n"
		       ".Cm tap= ,\n"
		       "the network namespace that the tap is in: a path, or a name of\n"
		       ".Xr ip-netns 8 .\n"
		       "In the first place, for\n"
		       ".Fl -isolation Cm process :\n"
		       "the command is in that namespace, with the interfaces, addresses and\n"
		       "sockets that are there; it excludes every other\n"
		       ".Fl -net ,\n"
		       "and of the other items only\n"
		       ".Cm dns=\n"
		       "goes with it.\n"
		       "No capability counts over such a network, also of those of\n"
		       ".Fl -cap-add .\n"
		       "It takes root.\n"
		       ".El\n"
		       ".Pp\n"
		       ".Cm ip= , gw=\n"
		       "and\n"
		       ".Cm dns=\n"
		       "are set by Bulkhead's init and need\n"
		       ".Fl -rootfs .",
		.setting = RUN_SET_NET,
	},
	{
		.name = "allow",
		.arg = "[in:|out:]PROTO:ADDRESS[:PORT]",
		.repeated = true,
		.help = "allow connections from or to there, and no others",
		.man = "Allow what is opened by the instance\n"
		       ".Pq Cm out\\&: ,\n"
		       "the default, or by others\n"
		       ".Pq Cm in\\&: ;\n"
		       "everything else is denied once there is a rule, see\n"
		       ".Sx NETWORK RULES .",
		.setting = RUN_SET_ALLOW,
	},
	{
		.name = "deny",
		.arg = "[in:|out:]PROTO:ADDRESS[:PORT]",
		.repeated = true,
		.help = "deny them; the first rule that matches decides",
		.man = "Deny it; of all\n"
		       ".Fl -allow\n"
		       "and\n"
		       ".Fl -deny\n"
		       "the first that matches decides.",
		.setting = RUN_SET_DENY,
	},
	{
		.name = "env",
		.arg = "NAME=VALUE",
		.repeated = true,
		.help = "an environment variable of CMD; may be repeated",
		.man = "A variable of the command's environment, which is otherwise minimal\n"
		       "and takes nothing from the host's.",
		.setting = RUN_SET_ENV,
	},
	{
		.name = "workdir",
		.arg = "DIR",
		.help = "CMD's working directory (default /)",
		.man = "The command's working directory, an absolute path; made if\n"
		       "it is missing.\n"
		       "The default is\n"
		       ".Pa / .",
		.setting = RUN_SET_WORKDIR,
	},
	{
		.name = "timeout",
		.arg = "SECONDS",
		.help = "end the guest after that time, with status 124",
		.man = "End the guest when it has run that long, with exit status 124.\n"
		       "Decimals are allowed:\n"
		       ".Ql 0.5 .",
		.setting = RUN_SET_TIMEOUT,
	},
	{
		.name = "console",
		.arg = "stdio|none|FILE",
		.complete = COMPLETE_FILE,
		.values = "stdio none",
		.help = "where the console is (default stdio)",
		.man = "Where the guest's console is:\n"
		       ".Cm stdio ,\n"
		       "the default, is standard input and output;\n"
		       ".Cm none\n"
		       "drops all output and gives no input; else output goes to\n"
		       ".Ar FILE ,\n"
		       "which is created or emptied, and there is no input.\n"
		       "A file with one of those names is\n"
		       ".Pa ./none .",
		.setting = RUN_SET_CONSOLE,
	},
	{
		.name = "name",
		.arg = "NAME",
		.help = "the instance's name, and its host name",
		.man = "The instance's name, which is the guest's host name too: up to 64 "
		       "letters,\n"
		       "digits,\n"
		       ".Ql \\&. ,\n"
		       ".Ql _\n"
		       "and\n"
		       ".Ql - ,\n"
		       "the first a letter or a digit.\n"
		       "No two instances of a user have the same at a time;\n"
		       "without this option\n"
		       ".Xr bulkhead-ps 1\n"
		       "shows one that is made up.\n"
		       "The default host name is\n"
		       ".Ql bulkhead .",
		.setting = RUN_SET_NAME,
	},
	{
		.name = "report",
		.arg = "FILE",
		.complete = COMPLETE_FILE,
		.help = "write how it ended, times and counters to FILE (JSON)",
		.man = "Write a report in JSON to\n"
		       ".Ar FILE\n"
		       "at the end, see\n"
		       ".Sx REPORT .",
		.setting = RUN_SET_REPORT,
	},
	{
		.name = "on-device-loss",
		.arg = "stop|continue",
		.complete = COMPLETE_VALUES,
		.values = "stop continue",
		.help = "what to do when the root disk's process dies (default stop)",
		.man = "What to do when the process that serves the root disk is lost.\n"
		       ".Cm stop ,\n"
		       "the default, ends the guest with status 125;\n"
		       ".Cm continue\n"
		       "leaves it running with a disk that does not answer.\n"
		       "The loss of another device is told and does not end the guest, unless it "
		       "is\n"
		       "a disk with\n"
		       ".Cm direct=on :\n"
		       "requests that its process had under way could still write to the guest's\n"
		       "memory, so that always ends it.",
		.setting = RUN_SET_ON_DEVICE_LOSS,
	},
	{
		.name = "seccomp",
		.arg = "on|off",
		.complete = COMPLETE_VALUES,
		.values = "on off",
		.help = "off: no system call filters; for debugging only",
		.man = "With\n"
		       ".Cm off\n"
		       "Bulkhead's processes run without their system call filters.\n"
		       "This is for debugging: it takes a wall away, and says so on standard "
		       "error.",
		.setting = RUN_SET_SECCOMP,
	},
	{
		.name = "seccomp-profile",
		.arg = "FILE",
		.complete = COMPLETE_FILE,
		.help = "behind the process wall: the system calls that CMD may\n"
			"make, in JSON as container engines have it",
		.man = "The system calls that the command behind the process wall may make, "
		       "instead\n"
		       "of the usual list: the seccomp object of the OCI runtime spec, or the form "
		       "of\n"
		       ".Xr podman 1\n"
		       "with\n"
		       ".Va includes\n"
		       "and\n"
		       ".Va excludes ,\n"
		       "whose capabilities are those that the command has.\n"
		       "A call whose name is not known is left out.\n"
		       "Keys that are not known,\n"
		       ".Dv SCMP_ACT_NOTIFY ,\n"
		       "more than 4096 rules, and more than 128 with\n"
		       ".Va args ,\n"
		       "are errors.",
		.setting = RUN_SET_SECCOMP_PROFILE,
	},
	{
		.name = "cap-add",
		.arg = "CAP[,CAP]",
		.repeated = true,
		.help = "behind the process wall: capabilities beyond the usual\n"
			"ones, by name, or ALL",
		.man = "Give the command behind the process wall more capabilities than the usual\n"
		       "ones, by their names in\n"
		       ".Xr capabilities 7 ,\n"
		       "or\n"
		       ".Cm ALL ;\n"
		       "they count in its user namespace only.\n"
		       "Its list of system calls grows by what they are of no use without.\n"
		       "Mounting stays refused, by Landlock.",
		.setting = RUN_SET_CAP_ADD,
	},
	{
		.name = "cpu-weight",
		.arg = "N",
		.help = "share of busy CPUs, 1 to 10000 (others have 100)",
		.man = "The share of the CPUs' time that it gets while others want it too, 1 to\n"
		       "10000; others have 100.",
		.setting = RUN_SET_CPU_WEIGHT,
	},
	{
		.name = "pids",
		.arg = "N",
		.help = "the most processes and threads there may be at a time",
		.man = "The most processes and threads that there may be at a time, Bulkhead's "
		       "own\n"
		       "init among them: more fail with EAGAIN.\n"
		       "See\n"
		       ".Sx LIMITS .",
		.setting = RUN_SET_PIDS,
	},
	{
		.name = "disk-bps",
		.arg = "SIZE",
		.help = "bytes per second of each disk, at least 4K",
		.man = "The most bytes per second that are moved to or from a disk: behind\n"
		       ".Cm vm\n"
		       "each of its own, reads and writes together, with a burst of a tenth of "
		       "a\n"
		       "second; otherwise each of the host's, reads and writes each.\n"
		       "See\n"
		       ".Sx LIMITS .",
		.setting = RUN_SET_DISK_BPS,
	},
	{
		.name = "disk-iops",
		.arg = "N",
		.help = "requests per second of each disk",
		.man = "The most requests per second, in the same way.",
		.setting = RUN_SET_DISK_IOPS,
	},
	{
		.name = "net-bps",
		.arg = "SIZE",
		.help = "bytes per second of each interface, from 4K (vm, process)",
		.man = "The most bytes per second that each interface sends, and the most that "
		       "it\n"
		       "receives, with a burst of a tenth of a second.\n"
		       "For\n"
		       ".Cm vm\n"
		       "and\n"
		       ".Cm process .",
		.setting = RUN_SET_NET_BPS,
	},
	{
		.name = "best-effort",
		.help = "go on without limits that cannot be enforced here",
		.man = "Where a limit cannot be enforced, warn and list it instead of refusing to "
		       "run;\n"
		       "see\n"
		       ".Sx LIMITS .",
		.setting = RUN_SET_BEST_EFFORT,
	},
	{
		.name = "verbose",
		.help = "show the kernel's messages and what Bulkhead does",
		.man = "Show the guest kernel's messages on the console, and on standard error\n"
		       "what Bulkhead does.",
		.setting = RUN_SET_VERBOSE,
	},
};
static_assert(ARRAY_SIZE(run_options) == RUN_SET_COUNT, "an option for every setting");

static int set(void *config, int setting, const char *value, struct err *e)
{
	return run_config_set(config, (enum run_setting)setting, value, e);
}

const struct command command_run = {
	.name = "run",
	.usage = "[options] [--] [CMD [ARG...]]",
	.summary = "Boot a guest and run CMD in it; without CMD, the image's own init.",
	.details =
		"A comma in a file's name is written twice: --disk a,,b.img,ro\n"
		"Exit status: CMD's own; 125 an error of Bulkhead's, 126 CMD cannot be executed,\n"
		"127 CMD is not found, 128+N ended by signal N, 124 --timeout, 134 the guest\n"
		"crashed, 0 it powered off. On a terminal Ctrl-A X ends the guest.\n"
		"More in bulkhead-run(1).",
	.operands = true,
	.options = run_options,
	.noptions = ARRAY_SIZE(run_options),
	.set = set,
};

int run_parse(int argc, char **argv, struct run_config *cfg, bool *ret_help, struct err *e)
{
	struct options_result result;
	int r;

	run_config_init(cfg);
	*ret_help = false;
	r = options_parse(&command_run, argc, argv, cfg, &result, e);
	if (r < 0)
		return r;
	if (result.help) {
		*ret_help = true;
		return 0;
	}
	if (result.operand < argc) {
		r = run_config_set_command(cfg, (size_t)(argc - result.operand),
					   argv + result.operand, e);
		if (r < 0)
			return r;
	}
	return run_config_check(cfg, e);
}
