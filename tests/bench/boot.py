#!/usr/bin/env python3
"""boot - from exec to the first line of a Linux guest's init, in the lab on its
instruction clock: the same kernel and initrd for each machine, 256 MiB, one CPU,
one disk, one tap."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab_guest as lab  # noqa: E402
import native  # noqa: E402
from common import BUILD, OURS, Cgroup, Table, sh  # noqa: E402

SUMMARY = "a Linux guest's boot to its init's first line, in the lab, beside QEMU"
RUNS = 5
CMDLINE = "console=ttyS0 loglevel=1 panic=-1 reboot="


def measure(runs):
    launch = os.path.abspath(BUILD + "/launch")
    chroot = lab.root_on_lab_disk(launch, lab.qemu_program())
    kernel, initrd, disk = lab.to_lab_disk(
        lab.KERNELS + "/vmlinux", lab.INITRD, native.disk_image())
    common = {"initrd": initrd, "disks": [disk], "tap": lab.TAP}
    # By the keyboard controller, which the lean microvm lacks: by a triple fault.
    work = {**lab.bulkhead(kernel, CMDLINE + "k", **common),
            lab.QEMU: lab.qemu(lab.QEMU, kernel, CMDLINE + "t", **common),
            lab.Q35: lab.qemu(lab.Q35, kernel, CMDLINE + "k", **common)}
    samples = []
    cgroup = Cgroup()
    with lab.Tap():
        for i in range(runs + 1):
            for name, cmd in work.items():
                run = sh(*chroot, launch, cgroup.path, "60000", *cmd)
                first, end, _, cpu, status = map(int, run.stdout.split())
                if not first or status:
                    raise RuntimeError(f"status {status}, first byte {first}: {' '.join(cmd)}\n"
                                       f"{run.stderr}")
                if i:  # the first of each warms the caches
                    samples.append((name, first, end, cpu))
    cgroup.close()
    return samples


def run(runs):
    table = Table("Boot", f"{runs} runs each, alternating; median (middle half).",
                  lab.columns(lab.QEMU, lab.Q35))
    first = table.row("first line", unit="ms", bound=("<=", 0.24, lab.QEMU))
    end = table.row("exit", unit="ms")
    cpu = table.row("CPU until the exit", unit="ms")
    for name, first_ns, end_ns, cpu_ns in lab.run_in_lab(__file__, runs):
        first.add(name, first_ns / 1e6)
        end.add(name, end_ns / 1e6)
        cpu.add(name, cpu_ns / 1e6)
    return [table]


if __name__ == "__main__" and sys.argv[1:2] == ["--inside"]:
    try:
        lab.give(measure(int(sys.argv[2])))
    except subprocess.CalledProcessError as e:
        sys.exit(f"{e}: {e.stderr}")
