"""Runs leave nothing behind: every case looks for that, these do many."""
from harness import case


@case()
def two_machines_at_once(t):
    machines = [t.start_guest(f'echo up; read -r x; echo "{n} got $x"; exit {n}') for n in (1, 2)]
    for m in machines:
        m.expect(rb'up\n')
    for n, m in enumerate(machines, 1):
        m.send(b'word %d\n' % n)
    for n, m in enumerate(machines, 1):
        t.ended(m.wait(), n, out=b'up\n%d got word %d\n' % (n, n))


@case(long=True, net=True, limit=600)
def twenty_runs_in_a_row(t):
    tap = t.tap()
    disk = t.disk('d', 1 << 20)
    before = t.host('ip', '-brief', 'link')
    for i in range(20):
        r = t.guest(f'echo {i}; exit {i}', '--disk', disk, '--net', f'tap={tap}')
        t.ended(r, i, out=b'%d\n' % i)
    t.find_left()
    t.same('interfaces', t.host('ip', '-brief', 'link'), before)
