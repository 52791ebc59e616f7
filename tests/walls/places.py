"""places - a registry of its own for a test, and instances in it behind each wall:
what tests/walls/registry and tests/walls/shell start."""
import argparse
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
BULKHEAD = os.environ.get('BULKHEAD', f'{TREE}/build/release/bulkhead')
LIMIT = 30


class Fail(Exception):
    pass


def check(what, got, want):
    if got != want:
        raise Fail(f'{what} is {str(got)[:300]!r}, not {str(want)[:300]!r}')


def read_until(fd, text, limit=LIMIT):
    got, end = b'', time.monotonic() + limit
    while text not in got:
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            raise Fail(f'{text!r} does not come: {got[-300:]!r}')
        try:
            data = os.read(fd, 4096)
        except OSError:
            data = b''
        if not data:
            raise Fail(f'{text!r} has not come: {got[-300:]!r}')
        got += data
    return got


class Place:
    """A registry of its own, a root directory, and the program where anybody can execute it."""
    def __init__(self, folder, wall):
        self.folder, self.wall = folder, wall
        self.program = f'{folder}/bulkhead'
        self.root = f'{folder}/rootfs'
        self.base = tempfile.mkdtemp(dir=folder)
        self.env = dict(os.environ, BULKHEAD_RUNTIME_DIR=self.base)

    def argv(self, *options, short=False):
        """An instance that lives until its input ends, or is over at once."""
        argv = [self.program, 'run', '--isolation', self.wall, *options]
        if self.wall == 'vm':
            guest = 'hello' if short else 'echo'
            return argv + ['--kernel', f'{TREE}/build/guests/{guest}.elf']
        if self.wall == 'process':
            argv += ['--rootfs', self.root]
        return argv + ['--', 'true' if short else 'cat']

    def start(self, *options):
        return subprocess.Popen(self.argv(*options), env=self.env, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *options):
        return subprocess.run(self.argv(*options, short=True), env=self.env, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def command(self, *argv):
        r = subprocess.run([self.program, *argv], env=self.env, stdin=subprocess.DEVNULL, timeout=LIMIT,
                           capture_output=True, text=True, check=False)
        return r.returncode, r.stdout, r.stderr

    def ps(self):
        status, out, err = self.command('ps', '--json')
        check('ps', (status, err), (0, ''))
        return json.loads(out)

    def wait_for(self, name, state='running'):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            for i in self.ps():
                if (i['name'], i['state']) == (name, state):
                    return i
            time.sleep(0.02)
        raise Fail(f'{name} is not {state}')

    def nothing_left(self):
        path = f'{self.base}/instances'
        check('what is left', os.listdir(path) if os.path.isdir(path) else [], [])


def end(p):
    try:
        p.stdin.write(b'\n\n')  # the guest's word for it
        p.stdin.close()
    except BrokenPipeError:
        pass
    try:
        p.wait(LIMIT)
    except subprocess.TimeoutExpired:
        p.kill()
        raise Fail(f'not over after {LIMIT} s') from None
    p.stdout.close()
    p.stderr.close()
    return p.returncode


def main(name, cases):
    """Run each case behind each wall: the exit status."""
    args = argparse.ArgumentParser(prog=name)
    args.add_argument('-w', default='none,process,vm')
    args.add_argument('names', nargs='*')
    args = args.parse_args()
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory(prefix=f'{name}.') as folder:
        os.chmod(folder, 0o711)
        shutil.copy(BULKHEAD, f'{folder}/bulkhead')
        subprocess.run([f'{TREE}/tests/make-rootfs', f'{folder}/rootfs'], check=True)
        for wall in args.w.split(','):
            if wall == 'vm' and not os.access('/dev/kvm', os.R_OK | os.W_OK):
                print('skip vm: /dev/kvm cannot be opened')
                skipped += 1
                continue
            for case in cases:
                if (args.names and case.__name__ not in args.names) or \
                        wall not in getattr(case, 'walls', (wall,)):
                    continue
                try:
                    case(Place(folder, wall))
                    passed += 1
                except Fail as e:
                    print(f'FAIL {wall} {case.__name__}: {e}')
                    failed += 1
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed else 0
