#!/usr/bin/env python3
"""memory - what guest memory costs, beside QEMU's memory back ends: the first
touch of each page, a triad, a chase of pointers (tests/guests/memory.c), run
at CPL 3, natively and in the lab.

QEMU's default is anonymous memory with MADV_HUGEPAGE; its memfd is what a back
end in another process needs, as ours always has it."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import native  # noqa: E402
from common import OURS, CannotRun, Table, progress  # noqa: E402

SUMMARY = "touching 1 GiB, triad, pointer chase in a guest, beside QEMU; natively and in the lab"
RUNS = 11
KERNEL = "build/guests/memory-pvh.elf"
OURS_SMALL = "bulkhead, 4 KiB pages"
QEMU = "qemu, anonymous"
QEMU_MEMFD = "qemu, memfd"


def commands(mib):
    ram = mib + 256
    ours = [os.path.abspath("build/release/bulkhead"), "run", "--kernel", KERNEL, "--memory",
            f"{ram}M", "--cmdline", f"mib={mib}"]
    found = {OURS: ours, OURS_SMALL: ours + ["--hugepages", "off"]}
    if shutil.which("qemu-system-x86_64"):
        qemu = native.qemu_bare(KERNEL, ram) + ["-append", f"mib={mib}"]
        found[QEMU] = qemu
        found[QEMU_MEMFD] = qemu + ["-object", f"memory-backend-memfd,id=m,size={ram}M,share=on",
                                    "-machine", "memory-backend=m"]
    return found


def measure(mib, runs):
    """[(machine, what, cycles)...]; the first run of each is left out"""
    samples = []
    work = commands(mib)
    for i in range(runs + 1):
        for name, cmd in work.items():
            r = subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               timeout=300, check=False)
            lines = [line.split() for line in r.stdout.splitlines()]
            if [line[0] for line in lines] != ["touch", "triad", "chase"]:
                raise RuntimeError(f"{' '.join(cmd)}: {r.stdout}{r.stderr}")
            if i:
                samples += [(name, what, int(cycles)) for what, cycles in lines]
        progress(f"memory: {i}/{runs}")
    progress("")
    return samples


def table(title, note, mib, samples):
    t = Table(title, note, list(dict.fromkeys(s[0] for s in samples)))
    names = {"touch": f"touching {mib} MiB", "triad": f"triad over {mib} MiB",
             "chase": "chase, 2^20 steps"}
    for machine, what, cycles in samples:
        # Speed >= 0.95 of QEMU's
        t.row(names[what], unit="10^6 cycles", digits=1,
              bound=("<=", round(1 / 0.95, 3), QEMU)).add(machine, cycles / 1e6)
    return t


def in_the_lab(mib, runs):
    r = subprocess.run(["tests/lab/lab", "--clock", "instructions", "--timeout", "1200", "--",
                        sys.executable, os.path.abspath(__file__), "--inside", str(mib),
                        str(runs)], stdout=subprocess.PIPE, text=True, check=False)
    if r.returncode:
        raise RuntimeError(f"the lab ended with {r.returncode}")
    return [tuple(s) for s in json.loads(r.stdout)]


def run(runs):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        raise CannotRun("/dev/kvm cannot be opened")
    here = table("Memory, natively", f"{runs} runs each, alternating; median (middle half).",
                 1024, measure(1024, runs))
    few = max(2, runs // 4)
    lab = table("Memory, in the lab", f"{few} runs each, alternating, on the instruction clock, "
                "where caches and TLBs cost nothing.", 128, in_the_lab(128, few))
    return [here, lab]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(measure(int(sys.argv[2]), int(sys.argv[3]))))
