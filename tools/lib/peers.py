"""Other job queues for tools/bench peers: the same no-op jobs, as many workers, equally durable.

Redis runs with appendonly yes and appendfsync always, in a scratch directory; SQLite with WAL and
synchronous FULL.  Each is asked whether it really does.  What is not installed says what it lacks.
"""
import json
import os
import shutil
import socket
import subprocess

from basis import ROOT, middle, scratch

WORKERS = 4
PATIENCE = 600  # seconds until a peer that hangs ends the benchmark
PYTHON = "/usr/bin/python3"  # Debian's, which Debian's rq is for
DURABLE = {"rq": "appendfsync always", "bullmq": "appendfsync always", "plainjob": "FULL"}
SCRIPTS = os.path.join(ROOT, "tools", "measure", "peers")
NAMED = os.environ.get("RV_BENCH_PEERS")
FOLDER = os.path.abspath(NAMED or os.path.join(ROOT, "build", "peers"))


class Failed(Exception):
    """A peer that is installed, but did not run its jobs."""


def has_rq():
    return os.access(PYTHON, os.X_OK) and subprocess.run([PYTHON, "-c", "import redis, rq"], check=False,
                                                         stderr=subprocess.DEVNULL).returncode == 0


def lacking(name):
    """What is not installed that the peer needs, with the command that gets it; None: all is here."""
    debian, npm = [], []
    if name == "rq" and not has_rq():
        debian.append("python3-rq")
    if name in ("rq", "bullmq") and not shutil.which("redis-server"):
        debian.append("redis-server")
    if name in ("bullmq", "plainjob"):
        if not shutil.which("node"):
            debian.append("nodejs")
        wanted = {"bullmq": ("bullmq", "ioredis"), "plainjob": ("plainjob", "better-sqlite3")}[name]
        npm = [one for one in wanted if not os.path.isdir(os.path.join(FOLDER, "node_modules", one))]
    ways = ([f"apt-get install {' '.join(debian)}"] if debian else []) + \
        ([f"npm install --prefix {NAMED or 'build/peers'} {' '.join(npm)}"] if npm else [])
    return "; ".join(ways) or None


def version(name):
    if name == "rq":
        return subprocess.run([PYTHON, "-c", "import rq; print(rq.VERSION)"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()
    with open(os.path.join(FOLDER, "node_modules", name, "package.json"), encoding="utf-8") as f:
        return json.load(f)["version"]


class Redis:
    """A redis-server of our own on a socket in a scratch directory; every write is synced before its answer."""

    def __init__(self):
        self.dir = scratch()
        self.socket = os.path.join(self.dir, "s")
        self.proc = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.dir,
                                      "--save", "", "--appendonly", "yes", "--appendfsync", "always"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        for line in self.proc.stdout:
            if "ready to accept" in line.lower():
                break
        try:
            for key, value in (("appendonly", "yes"), ("appendfsync", "always")):
                if value not in self.ask(f"CONFIG GET {key}").split():
                    raise Failed(f"redis-server does not say {key} {value}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def ask(self, command):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(PATIENCE)
            s.connect(self.socket)
            s.sendall(command.encode() + b"\r\n")
            return s.recv(65536).decode()

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def run(words, many=1):
    """Runs ${many} processes of this at once, to their ends; what each printed."""
    env = dict(os.environ, RV_BENCH_PEERS=FOLDER, PYTHONDONTWRITEBYTECODE="1")
    procs = [subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, text=True, env=env) for _ in range(many)]
    try:
        said = [proc.communicate(timeout=PATIENCE)[0] for proc in procs]
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{' '.join(map(str, words))} did not end") from late
    finally:
        for proc in procs:
            if proc.poll() is None:
                proc.kill()
                proc.wait()
    if any(proc.returncode for proc in procs):
        raise Failed(f"{' '.join(map(str, words))} failed")
    return said


def rate(name, ends, jobs):
    """Of the middle 80 % of when they ended; all must have."""
    if len(ends) < jobs:
        raise Failed(f"{name} ran {len(ends)} of {jobs} jobs")
    low, high = middle(sorted(ends))
    return 0.8 * len(ends) / max(high - low, 1e-6)


def by_redis(name, script, how, jobs):
    with Redis() as redis:
        run([*script, redis.socket, "add", jobs])
        run([*script, redis.socket, "work", how], WORKERS)
        return rate(name, json.loads(run([*script, redis.socket, "ends"])[0]), jobs)


def rq(how, jobs):
    return by_redis("rq", [PYTHON, os.path.join(SCRIPTS, "rq_peer.py")], how, jobs)


def bullmq(at_once, jobs):
    return by_redis("bullmq", ["node", os.path.join(SCRIPTS, "bullmq_peer.js")], at_once, jobs)


def plainjob(jobs):
    folder = scratch()
    try:
        words = ["node", os.path.join(SCRIPTS, "plainjob_peer.mjs"), os.path.join(folder, "jobs.db")]
        run([*words, "add", jobs])
        said = run([*words, "work"], WORKERS)
        return rate("plainjob", [end for one in said for end in json.loads(one)], jobs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
