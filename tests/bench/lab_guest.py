"""Linux guests in the lab, the same for every machine: our kernel, 256 MiB, one
CPU, and the initrd, disks and tap that a part asks for."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from common import BUILD, OURS, CannotRun, Table, progress, sh

KERNELS = "build/guest-kernel/x86_64"
INITRD = BUILD + "/first-line.cpio"
ROOT = BUILD + "/work.erofs"  # guests that work: tests/bench/guest-init
RAM_MIB = 256
TAP = "bhbench0"
QEMU = "qemu microvm"
BEFORE = "BENCH_BEFORE"  # the environment: an older bulkhead, for one more column
Q35 = "qemu q35"
QEMU_DATA = ("/usr/share/qemu", "/usr/share/seabios", "/usr/lib/ipxe",
             "/usr/lib/x86_64-linux-gnu/qemu")


def make_files():
    """What the guests use, made where this machine can write it."""
    if not os.path.exists(KERNELS + "/vmlinux"):
        raise CannotRun(f"there is no {KERNELS}/vmlinux: make guest-kernel")
    subprocess.run(["make", "-s", "bench-lab-files"], check=True)


def lab_command(out, timeout, clock="instructions", smp=1):
    if BEFORE in os.environ:
        os.environ[BEFORE] = os.path.abspath(os.environ[BEFORE])
    return ["tests/lab/lab", "--env", BEFORE, "--clock", os.environ.get("BENCH_CLOCK", clock), "--smp",
            str(smp), "--timeout", str(timeout), "--disk", "3G", "--out", out, "--"]


def out_directory(script):
    out = os.path.abspath(f"{BUILD}/lab-{os.path.basename(script)[:-3]}")
    os.makedirs(out, exist_ok=True)
    return out


def run_in_lab(script, *args, timeout=1800):
    """Run a part's file in the lab with `--inside` and these arguments.  What it
    writes to $LAB_OUT/samples.json is the result."""
    make_files()
    out = out_directory(script)
    cmd = lab_command(out, timeout) + [sys.executable, os.path.abspath(script), "--inside"]
    status = subprocess.run(cmd + [str(a) for a in args], check=False).returncode
    if status:
        raise RuntimeError(f"the lab ended with {status}")
    with open(out + "/samples.json", encoding="utf-8") as f:
        return json.load(f)


def give(samples):
    """The other end of run_in_lab()."""
    with open(os.environ["LAB_OUT"] + "/samples.json", "w", encoding="utf-8") as f:
        json.dump(samples, f)


def columns(*peers):
    return [OURS] + (["before"] if os.environ.get(BEFORE) else []) + list(peers)


def to_lab_disk(*files):
    """Copies of files on the lab's disk: reading this machine's costs time that
    the instruction clock does not know."""
    copies = []
    for f in files:
        copies.append(os.environ["LAB_DISK"] + "/" + os.path.basename(f))
        if not os.path.exists(copies[-1]):
            shutil.copy(f, copies[-1])
    return copies if len(copies) > 1 else copies[0]


def root_on_lab_disk(*programs):
    """A root directory on the lab's disk for these programs, with their libraries
    and QEMU's firmware, and returns `chroot` into it.  The lab's own root is this
    machine's, and each look at a path there waits for this machine: time that the
    instruction clock makes up, and QEMU opens a hundred files."""
    root = os.environ["LAB_DISK"] + "/root"
    files = [w for p in programs for w in [p, *sh("ldd", p).stdout.split()] if w.startswith("/")]
    for f in {*files, "/etc/ld.so.cache"}:
        os.makedirs(root + os.path.dirname(f), exist_ok=True)
        shutil.copy(f, root + f)
    for d in filter(os.path.isdir, QEMU_DATA):
        shutil.copytree(d, root + d)
    for d in ("/dev", "/proc", "/sys", "/run", "/tmp"):
        os.makedirs(root + d)
        sh("mount", "--rbind", d, root + d)
    return [shutil.which("chroot"), root]


def bulkhead(kernel, cmdline, initrd=None, disks=(), tap=None, cpus=1):
    """{name: command}: ours, and an older one where the environment names it"""
    programs = {OURS: os.path.abspath("build/release/bulkhead")}
    if os.environ.get(BEFORE):
        programs["before"] = os.environ[BEFORE]
    return {name: bulkhead_command(to_lab_disk(p), kernel, cmdline, initrd, disks, tap, cpus)
            for name, p in programs.items()}


def bulkhead_command(program, kernel, cmdline, initrd, disks, tap, cpus):
    cmd = [program, "run", "--kernel", kernel, "--memory", f"{RAM_MIB}M", "--cpus", str(cpus),
           "--cmdline", cmdline]
    if initrd:
        cmd += ["--initrd", initrd]
    for d in disks:
        cmd += ["--disk", d]
    if tap:
        cmd += ["--net", f"tap={tap}"]
    return cmd


def qemu_program():
    return shutil.which("qemu-system-x86_64")


def qemu(machine, kernel, cmdline, initrd=None, disks=(), tap=None, cpus=1,
         aio="cache=writeback,aio=io_uring", vhost=False):
    """machine: QEMU (microvm, virtio-mmio) or Q35 (virtio-pci with MSI-X)"""
    pci = machine == Q35
    kind = "pci" if pci else "device"
    m = "q35" if pci else "microvm,acpi=off,pic=off,pit=off,rtc=off,isa-serial=on"
    if pci:
        cmdline += " pci=conf1"  # our kernel's own command line says pci=off
    cmd = [qemu_program(), "-M", m, "-accel", "kvm", "-cpu", "host", "-m",
           str(RAM_MIB), "-smp", str(cpus), "-nodefaults", "-no-user-config", "-no-reboot",
           "-display", "none", "-monitor", "none", "-serial", "stdio", "-kernel", kernel,
           "-append", cmdline]
    if initrd:
        cmd += ["-initrd", initrd]
    for i, d in enumerate(disks):
        path, _, ro = d.partition(",")
        cmd += ["-drive", f"file={path},if=none,format=raw,id=d{i},{aio}" +
                (",readonly=on" if ro else ""), "-device", f"virtio-blk-{kind},drive=d{i}"]
    if tap:
        cmd += ["-netdev", f"tap,id=n,ifname={tap},script=no,downscript=no" +
                (",vhost=on" if vhost else ""), "-device", f"virtio-net-{kind},netdev=n"]
    return cmd


class Tap:
    """The tap of a guest."""

    def __enter__(self):
        sh("ip", "tuntap", "add", TAP, "mode", "tap", "vnet_hdr")
        sh("ip", "link", "set", TAP, "up")
        return TAP

    def __exit__(self, *_):
        sh("ip", "link", "del", TAP, check=False)


# ---- guests that work: jobs, one after the other, in as many labs as it takes ----

STALL = 120  # seconds of real time without a result: the emulated clock stands still


def in_turn(runs):
    """How a table's runs followed each other, for its head: see do_jobs()."""
    return f"{runs} runs, the machines in turn." if runs > 1 else "1 run, one machine after the other."


def same_programs(out):
    """Results that are kept are of what is measured now, or nothing is measured."""
    digest = hashlib.sha256()
    for path in ("build/release/bulkhead", "build/guest-kernel/x86_64/vmlinux"):
        with open(path, "rb") as f:
            digest.update(f.read())
    path = out + "/results-of"
    if os.environ.get("BENCH_KEEP") and os.path.exists(out + "/results"):
        known = ""
        if os.path.exists(path):
            with open(path, encoding="ascii") as f:
                known = f.read()
        if known != digest.hexdigest():
            sys.exit(f"bench: BENCH_KEEP: the results in {out} are of another bulkhead or guest kernel")
    with open(path, "w", encoding="ascii") as f:
        f.write(digest.hexdigest())


def run_jobs(script, work, **lab):
    """Have `work`, a list of [machine, round, job], done by the part's file with
    `--inside` in the lab, and return {(machine, round, job): result}.

    The instruction clock freezes now and then (tests/lab/README.md).  So each
    result is kept as it comes; when none comes any more, another lab does
    what is left.  A job that stopped two labs is left out, and named.  With
    BENCH_KEEP in the environment the results of an earlier run are kept, and
    only what is missing is done."""
    make_files()
    out = out_directory(script)
    results = out + "/results"
    same_programs(out)
    with open(results, "a" if os.environ.get("BENCH_KEEP") else "w", encoding="utf-8"):
        pass
    stopped = {}
    while True:
        done = read_results(results)
        todo = [w for w in work if tuple(w) not in done and stopped.get(tuple(w), 0) < 2]
        if not todo:
            for w in (w for w in work if tuple(w) not in done):
                print(f"bench: no result of {w[0]}: {w[2]}: it stopped the lab twice", file=sys.stderr)
            return done
        with open(out + "/todo", "w", encoding="utf-8") as f:
            json.dump(todo, f)
        cmd = lab_command(out, 0, **lab) + [sys.executable, os.path.abspath(script), "--inside"]
        one_lab(cmd, results)
        done = read_results(results)
        first = next((tuple(w) for w in todo if tuple(w) not in done), None)
        if first:
            stopped[first] = stopped.get(first, 0) + 1


def read_results(path):
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f if line.endswith("\n")]
    return {tuple(line[:3]): line[3] for line in lines}


def one_lab(cmd, results):
    """Until it ends, or gives nothing for STALL seconds."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without the lab's end below
    size, since = os.path.getsize(results), time.monotonic()
    with subprocess.Popen(cmd, start_new_session=True) as lab:
        try:
            while lab.poll() is None and time.monotonic() - since < STALL:
                time.sleep(0.5)
                now = os.path.getsize(results)
                if now != size:
                    size, since = now, time.monotonic()
                    progress(f"{len(read_results(results))} results")
        finally:
            if lab.poll() is None:
                os.killpg(lab.pid, signal.SIGTERM)


def do_jobs(start, measure):
    """The other end of run_jobs().  start(machine) is a context with the guest
    in it; measure(guest, job) gives the result of one job."""
    out = os.environ["LAB_OUT"]
    with open(out + "/todo", encoding="utf-8") as f:
        todo = json.load(f)
    while todo:
        machine, turn = todo[0][:2]
        mine = [w for w in todo if w[:2] == [machine, turn]]
        todo = [w for w in todo if w[:2] != [machine, turn]]
        with start(machine) as guest:
            for w in mine:
                result = measure(guest, w[2])
                with open(out + "/results", "a", encoding="utf-8") as f:
                    f.write(json.dumps(w + [result]) + "\n")


class Guest:
    """A guest whose init is tests/bench/guest-init; a context.

    cmd     the machine's command, its console on standard input and output
    cgroup  common.Cgroup, where all its processes are counted"""

    def __init__(self, cmd, cgroup):
        self.cgroup = cgroup
        self.log = []  # its console, in LAB_OUT/console as well
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=self.join)
        self.wait_for("ready")

    def join(self):
        with open(self.cgroup.path + "/cgroup.procs", "w", encoding="ascii") as f:
            f.write("0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.kill()
        self.cgroup.kill()
        self.process.wait()

    def wait_for(self, word):
        """The rest of the console's next line that begins with `word`."""
        for raw in self.process.stdout:
            line = raw.decode(errors="replace").strip()
            self.log.append(line)
            with open(os.environ["LAB_OUT"] + "/console", "a", encoding="utf-8") as f:
                f.write(line + "\n")
            if line == word or line.startswith(word + " "):
                return line[len(word):].strip()
            if line.startswith("failed "):
                raise RuntimeError(line)
        raise RuntimeError(f"the guest ended with {self.process.wait()}: " + "\n".join(self.log[-20:]))

    def do(self, job):
        """-> the job's figures, as numbers"""
        self.process.stdin.write(job.encode() + b"\n")
        self.process.stdin.flush()
        return [float(f) for f in self.wait_for("done").split()]

    def counts(self):
        """What the machine has used so far; the guest rests."""
        with open(self.cgroup.path + "/cpu.stat", encoding="ascii") as f:
            cpu = int(re.search(r"usage_usec (\d+)", f.read())[1])
        return {"exits": kvm_count("exits"), "interrupts": kvm_count("irq_injections"), "cpu_us": cpu}

    def threads(self):
        return {int(t) for d, _, files in os.walk(self.cgroup.path) if "cgroup.threads" in files
                for t in open(d + "/cgroup.threads", encoding="ascii")}

    def system_calls(self, job):
        """-> how many system calls all its threads make for this job"""
        trigger = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/trigger"
        threads = self.threads()
        put(trigger, "hist:keys=common_pid:size=4096")
        try:
            self.do(job)
            threads |= self.threads()
            with open(os.path.dirname(trigger) + "/hist", encoding="ascii") as f:
                found = re.findall(r"common_pid: +(\d+) \} hitcount: +(\d+)", f.read())
        finally:
            put(trigger, "!hist:keys=common_pid:size=4096")
        return sum(int(n) for pid, n in found if int(pid) in threads)


def put(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def kvm_count(name):
    with open(f"/sys/kernel/debug/kvm/{name}", encoding="ascii") as f:
        return int(f.read())


def per_request(guest, job, few, many):
    """-> counts per request of job(n), without what starting it costs: the
    difference between many and few requests."""
    def use(n):
        before = guest.counts()
        guest.do(job(n))
        after = guest.counts()
        return {k: after[k] - before[k] for k in after}
    a, b = use(few), use(many)
    result = {k: (b[k] - a[k]) / (many - few) for k in a}
    calls = [guest.system_calls(job(n)) for n in (few, many)]
    result["calls"] = (calls[1] - calls[0]) / (many - few)
    return result


def counts_table(title, done, machines, jobs):
    """The results of per_request()."""
    table = Table(title, "Starting the program left out.", machines)
    for job in jobs:
        for key, name, unit, digits in (("exits", "exits", "", 2), ("interrupts", "interrupts", "", 2),
                                        ("calls", "system calls", "", 2), ("cpu_us", "CPU", "us", 1)):
            row = table.row(f"{job}: {name}", unit=unit, digits=digits)
            for (machine, _, j), result in done.items():
                if j == job + ": per request":
                    row.add(machine, result[key])
    return table


def chosen(jobs):
    """Those that the environment's BENCH_JOBS names, by words in their names; all without it."""
    words = [w for w in os.environ.get("BENCH_JOBS", "").split(",") if w]
    return [j for j in jobs if not words or any(w in j for w in words)]
