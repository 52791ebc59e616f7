"""launch - what a launch costs, beside QEMU's microvm (native.py says which
machines).

  first byte  from just before exec to the payload's byte on the output pipe
  exit        from just before exec to the exit of the process that was started
  CPU         of everything that the run created until its last process is
              gone, by a cgroup
  PSS         of all processes with an idle payload, guest memory left out
"""
import os
import subprocess
import sys
import time

import native
from common import BUILD, OURS, Table, progress, sh

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import processes  # noqa: E402

SUMMARY = "first byte, exit, CPU, memory and size, natively, beside QEMU's microvm"
RUNS = 40


def launch(cgroup, cmd):
    out = sh(BUILD + "/launch", cgroup.path, "20000", *cmd).stdout.split()
    first, end, gone, cpu, status = map(int, out)
    if first == 0 or status not in (0, 1):
        raise RuntimeError(f"status {status}, first byte {first}: {' '.join(cmd)}")
    return {"first byte": first, "exit": end, "gone": gone, "CPU": cpu}


def times(cgroup, disk, runs):
    work = native.machines(BUILD + "/payload.elf", disk)
    table = Table("Launch", f"{runs} runs each, alternating; median (middle half).", work)
    table.row("first byte", unit="ms", bound=("<=", 3.0))
    table.row("exit", unit="ms", bound=("<=", 1 / 6, native.QEMU))
    table.row("gone", unit="ms")
    table.row("CPU", unit="ms", bound=("<=", 1 / 8, native.QEMU))
    for i in range(runs + 1):
        for name, cmd in work.items():
            sample = launch(cgroup, cmd)
            if i:  # the first of each warms the caches
                for what, ns in sample.items():
                    table.row(what).add(name, ns / 1e6)
        progress(f"launch: {i}/{runs}")
    progress("")
    return table


def memory_of(cgroup, cmd):
    """(name, PSS KiB, private KiB) of each process of an idle guest."""
    with subprocess.Popen(["sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', cgroup.path,
                           *cmd], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as p:
        if not p.stdout.read(1):
            raise RuntimeError(f"{' '.join(cmd)}: {p.stderr.read().decode(errors='replace')}")
        time.sleep(0.3)
        found = []
        for pid in cgroup.pids():
            with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as f:
                found.append((f.read().strip(), *processes.memory(pid, native.RAM_MIB << 20)))
        cgroup.kill()
        p.wait()
    return found


def memory(cgroup, disk):
    idle = BUILD + "/idle.elf"
    work = native.machines(idle, disk)
    table = Table("Memory and size", "An idle payload, guest memory left out.", work)
    pss = table.row("PSS of all processes", unit="KiB", digits=0, bound=("<=", 2048))
    count = table.row("processes", digits=0)
    for name, cmd in work.items():
        found = memory_of(cgroup, cmd)
        pss.add(name, sum(f[1] for f in found))
        count.add(name, len(found))
        if name != OURS:
            continue
        base = pss.median(OURS)
        for process, _, private in found:
            device = process[:-1] in ("blk", "net", "rng")
            table.row(f"private to {process}", unit="KiB", digits=0,
                      bound=("<=", 200) if device else None).add(OURS, private)
    more = native.bulkhead(idle, disk)
    disk2 = native.disk_image("disk2.img")
    for what, extra in (("disk", ["--disk", disk2]), ("network interface",
                                                      ["--net", f"tap={native.TAP % 1}"])):
        found = memory_of(cgroup, more + extra)
        table.row(f"PSS of one more {what}", unit="KiB", digits=0,
                  bound=("<=", 200)).add(OURS, sum(f[1] for f in found) - base)
    stripped = BUILD + "/bulkhead.stripped"
    sh("strip", "-o", stripped, "build/release/bulkhead")
    table.row("program, stripped", unit="KiB", digits=0,
              bound=("<=", 1536)).add(OURS, os.path.getsize(stripped) / 1024)
    return table


def run(runs):
    with native.ready(taps=2) as cgroup:
        disk = native.disk_image()
        return [times(cgroup, disk, runs), memory(cgroup, disk)]
