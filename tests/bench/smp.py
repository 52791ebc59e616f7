#!/usr/bin/env python3
"""smp - parallel work in a Linux guest with four CPUs, in the lab on its ordinary
clock (the instruction clock has one CPU): one and four checksums at a time."""
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab_guest as lab  # noqa: E402
from common import Cgroup, Table  # noqa: E402

SUMMARY = "parallel work in a Linux guest with 4 CPUs, in the lab, beside QEMU"
RUNS = 5
CPUS = 4
MIB = 4  # what each process adds up
CMDLINE = ("console=ttyS0 loglevel=1 panic=-1 reboot=t ro rootfstype=erofs init=/bin/guest-init "
           "root=/dev/vda")
# work a second, so that more is better
JOBS = {"one process": (1, None), "four processes": (4, (">=", 0.9, lab.QEMU))}


def measure(guest, job):
    guest.do(f"sha {JOBS[job][0]} 1")
    start = time.monotonic()
    guest.do(f"sha {JOBS[job][0]} {MIB}")
    return time.monotonic() - start


def inside():
    kernel, root = lab.to_lab_disk(lab.KERNELS + "/vmlinux", lab.ROOT)

    @contextlib.contextmanager
    def start(machine):
        cgroup = Cgroup()
        disks = [root + ",ro"]
        cmd = lab.qemu(machine, kernel, CMDLINE, disks=disks, cpus=CPUS) if machine == lab.QEMU \
            else lab.bulkhead(kernel, CMDLINE, disks=disks, cpus=CPUS)[machine]
        try:
            with lab.Guest(cmd, cgroup) as guest:
                yield guest
        finally:
            cgroup.close()
    lab.do_jobs(start, measure)


def run(runs):
    machines = lab.columns(lab.QEMU)
    work = [[m, i, j] for i in range(runs) for m in machines for j in JOBS]
    done = lab.run_jobs(__file__, work, clock="host", smp=CPUS)
    table = Table("Four CPUs", f"{runs} runs each, alternating; median (middle half).", machines)
    for (machine, _, job), seconds in done.items():
        row = table.row(job, unit="MiB/s", bound=JOBS[job][1])
        row.add(machine, JOBS[job][0] * MIB / seconds)
    return [table]


if __name__ == "__main__" and sys.argv[1:2] == ["--inside"]:
    inside()
