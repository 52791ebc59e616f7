"""The machines that launch the tiny payload on this host's /dev/kvm: 128 MiB,
1 vCPU, one disk, one network interface on a tap, one source of random numbers,
one serial port; seccomp filters on (ours always; QEMU is the lean machine
without its sandbox, with it in a column of its own)."""
import contextlib
import ctypes
import os
import shutil
import subprocess

import common
from common import BUILD, OURS, sh

TAP = "bhbench%d"
RAM_MIB = 128
QEMU = "qemu microvm"
QEMU_SANDBOX = "qemu microvm, sandbox"


def qemu_bare(kernel, ram_mib):
    """The lean microvm, without a disk or a network interface."""
    return [shutil.which("qemu-system-x86_64"), "-M",
            "microvm,acpi=off,pic=off,pit=off,rtc=off,isa-serial=on", "-accel", "kvm", "-cpu",
            "host,-arch-capabilities", "-m", str(ram_mib), "-smp", "1", "-nodefaults",
            "-no-user-config", "-display", "none", "-monitor", "none", "-serial", "stdio",
            "-kernel", kernel, "-device", "isa-debug-exit,iobase=0x5b0,iosize=8"]


def qemu(kernel, disk, sandbox=False, tap=TAP % 0):
    cmd = qemu_bare(kernel, RAM_MIB) + [
        "-drive", f"file={disk},if=none,format=raw,id=d", "-device", "virtio-blk-device,drive=d",
        "-netdev", f"tap,id=n,ifname={tap},script=no,downscript=no", "-device",
        "virtio-net-device,netdev=n", "-device", "virtio-rng-device"]
    return cmd + (["-sandbox", "on,spawn=deny,resourcecontrol=deny"] if sandbox else [])


def bulkhead(kernel, disk, tap=TAP % 0):
    return [os.path.abspath("build/release/bulkhead"), "run", "--kernel", kernel, "--memory",
            f"{RAM_MIB}M", "--disk", disk, "--net", f"tap={tap}"]


def machines(kernel, disk, tap=TAP % 0, sandbox=True):
    """name -> command, ours first; QEMU where it is installed"""
    found = {OURS: bulkhead(kernel, disk, tap)}
    if shutil.which("qemu-system-x86_64"):
        found[QEMU] = qemu(kernel, disk, False, tap)
        if sandbox:
            found[QEMU_SANDBOX] = qemu(kernel, disk, True, tap)
    return found


def disk_image(name="disk.img"):
    path = f"{BUILD}/{name}"
    with open(path, "wb") as f:
        f.truncate(64 << 20)
    return path


CLONE_NEWNS = 0x20000


def run_in_memory():
    """For us only: /run, where each keeps what it knows of its runs, is a tmpfs, as on
    hosts. (Journalled, a directory costs a launch a third of a millisecond.)"""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNS):
        raise common.CannotRun("takes root, for a mount namespace of its own")
    sh("mount", "--make-rprivate", "/")
    if sh("stat", "-fc", "%T", "/run").stdout.strip() != "tmpfs":
        sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")


@contextlib.contextmanager
def ready(taps=1):
    """The files of `make bench-files`, `taps` taps, a /run in memory, and a cgroup, which is
    given."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        raise common.CannotRun("/dev/kvm cannot be opened")
    if os.geteuid() != 0:
        raise common.CannotRun("taps and cgroups need root")
    subprocess.run(["make", "-s", "bench-files"], check=True)
    run_in_memory()
    cgroup = common.Cgroup()
    try:
        for i in range(taps):
            sh("ip", "tuntap", "add", TAP % i, "mode", "tap", "vnet_hdr", check=False)
            sh("ip", "link", "set", TAP % i, "up", check=False)
        yield cgroup
    finally:
        cgroup.close()
        for i in range(taps):
            sh("ip", "link", "del", TAP % i, check=False)
