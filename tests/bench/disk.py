#!/usr/bin/env python3
"""disk - virtio-blk under fio in a Linux guest, in the lab on its instruction clock:
the same kernel and the same image for each machine, 256 MiB, one CPU.  The image
lies on ext4 on the lab's disk, all of it written before."""
import contextlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab_guest as lab  # noqa: E402
from common import Cgroup, Table  # noqa: E402

SUMMARY = "a Linux guest's disk under fio in the lab, beside QEMU's aio modes"
RUNS = 1
IMAGE_MIB = 128
CMDLINE = "console=ttyS0 loglevel=1 panic=-1 reboot=t ro rootfstype=erofs init=/bin/guest-init root=/dev/vda"

# QEMU's ways to reach the image, each with the cache mode that it goes with.
MODES = {"qemu io_uring": "cache=writeback,aio=io_uring",
         "qemu threads": "cache=writeback,aio=threads",
         "qemu native": "cache=none,aio=native"}
BEST = "qemu, best"

# name: (fio's words, requests, bound on ours / QEMU's best).  Latency is the only one
# where less is better.
READ, WRITE = "4 KiB random read", "4 KiB random write"
JOBS = {
    f"{READ}, depth 1": ("randread 4096 1", 1024, (">=", 1.75)),
    f"{READ}, depth 16": ("randread 4096 16", 2048, (">=", 2.5)),
    f"{READ}, depth 32": ("randread 4096 32", 2048, (">=", 2.5)),
    f"{WRITE}, depth 1": ("randwrite 4096 1", 1024, (">=", 2.0)),
    f"{WRITE}, depth 16": ("randwrite 4096 16", 2048, (">=", 2.5)),
    f"{WRITE}, depth 32": ("randwrite 4096 32", 2048, (">=", 2.5)),
    "1 MiB read": ("read 1048576 1", 48, (">=", 1.0)),
    "1 MiB write": ("write 1048576 1", 48, (">=", 1.0)),
    "write and fsync": ("randwrite 4096 1", 256, ("<=", 1.0)),
}
COUNTED = [j for j in JOBS if j.startswith("4 KiB") and not j.endswith("32")]  # reported per request as well


def fio(job, requests):
    return f"fio {JOBS[job][0]} {requests}" + (" --fsync=1" if "fsync" in job else "")


def measure(guest, job):
    name, _, what = job.partition(": ")
    if what == "per request":
        return lab.per_request(guest, lambda n: fio(name, n), 64, 576)
    guest.do(fio(name, JOBS[name][1] // 8))  # the first of each warms the caches
    requests, ms = guest.do(fio(name, JOBS[name][1]))
    return [requests, ms]


def inside():
    kernel, root = lab.to_lab_disk(lab.KERNELS + "/vmlinux", lab.ROOT)
    image = os.environ["LAB_DISK"] + "/image"
    with open(image, "wb") as f:
        for i in range(IMAGE_MIB):
            f.write(bytes([i]) * (1 << 20))
        os.fsync(f.fileno())

    @contextlib.contextmanager
    def start(machine):
        cgroup = Cgroup()
        try:
            with lab.Guest(command(machine, kernel, [root + ",ro", image]), cgroup) as guest:
                yield guest
        finally:
            cgroup.close()
    lab.do_jobs(start, measure)


def command(machine, kernel, disks):
    if machine in MODES:
        return lab.qemu(lab.QEMU, kernel, CMDLINE, disks=disks, aio=MODES[machine])
    if machine == lab.Q35:
        return lab.qemu(machine, kernel, CMDLINE, disks=disks)
    return lab.bulkhead(kernel, CMDLINE, disks=disks)[machine]


def value(job, result):
    requests, ms = result
    if job.startswith("1 MiB"):
        return requests / ms * 1000
    return ms * 1000 / requests if "fsync" in job else requests / ms * 1000


def unit(job):
    return "MiB/s" if job.startswith("1 MiB") else "us" if "fsync" in job else "IOPS"


def rates(done, machines, runs):
    table = Table("Disk", f"{runs} run{'s' * (runs > 1)}, alternating.", machines)
    for job, (_, _, bound) in JOBS.items():
        row = table.row(job, unit=unit(job), digits=1 if unit(job) == "us" else 0)
        for (machine, _, j), result in done.items():
            if j == job:
                row.add(machine, value(job, result))
        modes = [m for m in MODES if m in row.samples]
        if modes:
            best = (min if bound[0] == "<=" else max)(modes, key=row.median)
            row.bound = (*bound, best)
    return table


def run(runs):
    machines = lab.columns(*MODES, lab.Q35)
    wanted = list(JOBS) + [f"{j}: per request" for j in COUNTED]
    wanted = lab.chosen(wanted)
    work = [[m, i, j] for i in range(runs) for m in machines for j in wanted]
    done = lab.run_jobs(__file__, work)
    return [rates(done, machines, runs),
            lab.counts_table("Disk, per request", done, machines, COUNTED)]


if __name__ == "__main__" and sys.argv[1:2] == ["--inside"]:
    inside()
