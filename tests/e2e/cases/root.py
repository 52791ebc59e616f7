"""--rootfs: directories, which are never written, and images."""
import hashlib
import os
import shutil

from harness import case

from cases.ext4 import check_ext4


def fingerprint(top):
    """Everything that a write below `top` would change."""
    digest = hashlib.sha256()
    for where, dirs, files in os.walk(top):
        dirs.sort()
        for name in ['.'] + sorted(dirs) + sorted(files):
            path = os.path.join(where, name)
            st = os.lstat(path)
            digest.update(repr((path, st.st_mode, st.st_uid, st.st_gid, st.st_size,
                                st.st_mtime_ns, st.st_ctime_ns, st.st_nlink)).encode())
    return digest.hexdigest()


def content(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def small_root(t):
    """A root of the case's own: busybox alone."""
    top = os.path.join(t.dir, 'root')
    for d in ('bin', 'etc', 'sbin'):
        os.makedirs(os.path.join(top, d))
    shutil.copy(os.path.join(t.rootfs, 'bin/busybox'), os.path.join(top, 'bin'))
    for name in ('sh', 'cat', 'ls'):
        os.symlink('busybox', os.path.join(top, 'bin', name))
    with open(os.path.join(top, 'etc/marker'), 'w', encoding='ascii') as f:
        f.write('one\n')
    return top


@case()
def directory_is_never_written(t):
    before = fingerprint(t.rootfs)
    r = t.guest('rm -rf /bin/vi /etc/passwd && echo new >/etc/new && mv /usr /moved '
                '&& echo x >>/bin/busybox.copy && ls /etc/new /moved && test ! -e /etc/passwd '
                '&& grep " / " /proc/mounts | cut -d" " -f3')
    t.ended(r, 0, out=b'/etc/new\n\n/moved:\nbin\noverlay\n')
    t.same('the directory on the host', fingerprint(t.rootfs), before)
    t.ended(t.guest('test -e /etc/passwd && test ! -e /etc/new'), 0)


@case()
def directory_is_packed_once(t):
    top = small_root(t)
    cache = os.path.join(t.dir, 'cache')
    own = {'env': {'XDG_CACHE_HOME': cache}}

    def images():
        where = os.path.join(cache, 'bulkhead/rootfs')
        return {n: os.stat(os.path.join(where, n)).st_ino for n in os.listdir(where)}
    t.ended(t.run('--rootfs', top, 'cat', '/etc/marker', **own), 0, out=b'one\n')
    first = images()
    t.same('images', len(first), 1)
    t.ended(t.run('--rootfs', top, 'cat', '/etc/marker', **own), 0, out=b'one\n')
    t.same('images after a second run', images(), first)
    with open(os.path.join(top, 'etc/marker'), 'w', encoding='ascii') as f:
        f.write('two\n')
    t.ended(t.run('--rootfs', top, 'cat', '/etc/marker', **own), 0, out=b'two\n')
    t.same('images after a change', len(images()), 2)


@case(root=True, table=[('squashfs', 'squashfs', ['mksquashfs', 'ROOT', 'IMAGE', '-quiet', '-all-time', '0', '-mkfs-time', '0']),
                        ('erofs', 'erofs', ['mkfs.erofs', '-T0', '-U', '11111111-2222-3333-4444-555555555555', 'IMAGE', 'ROOT'])])
def mounted_image_is_replaced(t, kind, make):
    """By one that stat(2) cannot tell from it."""
    top, mnt = small_root(t), os.path.join(t.dir, 'mnt')
    os.mkdir(mnt)
    seen = []
    for word in ('one', 'two'):
        image = os.path.join(t.dir, word)
        with open(os.path.join(top, 'etc/marker'), 'w', encoding='ascii') as f:
            f.write(word + '\n')
        t.host(*({'ROOT': top, 'IMAGE': image}.get(w, w) for w in make))
        t.host('mount', '-t', kind, '-o', 'loop,ro', image, mnt)
        try:
            seen.append(fingerprint(mnt))
            r = t.run('--rootfs', mnt, 'cat', '/etc/marker', env={'XDG_CACHE_HOME': os.path.join(t.dir, 'cache')})
        finally:
            t.host('umount', mnt)
        t.ended(r, 0, out=word.encode() + b'\n')
    t.same('what stat shows', seen[1], seen[0])


@case()
def change_while_packing_is_an_error(t):
    """A mkfs.erofs that changes the directory and then does its work."""
    top = small_root(t)
    tools = os.path.join(t.dir, 'tools')
    os.mkdir(tools)
    with open(os.path.join(tools, 'mkfs.erofs'), 'w', encoding='ascii') as f:
        f.write(f'#!/bin/sh\necho changed >{top}/etc/marker\nexec {shutil.which("mkfs.erofs")} "$@"\n')
    os.chmod(os.path.join(tools, 'mkfs.erofs'), 0o755)
    cache = os.path.join(t.dir, 'cache')
    r = t.run('--rootfs', top, 'true', env={'XDG_CACHE_HOME': cache,
                                           'PATH': tools + ':' + t.env['PATH']})
    t.ended(r, 125, err=r'^bulkhead: [^\n]*changed[^\n]*\n$')
    t.same('what is in the cache', os.listdir(os.path.join(cache, 'bulkhead/rootfs')), [])


@case()
def image_ext4_written(t):
    image = t.image('root.ext4')
    r = t.run('--rootfs', image + ',rw', 'sh', '-c',
              'echo kept >/etc/kept; dd if=/dev/zero of=/big bs=64k count=20 2>/dev/null; '
              'rm /etc/group; grep " / " /proc/mounts | cut -d" " -f3')
    t.ended(r, 0, out=b'ext4\n')
    check_ext4(t, image)
    t.check('what was written', 'kept\n' in t.host('debugfs', '-R', 'cat /etc/kept', image))
    t.check('what was deleted', 'File not found' in
            t.host('debugfs', '-R', 'stat /etc/group', image))


@case(table=[(k, k) for k in ('ext4', 'squashfs', 'erofs')])
def image_under_an_overlay(t, kind):
    image = t.image('root.' + kind)
    before = content(image)
    r = t.run('--rootfs', image, 'sh', '-c', 'echo gone >/etc/new && rm /etc/group && cat /etc/new; '
              f'grep " {kind} " /proc/mounts | cut -d" " -f1')
    t.same('status', r.status, 0)
    t.check('what the guest wrote', r.out.startswith(b'gone\n'), r.out)
    t.same('the image', content(image), before)


@case(table=[('empty', b''), ('zeros', bytes(1 << 20)), ('odd', b'x' * 1000)])
def image_that_is_none(t, data):
    r = t.run('--rootfs', t.file('image', data), 'true')
    t.ended(r, 125, err=r'^bulkhead: [^\n]{20,}\n$')


OWN_INIT = '''#!/bin/sh
echo "own init is process $$"
test -e /proc/self && echo proc is there
read -r line && echo "read $line"
sync
/bin/busybox %s -f
'''


def root_with_init(t, ending):
    top = small_root(t)
    path = os.path.join(top, 'sbin/init')
    with open(path, 'w', encoding='ascii') as f:
        f.write(OWN_INIT % ending)
    os.chmod(path, 0o755)
    return top


@case(table=[('poweroff', 'poweroff'), ('reboot', 'reboot')])
def image_own_init(t, ending):
    m = t.start('--rootfs', root_with_init(t, ending), '--report', 'report.json')
    m.expect(rb'own init is process 1\r?\n.*proc is there\r?\n')
    m.send(b'a line\n')
    m.expect(rb'read a line')
    t.ended(m.wait(), 0)
    t.same('reason', t.report()['reason'], {'poweroff': 'power-off'}.get(ending, ending))


@case()
def image_own_init_with_bound_and_disk(t):
    """What init sets up for a command is there for the image's own init too, which mounts its groups itself."""
    top = root_with_init(t, 'poweroff')
    with open(os.path.join(top, 'sbin/init'), 'w', encoding='ascii') as f:
        f.write('#!/bin/sh\ngrep -c cgroup /proc/mounts\n/bin/busybox mount -t cgroup2 none /sys/fs/cgroup\n'
                'cat /proc/self/cgroup /sys/fs/cgroup/pids.max /data/kept\n/bin/busybox poweroff -f\n')
    os.mkdir(os.path.join(t.dir, 'tree'))
    t.file('tree/kept', b'kept\n')
    t.host('mke2fs', '-q', '-t', 'ext4', '-d', 'tree', 'd', '8M')
    r = t.run('--rootfs', top, '--pids', '40', '--disk', os.path.join(t.dir, 'd') + ',path=/data')
    t.same('status', r.status, 0)
    t.check('what it sees', b'0\r\n0::/\r\n40\r\nkept\r\n' in r.out, r.out)


@case()
def image_without_init(t):
    top = small_root(t)
    os.unlink(os.path.join(top, 'bin/sh'))
    t.ended(t.run('--rootfs', top), 125, err=r'no init that can be run')


@case()
def root_needs_a_file_system(t):
    r = t.run('--rootfs', '/dev/null', 'true')
    t.ended(r, 125, err=r'^bulkhead: [^\n]*/dev/null[^\n]*\n$')
