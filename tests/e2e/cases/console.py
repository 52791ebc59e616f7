"""The console without a terminal: bytes in and out, exactly."""
import hashlib
import os
import random
import subprocess
import time

from harness import case

ALL_BYTES = bytes(range(256))


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def output_of(t, data, seconds):
    path = t.file('data', data + b'\0' * (-len(data) % 512))
    m = t.start_guest(f'echo now; head -c {len(data)} /dev/vdb', '--disk', path + ',ro')
    m.expect(rb'now\n')
    began = time.monotonic()
    t.ended(m.wait(seconds), 0, out=b'now\n' + data)
    t.note(f'{len(data) / (time.monotonic() - began) / 1e3:.1f} kB/s out of the guest')


@case()
def output_is_byte_exact(t):
    """All byte values, CR and LF among them, then noise."""
    output_of(t, ALL_BYTES * 4 + noise(20_000), 60)


@case(long=True, limit=900)
def output_of_a_mebibyte(t):
    output_of(t, noise(1 << 20), 800)


@case()
def output_is_merged_in_order(t):
    r = t.guest('for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done')
    t.ended(r, 0, out=b''.join(b'out %d\nerr %d\n' % (i, i) for i in range(1, 6)))


@case()
def output_without_newline(t):
    t.ended(t.guest('printf "no end"'), 0, out=b'no end')


@case()
def kernel_is_silent(t):
    t.ended(t.run('--rootfs', t.rootfs, 'true'), 0, out=b'')


@case()
def kernel_speaks_when_verbose(t):
    r = t.run('--rootfs', t.rootfs, '--verbose', 'echo', 'the command')
    t.same('status', r.status, 0)
    t.check('the kernel\'s first message', b'Linux version 6.' in r.out, r.out[:300])
    t.check('the command\'s output', b'the command\n' in r.out, r.out[-300:])


@case()
def input_is_byte_exact(t):
    """What could be taken for a control character, an escape or an end."""
    special = b'\x00\x03\x10\x11\x13\x1a\x1c\xff\x04\x10E\x10S\x02\x10\x10\r\n\x10'
    data = special + ALL_BYTES * 16 + noise(10_000) + special
    t.ended(t.run('--rootfs', t.rootfs, 'cat', data=data), 0, out=data)


@case(long=True, limit=900)
def input_of_a_mebibyte(t):
    data = noise(1 << 20)
    r = t.guest('sha256sum | cut -c1-64', data=data, seconds=800)
    t.ended(r, 0, out=hashlib.sha256(data).hexdigest().encode() + b'\n')


@case()
def input_of_a_file(t):
    data = noise(10_000)
    with open(t.file('in', data), 'rb') as f:
        t.ended(t.run('--rootfs', t.rootfs, 'cat', stdin=f), 0, out=data)


@case()
def input_ends(t):
    t.ended(t.guest('cat; echo end'), 0, out=b'end\n')


@case()
def input_ends_only_when_it_ends(t):
    m = t.start_guest('while read -r x; do echo "got $x"; done; echo end')
    m.send(b'one\n')
    m.expect(rb'got one\n')
    m.send(b'two\n')
    m.expect(rb'got two\n')
    m.close_stdin()
    t.ended(m.wait(), 0, out=b'got one\ngot two\nend\n')


def unread_input(t, limit):
    m = t.start_guest('echo up; sleep 1; exit 5')
    m.expect(rb'up\n')
    os.set_blocking(m.stdin, False)
    sent = 0
    while m.proc.poll() is None:
        try:
            sent += os.write(m.stdin, b'x' * 4096) if sent < limit else 0
        except BlockingIOError:
            pass
        except BrokenPipeError:
            break
        time.sleep(0.01)
    t.ended(m.wait(), 5, out=b'up\n')
    t.note(f'{sent >> 10} KiB were taken')


@case()
def input_that_nobody_reads(t):
    """More than the pipes on the way hold."""
    unread_input(t, 96 << 10)


@case(long=True, limit=600)
def input_without_end_that_nobody_reads(t):
    unread_input(t, 1 << 40)


@case()
def no_terminal_for_the_command(t):
    t.ended(t.guest('test -t 0 || test -t 1 || test -t 2 || echo none'), 0, out=b'none\n')


@case()
def reader_goes_away(t):
    """As in `bulkhead run ... yes | head -1`."""
    m = t.start_guest('yes')
    m.expect(rb'y\n')
    began = time.monotonic()
    m.close_stdout()
    r = m.wait()
    t.same('status', r.status, 141)
    t.check('it ends at once', time.monotonic() - began < 10, time.monotonic() - began)


@case()
def reader_is_slow(t):
    """A reader that waits stops the guest's output, and loses nothing of it."""
    read_end, write_end = os.pipe()
    m = t.start_guest('seq 1 4000; echo over >/dev/null', stdout=write_end, stdin=subprocess.DEVNULL)
    os.close(write_end)
    time.sleep(4)
    data = b''
    while chunk := os.read(read_end, 65536):
        data += chunk
        if len(data) < 65536:
            time.sleep(0.01)
    os.close(read_end)
    t.ended(m.wait(), 0)
    t.same('output', data, b''.join(b'%d\n' % i for i in range(1, 4001)))


@case()
def console_to_a_file(t):
    path = t.file('console', b'old and longer than what comes\n' * 100)
    r = t.guest('cat; echo in the file', '--console', path, data=b'is not read')
    t.ended(r, 0, out=b'')
    t.same('file', t.read('console'), b'in the file\n')


@case()
def console_none(t):
    t.ended(t.guest('cat; echo nobody sees it; exit 9', '--console', 'none'), 9, out=b'')


@case()
def output_to_a_file_at_its_end(t):
    path = t.file('out', b'first\n')
    with open(path, 'ab') as f:
        t.ended(t.guest('echo second', stdout=f), 0)
    t.same('file', t.read('out'), b'first\nsecond\n')
