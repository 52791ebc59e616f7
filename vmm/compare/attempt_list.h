/*
 * attempt_list.h - what is tried against a wall, and what success would give.
 * bulkhead-attempt, which runs behind the wall, and the runner share the list.
 *
 * No attempt may harm the host, behind no wall and as root included: it proves
 * that something is possible, and stops.  A call that would change something is
 * given an argument that the kernel refuses only after its permission check; a
 * handle is opened and closed; what is read, changed or signalled is a canary
 * that the runner made.
 */
#ifndef COMPARE_ATTEMPT_LIST_H
#define COMPARE_ATTEMPT_LIST_H

#include <stddef.h>

enum attempt_kind {
	ATTEMPT_CANARY, /* reached: the runner's canary noticed, or its secret came out */
	ATTEMPT_KERNEL, /* reached: the host's kernel is the one that let it */
	ATTEMPT_SPACE,	/* reached: so it is, in a namespace of the host's */
	ATTEMPT_BOMB,	/* reached: the host's kernel let it go on to its bound */
};

#define ATTEMPT_EVERY "every" /* in the place of a name: all but the bombs */

/* X(function, name, kind, namespace, what success would give) */
#define ATTEMPTS(X)                                                                                \
	X(file_path, "file-path", CANARY, "", "a file of the host, by its path")                   \
	X(file_write, "file-write", CANARY, "", "a file of the host changed")                      \
	X(file_init_root, "file-init-root", CANARY, "", "a file by the root of process 1")         \
	X(file_pid_root, "file-pid-root", CANARY, "", "a file by the root of a host process")      \
	X(file_pid_cwd, "file-pid-cwd", CANARY, "", "a file by a host process's directory")        \
	X(file_up, "file-up", CANARY, "", "a file by .., out of a root of its own (chroot)")       \
	X(file_handle, "file-handle", CANARY, "", "a file by its handle (open_by_handle_at)")      \
	X(file_leaked, "file-leaked", CANARY, "", "a file by a descriptor that leaked in")         \
	X(debugfs, "debugfs", KERNEL, "", "the kernel's debugging files")                          \
	X(core_pattern, "core-pattern", KERNEL, "", "a program that the kernel starts as root")    \
	X(process_see, "process-see", CANARY, "", "a host process in the list")                    \
	X(process_signal, "process-signal", CANARY, "", "a signal to a host process")              \
	X(process_trace, "process-trace", CANARY, "", "a host process held by ptrace")             \
	X(process_memory, "process-memory", CANARY, "", "a host process's memory")                 \
	X(process_file, "process-file", CANARY, "", "a host process's open file (pidfd_getfd)")    \
	X(process_space, "process-space", CANARY, "", "a host process's namespaces (setns)")       \
	X(kcore, "kcore", KERNEL, "", "the kernel's memory, by /proc/kcore")                       \
	X(dev_mem, "dev-mem", KERNEL, "", "physical memory, by /dev/mem")                          \
	X(dev_kmsg, "dev-kmsg", KERNEL, "", "the kernel's log")                                    \
	X(kernel_symbols, "kernel-symbols", KERNEL, "", "where the kernel's code lies")            \
	X(module, "module", KERNEL, "", "code in the kernel (init_module)")                        \
	X(kexec, "kexec", KERNEL, "", "another kernel (kexec_load)")                               \
	X(bpf, "bpf", KERNEL, "", "the kernel's bpf machine")                                      \
	X(perf_event, "perf-event", KERNEL, "", "the kernel's performance events")                 \
	X(userfaultfd, "userfaultfd", KERNEL, "", "page faults of the kernel held up at will")     \
	X(io_uring, "io-uring", KERNEL, "", "the kernel's io_uring")                               \
	X(keyring, "keyring", KERNEL, "", "the kernel's key store")                                \
	X(sysctl, "sysctl", KERNEL, "", "a setting of the kernel")                                 \
	X(sysrq, "sysrq", KERNEL, "", "the magic keys: crash, kill all")                           \
	X(clock, "clock", KERNEL, "", "the clock")                                                 \
	X(reboot, "reboot", SPACE, "pid", "the machine ended")                                     \
	X(swap, "swap", KERNEL, "", "swap space")                                                  \
	X(accounting, "accounting", KERNEL, "", "process accounting")                              \
	X(host_name, "host-name", SPACE, "uts", "the host's name")                                 \
	X(release_agent, "release-agent", KERNEL, "", "a program started by a cgroup's end")       \
	X(user_namespace, "user-namespace", KERNEL, "", "a root of its own in this kernel")        \
	X(mount, "mount", SPACE, "mnt", "a file system mounted")                                   \
	X(pivot_root, "pivot-root", SPACE, "mnt", "another root directory (pivot_root)")           \
	X(socket_abstract, "socket-abstract", CANARY, "", "a host's abstract socket")              \
	X(socket_loopback, "socket-loopback", CANARY, "", "a service on the host's 127.0.0.1")     \
	X(socket_raw, "socket-raw", SPACE, "net", "packets of any content")                        \
	X(netfilter, "netfilter", KERNEL, "", "the code of CVE-2021-22555 (netfilter)")            \
	X(disk_raw, "disk-raw", KERNEL, "", "a disk below its file system")                        \
	X(device_node, "device-node", KERNEL, "", "a device file of its own making")               \
	X(device_kvm, "device-kvm", KERNEL, "", "the kernel's KVM")                                \
	X(device_tun, "device-tun", KERNEL, "", "the kernel's tun driver")                         \
	X(device_fuse, "device-fuse", KERNEL, "", "the kernel's FUSE")                             \
	X(io_ports, "io-ports", KERNEL, "", "the processor's I/O ports")                           \
	X(fork_bomb, "fork-bomb", BOMB, "", "the host's process table filled")                     \
	X(memory_bomb, "memory-bomb", BOMB, "", "the host's memory filled")                        \
	X(disk_bomb, "disk-bomb", BOMB, "", "the host's disk or memory filled by files")           \
	X(descriptor_bomb, "descriptor-bomb", BOMB, "", "the host's table of open files filled")   \
	X(inode_bomb, "inode-bomb", BOMB, "", "the host's inodes used up")

struct attempt {
	const char *name;
	enum attempt_kind kind;
	const char *space; /* as in /proc/self/ns */
	const char *gives;
};

extern const struct attempt attempts[];
extern const size_t nattempts;

#endif
