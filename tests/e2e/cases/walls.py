"""The walls that need no guest, on the kernel that the lab has, and all of them
compared."""
import json
import os

from harness import case

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), '../../..'))


@case(table=[('none', 'none', []), ('process', 'process', ['--rootfs'])])
def wall_without_a_guest(t, wall, root):
    r = t.run('--isolation', wall, *(root and [*root, t.rootfs]), '--', 'sh', '-c', 'echo up; exit 5')
    t.ended(r, 5, out=b'up\n')
    r = t.run('--isolation', wall, *(root and [*root, t.rootfs]), '--', '/nonexistent')
    t.ended(r, 127, err='bulkhead: .*/nonexistent')


@case(limit=240, root=True)
def three_walls_compared(t):
    out = t.host('env', *(f'{k}={v}' for k, v in t.env.items()), t.bulkhead, 'compare', '--runs', '1',
                 '--walls', 'none,process,vm', '--rootfs', t.rootfs, '--json', '-', '--', '/bin/sleep', '1')
    report = json.loads(out)
    t.same('problems', [w['problem'] for w in report['walls']], ['', '', ''])
    for row in report['rows']:
        if row['quantity'] != 'first byte':
            t.same(row['quantity'], sorted(row['values']), ['none', 'process', 'vm'])
    t.check('the label', 'emulated' in report['host']['kvm_kind'], report['host'])


@case(limit=280, root=True, table=[('process', 'process'), ('vm', 'vm')])
def rules_on_a_bridge(t, wall):
    """tests/walls/network, where connections are followed on bridges and guests run."""
    out = t.host('env', f'BULKHEAD={t.bulkhead}', f'BULKHEAD_KERNEL={t.kernels}/vmlinux', f'{TREE}/tests/walls/network',
                 '-w', wall, check=False)
    t.check('the cases', ', 0 failed' in out and ' 0 passed' not in out, out)
