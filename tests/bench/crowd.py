"""crowd - 64 machines started at once, beside QEMU's microvm: when do all of
them run?  The payload writes one byte and then idles, so that all are alive
when the last has begun."""
import time

import native
from common import BUILD, Table, percentile, progress, sh

SUMMARY = "64 machines at once: rate and p99 of the first byte, beside QEMU's microvm"
RUNS = 10
MACHINES = 64


def start_all(cgroup, cmd):
    """(CPU in ns, times to the first byte in ns)"""
    out = sh(BUILD + "/crowd", cgroup.path, str(MACHINES), "60000", *cmd).stdout.split()
    cpu, times = int(out[0]), [int(t) for t in out[1:]]
    if len(times) != MACHINES or 0 in times:
        raise RuntimeError(f"{times.count(0)} of {MACHINES} never began: {' '.join(cmd)}")
    while cgroup.pids():
        time.sleep(0.02)
    return cpu, times


def run(runs):
    with native.ready(taps=MACHINES) as cgroup:
        for i in range(MACHINES):
            native.disk_image(f"crowd{i}.img")
        work = native.machines(BUILD + "/idle.elf", BUILD + "/crowd{}.img",
                               native.TAP.replace("%d", "{}"), sandbox=False)
        t = Table(f"{MACHINES} machines at once", f"{runs} rounds each, alternating; median "
                  "(middle half).", work)
        t.row("machines per second", digits=0, bound=(">=", 1, native.QEMU))
        t.row("first byte, median of a round", unit="ms", digits=1)
        t.row("first byte, p99 of a round", unit="ms", digits=1, bound=("<=", 1, native.QEMU))
        t.row("CPU of a machine until then", unit="ms")
        for i in range(runs + 1):
            for name, cmd in work.items():
                cpu, times = start_all(cgroup, cmd)
                if i:
                    t.row("machines per second").add(name, MACHINES / max(times) * 1e9)
                    t.row("first byte, median of a round").add(name, percentile(times, 50) / 1e6)
                    t.row("first byte, p99 of a round").add(name, percentile(times, 99) / 1e6)
                    t.row("CPU of a machine until then").add(name, cpu / MACHINES / 1e6)
            progress(f"crowd: {i}/{runs}")
        progress("")
        return [t]
