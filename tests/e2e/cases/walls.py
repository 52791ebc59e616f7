"""The walls that need no guest, on the kernel that the lab has, and all of them
compared."""
import contextlib
import glob
import json
import os
import re
import time

import host_state
from harness import Terminal, case

# What no preparation lets reach this host: bombs are not run where no limit
# holds them, nothing leaks into a command, and version 1 of the control groups
# would have to be chosen at boot.  tests/compare/attempts shows these.
UNREACHED = {'fork-bomb': 'not run', 'memory-bomb': 'not run', 'disk-bomb': 'not run',
             'descriptor-bomb': 'not run', 'inode-bomb': 'not run',
             'file-leaked': 'blocked', 'release-agent': 'blocked'}

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), '../../..'))


@case(table=[('none', 'none', []), ('process', 'process', ['--rootfs'])])
def wall_without_a_guest(t, wall, root):
    r = t.run('--isolation', wall, *(root and [*root, t.rootfs]), '--', 'sh', '-c', 'echo up; exit 5')
    t.ended(r, 5, out=b'up\n')
    r = t.run('--isolation', wall, *(root and [*root, t.rootfs]), '--', '/nonexistent')
    t.ended(r, 127, err='bulkhead: .*/nonexistent')


MANY = 'for i in $(seq 50); do sleep 9 & echo $i; done'


@case(root=True, table=[('process', 'process'), ('vm', 'vm')])
def processes_are_bounded(t, wall):
    """Init, the shell and 18 more: the 19th fork fails, behind either wall."""
    r = t.run('--isolation', wall, '--rootfs', t.rootfs, '--pids', '20', '--report', 'report', '--', 'sh', '-c', MANY)
    lines = (r.out + r.err).decode().splitlines()
    t.same('status', r.status, 2)
    t.same('those that were started', lines[:-1], [str(i) for i in range(1, 19)])
    t.check('why no more were', 'fork: Resource temporarily unavailable' in lines[-1], lines[-1])
    t.same('the report', t.report('report')['limits'], {'pids': 20, 'not_enforced': []})


@case(root=True, table=[('process', 'process'), ('vm', 'vm')])
def bound_of_no_processes(t, wall):
    r = t.run('--isolation', wall, '--rootfs', t.rootfs, '--pids', '1', 'true')
    t.ended(r, 125, err=r'start the command: --pids 1 leaves no room beside its init: give at least 2\n$', out=b'')


@case()
def bound_of_processes_in_a_guest(t):
    """What the command sees is its own group; it cannot raise the bound."""
    r = t.guest('cat /proc/self/cgroup /proc/1/cgroup /sys/fs/cgroup/pids.max; ls -d /sys/fs/cgroup/*/; '
                'grep -c cgroup /proc/mounts; echo max >/sys/fs/cgroup/pids.max; '
                'mkdir /sys/fs/cgroup/below && echo $$ >/sys/fs/cgroup/below/cgroup.procs && cat /proc/self/cgroup',
                '--pids', '30')
    t.ended(r, 0)
    t.same('what it sees', r.out.decode().splitlines(),
           ['0::/', '0::/', '30', 'ls: /sys/fs/cgroup/*/: No such file or directory', '1',
            'sh: write error: Operation not permitted', '0::/below'])


@case()
def bound_of_processes_without_its_kernel(t):
    r = t.guest('echo ran', '--pids', '30', '--cmdline', 'cgroup_disable=pids')
    t.ended(r, 125, err=r'^bulkhead: .*--pids: this guest.s kernel counts no processes .*CONFIG_CGROUP_PIDS', out=b'')
    r = t.guest('ls -d /sys/fs/cgroup/bulkhead; cat /proc/self/cgroup; echo ran', '--pids', '30', '--best-effort',
                '--cmdline', 'cgroup_disable=pids', '--report', 'report')
    t.ended(r, 0, err=r'^bulkhead: --best-effort: not enforced: --pids\n$')
    t.same('what ran', r.out.decode().splitlines(),
           ['ls: /sys/fs/cgroup/bulkhead: No such file or directory', '0::/', 'ran'])
    t.same('the report', t.report('report')['limits'], {'not_enforced': ['--pids']})
    r = t.guest('cat /sys/fs/cgroup/pids.max', '--pids', '30', '--best-effort', '--report', 'report')
    t.ended(r, 0, err=r'^$', out=b'30\n')
    t.same('the report', t.report('report')['limits'], {'pids': 30, 'not_enforced': []})


@case()
def bound_of_processes_is_kept(t):
    own = [f'{k}={v}' for k, v in t.env.items()]
    m = t.start_guest('echo up; cat', '--name', 'unbounded')
    m.expect(rb'up\n')
    refused = t.host('env', *own, t.bulkhead, 'limit', 'unbounded', '--pids', '40', check=False)
    t.check('why not', '--pids: this guest was started without, and counts no processes' in refused, refused)
    shown = t.host('env', *own, t.bulkhead, 'limit', 'unbounded')
    t.check('what it is', re.search(r'^pids +none$', shown, re.M), shown)
    m.close_stdin()
    t.ended(m.wait(), 0)


# Init reads what it is to do at its next turn, so the guest looks until it is there.
LOOK = ('look() { i=0; while [ "$(cat /sys/fs/cgroup/pids.max)" != $1 ]; do i=$((i+1)); [ $i = 100 ] && exit 9; '
        'sleep .1; done; echo "is $1"; }; ')


@case(table=[('pipes', False), ('terminal', True)])
def bound_of_processes_is_changed(t, terminal):
    """While it runs: the guest's kernel keeps the new number, two changes at once are no request to
    end, such a request still is, and the report has the last number."""
    own = [f'{k}={v}' for k, v in t.env.items()]
    m = t.start_guest(LOOK + 'echo up; look 8; (for i in 1 2 3 4 5 6 7 8; do sleep 2 & done); echo then; read x; '
                      'look max; look 30; look 31; trap "echo stopped; exit 3" TERM; while :; do sleep .1; done',
                      '--pids', '20', '--name', 'bounded', '--report', 'report',
                      terminal=Terminal() if terminal else None)
    m.expect(rb'up\r?\n')

    def limit(*options):
        return t.host('env', *own, t.bulkhead, 'limit', 'bounded', *options)
    shown = limit('--pids', '8')
    t.check('what it is', re.search(r'^pids +8$', shown, re.M), shown)
    m.expect(rb'is 8\r?\n')
    m.expect(rb'fork')
    m.expect(rb'then\r?\n')
    time.sleep(4)       # what is left of them has ended
    m.send(b'\n')
    shown = limit('--pids', 'none')
    t.check('what it is', re.search(r'^pids +none$', shown, re.M), shown)
    m.expect(rb'is max\r?\n')
    limit('--pids', '29')
    limit('--pids', '30')
    m.expect(rb'is 30\r?\n')
    limit('--pids', '31')
    m.expect(rb'is 31\r?\n')
    t.host('env', *own, t.bulkhead, 'stop', 'bounded')
    m.expect(rb'stopped\r?\n')
    m.wait()
    t.same('the report', t.report('report')['limits']['pids'], 31)


@contextlib.contextmanager
def on_a_disk(t):
    """A directory on a file system with O_DIRECT, which the lab's own temporary files have not."""
    t.disk('disk', 500 << 20)
    t.host('mke2fs', '-q', '-t', 'ext4', 'disk')
    place = t.host('mktemp', '-d', '/tmp/disk.XXXXXX').strip()
    t.host('mount', '-o', 'loop', 'disk', place)
    try:
        t.host('chmod', '755', place)
        yield place
    finally:
        t.host('umount', place)
        t.host('rmdir', place)


def suite(t, *options):
    """The report of `bulkhead compare` with everything on a disk: the program and the kernel too, which
    are to be dropped from the page cache for a cold start."""
    with on_a_disk(t) as place:
        t.host('cp', *glob.glob(f'{os.path.dirname(t.bulkhead)}/bulkhead*'), f'{t.kernels}/vmlinux', place)
        t.host('env', *(f'{k}={v}' for k, v in t.env.items()), f'TMPDIR={place}', f'XDG_CACHE_HOME={place}/cache',
               f'BULKHEAD_KERNEL={place}/vmlinux', f'{place}/bulkhead', 'compare', '--runs', '1', '--json', 'report',
               *options)
    return t.report('report')


def surface_of_a_command(t, report):
    """What of this host's kernel is within reach of `sleep 1`, by each way of looking at it."""
    known, walls = report['surface']['calls_known'], report['surface']['walls']
    parts = {w: {p['name']: p for p in walls[w]['parts'] if p['facing']} for w in walls}
    passed = {w: {p: set(parts[w][p]['let_through'] + parts[w][p]['by_arguments']) for p in parts[w]} for w in parts}
    for wall in ('none', 'process', 'vm'):
        for problem in ('calls', 'used', 'functions', 'exits'):
            text = walls[wall][f'{problem}_problem']
            t.check(f'{wall}, {problem}', text == '' or text.startswith('at least'), text)
    t.same('none', parts['none']['command']['filters'], 0)
    t.check('process', passed['process']['command'] >= {'clock_nanosleep', 'execve'} and
            not passed['process']['command'] & {'bpf', 'mount', 'kexec_load'}, passed['process'])
    # A guest's sleep is none of the host's calls; what its processes may is in their filters.
    t.check('processes of vm', {'monitor', 'blk0', 'rng0'} <= set(parts['vm']), list(parts['vm']))
    for name, part in parts['vm'].items():
        t.check(name, part['filters'] >= 1 and len(passed['vm'][name]) < known / 4, passed['vm'][name])
        t.check(name, not passed['vm'][name] & {'openat', 'connect', 'clone', 'execve', 'socket'}, passed['vm'][name])
        t.check(name, set(part['used']) <= passed['vm'][name], set(part['used']) - passed['vm'][name])
    t.check('KVM_RUN', 'ioctl' in parts['vm']['monitor']['used'], parts['vm']['monitor']['used'])
    t.check('exits', walls['vm']['exits'].get('exits', 0) > 100 and not walls['process']['exits'], walls['vm']['exits'])
    entered = {w: set(walls[w]['functions']) for w in walls}
    for wall in ('none', 'process'):
        t.check(f'functions of {wall}', {'hrtimer_nanosleep', 'do_exit'} <= entered[wall], sorted(entered[wall])[:50])
        t.check(f'functions of {wall}', 'kvm_vcpu_ioctl' not in entered[wall], 'somebody else was traced')
    t.check('functions of vm', {'kvm_vcpu_ioctl', 'kvm_arch_vcpu_ioctl_run'} <= entered['vm'], sorted(entered['vm'])[:50])
    t.check('functions of vm', 'hrtimer_nanosleep' not in entered['vm'], 'the guest sleeps in the host')
    for place in ('/sys/kernel/tracing/instances', '/sys/kernel/debug/tracing/instances'):
        t.check('an instance of the tracer is left', not os.path.isdir(place) or not os.listdir(place))


@case(limit=400, root=True)
def three_walls_compared(t):
    out = t.host('env', *(f'{k}={v}' for k, v in t.env.items()), t.bulkhead, 'compare', '--runs', '1',
                 '--walls', 'none,process,vm', '--rootfs', t.rootfs, '--json', '-', '--', '/bin/sleep', '1')
    report = json.loads(out)
    t.same('problems', [w['problem'] for w in report['walls']], ['', '', ''])
    for row in report['rows']:
        if row['quantity'] != 'first byte':
            t.same(row['quantity'], sorted(row['values']), ['none', 'process', 'vm'])
    t.check('the label', 'emulated' in report['host']['kvm_kind'], report['host'])
    surface_of_a_command(t, report)


@case(long=True, limit=1200, root=True)
def suite_behind_three_walls(t):
    """Every row of the quick suite has values behind each of Bulkhead's walls, the
    disk and the network too."""
    report = suite(t, '--walls', 'none,process,vm')
    t.same('problems', [w['problem'] for w in report['walls']], [''] * 3)
    t.same('failures', [w['failure'] for w in report['walls']], [''] * 3)
    for row in report['rows']:
        t.same(f"{row['workload']} {row['quantity']}", sorted(row['values']), ['none', 'process', 'vm'])
        t.same('missing', row['missing'], {})
    # Of calls, disk and network.
    for wall, surface in report['surface']['walls'].items():
        t.same(f'traced runs of {wall}', (surface['runs'], surface['used_problem']), (3, ''))
    t.check('processes of vm', 'net0' in [p['name'] for p in report['surface']['walls']['vm']['parts']])
    t.check('rows', {'disk', 'network'} <= {row['workload'] for row in report['rows']}, report['rows'])
    for name in os.listdir('/sys/class/net'):
        t.check('an interface is left', not name.startswith(('bh', 'bulkhead')), name)


@case(limit=400, root=True)
def qemu_compared(t):
    """The same guest under QEMU: its output, its status, and what ends there."""
    out = t.host('env', *(f'{k}={v}' for k, v in t.env.items()), t.bulkhead, 'compare', '--runs', '1',
                 '--walls', 'none,vm,qemu', '--rootfs', t.rootfs, '--json', '-', '--',
                 '/bin/sh', '-c', 'cat; echo x; exit 3')
    report = json.loads(out)
    # What its standard input and its status are is the same behind each.
    t.same('problems', [w['problem'] for w in report['walls']], ['', '', ''])
    t.same('failures', [w['failure'] for w in report['walls']], ['', '', ''])
    for row in report['rows']:
        t.same(row['quantity'], sorted(row['values']), ['none', 'qemu', 'vm'])
    parts = [p for p in report['surface']['walls']['qemu']['parts'] if p['facing']]
    t.same('processes of qemu', [p['name'] for p in parts], ['qemu-system-x86'])
    exits = report['surface']['walls']['qemu']['exits']
    t.check('its exits', exits.get('exits', 0) > 100 and exits.get('io_exits', 0) > 0, exits)
    t.check('its filter', 200 < len(parts[0]['let_through']) < report['surface']['calls_known'], parts)


@case(long=True, limit=1200, root=True)
def suite_behind_qemu(t):
    """Of the quick suite all that QEMU has no limit for is measured behind it too."""
    report = suite(t, '--walls', 'qemu')
    t.same('problems', [w['problem'] for w in report['walls']], [''])
    t.same('failures', [w['failure'] for w in report['walls']], [''])
    t.same('missing', {row['quantity']: row['missing']['qemu'] for row in report['rows'] if row['missing']},
           {'processor-share': 'it has no limit on processor time of its own'})


@case(long=True, limit=1200, root=True)
def fio_compared(t):
    """fio's own figures of the disk, out of a root directory that has it, behind a guest too."""
    root = os.path.join(t.dir, 'with-fio')
    t.host(f'{TREE}/tests/make-rootfs', root, 'fio')
    report = suite(t, '--walls', 'none,vm', '--rootfs', root)
    t.same('failures', [w['failure'] for w in report['walls']], ['', ''])
    rows = [r for r in report['rows'] if r['workload'] == 'fio']
    t.same('rows', [r['quantity'] for r in rows], ['randread', 'randwrite', 'read', 'write', 'randwrite-fsync'])
    for row in rows:
        t.same(row['quantity'], sorted(row['values']), ['none', 'vm'])


def network(t, *args):
    """tests/walls/network, where connections are followed on bridges and guests run."""
    out = t.host('env', f'BULKHEAD={t.bulkhead}', f'BULKHEAD_KERNEL={t.kernels}/vmlinux', f'{TREE}/tests/walls/network',
                 *args, check=False)
    t.check('the cases', ', 0 failed' in out and ' 0 passed' not in out, out)


GIVEN = ('given_namespace', 'given_namespace_refused')
RATES = ('rate', 'rate_changed')


@case(limit=280, root=True, table=[('process', 'process'), ('vm', 'vm')])
def rules_on_a_bridge(t, wall):
    network(t, '-w', wall, '-x', *GIVEN, *RATES)


@case(limit=280, root=True, table=[('process', 'process'), ('vm', 'vm')])
def rates_on_a_bridge(t, wall):
    network(t, '-w', wall, *RATES)


@case(limit=240, root=True, table=[('process', 'process'), ('vm', 'vm')])
def given_network_namespace(t, wall):
    network(t, '-w', wall, *GIVEN)


@case(limit=600, root=True)
def contract(t):
    """The table of tests/walls/contract, whose other walls need no guest, behind vm."""
    out = t.host('env', *(f'{k}={v}' for k, v in t.env.items()), f'BULKHEAD={t.bulkhead}', f'{TREE}/tests/walls/contract',
                 '-w', 'vm', '-u', 'root', check=False)
    t.check('the rows', ', 0 failed' in out and ' 0 passed' not in out, out)


@case(limit=200, root=True, table=[('root', 'root'), ('delegated', 'delegated')])
def limits_with_control_groups_2(t, user):
    """The contract's rows about limits, where version 2 of the control groups is.
    Not its cpus: on an emulated host the kernel's own count is off by a tenth.  disk-rate
    needs a disk below the root directory."""
    with on_a_disk(t) as place:
        out = t.host('env', f'TMPDIR={place}', f'BULKHEAD={t.bulkhead}', f'{TREE}/tests/walls/contract', '-w', 'process',
                     '-u', user, 'memory', 'memory-kills-inside-only', 'pids', 'cpu-weight', 'all-limits',
                     'usage-without-a-limit', 'limit', 'disk-rate', check=False)
    t.check('the rows', ', 0 failed' in out and ' 0 passed' not in out, out)


@case(limit=400, root=True)
def images_with_hostile_links(t):
    """The contract's rows about them, on this host's kernel."""
    out = t.host('env', f'BULKHEAD={t.bulkhead}', f'{TREE}/tests/walls/contract', '-w', 'process', '-u', 'root',
                 'link-to-the-host', 'links-below-each-other', 'sys-elsewhere', check=False)
    t.check('the rows', ', 0 failed' in out and ' 0 passed' not in out, out)


@case(limit=400, root=True)
def attempts_without_a_wall(t):
    """Every attempt, as root and with nothing in between: all of them reach the
    host, and it is unchanged afterwards."""
    # What the lab's host lacks: a disk, drivers, device files in /tmp.  (The
    # doctor, whom compare asks, would load tun, and its network the bridge.)
    t.disk('raw', 1 << 20)
    loop = t.host('losetup', '--show', '-f', 'raw').strip()
    t.host('modprobe', '-a', 'iptable_filter', 'tun', 'fuse', 'bridge')
    t.file('canary', b'untouched')
    before, clock = host_state.look(), host_state.clock_error()
    t.host('unshare', '--mount', 'sh', '-c', 'mount -o remount,bind,dev /tmp && exec "$@"', 'sh',
           *('env', *(f'{k}={v}' for k, v in t.env.items())), t.bulkhead, 'compare', '--runs', '1',
           '--walls', 'none', '--json', 'report')
    t.check('the clock was set', abs(host_state.clock_error() - clock) < 1)
    for line in host_state.differences(before, host_state.look()):
        t.check('the host has changed', False, line)
    t.same('the canary', t.read('canary'), b'untouched')
    t.host('losetup', '-d', loop)
    attempts = t.report('report')['attempts']
    t.check('fewer than 30 attempts', len(attempts) >= 30, len(attempts))
    for attempt in attempts:
        outcome = attempt['walls']['none']
        t.check(attempt['name'], outcome['verdict'] == UNREACHED.get(attempt['name'], 'reached'),
                outcome)


@case(limit=120)
def wall_inside_a_guest(t):
    """The process wall in a guest, with its own kernel's namespaces and Landlock."""
    t.host('cp', '-a', t.rootfs, 'nested')
    t.host('cp', t.bulkhead, 'nested/bin/bulkhead')
    inner = 'echo $$; hostname; ls /sys/class/net; echo x >/etc/inside; cat /etc/inside; exit 7'
    r = t.run('--rootfs', 'nested', '--', 'sh', '-c', 'bulkhead run --isolation process --rootfs / --name inner -- '
              f'sh -c \'{inner}\'; echo $?; ls /etc/inside; exit 5')
    t.ended(r, 5, out=b'2\ninner\nlo\nx\n7\nls: /etc/inside: No such file or directory\n')
