"""What the parts of the benchmark share: tables of samples, and cgroups.

A part gives samples, never figures: medians, spreads and ratios are made here
in one way, and every sample ends up in build/bench/PART.json.
"""
import json
import os
import re
import statistics
import subprocess
import sys
import time

BUILD = "build/bench"
DOCS = "docs/benchmarks.md"
OURS = "bulkhead"


class CannotRun(Exception):
    """This host cannot run the part; the text says why."""


def sh(*cmd, check=True):
    return subprocess.run(cmd, check=check, capture_output=True, text=True)


def progress(text):
    """One line that is written over, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    q = statistics.quantiles(values, n=4, method="inclusive")
    return q[0], q[2]


def percentile(values, percent):
    """The smallest sample that at least `percent` of the samples do not exceed."""
    s = sorted(values)
    return s[max(0, -(-len(s) * percent // 100) - 1)]


class Row:
    """One quantity: samples of each machine.

    unit    as shown
    digits  after the point
    bound   what is asked of ours: ("<=", number) of the figure itself,
            ("<=", number, "peer") or (">=", number, "peer") of ours / peer's
    """

    def __init__(self, name, unit="", digits=2, bound=None, samples=None):
        self.name, self.unit, self.digits = name, unit, digits
        self.bound = tuple(bound) if bound else None
        self.samples = samples or {}

    def add(self, machine, value):
        self.samples.setdefault(machine, []).append(value)

    def median(self, machine):
        return statistics.median(self.samples[machine])

    def ratio(self, machine):
        """ours / this machine's, or None"""
        if OURS not in self.samples or machine not in self.samples or not self.median(machine):
            return None
        return self.median(OURS) / self.median(machine)

    def figure(self, machine):
        if machine not in self.samples:
            return ""
        values = self.samples[machine]
        text = f"{statistics.median(values):.{self.digits}f}"
        if len(values) > 1:
            lo, hi = quartiles(values)
            text += f" ({lo:.{self.digits}f}-{hi:.{self.digits}f})"
        return text

    def holds(self):
        """Does the bound hold?  None without one, or without what it needs."""
        if not self.bound or OURS not in self.samples:
            return None
        value = self.median(OURS) if len(self.bound) == 2 else self.ratio(self.bound[2])
        if value is None:
            return None
        return value <= self.bound[1] if self.bound[0] == "<=" else value >= self.bound[1]

    def bound_text(self):
        if not self.bound:
            return ""
        text = f"{self.bound[0]} {self.bound[1]:g}"
        if len(self.bound) == 3:
            text += f" of {self.bound[2]}"
        verdict = {True: "holds", False: "MISSED", None: "not measured"}[self.holds()]
        return f"{text}: {verdict}"

    def plain(self):
        return {"name": self.name, "unit": self.unit, "digits": self.digits,
                "bound": self.bound, "samples": self.samples}


class Table:
    """title; note: how it was measured; machines in the order of the columns,
    ours (common.OURS) first; rows."""

    def __init__(self, title, note, machines, rows=None):
        self.title, self.note, self.machines = title, note, list(machines)
        self.rows = rows if rows is not None else []

    def row(self, name, **kw):
        """The row of this name; made when it is not there."""
        for r in self.rows:
            if r.name == name:
                return r
        self.rows.append(Row(name, **kw))
        return self.rows[-1]

    def cells(self):
        head = ["", *self.machines]
        peers = [m for m in self.machines if m != OURS]
        head += [f"ours / {m}" for m in peers] + ["bound"]
        lines = [head]
        for r in self.rows:
            line = [f"{r.name}, {r.unit}" if r.unit else r.name]
            line += [r.figure(m) for m in self.machines]
            for m in peers:
                ratio = r.ratio(m)
                line.append("" if ratio is None else f"{ratio:.3f}")
            lines.append(line + [r.bound_text()])
        return lines

    def text(self):
        lines = self.cells()
        width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        out = [f"{self.title}", f"  {self.note}"]
        for line in lines:
            out.append("  " + "  ".join([line[0].ljust(width[0])] + [
                c.rjust(w) for c, w in zip(line[1:-1], width[1:-1])] + [line[-1]]).rstrip())
        return "\n".join(out) + "\n"

    def markdown(self):
        lines = self.cells()
        out = [f"**{self.title}.** {self.note}", ""]
        for i, line in enumerate(lines):
            out.append("| " + " | ".join(line) + " |")
            if i == 0:
                out.append("|" + "---|" + "---:|" * (len(line) - 2) + "---|")
        return "\n".join(out) + "\n"

    def plain(self):
        return {"title": self.title, "note": self.note, "machines": self.machines,
                "rows": [r.plain() for r in self.rows]}


def save(part, tables):
    os.makedirs(BUILD, exist_ok=True)
    with open(f"{BUILD}/{part}.json", "w", encoding="utf-8") as f:
        json.dump({"part": part, "tables": [t.plain() for t in tables]}, f, indent=1)
        f.write("\n")


def load(part):
    try:
        with open(f"{BUILD}/{part}.json", encoding="utf-8") as f:
            saved = json.load(f)
    except FileNotFoundError as e:
        raise CannotRun(f"there is no {e.filename}: measure first") from e
    return [Table(t["title"], t["note"], t["machines"], [Row(**r) for r in t["rows"]])
            for t in saved["tables"]]


def put_into_docs(part, tables):
    """Replace what is between <!-- bench PART --> and the next <!-- end -->."""
    body = "\n".join(t.markdown() for t in tables)
    with open(DOCS, encoding="utf-8") as f:
        text = f.read()
    new, n = re.subn(rf"(<!-- bench {part} -->\n).*?(<!-- end -->)",
                     lambda m: m.group(1) + body + m.group(2), text, flags=re.S)
    if n != 1:
        sys.exit(f"bench: {DOCS} has no place for the tables of {part}")
    with open(DOCS, "w", encoding="utf-8") as f:
        f.write(new)


class Cgroup:
    """An empty cgroup with CPU accounting, v1 or v2."""

    def __init__(self):
        for base in ("/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"):
            if os.path.exists(base + "/cpuacct.usage") or \
                    os.path.exists(base + "/cgroup.controllers"):
                break
        else:
            raise CannotRun("no cgroup with CPU accounting")
        self.path = f"{base}/bulkhead-bench-{os.getpid()}"
        try:
            os.mkdir(self.path)
        except OSError as e:
            raise CannotRun(f"make the cgroup {self.path}: {e.strerror}") from e

    def pids(self):
        with open(self.path + "/cgroup.procs", encoding="ascii") as f:
            return [int(p) for p in f.read().split()]

    def kill(self):
        """End everything in it, and wait until it is gone."""
        while self.pids():
            for p in self.pids():
                try:
                    os.kill(p, 9)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)

    def close(self):
        self.kill()
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.05)
