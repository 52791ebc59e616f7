"""Both ends of vhost-user against a foreign one: QEMU's storage daemon serves a
guest of ours, and our device processes serve a guest of QEMU's."""
import hashlib
import os
import random
import re
import shutil

from harness import Machine, Skip, case, wait_until

from cases.foreign import debian_file, interrupts, values, with_script

MIB = 1 << 20
OURS = '10.9.0.1'


def needs(program):
    if not shutil.which(program):
        raise Skip(f'{program} is not installed')


def start_back_end(t, name, *argv):
    """A back end, once it listens on NAME.sock: both."""
    socket = os.path.join(t.dir, name + '.sock')
    p = t.helper(*(a.replace('SOCKET', socket) for a in argv))
    wait_until(f'{name} listens', lambda: os.path.exists(socket) or p.poll() is not None)
    if p.poll() is not None:
        t.fail(f'{argv[0]}: status {p.returncode}: {p.stdout.read()}')
    return p, socket


def start_storage_daemon(t, path, *export):
    options = ','.join(('type=vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path=SOCKET',)
                       + export)
    return start_back_end(t, 'daemon', 'qemu-storage-daemon', '--blockdev',
                          f'driver=file,node-name=d,filename={path}', '--export', options)


@case(limit=240)
def storage_daemon_four_queues(t):
    run_storage_daemon(t, 4)


@case(limit=240, long=True)
def storage_daemon_one_queue(t):
    run_storage_daemon(t, 1)


def run_storage_daemon(t, queues):
    """What it writes for the guest, the host reads, and the other way round."""
    needs('qemu-storage-daemon')
    data = random.Random(9).randbytes(4 * MIB)
    path = t.file('d', data + bytes(6 * MIB))
    daemon, socket = start_storage_daemon(t, path, 'writable=on', f'num-queues={queues}')
    r = t.guest('cat /sys/block/vdb/size; dd if=/dev/vdb bs=64k count=64 2>/dev/null | sha256sum | cut -c1-64; '
                'dd if=/dev/vdb of=/dev/vdb bs=64k count=64 seek=80 conv=fsync 2>/dev/null; '
                'printf "sector %-505s" 7 | dd of=/dev/vdb bs=512 seek=16384 2>/dev/null; sync',
                '--cpus', '2', '--vhost-user', f'blk:{socket}', seconds=120)
    t.ended(r, 0, out=f'20480\n{hashlib.sha256(data).hexdigest()}\n'.encode())
    t.check('the daemon has ended', daemon.poll() is None, daemon.poll())
    got = t.read('d')
    t.check('what was copied', got[:4 * MIB] == data and got[5 * MIB:8 * MIB] == data[:3 * MIB] and
            got[8 * MIB + 512:9 * MIB] == data[3 * MIB + 512:])
    t.same('one sector', got[8 * MIB:8 * MIB + 512], b'sector %-505d' % 7)


@case(long=True)
def storage_daemon_read_only(t):
    needs('qemu-storage-daemon')
    path = t.file('d', b'what is there'.ljust(MIB, b'\0'))
    _, socket = start_storage_daemon(t, path)
    r = t.guest('cat /sys/block/vdb/ro; head -c 13 /dev/vdb; '
                'dd if=/dev/zero of=/dev/vdb bs=4k count=1 2>/dev/null || echo', '--vhost-user', f'blk:{socket}')
    t.ended(r, 0, out=b'1\nwhat is there\n')


@case(long=True)
def storage_daemon_that_dies(t):
    """Its loss while in use ends the guest, with a line that says so."""
    needs('qemu-storage-daemon')
    daemon, socket = start_storage_daemon(t, t.disk('d', MIB), 'writable=on')
    m = t.start_guest('head -c 512 /dev/vdb >/dev/null; echo up; cat', '--vhost-user', f'blk:{socket}')
    m.expect(rb'up\n')
    daemon.kill()
    t.ended(m.wait(), 125, err=r'^bulkhead: [^\n]*lost[^\n]*\n$')


QEMU_LOOK = f'''
echo "release: $(uname -r)"
echo "disk: $(sha256sum /dev/vda | cut -c1-64)"
echo "serial: $(cat /sys/block/vda/serial)"
dd if=/dev/vda of=/dev/vdb bs=64k seek=16 conv=fsync 2>/dev/null; echo "copied: $?"
blkdiscard -o 0 -l 1048576 /dev/vdb; echo "discard: $?"
ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up
echo "ping: $(ping -c 3 -W 5 {OURS} | tail -n 2 | head -n 1)"
echo "mac: $(cat /sys/class/net/eth0/address)"
cat /proc/interrupts
echo up
'''


@case(net=True, limit=240)
def our_devices_serve_qemu(t):
    """Two disks and a network interface of ours behind QEMU's virtio-pci."""
    needs('qemu-system-x86_64')
    data = random.Random(5).randbytes(4 * MIB)
    tap = t.tap()
    disks = [start_back_end(t, name, t.bulkhead, 'device', 'blk', '--socket', 'SOCKET', '--disk', path)
             for name, path in (('source', t.file('s', data) + ',ro,id=first'), ('target', t.disk('d', 6 * MIB)))]
    net = start_back_end(t, 'net', t.bulkhead, 'device', 'net', '--socket', 'SOCKET', '--net',
                         f'tap={tap},mac=02:00:00:aa:bb:07')
    argv = ['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
            '-accel', 'kvm', '-cpu', 'host', '-M', 'q35,memory-backend=mem', '-m', '384', '-object',
            'memory-backend-memfd,id=mem,size=384M,share=on', '-serial', 'stdio', '-kernel',
            debian_file(t, 'cloud', 'vmlinuz'), '-initrd',
            with_script(t, debian_file(t, 'cloud', 'initrd'), QEMU_LOOK), '-append',
            'console=ttyS0 panic=-1 quiet']
    for i, (_, socket) in enumerate(disks):
        argv += ['-chardev', f'socket,id=disk{i},path={socket}', '-device',
                 f'vhost-user-blk-pci,chardev=disk{i}']
    argv += ['-chardev', f'socket,id=net,path={net[1]}', '-netdev', 'vhost-user,id=n,chardev=net',
             '-device', 'virtio-net-pci,netdev=n,mac=02:00:00:aa:bb:07']
    m = Machine(t, argv)
    text = m.expect(rb'(.*)\nup\r?\n', 200)[0].decode()
    t.same('status of QEMU', m.wait().status, 0)
    told = values(text)
    for what, want in (('disk', hashlib.sha256(data).hexdigest()), ('serial', 'first'), ('copied', '0'),
                       ('discard', '0'), ('mac', '02:00:00:aa:bb:07')):
        t.same(what, told.get(what), want)
    t.check('ping', '3 packets received' in told.get('ping', ''), text)
    counts = interrupts(text)
    t.check('interrupts by MSI-X', all(any(n > 0 for name, n in counts.items() if re.match(p, name))
                                       for p in ('virtio0-req', 'virtio1-req', 'virtio2-input')), text)
    for p, _ in disks + [net]:
        t.same('status of a device', p.wait(10), 0)
        t.same('what it says', p.stdout.read(), b'')
    t.check('what the guest wrote', t.read('d') == bytes(MIB) + data + bytes(MIB))
