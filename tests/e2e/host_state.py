"""host_state.py - what a host is, to be compared before and after something that
must not change it: settings, mounts, modules, processes, devices, clock."""
import os
import time

# Settings that are counters, or drawn anew with each look.
COUNTERS = ('fs/aio-nr', 'fs/dentry-state', 'fs/file-nr', 'fs/inode-nr', 'fs/inode-state', 'fs/quota/',
            'kernel/ns_last_pid', 'kernel/pty/nr', 'kernel/random/', 'net/netfilter/nf_conntrack_count')


def text(path):
    try:
        with open(path, encoding='latin-1') as f:
            return f.read()
    except OSError as e:
        return e.strerror


def settings():
    found = {}
    for place, _, names in os.walk('/proc/sys'):
        for name in names:
            path = os.path.join(place, name)
            key = path[len('/proc/sys/'):]
            if not key.startswith(COUNTERS) and os.stat(path).st_mode & 0o400:
                found[key] = text(path)
    return found


def processes():
    """Of programs; the kernel's own threads come and go."""
    found = set()
    for pid in filter(str.isdigit, os.listdir('/proc')):
        command = text(f'/proc/{pid}/cmdline')
        if '\0' in command:
            found.add((int(pid), command))
    return found


def groups():
    return {place for place, _, _ in os.walk('/sys/fs/cgroup')}


def places():
    """Files that belong to nobody in particular; mount(8) keeps notes."""
    return {os.path.join(place, name) for place in ('/', '/tmp', '/run', '/dev', '/dev/shm', '/etc')
            for name in os.listdir(place) if name != 'mount'}


def look():
    """{what: value}, each to be the same at another time."""
    uname = os.uname()
    return {
        'settings': settings(),
        'mounts': text('/proc/1/mountinfo').splitlines(),
        'modules': sorted(line.split()[0] for line in text('/proc/modules').splitlines()),
        'processes': processes(),
        'name': (uname.nodename, uname.release, text('/proc/sys/kernel/domainname')),
        'boot': text('/proc/sys/kernel/random/boot_id'),
        'devices': sorted(os.listdir('/sys/class/block')),
        'interfaces': sorted(os.listdir('/sys/class/net')),
        'swap': text('/proc/swaps'),
        'filters': text('/proc/net/ip_tables_names'),
        'groups': groups(),
        'places': places(),
    }


def clock_error():
    """Seconds between the clock that can be set and the one that cannot."""
    return time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME)


def differences(before, after):
    """One line for each thing that is not as it was."""
    for what, was in before.items():
        now = after[what]
        if isinstance(was, dict):
            yield from (f'{what}: {key} was {was.get(key)!r}, is {now.get(key)!r}'
                        for key in sorted(was.keys() | now.keys()) if was.get(key) != now.get(key))
        elif isinstance(was, (set, list)):
            yield from (f'{what}: gone: {x}' for x in was if x not in now)
            yield from (f'{what}: new: {x}' for x in now if x not in was)
        elif was != now:
            yield f'{what}: was {was!r}, is {now!r}'
