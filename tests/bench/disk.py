#!/usr/bin/env python3
"""disk - virtio-blk under fio in a Linux guest, in the lab on its instruction clock:
the same kernel and the same image for each machine, 256 MiB, one CPU.  The image
lies on ext4 on a RAM disk, all of it written before, and a copy in tmpfs."""
import contextlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab_guest as lab  # noqa: E402
import where  # noqa: E402
from common import OURS, Cgroup, Table, sh  # noqa: E402

SUMMARY = "a Linux guest's disk under fio in the lab, beside QEMU's aio modes"
RUNS = 2
IMAGE_MIB = 128
CMDLINE = "console=ttyS0 loglevel=1 panic=-1 reboot=t ro rootfstype=erofs init=/bin/guest-init root=/dev/vda"

# QEMU's ways to reach the image, each with the cache mode that it goes with.
MODES = {"qemu io_uring": "cache=writeback,aio=io_uring",
         "qemu threads": "cache=writeback,aio=threads",
         "qemu native": "cache=none,aio=native"}
MAIN = "qemu io_uring"
DIRECT = "bulkhead direct"  # past the page cache, as qemu native
TMPFS = " on tmpfs"  # after a machine's name: its image is there

# name: (fio's words, requests, bound on ours / QEMU's best).  Latency is the only one
# where less is better.  Deep ones are long: the device process tries out first what
# suits the guest (devices/virtio/patience.h).
READ, WRITE = "4 KiB random read", "4 KiB random write"
JOBS = {
    f"{READ}, depth 1": ("randread 4096 1", 2048, (">=", 1.75)),
    f"{READ}, depth 16": ("randread 4096 16", 8192, (">=", 2.5)),
    f"{READ}, depth 32": ("randread 4096 32", 8192, (">=", 2.5)),
    f"{WRITE}, depth 1": ("randwrite 4096 1", 2048, (">=", 2.0)),
    f"{WRITE}, depth 16": ("randwrite 4096 16", 8192, (">=", 2.5)),
    f"{WRITE}, depth 32": ("randwrite 4096 32", 8192, (">=", 2.5)),
    "1 MiB read": ("read 1048576 1", 48, (">=", 1.0)),
    "1 MiB write": ("write 1048576 1", 48, (">=", 1.0)),
    "write and fsync": ("randwrite 4096 1", 256, ("<=", 1.0)),
}
LARGE = [j for j in JOBS if j.startswith("1 MiB")]
COUNTED = [j for j in JOBS if j.startswith("4 KiB") and not j.endswith("32")]  # looked into as well


def fio(job, requests):
    return f"fio {JOBS[job][0]} {requests}" + (" --fsync=1" if "fsync" in job else "")


def measure(guest, job):
    name, _, what = job.partition(": ")
    deep = not name.endswith("depth 1")
    guest.do(fio(name, JOBS[name][1] // 8))  # the first of each warms the caches
    if what == "per request":
        return lab.per_request(guest, lambda n: fio(name, n), *((1024, 5120) if deep else (64, 576)))
    if what == "where" and name in LARGE:
        return where.per_request(guest, lambda n: fio(name, n), 12, 60, 1000)
    if what == "where":
        return where.per_request(guest, lambda n: fio(name, n), *((2048, 6144) if deep else (512, 2048)), 1000)
    requests, ms = guest.do(fio(name, JOBS[name][1]))
    return [requests, ms]


def mounted(name, *words):
    """A directory with a new mount on it."""
    directory = f"/run/bench-{name}"
    os.mkdir(directory)
    sh("mount", *words, directory)
    return directory


def ram_disk():
    """ext4 on a block device in the emulated host's memory.  Its other disk waits for
    this machine, which is not on the clock."""
    sh("modprobe", "brd", "rd_nr=1", f"rd_size={(IMAGE_MIB + 64) << 10}")
    sh("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=0", "/dev/ram0")
    return mounted("disk", "/dev/ram0")


def warm(image):
    """Have all of it in the page cache: who writes past that drops what was in there, and the next machine
    would find another host than the last."""
    with open(image, "rb") as f:
        while f.read(1 << 20):
            pass


def make_image(directory):
    with open(directory + "/image", "wb") as f:
        for i in range(IMAGE_MIB):
            f.write(bytes([i]) * (1 << 20))
        os.fsync(f.fileno())
    return f.name


def inside():
    kernel, root = lab.to_lab_disk(lab.KERNELS + "/vmlinux", lab.ROOT)
    images = {"": make_image(ram_disk()), TMPFS: make_image(mounted("tmpfs", "-t", "tmpfs", "tmpfs"))}

    @contextlib.contextmanager
    def start(machine):
        name = machine.removesuffix(TMPFS)
        image = images[machine.removeprefix(name)]
        warm(image)
        cgroup = Cgroup()
        try:
            with lab.Guest(command(name, kernel, root + ",ro", image), cgroup) as guest:
                yield guest
        finally:
            cgroup.close()
    lab.do_jobs(start, measure)


def command(machine, kernel, root, image):
    if machine in MODES:
        return lab.qemu(lab.QEMU, kernel, CMDLINE, disks=[root, image], aio=MODES[machine])
    if machine == lab.Q35:
        return lab.qemu(machine, kernel, CMDLINE, disks=[root, image])
    if machine == DIRECT:
        machine, image = OURS, image + ",direct=on"
    return lab.bulkhead(kernel, CMDLINE, disks=[root, image])[machine]


def value(job, result):
    requests, ms = result
    if job.startswith("1 MiB"):
        return requests / ms * 1000
    return ms * 1000 / requests if "fsync" in job else requests / ms * 1000


def unit(job):
    return "MiB/s" if job.startswith("1 MiB") else "us" if "fsync" in job else "IOPS"


def rates(title, done, machines, jobs):
    runs = 1 + max((turn for _, turn, _ in done), default=0)
    table = Table(title, lab.in_turn(runs), machines)
    for job in jobs:
        row = table.row(job, unit=unit(job), digits=1 if unit(job) == "us" else 0)
        for (machine, _, j), result in done.items():
            if j == job:
                row.add(machine, value(job, result))
        modes = [m for m in MODES if m in row.samples]
        if modes:
            bound = JOBS[job][2]
            best = (min if bound[0] == "<=" else max)(modes, key=row.median)
            row.bound = (*bound, best)
    return table


def run(runs):
    machines = lab.columns(MAIN, "qemu threads", DIRECT, "qemu native", lab.Q35)
    on_tmpfs = lab.columns(MAIN, "qemu threads")
    looked_into = lab.columns(MAIN)
    work = [[m, i, j] for i in range(runs) for m in machines for j in lab.chosen(JOBS)]
    work += [[m + TMPFS, i, j] for i in range(runs) for m in on_tmpfs for j in lab.chosen(COUNTED)]
    work += [[m, 0, j] for m in machines for j in lab.chosen(f"{j}: per request" for j in COUNTED)]
    work += [[m, 0, j] for m in looked_into for j in lab.chosen(f"{j}: where" for j in COUNTED)]
    large = lab.columns(MAIN, DIRECT, "qemu native")
    work += [[m, 0, j] for m in large for j in lab.chosen(f"{j}: where" for j in LARGE)]
    done = lab.run_jobs(__file__, work)
    tmpfs = {(m.removesuffix(TMPFS), i, j): r for (m, i, j), r in done.items() if m.endswith(TMPFS)}
    done = {w: r for w, r in done.items() if not w[0].endswith(TMPFS)}
    return [rates("Disk", done, machines, JOBS),
            rates("Disk, the image in tmpfs", tmpfs, on_tmpfs, COUNTED),
            lab.counts_table("Disk, per request", done, machines, COUNTED),
            where.table("Disk, where the time of a request goes", done, looked_into, COUNTED),
            where.table("Disk, where the time of 1 MiB goes", done, large, LARGE)]


if __name__ == "__main__" and sys.argv[1:2] == ["--inside"]:
    inside()
