"""What the suites of tools/bench stand on: figures, scratch directories, rv-measure and a daemon."""
import json
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("RV_BUILD", os.path.join(ROOT, "build", "release")))
REEVED, REEVE = os.path.join(BUILD, "bin", "reeved"), os.path.join(BUILD, "bin", "reeve")
MEASURE = os.path.join(BUILD, "libexec", "rv-measure")
NOOP = os.path.join(BUILD, "libexec", "rv-noop%s.so")


class Figure:
    """One judged or reported number: its rounds, its bound, and how it reads."""

    def __init__(self, suite, name, values, bound=None, at_least=True, unit="×", goal=None):
        self.suite, self.name, self.unit = suite, name, unit
        self.values = [v for v in values if v is not None]
        self.bound, self.at_least, self.goal = bound, at_least, goal

    @property
    def median(self):
        return statistics.median(self.values) if self.values else float("nan")

    @property
    def verdict(self):
        if self.bound is None:
            return ""
        ok = self.median >= self.bound if self.at_least else self.median <= self.bound
        return "ok" if ok else "MISSED"

    def row(self):
        def show(v):
            return f"{v:.3g}" if abs(v) < 1000 else f"{v:,.0f}"
        spread = f"{show(min(self.values))} … {show(max(self.values))}" if self.values else "-"
        bound = "" if self.bound is None else f"{'≥' if self.at_least else '≤'} {show(self.bound)}"
        if self.goal is not None:
            bound += f" (goal {show(self.goal)})"
        return [self.suite, self.name, f"{show(self.median)} {self.unit}".strip(), spread, bound, self.verdict]

    def json(self):
        return {"suite": self.suite, "name": self.name, "median": self.median if self.values else None, "unit": self.unit,
                "rounds": self.values, "bound": self.bound, "at_least": self.at_least, "verdict": self.verdict}


class Skipped(Figure):
    """What could not be measured here, and how to get what it needs: said in the table and in the JSON."""

    def __init__(self, suite, name, need):
        note(f"{suite}: SKIPPED {name}: not installed ({need})")
        super().__init__(suite, f"{name}: not installed ({need}): skipped", [])

    verdict = "SKIPPED"

    def row(self):
        return [self.suite, self.name, "-", "-", "", self.verdict]


def scratch():
    return tempfile.mkdtemp(prefix="reeve-bench.", dir=os.environ.get("RV_BENCH_DIR"))


def note(text):
    print(text, file=sys.stderr, flush=True)


def version():
    return subprocess.run([REEVE, "version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")[0]


def measure(*words):
    """Runs rv-measure; it prints one JSON object."""
    done = subprocess.run([MEASURE, *map(str, words)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measured(kind, *words):
    """measure() in a scratch directory of its own."""
    folder = scratch()
    try:
        return measure(kind, folder, *words)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Daemon:
    """A reeved in a scratch directory of its own, with one pool."""

    def __init__(self, workers, pool="", level="warn"):
        self.dir = scratch()
        self.ini = os.path.join(self.dir, "reeve.ini")
        self.store = os.path.join(self.dir, "state", "reeve.db")
        self.proc = None
        with open(self.ini, "w", encoding="utf-8") as f:
            f.write(f"[reeve]\nstate_dir = {self.dir}/state\nruntime_dir = {self.dir}/run\nadhoc = yes\n"
                    f"[store]\npath = {self.store}\n[log]\nlevel = {level}\n"
                    f"[pool:default]\nworkers = {workers}\nqueues = default\n{pool}"
                    f"[task:noop]\nhandler = builtin\nbuiltin = noop\n"
                    f"[task:true]\ncommand = /bin/true\n")
        os.chmod(self.ini, 0o600)

    def start(self):
        """Starts it and waits for READY=1 on a notify socket; returns the seconds until then."""
        path = os.path.join(self.dir, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell, \
                open(os.path.join(self.dir, "log"), "ab") as log:
            bell.bind(path)
            bell.settimeout(60)
            began = time.monotonic()
            self.proc = subprocess.Popen([REEVED, "-c", self.ini], stderr=log,
                                         env=dict(os.environ, NOTIFY_SOCKET=path))
            while b"READY=1" not in bell.recv(4096):
                pass
            ready = time.monotonic() - began
        os.unlink(path)
        return ready

    def reeve(self, *words, check=True, **more):
        return subprocess.run([REEVE, "-c", self.ini, *map(str, words)], stdout=subprocess.PIPE, text=True,
                              check=check, stderr=subprocess.DEVNULL, **more).stdout

    def add_many(self, count, task="noop"):
        self.reeve("add", "--from-file", "-", input=f'{{"task":"{task}"}}\n' * count)

    def status(self):
        return json.loads(self.reeve("--json", "status", check=False))

    def pids(self):
        """The daemon's living children by program name."""
        children = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8") as f:
                    name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
                if int(rest.split()[1]) == self.proc.pid:
                    children.setdefault(name, []).append(int(entry))
            except OSError:
                continue
        return children

    def workers_up(self, count):
        """Seconds-precise wait on the control socket until ${count} workers are up."""
        while sum(w["state"] in ("idle", "busy") for w in self.status()["workers"]) < count:
            pass

    def stop(self):
        if self.proc:
            self.proc.send_signal(signal.SIGTERM)
            self.proc.wait(120)
            self.proc = None

    def sql(self, query):
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True) as db:
            return db.execute(query).fetchall()

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


def middle(ends):
    """Begin and end of the middle 80 % of sorted times: ramps do not count."""
    return ends[len(ends) // 10], ends[len(ends) * 9 // 10]


def descendants(pid):
    """${pid} and all below it, as /proc has it now."""
    parent = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as f:
                parent[int(entry)] = int(f.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found = [pid]
    for one in found:
        found += [child for child, of in parent.items() if of == one]
    return found
