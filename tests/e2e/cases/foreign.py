"""Debian as it is: its kernels, which tests/e2e/make-debian-kernel unpacks, and its
system, which tests/e2e/make-debian-root installs into an image."""
import hashlib
import os
import random
import re

from harness import Skip, case

from cases.clock import check_time
from cases.ext4 import check_ext4

MIB = 1 << 20
OURS = '10.9.0.1'


def debian_file(t, flavour, name):
    return os.path.join(t.built, 'debian-' + flavour, name)


def with_script(t, initrd, script):
    """The initrd, and behind it an archive with the script for its init."""
    t.file('script', script.encode())
    t.host('sh', '-c', 'cat "$1" >initrd; echo script | cpio -o -H newc --quiet >>initrd',
           'sh', initrd)
    return os.path.join(t.dir, 'initrd')


def payload(path):
    """The compressed kernel in a bzImage (Linux, Documentation/arch/x86/boot.rst)."""
    with open(path, 'rb') as f:
        data = f.read()
    start = (data[0x1f1] + 1) * 512 + int.from_bytes(data[0x248:0x24c], 'little')
    return data[start:start + int.from_bytes(data[0x24c:0x250], 'little')]


def start_debian(t, flavour, script, *args, kernel=None):
    """Only what is worth a line is told on the console: it is slow in the lab."""
    return t.start('--kernel', kernel or debian_file(t, flavour, 'vmlinuz'), '--initrd',
                   with_script(t, debian_file(t, flavour, 'initrd'), script), '--cmdline',
                   'console=ttyS0 panic=-1 quiet', '--memory', '512M', *args)


def values(text):
    """name -> what is behind it, of lines 'name: what'."""
    return dict(re.findall(r'^([a-z ]+): (.*?)\r?$', text, re.M))


def interrupts(text):
    """name of the device -> how often, all CPUs together, of /proc/interrupts."""
    found = {}
    for counts, name in re.findall(r'^ *\d+:((?: +\d+)+) +.*?(\S+)\r?$', text, re.M):
        found[name] = sum(map(int, counts.split()))
    return found


LOOK = f'''
echo "release: $(uname -r)"
echo "processors: $(nproc)"
echo "clock source: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "rng: $(cat /sys/class/misc/hw_random/rng_current)"
for i in 1 2; do echo "random: $(head -c 16 /dev/hwrng | od -An -tx1 | tr -d ' ')"; done
echo "disk: $(sha256sum /dev/vda | cut -c1-64)"
dd if=/dev/vda of=/dev/vdb bs=64k seek=16 conv=fsync 2>/dev/null; echo "copied: $?"
ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up
echo "ping: $(ping -c 3 -W 5 {OURS} | tail -n 2 | head -n 1)"
echo "mac: $(cat /sys/class/net/eth0/address)"
cat /proc/interrupts
stty -echo; echo up
tell-time /dev/ptp0
'''


@case(net=True)
def debian_kernel_cloud(t):
    run_debian_kernel(t, 'cloud')


@case(net=True, long=True)
def debian_kernel_generic(t):
    run_debian_kernel(t, 'generic')


@case(long=True)
def debian_kernel_elf(t):
    """The vmlinux that is in the bzImage: no code of its own unpacks it."""
    # What is behind the compressed data is their length.
    packed = t.file('packed', payload(debian_file(t, 'cloud', 'vmlinuz'))[:-4])
    tool = 'lz4' if t.read('packed').startswith(b'\x02\x21\x4c\x18') else 'xz'
    t.host('sh', '-c', f'{tool} -dc <"$1" >vmlinux', 'sh', packed)
    t.same('an ELF file\'s magic', t.read('vmlinux')[:4], b'\x7fELF')
    with open(debian_file(t, 'cloud', 'release'), encoding='ascii') as f:
        release = f.read().strip()
    data = random.Random(4).randbytes(MIB)
    m = start_debian(t, 'cloud', 'echo "release: $(uname -r)"; '
                     'echo "disk: $(sha256sum /dev/vda | cut -c1-64)"; echo up', '--disk',
                     t.file('disk', data) + ',ro', '--report', 'report.json',
                     kernel=os.path.join(t.dir, 'vmlinux'))
    told = values(m.expect(rb'(.*)\nup\r?\n', 100)[0].decode())
    t.same('release', told.get('release'), release)
    t.same('disk', told.get('disk'), hashlib.sha256(data).hexdigest())
    t.same('status', m.wait().status, 0)
    t.same('reason', t.report()['reason'], 'power-off')


def run_debian_kernel(t, flavour):
    """Its bzImage with its modules: disk, network, random numbers, clock, power."""
    with open(debian_file(t, flavour, 'release'), encoding='ascii') as f:
        release = f.read().strip()
    data = random.Random(3).randbytes(4 * MIB)
    m = start_debian(t, flavour, LOOK, '--cpus', '2', '--disk', t.file('source', data), '--disk',
                     t.disk('target', 6 * MIB), '--net', f'tap={t.tap()},mac=02:00:00:aa:bb:01',
                     '--report', 'report.json')
    text = m.expect(rb'(.*)\nup\r?\n', 100)[0].decode()
    told = values(text)
    for what, want in (('release', release), ('processors', '2'), ('clock source', 'kvm-clock'),
                       ('rng', 'virtio_rng.0'), ('disk', hashlib.sha256(data).hexdigest()),
                       ('copied', '0'), ('mac', '02:00:00:aa:bb:01')):
        t.same(what, told.get(what), want)
    t.check('ping', '3 packets received' in told.get('ping', ''), text)
    numbers = re.findall(r'^random: ([0-9a-f]{32})\r?$', text, re.M)
    t.check('random numbers', len(set(numbers)) == 2, numbers)
    counts = interrupts(text)
    t.check('interrupts of five devices', [counts.get(n, 0) > 0 for n in (
        'virtio0', 'virtio1', 'virtio2', 'virtio3', 'ttyS0')] == [True] * 5, text)
    # Its system's clock may be late by the ticks that were lost at the start.
    check_time(t, m, 'what the host says is the time')
    m.send(b'end\n')
    t.same('status', m.wait().status, 0)
    t.same('reason', t.report()['reason'], 'power-off')
    t.check('what the guest wrote', t.read('target') == bytes(MIB) + data + bytes(MIB))


def debian_root():
    """The image; each run of the tests has a copy of its own."""
    image = os.path.join(os.environ['E2E_SCRATCH'], 'debian.ext4')
    if not os.path.exists(image):
        raise Skip('there is no image of Debian: making one needs root')
    return image


def log_in(m, seconds=150):
    m.expect(rb'debian login: ', seconds)
    m.send(b'root\n')
    m.expect(rb'root@debian:~# ', 60)


def ask(m, command):
    """What a command prints; its echo on the terminal does not look like it."""
    m.send(f'echo "<"$({command})">"\n'.encode())
    return m.expect(rb'<([^$>]*)>\r?\n', 60)[0].decode()


def check_systemd(t, m):
    t.same('what the system says', ask(m, 'systemctl is-system-running --wait'), 'running')
    t.same('units that failed', ask(m, 'systemctl --failed --plain --no-legend'), '')
    t.same('process 1', ask(m, 'cat /proc/1/comm'), 'systemd')
    t.same('virtual machine', ask(m, 'systemd-detect-virt'), 'kvm')
    t.same('console', ask(m, 'tty'), '/dev/ttyS0')


@case(limit=400)
def debian_with_systemd(t):
    """Our kernel, Debian's init: a login prompt, and its power-off is the end."""
    image = debian_root()
    m = t.start('--rootfs', image + ',rw', '--memory', '512M', '--report', 'report.json')
    log_in(m)
    check_systemd(t, m)
    t.same('a file that stays', ask(m, 'echo kept >/root/kept; cat /root/kept'), 'kept')
    m.send(b'systemctl poweroff\n')
    t.same('status', m.wait(100).status, 0)
    t.same('reason', t.report()['reason'], 'power-off')
    check_ext4(t, image)
    t.check('what was written', 'kept\n' in t.host('debugfs', '-R', 'cat /root/kept', image))


@case(limit=900, long=True)
def debian_with_its_own_kernel(t):
    """Debian's kernel, modules and init; nothing of the guest is ours."""
    image = os.path.join(os.environ['E2E_SCRATCH'], 'debian-own.ext4')
    t.host('cp', '--sparse=always', debian_root(), image)
    m = t.start('--kernel', debian_file(t, 'cloud', 'vmlinuz'), '--initrd',
                debian_file(t, 'cloud', 'initrd'), '--cmdline',
                'console=ttyS0 panic=-1 quiet root=/dev/vda', '--disk', image, '--memory', '512M',
                '--report', 'report.json')
    log_in(m, 400)
    check_systemd(t, m)
    with open(debian_file(t, 'cloud', 'release'), encoding='ascii') as f:
        t.same('release', ask(m, 'uname -r'), f.read().strip())
    m.send(b'systemctl poweroff\n')
    t.same('status', m.wait(100).status, 0)
    t.same('reason', t.report()['reason'], 'power-off')
    check_ext4(t, image)
    os.unlink(image)


@case(table=[('gzip', 'gzip', b'\x1f\x8b'), ('zstd', 'zstd', b'\x28\xb5\x2f\xfd')])
def compressed_kernel(t, how, magic):
    """A bzImage unpacks itself, whatever it is compressed by.  The kernel's own
    is lz4, which all other cases with a bzImage have, as Debian's cloud kernel;
    its generic one is xz."""
    path = os.path.join(t.built, 'bzImage-' + how)
    if not os.path.exists(path):
        raise Skip(f'there is no kernel compressed by {how}')
    start = payload(path)[:len(magic)]
    t.same('the compression', start, magic)
    r = t.guest('uname -r; exit 4', '--kernel', path)
    t.same('status', r.status, 4)
    t.check('release', r.out.startswith(b'6.'), r.out)
