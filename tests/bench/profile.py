"""profile - where the CPU time of a launch goes, by perf's samples of all
processes of the run, in user and kernel space (native.py says which machine).

A sample belongs to the first kind below whose function is on its stack. What
the kernel does later in threads of its own is not counted. Another bulkhead
that runs meanwhile is: leave the machine alone.
"""
import collections
import shutil

import launch
import native
from common import BUILD, OURS, CannotRun, Table, sh

SUMMARY = "where the CPU time of a launch goes (perf)"
RUNS = 100
COMMS = "bulkhead,monitor,blk0,net0,rng0"
DATA = BUILD + "/profile.data"

# what, and functions of the kernel's that say so (a prefix where it ends in *)
KINDS = [
    ("ends of processes", ["do_exit", "do_group_exit"]),
    ("exec", ["__x64_sys_execve", "do_execveat_common*"]),
    ("forks and a thread", ["kernel_clone"]),
    ("seccomp filters: checked, converted, compiled", ["do_seccomp"]),
    ("KVM: machine, memory slot, interrupts, vCPU, run",
     ["kvm_dev_ioctl", "kvm_vm_ioctl", "kvm_vcpu_ioctl", "kvm_vm_release", "kvm_vcpu_release"]),
    ("page faults", ["asm_exc_page_fault", "exc_page_fault"]),
    ("sockets, pipes, eventfds, waiting: between the processes",
     ["__sys_sendmsg", "__sys_recvmsg", "__x64_sys_epoll*", "__x64_sys_socketpair",
      "__x64_sys_pipe2", "__x64_sys_eventfd2", "do_epoll_wait", "__sys_sendto", "__sys_recvfrom"]),
    ("mappings", ["ksys_mmap_pgoff", "vm_mmap_pgoff", "__x64_sys_munmap", "__x64_sys_mprotect",
                  "__x64_sys_madvise", "__x64_sys_brk"]),
    ("opening and closing of files",
     ["__x64_sys_close", "__do_sys_close_range", "do_sys_openat2", "__x64_sys_openat"]),
    ("other system calls", ["do_syscall_64", "entry_SYSCALL_64*"]),
]
USER = "user space: libc's start, and the program itself"


def kind_of(frames):
    for what, functions in KINDS:
        for f in functions:
            if any(x.startswith(f[:-1]) if f.endswith("*") else x == f for x in frames):
                return what
    return USER


def record(cmd, runs):
    """One recording of all launches; perf starts them when it is ready."""
    loop = 'n=$1; shift; while [ $n -gt 0 ]; do "$@" >/dev/null; n=$((n - 1)); done'
    sampler = ["perf", "record", "-q", "-a", "-e", "cpu-clock", "-F", "20000", "-g", "-o", DATA]
    done = sh(*sampler, "--", "sh", "-c", loop, "sh", str(runs), *cmd, check=False)
    if done.returncode:
        raise CannotRun(f"{' '.join(sampler)}: {done.stderr.strip()}")


def samples():
    """The functions on the stack of each sample."""
    text = sh("perf", "script", "-i", DATA, "--comms", COMMS, "-F", "comm,ip,sym").stdout
    for sample in text.split("\n\n"):
        frames = [line.split(None, 1)[1] for line in sample.split("\n")[1:]
                  if len(line.split(None, 1)) == 2]
        if frames:
            yield frames


def run(runs):
    if not shutil.which("perf"):
        raise CannotRun("perf is needed: apt-get install linux-perf")
    with native.ready() as cgroup:
        cmd = native.bulkhead(BUILD + "/payload.elf", native.disk_image())
        launched = [BUILD + "/launch", cgroup.path, "20000", *cmd]
        launch.launch(cgroup, cmd)  # it works, and the caches are warm
        record(launched, runs)
    counts = collections.Counter(kind_of(frames) for frames in samples())
    total = sum(counts.values())
    if not total:
        raise CannotRun("perf took no sample of the run's processes")
    table = Table("Shares of the CPU time of a launch",
                  f"{total} samples of {runs} launches, 20,000 a second.", [OURS])
    for what, n in counts.most_common():
        table.row(what, unit="%", digits=1).add(OURS, 100 * n / total)
    return [table]
