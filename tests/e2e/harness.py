"""harness.py - what the cases use: start bulkhead, talk to it, find what it left.

A case is a function that takes a Test.  Each runs in a process of its own that
is the reaper of everything it starts, so whatever a run leaves behind becomes
its child and is found.  Waiting is always for something that happens, with a
limit; nothing depends on how long anything takes.
"""
import collections
import ctypes
import fcntl
import glob
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time

PATIENCE = 45   # seconds for one thing to happen; guests are slow in the lab
LEFT_OVER = 3   # seconds that a machine's last process may take to go away

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

Case = collections.namedtuple('Case', 'name func limit long net root kind')
Result = collections.namedtuple('Result', 'status out err seconds')
CASES = []


class Fail(Exception):
    pass


class Skip(Exception):
    pass


def case(limit=120, long=False, net=False, root=False, table=None):
    """Makes a function a case.  `net`: in a network namespace of its own (which
    takes root); `long`: only with --long;   With a `table` each row is a case:
    its first element names it, the rest are arguments."""
    def add(func):
        name = func.__name__.replace('_', '-')
        for row in table or [()]:
            full = f'{name}-{row[0]}' if row else name
            rest = row[1:]
            CASES.append(Case(full, lambda t, rest=rest: func(t, *rest), limit, long, net,
                              root or net, func.__module__))
        return func
    return add


def become_reaper():
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def own_network():
    if libc.unshare(CLONE_NEWNET) != 0:
        raise Fail('cannot make a network namespace')
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)


def processes():
    """pid -> (parent, name, state) of everything that runs."""
    found = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/stat', encoding='latin-1') as f:
                text = f.read()
        except OSError:
            continue
        head, _, tail = text.rpartition(')')
        fields = tail.split()
        found[int(pid)] = (int(fields[1]), head.partition('(')[2], fields[0])
    return found


def where_it_is(pid):
    """A process, and in which of the kernel's functions each of its threads waits."""
    parent, name, state = processes().get(pid, ('?', '?', '?'))
    text = f'{pid} {name} {state}, child of {parent}'
    for task in glob.glob(f'/proc/{pid}/task/*'):
        try:
            with open(task + '/stack', encoding='ascii') as f:
                functions = re.findall(r'\] (\w+)', f.read())
        except OSError:
            continue
        text += f"\n  {os.path.basename(task)}: {' < '.join(functions[:8])}"
    return text


def descendants(pid):
    table = processes()
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        for p, (pp, _, _) in table.items():
            if pp == parent:
                found.append(p)
                todo.append(p)
    return found


def status_of(pid):
    """name -> value of /proc/PID/status."""
    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        return dict(line.rstrip('\n').split(':\t', 1) for line in f if ':\t' in line)


def is_alive(pid):
    entry = processes().get(pid)
    return entry is not None and entry[2] != 'Z'


def show(data, limit=1500):
    """Bytes for a person's eyes, the middle cut out when they are many."""
    if len(data) > limit:
        data = data[:limit // 2] + b'\n[...]\n' + data[-limit // 2:]
    text = data.decode('utf-8', 'backslashreplace')
    return ''.join(c if c in '\n\t' or c.isprintable() else f'\\x{ord(c):02x}' for c in text)


def wait_until(what, condition, seconds=PATIENCE, pause=0.05):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Fail(f'not within {seconds} s: {what}')
        time.sleep(pause)


class Stream:
    """What comes out of a descriptor, collected by a thread."""

    def __init__(self, fd):
        self.fd = fd
        self.data = bytearray()
        self.closed = False
        self.leaving = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def leave(self):
        self.leaving = True
        self.thread.join()

    def read(self):
        while not self.leaving:
            # With a limit, so that a reader that is to leave sees it.
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            try:
                chunk = os.read(self.fd, 65536)
            except OSError:     # a terminal whose other side is gone
                chunk = b''
            with self.changed:
                self.data += chunk
                self.closed = not chunk
                self.changed.notify_all()
            if not chunk:
                return

    def expect(self, pattern, seconds, at):
        """The first match behind position `at`, waited for."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                match = re.compile(pattern, re.S).search(self.data, at)
                if match:
                    # A match holds on to the buffer, which must be able to grow.
                    return match.end(), tuple(bytes(g or b'') for g in match.groups())
                left = end - time.monotonic()
                if self.closed or left <= 0:
                    why = 'the output ended' if self.closed else f'nothing for {seconds} s'
                    raise Fail(f'expected {pattern!r}: {why}')
                self.changed.wait(left)


class Machine:
    """A `bulkhead` that runs."""

    def __init__(self, test, argv, stdin=None, terminal=None, env=None, pass_fds=(),
                 stdout=None):
        self.started = time.monotonic()
        self.at = 0
        self.stdin = None
        self.terminal = terminal
        options = {}
        if terminal:
            # A leader with a controlling terminal, like the jobs of a shell.
            tty = terminal.slave
            options = dict(stdin=tty, stdout=tty,
                           preexec_fn=lambda: fcntl.ioctl(tty, termios.TIOCSCTTY, 0))
        else:
            options = dict(stdin=subprocess.PIPE if stdin is None else stdin,
                           stdout=stdout or subprocess.PIPE)
        full_env = dict(test.env, **(env or {}))
        self.proc = subprocess.Popen(argv, stderr=subprocess.PIPE, env=full_env,
                                     cwd=test.dir, start_new_session=True,
                                     pass_fds=pass_fds, **options)
        self.pid = self.proc.pid
        if terminal:
            self.stdin = terminal.master
            self.out = terminal.out
        else:
            self.stdin = self.proc.stdin.fileno() if stdin is None else None
            self.out = None if stdout else Stream(self.proc.stdout.fileno())
        self.err = Stream(self.proc.stderr.fileno())
        test.machines.append(self)

    def expect(self, pattern, seconds=PATIENCE):
        self.at, groups = self.out.expect(pattern, seconds, self.at)
        return groups

    def expect_error(self, pattern, seconds=PATIENCE):
        self.err.expect(pattern, seconds, 0)

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.stdin, view):]

    def close_stdin(self):
        self.proc.stdin.close()
        self.stdin = None

    def close_stdout(self):
        """Go away as a reader: the thread that reads is what keeps it open."""
        self.out.leave()
        self.proc.stdout.close()

    def signal(self, number):
        os.kill(self.pid, number)

    def children(self):
        """name -> pid of the machine's processes."""
        return {name: pid for pid, (parent, name, _) in processes().items()
                if parent == self.pid}

    def child(self, name):
        return wait_until(f'process {name}', lambda: self.children().get(name))

    def wait(self, seconds=PATIENCE):
        try:
            status = self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Fail(f'bulkhead has not ended within {seconds} s') from None
        took = time.monotonic() - self.started
        self.err.thread.join(5)
        out = b''
        if self.terminal:
            # Everything was written before the end; a terminal keeps it.
            wait_until('terminal read empty', self.terminal.is_empty, 5)
            out = bytes(self.out.data)
        elif self.out:
            self.out.thread.join(5)
            out = bytes(self.out.data)
        status = 128 - status if status < 0 else status
        return Result(status, out, bytes(self.err.data), took)

    def describe(self):
        text = [f'$ {shlex.join(self.proc.args)}', f'  status: {self.proc.poll()}']
        if self.out and self.out.data:
            text.append('  stdout: ' + show(bytes(self.out.data)).replace('\n', '\n  | '))
        if self.err.data:
            text.append('  stderr: ' + show(bytes(self.err.data)).replace('\n', '\n  | '))
        return '\n'.join(text)


class Terminal:
    """A pseudo-terminal; its slave side stays open, so settings stay too."""

    def __init__(self, rows=31, cols=117):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', rows, cols, 0, 0))
        self.settings = termios.tcgetattr(self.slave)
        self.out = Stream(self.master)

    def is_empty(self):
        waiting = struct.unpack('i', fcntl.ioctl(self.master, termios.TIOCINQ, b'\0' * 4))[0]
        return waiting == 0

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.settings


class Test:
    """What a case is given."""

    def __init__(self, name, shared):
        self.name = name
        self.shared = shared            # made once for all cases
        self.dir = os.path.join(shared, 'case', name)
        self.bulkhead = os.environ['BULKHEAD']
        self.built = os.environ['E2E_FILES']    # what is too large to be in `shared`
        self.rootfs = os.path.join(shared, 'rootfs')
        self.kernels = os.environ['KERNELS']
        self.machines = []
        self.helpers = []
        self.notes = []
        self.problems = []
        self.env = {'PATH': os.environ['PATH'], 'HOME': shared,
                    'BULKHEAD_RUNTIME_DIR': f'{shared}/instances', 'TERM': 'vt100',
                    'XDG_CACHE_HOME': os.path.join(shared, 'cache'),
                    'BULKHEAD_KERNEL': os.path.join(self.kernels, 'vmlinux')}
        os.makedirs(self.dir)

    # --- running ---

    def command(self, *args):
        return [self.bulkhead, 'run', *args]

    def start(self, *args, **options):
        return Machine(self, self.command(*args), **options)

    def run(self, *args, stdin=subprocess.DEVNULL, data=None, seconds=PATIENCE, **options):
        """Run to the end.  `data`: standard input through a pipe."""
        if data is None:
            return self.start(*args, stdin=stdin, **options).wait(seconds)
        m = self.start(*args, **options)

        def feed():
            try:
                m.send(data)
                m.close_stdin()
            except (BrokenPipeError, AttributeError):
                pass
        threading.Thread(target=feed, daemon=True).start()
        return m.wait(seconds)

    def guest(self, script, *args, **options):
        """Run a shell script in a guest whose root is packed."""
        return self.run('--rootfs', self.rootfs, *args, '--', 'sh', '-c', script, **options)

    def start_guest(self, script, *args, **options):
        return self.start('--rootfs', self.rootfs, *args, '--', 'sh', '-c', script, **options)

    def host(self, *argv, check=True, data=None):
        """A program of the host's; its output as text."""
        r = subprocess.run(argv, input=data, capture_output=True, cwd=self.dir, check=False)
        if check and r.returncode:
            raise Fail(f'{shlex.join(argv)}: status {r.returncode}\n'
                       f'{show(r.stdout)}{show(r.stderr)}')
        return (r.stdout + r.stderr).decode(errors='replace')

    def helper(self, *argv):
        """A program that runs beside the machine and ends with the case."""
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, cwd=self.dir, start_new_session=True)
        self.helpers.append(p)
        return p

    def file(self, name, content=b''):
        path = os.path.join(self.dir, name)
        with open(path, 'wb') as f:
            f.write(content)
        return path

    def read(self, name):
        with open(os.path.join(self.dir, name), 'rb') as f:
            return f.read()

    def disk(self, name, size):
        path = os.path.join(self.dir, name)
        with open(path, 'wb') as f:
            f.truncate(size)
        return path

    def image(self, name):
        """A copy of one of the shared images, for this case alone."""
        path = os.path.join(self.dir, name)
        shutil.copyfile(os.path.join(self.shared, name), path)
        return path

    def tap(self, name='tap0', address='10.9.0.1/24'):
        self.host('ip', 'tuntap', 'add', name, 'mode', 'tap', 'vnet_hdr')
        self.host('ip', 'addr', 'add', address, 'dev', name)
        self.host('ip', 'link', 'set', name, 'up')
        return name

    def report(self, name='report.json'):
        return json.loads(self.read(name))

    # --- judging ---

    def fail(self, text):
        raise Fail(text)

    def note(self, text):
        self.notes.append(text)

    def check(self, what, good, detail=''):
        """One of several things that a case looks at: all are looked at."""
        if not good:
            self.problems.append(f'{what}: {detail}' if detail != '' else what)

    def same(self, what, got, want):
        if isinstance(got, bytes) and isinstance(want, bytes) and len(got) + len(want) > 600:
            at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b),
                      min(len(got), len(want)))
            self.check(what, got == want,
                       f'{len(got)} bytes, wanted {len(want)}; they differ at {at}: '
                       f'{got[at:at + 40]!r}, wanted {want[at:at + 40]!r}')
        else:
            self.check(what, got == want, f'{got!r}, wanted {want!r}')

    def ended(self, r, status, err=None, out=None):
        """Status, and standard error (a regular expression, or nothing at all)."""
        self.same('status', r.status, status)
        if err is None:
            self.same('standard error', r.err, b'')
        else:
            self.check('standard error', re.search(err.encode(), r.err, re.S),
                       f'{show(r.err)!r} does not match {err!r}')
        if out is not None:
            self.same('standard output', r.out, out)

    # --- the end of a case ---

    def stop_all(self):
        for p in self.helpers:
            p.kill()
            p.wait()
        for m in self.machines:
            if m.proc.poll() is None:
                self.check('bulkhead still ran at the end of the case', False, m.pid)
                m.proc.kill()
                m.proc.wait()

    def find_left(self):
        """Processes that a machine left: they are our children by now."""
        def reap():
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                pass
            return not descendants(os.getpid())
        try:
            wait_until('end of all processes', reap, LEFT_OVER)
        except Fail:
            for pid in descendants(os.getpid()):
                self.check('a process was left', False, where_it_is(pid))
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
