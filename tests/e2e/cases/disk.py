"""--disk: what one side writes, the other reads."""
import hashlib
import os
import random

from harness import case

from cases.ext4 import check_ext4

MIB = 1 << 20


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


@case()
def disk_both_ways(t):
    """4 MiB of noise from the host are read in the guest, and copied back."""
    data = noise(4 * MIB)
    source, target = t.file('source', data), t.disk('target', 6 * MIB)
    r = t.guest('cat /sys/block/vdb/size /sys/block/vdc/size; sha256sum /dev/vdb | cut -c1-64; '
                'dd if=/dev/vdb of=/dev/vdc bs=64k seek=16 conv=fsync 2>/dev/null',
                '--disk', source, '--disk', target)
    t.ended(r, 0, out=f'8192\n12288\n{hashlib.sha256(data).hexdigest()}\n'.encode())
    t.check('what the guest wrote', t.read('target') == bytes(MIB) + data + bytes(MIB))
    t.check('the source is as it was', t.read('source') == data)


@case()
def disk_small_and_odd_requests(t):
    """Sectors at odd places, past the page cache and through it."""
    t.disk('d', MIB)
    r = t.guest('for s in 0 1 7 9 2047; do printf "sector %-505s" $s | '
                'dd of=/dev/vdb bs=512 seek=$s conv=notrunc 2>/dev/null; done; '
                'sync; echo 3 >/proc/sys/vm/drop_caches; '
                'for s in 0 1 7 9 2047; do dd if=/dev/vdb bs=512 skip=$s count=1 2>/dev/null | tr -s " "; '
                'done; dd if=/dev/vdb bs=512 skip=2048 count=1 2>/dev/null | wc -c',
                '--disk', os.path.join(t.dir, 'd'))
    t.ended(r, 0, out=b'sector 0 sector 1 sector 7 sector 9 sector 2047 0\n')
    data = t.read('d')
    for s in (0, 1, 7, 9, 2047):
        t.same(f'sector {s}', data[512 * s:512 * s + 512], b'sector %-505d' % s)


@case()
def disk_read_only(t):
    data = noise(MIB)
    t.file('d', data)
    r = t.guest('cat /sys/block/vdb/ro; dd if=/dev/zero of=/dev/vdb bs=4k count=1 2>&1 | head -1; '
                'sha256sum /dev/vdb | cut -c1-64', '--disk', os.path.join(t.dir, 'd') + ',ro')
    t.same('status', r.status, 0)
    lines = r.out.decode().splitlines()
    t.same('ro', lines[0], '1')
    t.check('writing is refused', 'dd:' in lines[1], lines)
    t.same('what is read', lines[-1], hashlib.sha256(data).hexdigest())
    t.check('the file is as it was', t.read('d') == data)


@case()
def disk_serial(t):
    r = t.guest('cat /sys/block/vdb/serial; echo; cat /sys/block/vdc/serial; echo',
                '--disk', t.disk('a', MIB) + ',id=my-disk_1.x', '--disk',
                t.disk('b', MIB) + ',id=abcdefghijklmnopqrst')
    t.ended(r, 0, out=b'my-disk_1.x\nabcdefghijklmnopqrst\n')


@case()
def disk_is_locked(t):
    """A second machine may not write to what a first one uses; readers share."""
    path = t.disk('d', MIB)
    m = t.start_guest('echo up; cat', '--disk', path)
    m.expect(rb'up\n')
    for how in ('', ',ro'):
        r = t.guest('true', '--disk', path + how)
        t.ended(r, 125, err=r'^bulkhead: [^\n]*/d is in use[^\n]*\n$')
    m.close_stdin()
    t.ended(m.wait(), 0)
    m = t.start_guest('echo up; cat', '--disk', path + ',ro')
    m.expect(rb'up\n')
    t.ended(t.guest('true', '--disk', path), 125, err=r'is in use')
    t.ended(t.guest('true', '--disk', path + ',ro'), 0)
    m.close_stdin()
    t.ended(m.wait(), 0)


@case()
def disk_with_a_file_system(t):
    """An ext4 that the guest mounts, fills and leaves mounted is clean."""
    path = t.disk('d', 32 * MIB)
    t.host('mke2fs', '-q', '-t', 'ext4', path)
    r = t.guest('mount /dev/vdb /mnt && cp /bin/busybox /mnt && mkdir /mnt/d && '
                'seq 1 10000 >/mnt/d/numbers && cd /mnt && sha256sum busybox',
                '--disk', path)
    t.ended(r, 0)
    check_ext4(t, path)
    t.host('debugfs', '-R', 'dump /busybox out', path)
    with open(os.path.join(t.dir, 'out'), 'rb') as f:
        got = hashlib.sha256(f.read()).hexdigest()
    t.check('a file that was written', r.out.decode().startswith(got), (got, r.out))
    t.check('another', '\n9999\n10000\n' in t.host('debugfs', '-R', 'cat /d/numbers', path))


def checked(t, disk, ro, script, *wall, status=0):
    """What a script prints that has the disk on /made/data, behind a wall."""
    r = t.run(*wall, '--rootfs', t.rootfs, '--disk', f'{disk},path=/made/data{ro}', '--', 'sh', '-c', script)
    t.same('status', r.status, status)
    return r.out.decode()


@case(limit=240, root=True, table=[('vm', 'vm', 'process'), ('process', 'process', 'vm')])
def disk_is_mounted(t, wall, other):
    """What is written behind one wall is there behind the other, and clean."""
    path = t.disk('d', 32 * MIB)
    t.host('mke2fs', '-q', '-t', 'ext4', path)
    mounts = "sed -n 's|.* /made/data \\([a-z0-9]*\\) \\(r[ow]\\),nosuid,nodev.*|\\1 \\2|p' /proc/mounts"
    out = checked(t, path, '', f'{mounts}; cp /bin/busybox /made/data && mkdir /made/data/d && chown 33:44 /made/data/d '
                  '&& seq 1 10000 >/made/data/d/numbers && cd /made/data && sha256sum busybox', '--isolation', wall)
    t.check('how it is mounted', out.startswith('ext4 rw\n'), out)
    check_ext4(t, path)
    before = t.read('d')
    again = checked(t, path, ',ro', f'{mounts}; cd /made/data && stat -c %u:%g d && tail -n 1 d/numbers && '
                    'sha256sum busybox; touch x 2>/dev/null && echo written', '--isolation', other, status=1)
    t.same('what is there', again, 'ext4 ro\n33:44\n10000\n' + out.partition('\n')[2])
    t.check('the read-only disk was not written', t.read('d') == before)


@case(table=[('erofs', 'erofs', ['mkfs.erofs', '--quiet', 'd', 'tree']),
             ('squashfs', 'squashfs', ['mksquashfs', 'tree', 'd', '-quiet'])])
def disk_is_mounted_read_only(t, kind, make):
    os.mkdir(os.path.join(t.dir, 'tree'))
    t.file('tree/kept', b'kept\n')
    t.host(*make)
    size = os.path.getsize(os.path.join(t.dir, 'd'))
    os.truncate(os.path.join(t.dir, 'd'), -(-size // 4096) * 4096)
    out = checked(t, os.path.join(t.dir, 'd'), '', "cat /made/data/kept; grep -o '/made/data [a-z0-9]* r[ow]' /proc/mounts")
    t.same('what is there', out, f'kept\n/made/data {kind} ro\n')


@case()
def disk_is_not_mounted(t):
    r = t.guest('echo ran', '--disk', t.disk('d', MIB) + ',path=/data')
    t.ended(r, 125, err=r'^bulkhead: .*the disk for /data holds no erofs, ext4 or squashfs file system', out=b'')
    m = t.start_guest('echo up; cat', '--disk', os.path.join(t.dir, 'd'))
    m.expect(rb'up\n')
    r = t.run('--isolation', 'process', '--rootfs', t.rootfs, '--disk', os.path.join(t.dir, 'd') + ',path=/data', 'true')
    t.ended(r, 125, err=r'is in use|only root')
    m.close_stdin()
    t.ended(m.wait(), 0)


@case()
def disk_discard(t):
    """What the guest gives back, the file gives back too."""
    t.file('d', noise(8 * MIB))
    path = os.path.join(t.dir, 'd')
    before = os.stat(path).st_blocks * 512
    r = t.guest('blkdiscard -o 1048576 -l 4194304 /dev/vdb && '
                'dd if=/dev/vdb bs=1M skip=1 count=4 2>/dev/null | tr -d "\\0" | wc -c',
                '--disk', path)
    t.ended(r, 0, out=b'0\n')
    after = os.stat(path).st_blocks * 512
    t.check('room that was given back', before - after == 4 * MIB, f'{before} to {after}')
    data, old = t.read('d'), noise(8 * MIB)
    t.check('the rest', data[:MIB] == old[:MIB] and data[5 * MIB:] == old[5 * MIB:])


@case()
def disk_queues(t):
    """Four queues for two processors, both of which write."""
    path = t.disk('d', 8 * MIB)
    r = t.guest('ls /sys/block/vdb/mq | wc -l; '
                'for n in 0 1; do taskset -c $n dd if=/dev/zero bs=64k count=32 2>/dev/null | tr "\\0" "$n" | '
                'taskset -c $n dd of=/dev/vdb bs=64k seek=$((n * 32)) iflag=fullblock 2>/dev/null & done; wait; sync',
                '--cpus', '2', '--disk', path + ',queues=4')
    t.ended(r, 0)
    t.check('queues in the guest', r.out in (b'2\n', b'4\n'), r.out)
    t.check('what was written', t.read('d') == b'0' * 2 * MIB + b'1' * 2 * MIB + bytes(4 * MIB))


@case(root=True)
def disk_direct(t):
    """direct=on where the file system has it, and the refusal where not."""
    path = t.disk('d', MIB)
    refused = None
    try:
        os.close(os.open(path, os.O_RDWR | os.O_DIRECT))
    except OSError:
        refused = t.guest('true', '--disk', path + ',direct=on')
        t.ended(refused, 125, err=r'^bulkhead: [^\n]*O_DIRECT[^\n]*\n$')
        # A file system on a loop device has it, here as well.
        big = t.disk('fs', 32 * MIB)
        t.host('mke2fs', '-q', '-t', 'ext4', big)
        where = os.path.join(t.dir, 'mnt')
        os.mkdir(where)
        t.host('mount', '-o', 'loop', big, where)
        path = t.disk('mnt/d', 4 * MIB)
    try:
        data = noise(MIB)
        source = t.file('s', data)
        r = t.guest('dd if=/dev/vdc of=/dev/vdb bs=256k conv=fsync 2>/dev/null; '
                    'echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vdb bs=1M count=1 2>/dev/null | '
                    'cmp - /dev/vdc && echo same', '--disk', path + ',direct=on', '--disk', source)
        t.ended(r, 0, out=b'same\n')
        with open(path, 'rb') as f:
            t.check('what the host reads', f.read(MIB) == data)
    finally:
        if refused:
            t.host('umount', where)


@case(root=True)
def disk_block_device(t):
    path = t.disk('d', 4 * MIB)
    loop = t.host('losetup', '--find', '--show', path).strip()
    try:
        r = t.guest('cat /sys/block/vdb/size; echo on a block device | dd of=/dev/vdb 2>/dev/null',
                    '--disk', loop)
        t.ended(r, 0, out=b'8192\n')
        # The file behind it has that when the device's last user has closed it.
        with open(loop, 'rb') as f:
            t.check('what was written', f.read(18) == b'on a block device\n')
        # What the host has mounted is not written beneath it; to be read it may be.
        t.host('mke2fs', '-q', '-t', 'ext4', loop)
        there = os.path.join(t.dir, 'mounted')
        os.mkdir(there)
        t.host('mount', '-o', 'ro', loop, there)
        t.ended(t.guest('true', '--disk', loop), 125, err=r'^bulkhead: disk /dev/loop\d+ is in use: the host has it[^\n]*\n$')
        t.ended(t.guest('cat /sys/block/vdb/ro', '--disk', loop + ',ro'), 0, out=b'1\n')
        t.host('umount', there)
        t.ended(t.guest('true', '--disk', loop), 0)
    finally:
        t.host('losetup', '-d', loop)


@case()
def disk_that_is_none(t):
    os.mkfifo(os.path.join(t.dir, 'fifo'))
    for path, words in ((t.disk('empty', 0), 'empty'), (t.disk('odd', 1000), 'multiple of 512'),
                        (t.dir, 'irectory'), (os.path.join(t.dir, 'fifo'), '.')):
        t.ended(t.guest('true', '--disk', path), 125, err=rf'^bulkhead: [^\n]*{words}[^\n]*\n$')


@case()
def disk_many(t):
    """As many as there may be beside the root."""
    args = []
    for i in range(17):
        args += ['--disk', t.file(f'd{i}', b'disk %02d\n' % i + bytes(512 - 8))]
    r = t.guest('for d in /dev/vd[b-z]; do head -n 1 $d; done', *args)
    t.ended(r, 0, out=b''.join(b'disk %02d\n' % i for i in range(17)))


def exercise_files(t, operations, limit):
    """Three files at once; then once more what is on the disk, mounted anew."""
    path = t.disk('d', 64 * MIB)
    t.host('mke2fs', '-q', '-t', 'ext4', path)
    each = 'for seed in 1 2 3; do exercise-file %s /mnt/f$seed $seed ' + str(operations)
    r = t.guest('mount /dev/vdb /mnt && cd /mnt && ' + each % 'work' + ' & done; wait; cd /; '
                'umount /mnt && mount /dev/vdb /mnt && ' + each % 'check' + '; done; umount /mnt',
                '--disk', path, '--memory', '256M', seconds=limit)
    t.ended(r, 0, out=b'ok\n' * 6)
    check_ext4(t, path)


@case(limit=300)
def file_exerciser(t):
    exercise_files(t, 300, 200)


@case(long=True, limit=1000)
def file_exerciser_for_longer(t):
    exercise_files(t, 5000, 900)
