"""Linux guests in the lab, the same for every machine: our kernel, 256 MiB, one
CPU, and the initrd, disks and tap that a part asks for."""
import json
import os
import shutil
import subprocess
import sys

from common import BUILD, OURS, CannotRun, sh

KERNELS = "build/guest-kernel/x86_64"
INITRD = BUILD + "/first-line.cpio"
RAM_MIB = 256
TAP = "bhbench0"
QEMU = "qemu microvm"
BEFORE = "BENCH_BEFORE"  # the environment: an older bulkhead, for one more column
Q35 = "qemu q35"


def make_files():
    """What the guests use, made where this machine can write it."""
    if not os.path.exists(KERNELS + "/vmlinux"):
        raise CannotRun(f"there is no {KERNELS}/vmlinux: make guest-kernel")
    subprocess.run(["make", "-s", "bench-lab-files"], check=True)


def run_in_lab(script, *args, timeout=1800):
    """Run a part's file in the lab with `--inside` and these arguments.  What it
    writes to $LAB_OUT/samples.json is the result."""
    make_files()
    out = os.path.abspath(f"{BUILD}/lab-{os.path.basename(script)[:-3]}")
    os.makedirs(out, exist_ok=True)
    if BEFORE in os.environ:
        os.environ[BEFORE] = os.path.abspath(os.environ[BEFORE])
    cmd = ["tests/lab/lab", "--env", BEFORE, "--clock", "instructions", "--timeout", str(timeout),
           "--disk", "3G", "--out", out, "--", sys.executable, os.path.abspath(script), "--inside"]
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


def qemu(machine, kernel, cmdline, initrd=None, disks=(), tap=None, cpus=1,
         aio="cache=writeback,aio=io_uring"):
    """machine: QEMU (microvm, virtio-mmio) or Q35 (virtio-pci with MSI-X)"""
    pci = machine == Q35
    kind = "pci" if pci else "device"
    m = "q35" if pci else "microvm,acpi=off,pic=off,pit=off,rtc=off,isa-serial=on"
    if pci:
        cmdline += " pci=conf1"  # our kernel's own command line says pci=off
    cmd = [shutil.which("qemu-system-x86_64"), "-M", m, "-accel", "kvm", "-cpu", "host", "-m",
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
        cmd += ["-netdev", f"tap,id=n,ifname={tap},script=no,downscript=no", "-device",
                f"virtio-net-{kind},netdev=n"]
    return cmd


class Tap:
    """The tap of a guest."""

    def __enter__(self):
        sh("ip", "tuntap", "add", TAP, "mode", "tap", "vnet_hdr")
        sh("ip", "link", "set", TAP, "up")
        return TAP

    def __exit__(self, *_):
        sh("ip", "link", "del", TAP, check=False)

