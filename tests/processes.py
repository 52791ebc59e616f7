"""processes - what tests see of a machine's processes from outside, in /proc."""
import re


def children(pid):
    """name -> pid of a process's children."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        pids = [int(word) for word in f.read().split()]
    names = {}
    for child in pids:
        with open(f"/proc/{child}/comm", encoding="ascii", errors="replace") as f:
            names[f.read().strip()] = child
    return names


def state(pid):
    """The letter of proc(5): R, S, D, T, Z, ..."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        return f.read().rpartition(")")[2].split()[0]


def mappings(pid):
    """(start, end, file or None, {field: KiB}) of each mapping of a process."""
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as f:
        text = f.read()
    for m in re.finditer(r"^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ (\S+ \d+)[^\n]*\n((?:[A-Z].*\n)*)",
                         text, re.M):
        yield (int(m.group(1), 16), int(m.group(2), 16),
               None if m.group(3).endswith(" 0") else m.group(3),
               {k: int(v) for k, v in re.findall(r"^(\w+): +(\d+) kB", m.group(4), re.M)})


def memory(pid, guest_bytes):
    """KiB of PSS and of private memory, guest memory left out: what is as large as
    that, or a file of which so much is mapped (advice splits a mapping)."""
    found = list(mappings(pid))
    size = {}
    for start, end, file, _ in found:
        key = file or start
        size[key] = size.get(key, 0) + end - start
    kept = [field for start, _, file, field in found if size[file or start] < guest_bytes]
    return (sum(k["Pss"] for k in kept),
            sum(k["Private_Clean"] + k["Private_Dirty"] for k in kept))
