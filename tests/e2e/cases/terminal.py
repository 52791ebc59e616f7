"""The console on a terminal: every key goes to the guest but Ctrl-A X, and the
terminal is as it was afterwards, however it ends."""
import signal

from harness import Terminal, case, wait_until

CTRL_A = b'\x01'


def start(t, *args):
    return t.start(*args, terminal=Terminal())


def restored(t, m):
    t.check('the terminal is not as it was', m.terminal.is_restored())


@case()
def terminal_of_the_command(t):
    m = start(t, '--rootfs', t.rootfs, 'sh', '-c',
              'test -t 0 && test -t 1 && test -t 2 && tty; stty size; echo TERM=$TERM')
    r = m.wait()
    t.ended(r, 0, out=b'/dev/ttyS0\r\n31 117\r\nTERM=vt100\r\n')
    restored(t, m)


@case()
def keys_reach_the_guest(t):
    """Raw, so that the guest's terminal edits the line, not ours."""
    m = start(t, '--rootfs', t.rootfs, 'sh', '-c',
              'stty -echo raw; echo ready; dd bs=1 count=9 2>/dev/null | od -An -tx1')
    m.expect(rb'ready')
    t.check('the terminal is raw', m.terminal.is_raw())
    # Ctrl-C, Ctrl-Z, Ctrl-Q, Ctrl-S, Ctrl-\, CR, DEL, a byte of UTF-8, Ctrl-A.
    m.send(b'\x03\x1a\x11\x13\x1c\r\x7f\xc3' + CTRL_A + b'a')
    m.expect(rb'03 1a 11 13 1c 0d 7f c3 01')
    t.ended(m.wait(), 0)
    restored(t, m)


@case()
def guest_edits_and_echoes(t):
    m = start(t, '--rootfs', t.rootfs, 'cat')
    wait_until('raw terminal', m.terminal.is_raw)
    m.send(b'helo\x7flo\r')
    m.expect(rb'hel.*\r\nhello\r\n')
    m.send(b'\x04')
    t.ended(m.wait(), 0)
    restored(t, m)


@case()
def ctrl_c_interrupts_the_command(t):
    m = start(t, '--rootfs', t.rootfs, 'sh', '-c', 'trap "echo caught; exit 4" INT; echo up; '
              'while :; do sleep 0.1; done')
    m.expect(rb'up')
    m.send(b'\x03')
    m.expect(rb'caught')
    t.ended(m.wait(), 4)
    restored(t, m)


@case()
def ctrl_a_x_ends_it(t):
    m = start(t, '--rootfs', t.rootfs, 'sh', '-c', 'trap "" INT TERM HUP; echo up; '
              'while :; do sleep 1; done')
    m.expect(rb'up')
    m.send(CTRL_A + b'x')
    r = m.wait(15)
    t.ended(r, 137, err=r'ended by Ctrl-A X')
    restored(t, m)


@case()
def ctrl_a_x_before_the_guest_is_up(t):
    m = start(t, '--rootfs', t.rootfs, 'true')
    wait_until('raw terminal', m.terminal.is_raw)
    m.send(CTRL_A + b'X')
    r = m.wait(15)
    t.ended(r, 137, err=r'ended by Ctrl-A X')
    restored(t, m)


@case()
def an_interactive_shell(t):
    m = start(t, '--rootfs', t.rootfs, 'sh')
    m.expect(rb'# ')
    # Only while no line is edited does the terminal take Ctrl-C for a signal,
    # and a shell that is about to fork may miss it: let it be a program's.
    m.send(b"sh -c 'echo begin; exec sleep 1000'\r")
    m.expect(rb'\nbegin\r\n')
    m.send(b'\x03')
    m.expect(rb'# ')
    m.send(b'echo $((6 * 7))\r')
    m.expect(rb'\n42\r\n')
    m.send(b'exit 6\r')
    t.ended(m.wait(), 6)
    restored(t, m)


@case(table=[('sigterm', signal.SIGTERM), ('sighup', signal.SIGHUP)])
def terminal_restored_after(t, number):
    """Both end it in order: the command gets SIGTERM from its init."""
    m = start(t, '--rootfs', t.rootfs, 'sh', '-c', 'echo up; sleep 1000')
    m.expect(rb'up')
    m.signal(number)
    r = m.wait()
    t.same('status', r.status, 143)
    restored(t, m)


@case()
def terminal_restored_after_an_error(t):
    m = start(t, '--rootfs', t.rootfs, '--kernel', t.file('k', b'no kernel'), 'true')
    t.ended(m.wait(), 125, err=r'^bulkhead: [^\n]*\n$')
    restored(t, m)
