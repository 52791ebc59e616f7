"""The machine as programs see it that look for faults: lscpu, stress-ng with
--verify, file-system work on a disk that is checked afterwards."""
import os
import re

from harness import Skip, case

from cases.foreign import interrupts
from cases.ext4 import check_ext4

MIB = 1 << 20
# Each checks what it computes, copies or reads back.
COMPUTE = '--cpu 1 --matrix 1 --memcpy 1 --vm 1 --vm-bytes 48M'
MEMORY = '--malloc 1 --malloc-bytes 32M --mmap 1 --mmap-bytes 32M --mremap 1 --mremap-bytes 16M'
KERNEL = '--switch 1 --pipe 1 --futex 1 --timerfd 1 --fork 1 --mq 1 --sem 1'
FILES = ('--hdd 1 --hdd-bytes 8M --seek 1 --seek-size 8M --iomix 1 --iomix-bytes 8M '
         '--fallocate 1 --fallocate-bytes 8M --rename 1 --dentry 1 --link 1 --temp-path /mnt')


def tools_root(t):
    """Read where it is: the lab would take long to copy it."""
    path = os.path.join(t.built, 'tools.erofs')
    if not os.path.exists(path):
        raise Skip('there is no image with stress-ng')
    return path


def stress(t, what, seconds, *args, before='true', limit=100):
    """What stress-ng says must be that all its workers were content."""
    r = t.run('--rootfs', tools_root(t), '--cpus', '2', '--memory', '512M', *args, '--', 'sh', '-c',
              f'{before} && cd /tmp && stress-ng --verify --no-rand-seed --timeout {seconds} {what} 2>&1; '
              'echo "status $?"', seconds=seconds + limit)
    text = r.out.decode(errors='replace')
    t.same('status', r.status, 0)
    t.check('stress-ng', re.search(r'successful run completed.*\nstatus 0\n$', text, re.S), text)
    t.check('complaints', not re.search(r'stress-ng: (fail|error):', text), text)


@case()
def lscpu(t):
    r = t.run('--rootfs', tools_root(t), '--cpus', '4', '--', 'sh', '-c', 'lscpu; cat /proc/interrupts')
    t.ended(r, 0)
    text = r.out.decode()
    for name, want in (('Architecture', 'x86_64'), ('CPU(s)', '4'), ('On-line CPU(s) list', '0-3'),
                       ('Core(s) per socket', '4'), ('Socket(s)', '1'), ('Thread(s) per core', '1'),
                       ('Hypervisor vendor', 'KVM'), ('Virtualization type', 'full')):
        got = re.search(rf'^ *{re.escape(name)}: +(.*)$', text, re.M)
        t.same(name, got and got.group(1), want)
    counts = interrupts(text)
    t.check('the disk has interrupted', counts.get('virtio0', 0) > 0, text)
    local = re.search(r'^ *LOC:((?: +\d+){4}) ', text, re.M)
    t.check('the timer has interrupted every CPU', local and min(map(int, local[1].split())) > 0, text)




@case(limit=300)
def stress_file_system(t):
    """What works on files of a disk; then the disk is checked."""
    path = t.disk('d', 128 * MIB)
    t.host('mke2fs', '-q', '-t', 'ext4', path)
    stress(t, FILES, 8, '--disk', path, before='mount /dev/vdb /mnt')
    check_ext4(t, path)


@case(long=True, limit=600, table=[('computing', COMPUTE), ('memory', MEMORY), ('kernel', KERNEL)])
def stress_for_a_minute(t, what):
    stress(t, what, 60, limit=300)


@case(long=True, limit=600)
def stress_file_system_for_a_minute(t):
    path = t.disk('d', 256 * MIB)
    t.host('mke2fs', '-q', '-t', 'ext4', path)
    stress(t, FILES, 60, '--disk', path, before='mount /dev/vdb /mnt', limit=300)
    check_ext4(t, path)


@case(limit=200)
def memory_of_16g(t):
    """More than the host has: what the guest does not touch costs nothing."""
    r = t.guest('awk \'/MemTotal/ { print $2 }\' /proc/meminfo', '--memory', '16G', seconds=120)
    t.ended(r, 0)
    seen = int(r.out) / 1024
    t.check('MemTotal', 16384 * 0.94 < seen <= 16384, f'{seen:.0f} of 16384 MiB')
