"""process - what the process wall costs, beside crun and bubblewrap, and what
none costs beside fork and exec; a static program that does nothing. (It is without
a C library; what one takes to start in ours is shown by an empty program with it.)

  exit  from just before exec to the exit of the process that was started
  CPU   of everything that the run created until its last process is gone, by a
        cgroup
  rate  of 200 that are started at once, from the first's start to the last's exit

The sets are not the same. bwrap: all namespaces but time, a read-only bind of the
root instead of an overlay, no filter. crun: what `crun spec` gives, which has no
filter, no user, cgroup and time namespace and no overlay, but a cgroup; what it
does in there is not in its CPU figure, which the column without one is for.
"""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

import native
from common import BUILD, OURS, Cgroup, Table, progress, sh

SUMMARY = "start to exit behind the process wall beside crun and bwrap; none beside fork+exec"
RUNS = 40
AT_ONCE = 200
ROUNDS = 7
UNIFIED = "/sys/fs/cgroup/unified"
DIRECT = "fork+exec"
EMPTY = "an empty C program"


def own_mounts():
    """For us only: crun refuses a host with both kinds of cgroup, so one is hidden."""
    native.run_in_memory()
    if os.path.ismount(UNIFIED):
        sh("umount", UNIFIED)


def crun_bundle(place, root):
    sh("crun", "spec", "-b", place)
    path = f"{place}/config.json"
    with open(path, encoding="utf-8") as f:
        spec = json.load(f)
    spec["process"]["args"] = ["/true"]
    spec["process"]["terminal"] = False
    spec["root"]["path"] = root
    with open(path, "w", encoding="utf-8") as f:
        json.dump(spec, f)


def walls(place):
    root = f"{place}/root"
    os.mkdir(root)
    for name in ("proc", "sys", "dev", "tmp", "run"):
        os.mkdir(f"{root}/{name}")
    shutil.copy(BUILD + "/true", root)
    ours = ["build/release/bulkhead", "run", "--isolation"]
    work = {OURS: [*ours, "process", "--rootfs", root, "--", "/true"]}
    if shutil.which("crun"):
        crun_bundle(place, root)
        crun, name = shutil.which("crun"), f"bench-{os.getpid()}"
        work["crun"] = [crun, "run", "-b", place, name]
        work["crun, no cgroup"] = [crun, "--cgroup-manager=disabled", "run", "-b", place, name]
    if shutil.which("bwrap"):
        work["bwrap"] = [shutil.which("bwrap"), "--unshare-all", "--die-with-parent", "--new-session",
                         "--cap-drop", "ALL", "--hostname", "bulkhead", "--ro-bind", root, "/", "--proc", "/proc",
                         "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run", "/true"]
    return work, {OURS: [*ours, "none", "--", f"{root}/true"], DIRECT: [f"{root}/true"],
                  EMPTY: [BUILD + "/empty"]}


def launch(cgroup, cmd):
    out = sh(BUILD + "/launch", cgroup.path, "20000", *cmd).stdout.split()
    if int(out[4]):
        raise RuntimeError(f"status {out[4]}: {' '.join(cmd)}")
    return {"exit": int(out[1]) / 1e6, "CPU": int(out[3]) / 1e6}


def alternate(cgroup, work, runs, sample):
    for i in range(runs + 1):
        measured = {name: launch(cgroup, cmd) for name, cmd in work.items()}
        if i:  # the first of each warms the caches
            sample(measured)
        progress(f"process: {i}/{runs}")
    progress("")


def process_table(cgroup, work, runs):
    table = Table("Process wall", f"{runs} runs each, alternating; median (middle half). The sets "
                  "of crun and bwrap are smaller: see tests/bench/process.py.", work)
    table.row("exit", unit="ms", bound=("<=", 0.7, "crun"))
    table.row("CPU", unit="ms", bound=("<=", 1.0, "bwrap"))

    def sample(measured):
        for name, values in measured.items():
            for what, value in values.items():
                table.row(what).add(name, value)
    alternate(cgroup, work, runs, sample)
    return table


def none_table(cgroup, work, runs):
    table = Table("No wall", f"{runs} runs each, alternating; median (middle half).", work)
    table.row("exit", unit="ms")
    table.row("CPU", unit="ms")
    table.row("exit, more than fork+exec", unit="ms", bound=("<=", 1.0))

    def sample(measured):
        for name, values in measured.items():
            for what, value in values.items():
                table.row(what).add(name, value)
        for name in (OURS, EMPTY):
            table.row("exit, more than fork+exec").add(
                name, measured[name]["exit"] - measured[DIRECT]["exit"])
    alternate(cgroup, work, runs, sample)
    return table


def at_once(cmds):
    """Per second; none may fail."""
    start = time.monotonic()
    started = [os.posix_spawn(c[0], c, os.environ) for c in cmds]
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in started]
    took = time.monotonic() - start
    if any(ends):
        raise RuntimeError(f"{sum(map(bool, ends))} of {len(ends)} failed: {' '.join(cmds[0])}")
    return len(ends) / took


def rate_table(work, rounds):
    table = Table(f"{AT_ONCE} at once", f"{rounds} rounds each, alternating; median (middle half).", work)
    table.row("rate", unit="per s", bound=(">=", 1.0, "crun"))
    for i in range(rounds + 1):
        # crun wants a name for each, which is its last argument.
        rates = {name: at_once([[*cmd[:-1], f"{cmd[-1]}-{n}"] if "crun" in name else cmd
                                for n in range(AT_ONCE)]) for name, cmd in work.items()}
        if i:  # the first of each warms the caches
            for name, rate in rates.items():
                table.row("rate").add(name, rate)
        progress(f"process: {AT_ONCE} at once {i}/{rounds}")
    progress("")
    return table


def run(runs):
    subprocess.run(["make", "-s", BUILD + "/true", BUILD + "/empty", BUILD + "/launch"],
                   check=True)
    own_mounts()
    with tempfile.TemporaryDirectory() as place, \
            contextlib.closing(Cgroup()) as cgroup:
        work, none = walls(place)
        # The crowd last: the kernel takes its namespaces down for seconds afterwards.
        return [process_table(cgroup, work, runs), none_table(cgroup, none, runs),
                rate_table(work, min(runs, ROUNDS))]
