#!/usr/bin/env python3
"""net - virtio-net through a tap in a Linux guest, in the lab on its instruction
clock: the same kernel and tap for each machine, 256 MiB, one CPU, which the host's
end of every connection shares."""
import contextlib
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab_guest as lab  # noqa: E402
import where  # noqa: E402
from common import BUILD, Cgroup, Table, sh  # noqa: E402

SUMMARY = "a Linux guest's network in the lab, beside QEMU without and with vhost-net"
RUNS = 1
HOST, GUEST = "10.77.0.1", "10.77.0.2/24"
CMDLINE = ("console=ttyS0 loglevel=1 panic=-1 reboot=t ro rootfstype=erofs init=/bin/guest-init "
           f"net={GUEST} root=/dev/vda")
VHOST = "qemu vhost-net"

# name: (the guest's job, its size, unit, bound on ours / QEMU's)
JOBS = {
    "out, 1 stream": ("iperf {host} 1 {n}", 8 << 20, "Mbit/s", (">=", 1.0)),
    "out, 4 streams": ("iperf {host} 4 {n}", 8 << 20, "Mbit/s", (">=", 1.0)),
    "in, 1 stream": ("iperf {host} 1 {n} -R", 8 << 20, "Mbit/s", (">=", 1.0)),
    "in, 4 streams": ("iperf {host} 4 {n} -R", 8 << 20, "Mbit/s", (">=", 1.0)),
    "ping": ("ping {host} {n} 5", 30, "us", ("<=", 0.8)),
    "request and response": ("pingpong {host} 1 {n}", 800, "a second", (">=", 1.2)),
    "packets, 32 on their way": ("pingpong {host} 32 {n}", 3000, "a second", (">=", 1.2)),
}
COUNTED = ["request and response", "packets, 32 on their way"]


def words(job, n):
    return JOBS[job][0].format(host=HOST, n=n)


def measure(guest, job):
    name, _, what = job.partition(": ")
    n = JOBS[name][1]
    guest.do(words(name, max(n // 8, 5)))  # the first of each warms the caches
    if what == "per request":
        return lab.per_request(guest, lambda n: words(name, n), 50, 550)
    if what == "where":
        few = 2048 if "32" in name else 512
        return where.per_request(guest, lambda n: words(name, n), few, few * 4, 1)
    figures = guest.do(words(name, n))
    if len(figures) == 2:
        return figures[0] / figures[1] * 1e6
    return figures[0] / 1000 if "stream" in name else figures[0]


@contextlib.contextmanager
def servers():
    """The host's ends."""
    sh("ip", "address", "add", HOST + "/24", "dev", lab.TAP)
    with contextlib.ExitStack() as stack:
        for cmd in (["iperf3", "-s"], [BUILD + "/pingpong", "-s"]):
            p = stack.enter_context(subprocess.Popen(cmd, stdout=subprocess.DEVNULL))
            stack.callback(p.kill)
        time.sleep(1)
        yield


def inside():
    kernel, root = lab.to_lab_disk(lab.KERNELS + "/vmlinux", lab.ROOT)
    sh("modprobe", "vhost_net")

    @contextlib.contextmanager
    def start(machine):
        cgroup = Cgroup()
        try:
            with lab.Guest(command(machine, kernel, [root + ",ro"]), cgroup) as guest:
                yield guest
        finally:
            cgroup.close()
    with lab.Tap(), servers():
        lab.do_jobs(start, measure)


def command(machine, kernel, disks):
    if machine in (lab.QEMU, lab.Q35, VHOST):
        kind = lab.Q35 if machine == lab.Q35 else lab.QEMU
        return lab.qemu(kind, kernel, CMDLINE, disks=disks, tap=lab.TAP, vhost=machine == VHOST)
    return lab.bulkhead(kernel, CMDLINE, disks=disks, tap=lab.TAP)[machine]


def rates(done, machines, runs):
    table = Table("Network", lab.in_turn(runs), machines)
    for job, (_, _, unit, bound) in JOBS.items():
        row = table.row(job, unit=unit, digits=1 if unit == "us" else 0, bound=(*bound, lab.QEMU))
        for (machine, _, j), result in done.items():
            if j == job:
                row.add(machine, result)
    return table


def run(runs):
    machines = lab.columns(lab.QEMU, VHOST, lab.Q35)
    looked_into = lab.columns(lab.QEMU)
    wanted = lab.chosen(list(JOBS) + [f"{j}: per request" for j in COUNTED])
    work = [[m, i, j] for i in range(runs) for m in machines for j in wanted]
    work += [[m, 0, j] for m in looked_into for j in lab.chosen(f"{j}: where" for j in COUNTED)]
    done = lab.run_jobs(__file__, work)
    return [rates(done, machines, runs),
            lab.counts_table("Network, a packet there and back", done, machines, COUNTED),
            where.table("Network, where the time of a packet there and back goes", done,
                        looked_into, COUNTED)]


if __name__ == "__main__" and sys.argv[1:2] == ["--inside"]:
    inside()
