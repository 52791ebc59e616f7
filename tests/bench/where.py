"""Where the time of a request goes: who has the lab's one CPU, seen by the
tracepoints of KVM and of the scheduler while a guest does a job.

Each event says which thread runs, so the time since the event before is that
thread's; after kvm_entry it is the guest's.  A host interrupt that ends the guest's
turn counts as the guest's, for kvm_exit comes after it.
"""
import collections
import os
import re

from common import Table
from lab_guest import put

TRACING = "/sys/kernel/tracing/"
EVENTS = ("kvm/kvm_entry", "kvm/kvm_exit", "sched/sched_switch")
BUFFER_KIB = 40 << 10
LINE = re.compile(r"\s*(.+)-(\d+) +\[\d+\] \S+ +([\d.]+): (\w+):")
PF_KTHREAD = 0x00200000

GUEST, VCPU = "guest", "vCPU's thread outside it"
OTHERS, WORKERS = "the machine's other threads", "io_uring's workers for it"
KERNEL, REST, IDLE = "kernel threads", "other processes", "idle"
PLACES = (GUEST, VCPU, OTHERS, WORKERS, KERNEL, REST, IDLE)
ALL = "together"


def per_request(guest, job, few, many, unit_us):
    """-> {place: us of a request of job(n)}: the difference between many and few
    requests.  The time of it all is the job's own second figure, in `unit_us`
    microseconds; what nobody used of it was idle.  (The trace has the idle time of the
    job's end as well, which fio sees by looking now and then.)
    "slower": what tracing makes of the time of job(many); 1 is nothing."""
    untraced = guest.do(job(many))  # so the devices' processes have also learned
    a, short = use(guest, job(few))
    b, traced = use(guest, job(many))
    result = {p: (b[p] - a[p]) / (many - few) for p in PLACES}
    result[ALL] = (traced[1] - short[1]) * unit_us / (many - few)
    result[IDLE] = result[ALL] - sum(result[p] for p in PLACES if p != IDLE)
    return {**result, "slower": traced[1] / untraced[1]}


def use(guest, job):
    """-> {place: us}, and the job's figures"""
    os.sync()  # what earlier jobs wrote is not this one's
    put(TRACING + "buffer_size_kb", str(BUFFER_KIB))
    put(TRACING + "trace_clock", "mono")
    put(TRACING + "trace", "")
    machine = guest.threads()
    for event in EVENTS:
        put(f"{TRACING}events/{event}/enable", "1")
    figures = guest.do(job)
    for event in EVENTS:
        put(f"{TRACING}events/{event}/enable", "0")
    machine |= guest.threads()
    with open(TRACING + "trace", encoding="utf-8", errors="replace") as f:
        return by_place(f, machine), figures


def by_place(lines, machine):
    """-> {place: us}

    lines    as the file `trace` has them
    machine  the ids of the machine's threads"""
    threads, vcpus = collections.Counter(), set()  # {(name, id): us}
    us = collections.Counter()
    last = after = None
    for line in lines:
        lost = re.match(r"# entries-in-buffer/entries-written: (\d+)/(\d+)", line)
        if lost and lost[1] != lost[2]:
            raise RuntimeError(f"the buffer is too small for the trace: {line}")
        m = LINE.match(line)
        if not m:
            continue
        now = float(m[3]) * 1e6
        if after == "kvm_entry":
            us[GUEST] += now - last
        elif after:
            threads[m[1], int(m[2])] += now - last
        last, after = now, m[4]
        if after == "kvm_entry":
            vcpus.add(int(m[2]))
    for (name, thread), time in threads.items():
        us[VCPU if thread in vcpus else place(name, thread, machine)] += time
    return us


def place(name, thread, machine):
    owner = re.fullmatch(r"iou-wrk-(\d+)", name)
    if owner:
        return WORKERS if int(owner[1]) in machine else REST
    if thread in machine:
        return OTHERS
    if thread == 0:
        return IDLE
    return KERNEL if is_kernel_thread(name, thread) else REST


def is_kernel_thread(name, thread):
    try:
        with open(f"/proc/{thread}/stat", encoding="utf-8", errors="replace") as f:
            return bool(int(f.read().rpartition(")")[2].split()[6]) & PF_KTHREAD)
    except FileNotFoundError:
        return name.startswith("kworker/")  # those come and go


def table(title, done, machines, jobs):
    """The results of per_request(), which are those of the jobs `JOB: where`."""
    results = {(m, j): r for (m, _, j), r in done.items() if j.endswith(": where")}
    note = "Microseconds of a request, starting the program left out; without what has less than 2 %."
    if results:
        slower = [(r["slower"] - 1) * 100 for r in results.values()]
        note += f" Traced, which makes the runs {min(slower):.0f} to {max(slower):.0f} % longer."
    made = Table(title, note, machines)
    for job in jobs:
        found = {m: r for (m, j), r in results.items() if j == job + ": where"}
        for p in (*PLACES, ALL):
            if any(abs(r[p]) >= r[ALL] / 50 for r in found.values()):
                row = made.row(f"{job}: {p}", digits=1)
                for machine, r in found.items():
                    row.add(machine, round(r[p], 1) or 0)  # no ratio to next to nothing
    return made
