"""How a machine ends: status, message and report agree."""
import signal
import time

from harness import case

from cases.root import check_ext4


def ended_with(t, r, status, reason, err=None):
    t.ended(r, status, err)
    report = t.report()
    t.same('reason in the report', report['reason'], reason)
    t.same('status in the report', report['status'], status)
    message = r.err.decode().removeprefix('bulkhead: ').rstrip('\n')
    t.same('message in the report', report['message'], message)
    return report


REPORT = ('--report', 'report.json')


@case(table=[
    ('poweroff', 'poweroff -f', 0, 'power-off'),
    ('reboot', 'reboot -f', 0, 'reboot'),
    # These ask init, which stops the command first.
    ('poweroff-in-order', 'poweroff; sleep 100', 0, 'power-off'),
    ('reboot-in-order', 'reboot; sleep 100', 0, 'reboot'),
    ('halt-in-order', 'halt; sleep 100', 0, 'power-off'),
])
def guest_ends(t, script, status, reason):
    r = t.guest(script, *REPORT, '--cpus', '2')
    ended_with(t, r, status, reason)


@case()
def out_of_memory(t):
    """The guest's kernel kills the command, and init knows why."""
    # A shell's variable would take minutes in the lab; this doubles its string.
    r = t.guest('exec awk \'BEGIN { s = "0123456789abcdef"; for (;;) s = s s }\'', *REPORT, '--memory', '96M')
    ended_with(t, r, 137, 'out-of-memory',
               r'^bulkhead: out of memory: the guest\'s kernel killed [^ ]+ \(process [0-9]+\), '
               r'with [0-9]+kB; it has 96 MiB \(--memory\)\n$')


@case(table=[('1-cpu', '1'), ('2-cpus', '2')])
def panic(t, cpus):
    r = t.guest('echo c >/proc/sysrq-trigger', *REPORT, '--cpus', cpus)
    ended_with(t, r, 134, 'panic', r"^bulkhead: the guest's kernel panicked[^\n]*\n$")
    t.check('the kernel\'s last words', b'Kernel panic - not syncing: sysrq triggered crash' in r.out,
            r.out[-500:])


@case()
def panic_without_root(t):
    """A kernel that finds no init at all."""
    r = t.run('--kernel', t.env['BULKHEAD_KERNEL'], '--cmdline', 'console=ttyS0 panic=-1', *REPORT)
    ended_with(t, r, 134, 'panic', r"the guest's kernel panicked")
    t.check('why', b'Kernel panic - not syncing: VFS: Unable to mount root fs' in r.out,
            r.out[-500:])


@case()
def triple_fault(t):
    r = t.guest('reboot -f', *REPORT, '--cmdline', 'reboot=t')
    ended_with(t, r, 134, 'triple-fault', r'^bulkhead: the guest stopped with a triple fault\n')


# The shell's own word about its killed sleep is left out.
ORDERLY = ("exec 2>/dev/null; trap 'echo in order; exit 3' TERM; echo data >/written; echo up; "
           "while :; do sleep 0.1; done")


@case()
def sigterm_ends_in_order(t):
    """The command's own trap runs, and its file system is clean."""
    image = t.image('root.ext4')
    m = t.start('--rootfs', image + ',rw', *REPORT, 'sh', '-c', ORDERLY)
    m.expect(rb'up\n')
    m.signal(signal.SIGTERM)
    r = m.wait()
    t.ended(r, 3, out=b'up\nin order\n')
    t.same('reason', t.report()['reason'], 'exited')
    check_ext4(t, image)
    t.check('what it wrote', 'data\n' in t.host('debugfs', '-R', 'cat /written', image))


@case()
def sigterm_ends_a_command_that_does_not_care(t):
    image = t.image('root.ext4')
    m = t.start('--rootfs', image + ',rw', *REPORT, 'sh', '-c', 'echo data >/written; echo up; sleep 1000')
    m.expect(rb'up\n')
    m.signal(signal.SIGTERM)
    r = m.wait()
    t.same('status', r.status, 143)
    check_ext4(t, image)


@case()
def sigterm_against_a_stubborn_command(t):
    image = t.image('root.ext4')
    m = t.start('--rootfs', image + ',rw', 'sh', '-c',
                'trap "" TERM; echo data >/written; echo up; while :; do sleep 1; done')
    m.expect(rb'up\n')
    began = time.monotonic()
    m.signal(signal.SIGTERM)
    r = m.wait()
    t.check('it was killed', r.status in (137, 143), r.status)
    t.check('within the time for it', time.monotonic() - began < 12, time.monotonic() - began)


@case()
def sigterm_twice_ends_at_once(t):
    m = t.start_guest('trap "" TERM; echo up; while :; do sleep 1; done', *REPORT)
    m.expect(rb'up\n')
    m.signal(signal.SIGTERM)
    m.signal(signal.SIGHUP)
    began = time.monotonic()
    r = m.wait()
    t.check('status', r.status in (143, 129), r.status)
    t.check('at once', time.monotonic() - began < 4, time.monotonic() - began)
    t.same('reason', t.report()['reason'], 'stopped')


@case()
def sigterm_before_the_guest_is_up(t):
    m = t.start_guest('true', *REPORT)
    m.child('monitor')
    m.signal(signal.SIGTERM)
    ended_with(t, m.wait(15), 143, 'stopped', r'ended by Terminated')


@case(table=[('for-a-command', ['sh', '-c', 'echo began; sleep 1000']), ('for-the-image-s-init', [])])
def sigterm_while_init_mounts(t, command):
    """Nobody has the power button's device open yet; a slow disk keeps it so."""
    image = t.image('root.ext4')
    m = t.start('--rootfs', t.rootfs, *REPORT, '--verbose', '--disk', f'{image},path=/data', '--disk-iops', '8', *command)
    m.expect(rb'/dev/vda on /lower is erofs')
    m.signal(signal.SIGTERM)
    began = time.monotonic()
    r = m.wait()
    t.ended(r, 143, r'ended by Terminated')
    t.check('at once', time.monotonic() - began < 5, time.monotonic() - began)
    t.check('nothing began', b'began\n' not in r.out and b'init: asked to end' in r.out, r.out[-500:])
    t.same('reason', t.report()['reason'], 'stopped')
    check_ext4(t, image)


@case()
def sigint_is_passed_on(t):
    m = t.start_guest('trap "echo interrupted; exit 6" INT; echo up; while :; do sleep 0.1; done', *REPORT)
    m.expect(rb'up\n')
    m.signal(signal.SIGINT)
    r = m.wait()
    ended_with(t, r, 6, 'exited')
    t.same('output', r.out, b'up\ninterrupted\n')


@case()
def sigint_ends_a_plain_command(t):
    m = t.start_guest('echo up; exec sleep 1000', *REPORT)
    m.expect(rb'up\n')
    m.signal(signal.SIGINT)
    ended_with(t, m.wait(), 130, 'signaled')


@case()
def second_sigint_ends_it(t):
    m = t.start_guest('trap "echo no" INT; echo up; while :; do sleep 0.1; done', *REPORT)
    m.expect(rb'up\n')
    m.signal(signal.SIGINT)
    # The first has to be taken before the second: signals do not queue.
    m.expect(rb'no\n')
    m.signal(signal.SIGINT)
    r = m.wait(15)
    ended_with(t, r, 130, 'stopped', r'ended by a second SIGINT')


@case()
def sigints_far_apart_are_both_passed_on(t):
    m = t.start_guest('n=0; trap \'n=$((n + 1)); echo got $n; [ $n = 1 ] || exit 0\' INT; echo up; '
                      'while :; do sleep 0.1; done')
    m.expect(rb'up\n')
    m.signal(signal.SIGINT)
    m.expect(rb'got 1\n')
    time.sleep(2.5)     # the two seconds of --help
    m.signal(signal.SIGINT)
    m.expect(rb'got 2\n')
    t.ended(m.wait(), 0)


@case()
def timeout(t):
    """The command is told, and may write something still."""
    r = t.guest("exec 2>/dev/null; trap 'echo in order; exit 3' TERM; echo up; while :; do sleep 0.1; done",
                *REPORT, '--timeout', '12')
    ended_with(t, r, 124, 'timeout', r'the time limit of 12 s is over')
    t.same('output', r.out, b'up\nin order\n')
    t.check('time', 12 <= r.seconds < 17, r.seconds)


@case()
def timeout_before_the_guest_is_up(t):
    r = t.guest('true', *REPORT, '--timeout', '0.6')
    ended_with(t, r, 124, 'timeout', r'the time limit of 0.6 s is over')
    t.check('time', r.seconds < 8, r.seconds)


@case()
def timeout_that_is_not_reached(t):
    ended_with(t, t.guest('exit 2', *REPORT, '--timeout', '1000'), 2, 'exited')


@case(net=True)
def report_is_complete(t):
    t.file('report.json', b'x' * 100_000)   # what was there is gone afterwards
    tap = t.tap()
    disk = t.disk('d', 1 << 20)
    began = time.monotonic()
    r = t.guest('dd if=/dev/zero of=/dev/vdb bs=64k count=16 2>/dev/null; ping -c 1 10.9.0.1 >/dev/null; exit 5',
                *REPORT, '--name', 'it', '--disk', disk, '--net', f'tap={tap},ip=10.9.0.2/24')
    took = (time.monotonic() - began) * 1e9
    report = ended_with(t, r, 5, 'exited')
    t.same('name', report['name'], 'it')
    t.same('isolation', report['isolation'], 'vm')
    t.check('wall_ns', 0 < report['wall_ns'] <= took, report['wall_ns'])
    t.check('cpu_ns', 0 < report['cpu_ns'] < 3 * took, report['cpu_ns'])
    order = ['monitor', 'memory', 'irqchip', 'vcpus', 'filter', 'loaded', 'first_entry', 'init',
             'command']
    times = [report['timeline'].get(k, -1) for k in order]
    t.check('timeline is complete and in order', times[0] > 0 and times == sorted(times),
            report['timeline'])
    t.check('exits', report['exits'].get('io', 0) > 0 and report['exits'].get('mmio', 0) > 0,
            report['exits'])
    devices = {d['name']: d for d in report['devices']}
    t.same('devices', sorted(devices), ['blk0', 'blk1', 'net0', 'rng0'])
    for name, d in devices.items():
        t.check(f'counters of {name}', d['kicks'] > 0 and d['interrupts'] > 0 and
                d['requests'] > 0 and d['cpu_ns'] > 0 and d['syscalls'] > 0 and
                d['malformed'] == 0, d)
    t.check('bytes of the disk', devices['blk1']['bytes_out'] == 1 << 20, devices['blk1'])
