"""Running a command: its status, arguments, environment."""
import os
import re

from harness import case, status_of, wait_until


@case(table=[
    ('0', ['true'], 0, None),
    ('7', ['sh', '-c', 'exit 7'], 7, None),
    ('255', ['sh', '-c', 'exit 255'], 255, None),
    ('of-sigterm', ['sh', '-c', 'kill -TERM $$'], 143, None),
    ('of-sigkill', ['sh', '-c', 'kill -KILL $$'], 137, r'sh was ended by signal 9 \(Killed\)\n$'),
    ('of-sigsegv', ['sh', '-c', 'kill -SEGV $$'], 139, r'signal 11 \(Segmentation fault\)\n$'),
    ('not-found', ['no-such-program', 'x'], 127,
     r'^bulkhead: no-such-program: not found: No such file or directory\n$'),
    ('no-such-path', ['/no/such'], 127, r'^bulkhead: /no/such: not found: '),
    ('not-executable', ['/etc/passwd'], 126,
     r'^bulkhead: /etc/passwd: cannot be executed: Permission denied\n$'),
    ('directory', ['/etc'], 126, r'^bulkhead: /etc: cannot be executed: '),
])
def status(t, command, wanted, message):
    r = t.run('--rootfs', t.rootfs, '--', *command)
    t.ended(r, wanted, message, out=b'')


@case()
def arguments_pass_unchanged(t):
    args = ['x', 'a b', '', '*', '$HOME', "it's", 'é', '--timeout', 'back\\slash', 'new\nline', '\t']
    r = t.run('--rootfs', t.rootfs, 'sh', '-c', 'for a; do printf "[%s]" "$a"; done', *args)
    t.ended(r, 0, out=''.join(f'[{a}]' for a in args[1:]).encode())


@case()
def environment_workdir_name(t):
    r = t.guest('env; echo "pwd=$(pwd)"; echo "host=$(hostname)"; id -u; id -g',
                '--env', 'ONE=1', '--env', 'TWO=x y=z', '--env', 'ONE=last', '--env', 'EMPTY=',
                '--workdir', '/a/new/place', '--name', 'my-box.1', env={'SECRET': 'of the host'})
    t.ended(r, 0)
    lines = r.out.decode().splitlines()
    for line in ('ONE=last', 'TWO=x y=z', 'EMPTY=', 'pwd=/a/new/place', 'host=my-box.1',
                 'HOME=/root'):
        t.check(f'no line {line}', line in lines, lines)
    t.check('a variable of the host', not any('SECRET' in x for x in lines), lines)
    t.check('PATH', any(x.startswith('PATH=/usr/local/sbin:') for x in lines), lines)
    t.same('user and group', lines[-2:], ['0', '0'])


@case()
def default_name_and_workdir(t):
    t.ended(t.guest('hostname; pwd'), 0, out=b'bulkhead\n/\n')


@case()
def orphans_do_not_hold_it_up(t):
    r = t.guest('sleep 1000 & (trap "" TERM; sleep 1000) & echo left; exit 3')
    t.ended(r, 3, out=b'left\n')


@case()
def what_is_left_gets_sigterm(t):
    r = t.guest("(trap 'echo cleaned up; exit' TERM; echo ready >/tmp/r; while :; do sleep 0.1; "
                "done) 2>/dev/null & until [ -s /tmp/r ]; do sleep 0.1; done; echo ends")
    t.ended(r, 0, out=b'ends\ncleaned up\n')


@case()
def processes_see_a_whole_system(t):
    r = t.guest('test -d /proc/self && test -d /sys/class && test -c /dev/null && test -c /dev/ptmx '
                '&& test -w /dev/shm && test -w /tmp && test -w /run && test -e /dev/fd/0 '
                '&& grep -q cgroup2 /proc/mounts && echo all there')
    t.ended(r, 0, out=b'all there\n')


@case()
def seccomp_off_says_so(t):
    r = t.run('--rootfs', t.rootfs, '--seccomp', 'off', 'true')
    t.ended(r, 0, err=r'seccomp')
    t.check('it says so in one line', r.err.count(b'\n') == 1, r.err)


@case()
def errors_are_one_line(t):
    for args, status, words in (
            (['--rootfs', '/no/such', 'true'], 125, r'/no/such.*No such file'),
            (['--rootfs', t.rootfs, '--kernel', '/no/kernel', 'true'], 125, r'/no/kernel'),
            (['--rootfs', t.rootfs, '--disk', '/no/disk', 'true'], 125, r'/no/disk'),
            (['--rootfs', t.rootfs, '--memory', '1M', 'true'], 125, r'memory'),
            (['--rootfs', t.rootfs, '--net', 'tap=nosuch0', 'true'], 125, r'nosuch0'),
            (['--rootfs', t.rootfs, '--no-such-option', 'true'], 125, r'--no-such-option'),
            (['--rootfs', t.rootfs, '--report', '/no/such/report', 'true'], 125, r'/no/such/report'),
            (['--rootfs', t.rootfs, '--console', '/no/such/console', 'true'], 125,
             r'/no/such/console')):
        r = t.run(*args)
        t.same(f'status of {args}', r.status, status)
        t.check(f'one line for {args}', r.err.count(b'\n') == 1 and
                r.err.startswith(b'bulkhead: '), r.err)
        t.check(f'what it says of {args}', re.search(words.encode(), r.err), r.err)
        t.same(f'standard output of {args}', r.out, b'')


@case()
def monitor_and_devices_are_confined(t):
    """From outside: what the kernel knows of each process while a guest runs."""
    m = t.start_guest('echo up; cat', '--disk', t.disk('d', 1 << 20))
    m.expect(rb'up\n')
    names = m.children()
    t.same('processes', sorted(names), ['blk0', 'blk1', 'monitor', 'rng0'])
    for name, pid in list(names.items()) + [('supervisor', m.pid)]:
        fields = status_of(pid)
        t.same(f'seccomp of {name}', fields['Seccomp'], '2')
        t.same(f'no_new_privs of {name}', fields['NoNewPrivs'], '1')
    m.close_stdin()
    t.ended(m.wait(), 0, out=b'up\n')


@case(root=True)
def device_alone_is_confined(t):
    """`bulkhead device`, as one of a machine's own devices, while it serves."""
    socket = t.dir + '/rng.sock'
    device = t.helper(t.bulkhead, 'device', 'rng', '--socket', socket)
    wait_until('the device listens', lambda: os.path.exists(socket))
    m = t.start_guest('head -c 8 /dev/hwrng | wc -c; cat', '--vhost-user', f'rng:{socket}')
    m.expect(rb'8\n')
    fields = status_of(device.pid)
    for name, want in (('Seccomp', '2'), ('NoNewPrivs', '1'), ('CapEff', '0' * 16), ('CapPrm', '0' * 16)):
        t.same(name, fields[name], want)
    with open(f'/proc/{device.pid}/environ', 'rb') as f:
        t.same('environment', f.read().strip(b'\0'), b'')
    m.close_stdin()
    t.ended(m.wait(), 0)
