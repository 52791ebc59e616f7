#!/usr/bin/env python3
"""kernels - boots guest kernels in the lab on its instruction clock, with the
machine and the initrd of boot.py, until init's first line.  No part of `make
bench`: tests/bench/kernel-options uses it."""
import contextlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab_guest as lab  # noqa: E402
import native  # noqa: E402
from common import BUILD, OURS, Cgroup, sh  # noqa: E402

CMDLINE = "console=ttyS0 panic=-1 reboot=k loglevel="
PATIENCE = 5  # seconds of the lab's time for a boot of a quarter of one


def boot(kernels, runs):
    """-> {name: [ms] of `runs` boots in turn, or the last message of a kernel that
    does not come to init's first line, or None when the lab gave no result}
    kernels: {name: path}"""
    work = [[name, i, os.path.abspath(path)] for i in range(runs) for name, path in kernels.items()]
    found = {name: [] for name in kernels}
    for (name, _, _), result in lab.run_jobs(__file__, work).items():
        found[name].append(result)
    return {name: next((r for r in results if isinstance(r, str)), results or None)
            for name, results in found.items()}


def console(cmd):
    """What the machine prints, within the time that we have."""
    try:
        out = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                             stderr=subprocess.STDOUT, timeout=PATIENCE).stdout
    except subprocess.TimeoutExpired as e:
        out = e.stdout or b""
    return out.decode(errors="replace").splitlines()


class Machine:
    """The machine that all kernels boot in, one after the other."""

    def __init__(self):
        self.launch = os.path.abspath(BUILD + "/launch")
        self.chroot = lab.root_on_lab_disk(self.launch)
        self.initrd, self.disk = lab.to_lab_disk(lab.INITRD, native.disk_image())
        self.cgroup = Cgroup()
        self.failed = {}  # of the kernels that were seen: the last message, None when they boot

    def command(self, kernel, loglevel):
        return lab.bulkhead(kernel, CMDLINE + loglevel, initrd=self.initrd, disks=[self.disk],
                            tap=lab.TAP)[OURS]

    def failure(self, kernel):
        """None, or the guest's last message when it does not come to init's first line."""
        if "up" in console(self.command(kernel, "1")):
            return None
        lines = [line for line in console(self.command(kernel, "7")) if line.strip()]
        panic = [line for line in lines if "kernel panic" in line.lower()]
        return (panic[:1] or lines[-1:] or ["nothing"])[0]

    def first_line(self, kernel):
        run = sh(*self.chroot, self.launch, self.cgroup.path, "60000", *self.command(kernel, "1"))
        return int(run.stdout.split()[0]) / 1e6

    def boot(self, path):
        """-> ms, or the last message"""
        kernel = lab.to_lab_disk(path)
        if kernel not in self.failed:
            self.failed[kernel] = self.failure(kernel)
            os.sync()  # what writes the copy back would run beside the boot
            if not self.failed[kernel]:
                self.first_line(kernel)  # warms the caches
        return self.failed[kernel] or self.first_line(kernel)


if __name__ == "__main__" and sys.argv[1:2] == ["--inside"]:
    try:
        machine = Machine()
        with lab.Tap():
            lab.do_jobs(lambda _: contextlib.nullcontext(machine), Machine.boot)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}: {error.stderr}")
