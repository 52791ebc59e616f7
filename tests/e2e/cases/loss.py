"""SIGKILL for each process of a machine in turn.  Every case also finds out
whether something is left: see Test.find_left()."""
import os
import signal
import time

from harness import Terminal, case, is_alive, wait_until

GONE = r'its process was killed by signal 9 \(Killed\)'


def kill(pid):
    os.kill(pid, signal.SIGKILL)


@case(table=[
    ('monitor', 'monitor', r"^bulkhead: the monitor's process was killed by signal 9 \(Killed\)\n$"),
    ('root-disk', 'blk0', rf'^bulkhead: the guest has lost blk0 \(the root disk\): [^\n]*{GONE}\n$'),
])
def loss_ends_it(t, name, message):
    m = t.start('--rootfs', t.rootfs, '--report', 'report.json', 'sh', '-c',
                'echo up; while :; do cat /bin/busybox >/dev/null; done', terminal=Terminal())
    m.expect(rb'up\r\n')
    kill(m.child(name))
    r = m.wait(15)
    t.ended(r, 125, message)
    t.same('reason', t.report()['reason'], 'error' if name == 'monitor' else 'device-lost')
    t.check('the terminal is not as it was', m.terminal.is_restored())


# What keeps going without a root disk: a shell's own commands.
ECHO = 'echo up; while read -r x; do echo "still $x"; done; echo over'


def goes_on(t, m, name, message):
    m.expect(rb'up\n')
    kill(m.child(name))
    m.expect_error(message.encode())
    m.send(b'here\n')
    m.expect(rb'still here\n')
    m.close_stdin()
    r = m.wait()
    t.ended(r, 0, err=message)
    t.check('one line', r.err.count(b'\n') == 1, r.err)


@case()
def loss_of_the_root_disk_goes_on(t):
    m = t.start_guest(ECHO, '--on-device-loss', 'continue')
    goes_on(t, m, 'blk0', rf'the guest has lost blk0 \(the root disk\): [^\n]*{GONE}')


@case()
def loss_of_another_disk_goes_on(t):
    m = t.start_guest(ECHO, '--disk', t.disk('d', 1 << 20))
    goes_on(t, m, 'blk1', rf'the guest has lost blk1 \([^\n]*/d\): [^\n]*{GONE}')


@case()
def loss_of_rng_goes_on(t):
    goes_on(t, t.start_guest(ECHO), 'rng0', rf'the guest has lost rng0 \([^\n]*{GONE}')


@case(net=True)
def loss_of_net_goes_on(t):
    m = t.start_guest(ECHO, '--net', f'tap={t.tap()},ip=10.9.0.2/24')
    goes_on(t, m, 'net0', rf'the guest has lost net0 \([^\n]*{GONE}')


@case()
def loss_before_the_guest_is_up(t):
    m = t.start_guest('true')
    kill(m.child('blk0'))
    r = m.wait(15)
    t.ended(r, 125, err=r'blk0 \(the root disk\)[^\n]*\n$')


@case()
def loss_of_the_supervisor(t):
    """None of its processes survives it by more than a second."""
    m = t.start_guest('echo up; sleep 1000', '--disk', t.disk('d', 1 << 20))
    m.expect(rb'up\n')
    pids = list(m.children().values())
    t.same('processes', len(pids), 4)
    kill(m.pid)
    began = time.monotonic()
    wait_until('end of all processes', lambda: not any(map(is_alive, pids)), 10, 0.02)
    took = time.monotonic() - began
    t.check('within a second', took < 1, f'{took:.2f} s')
    t.same('status', m.proc.wait(), -signal.SIGKILL)
    # Disk and its lock are free.
    t.ended(t.guest('true', '--disk', os.path.join(t.dir, 'd')), 0)


@case()
def stopped_device_does_not_stop_the_end(t):
    """A device process that hangs is not waited for."""
    m = t.start_guest('echo up; exec sleep 1000')
    m.expect(rb'up\n')
    os.kill(m.child('rng0'), signal.SIGSTOP)
    m.signal(signal.SIGINT)
    t.ended(m.wait(30), 130)
