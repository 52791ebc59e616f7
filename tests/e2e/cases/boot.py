"""A user's own kernel and initrd, and what is no kernel."""
import os
import re
import shutil

from harness import Terminal, case

# What the initrd's init does: tests/e2e/run has it.
GREETING = rb'initrd is up: (\S+)\r?\n'


def initrd(t):
    return os.path.join(t.shared, 'initrd')


@case(table=[('vmlinux', 'vmlinux'), ('bzImage', 'bzImage')])
def own_kernel_and_initrd(t, kernel):
    """Both loaders boot our kernel; the console is standard input and output."""
    m = t.start('--kernel', os.path.join(t.kernels, kernel), '--initrd', initrd(t),
                '--cmdline', 'console=ttyS0 quiet panic=-1 marker=there', '--report', 'report.json')
    release, = m.expect(GREETING)
    t.check('release', release.startswith(b'6.'), release)
    m.expect(rb'marker=there')
    m.send(b'hello\n')
    m.expect(rb'init read hello')
    r = m.wait()
    t.ended(r, 0)
    t.same('reason', t.report()['reason'], 'power-off')


@case()
def own_kernel_on_a_terminal(t):
    m = t.start('--kernel', os.path.join(t.kernels, 'vmlinux'), '--initrd', initrd(t),
                '--cmdline', 'console=ttyS0 quiet panic=-1 marker=there', terminal=Terminal())
    m.expect(GREETING)
    m.send(b'typed\r')
    m.expect(rb'init read typed')
    t.ended(m.wait(), 0)
    t.check('the terminal is not as it was', m.terminal.is_restored())


@case()
def bzimage_runs_a_command(t):
    r = t.guest('uname -r; exit 4', '--kernel', os.path.join(t.kernels, 'bzImage'), '--cpus', '2')
    t.same('status', r.status, 4)
    t.check('release', r.out.startswith(b'6.'), r.out)


@case()
def cmdline_is_appended(t):
    r = t.guest('cat /proc/cmdline', '--cmdline', 'my.option="a b" last')
    t.ended(r, 0)
    t.check('at the end', r.out.endswith(b'my.option="a b" last\n'), r.out)


@case()
def kernel_is_found(t):
    """None at the places that are searched is an error that says what to run."""
    alone = os.path.join(t.dir, 'bulkhead')
    shutil.copy(t.bulkhead, alone)
    t.bulkhead = alone
    env = dict(t.env)
    del env['BULKHEAD_KERNEL']
    t.env = env
    t.ended(t.guest('true', env={'XDG_DATA_HOME': t.dir}), 125, err=r'make guest-kernel')


@case()
def no_kernel(t):
    with open(os.path.join(t.kernels, 'vmlinux'), 'rb') as f:
        whole = f.read()
    for name, data, words in (
            ('text', b'#!/bin/sh\n' * 200, 'k'),
            ('empty', b'', 'k'),
            ('half', whole[:len(whole) // 2], 'truncated|ends|beyond|outside|short'),
            ('32-bit', whole[:4] + b'\1' + whole[5:4096], '32'),
            ('arm64', whole[:18] + b'\xb7\0' + whole[20:4096], 'x86|machine|architecture')):
        r = t.guest('true', '--kernel', t.file('k', data))
        t.same(f'status with {name}', r.status, 125)
        t.check(f'message with {name}', re.search(rf'^bulkhead: [^\n]*({words})[^\n]*\n$'.encode(), r.err),
                r.err)


@case()
def command_line_too_long(t):
    t.ended(t.guest('true', '--cmdline', 'x' * 5000), 125, err=r'^bulkhead: [^\n]*command line[^\n]*\n$')


@case()
def initrd_that_does_not_fit(t):
    r = t.run('--kernel', os.path.join(t.kernels, 'vmlinux'), '--initrd', t.disk('big', 100 << 20),
              '--memory', '64M')
    t.ended(r, 125, err=r'^bulkhead: [^\n]*big[^\n]*\n$')
