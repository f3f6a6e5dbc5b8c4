"""reeved and other supervisors with as many children each, for tools/bench supervise."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

from basis import MEASURE, Daemon, descendants, scratch

CHILDREN = 50
STABLE = 1.2  # seconds of life after which all of them take a child for one that had come up
ONE_BY_ONE = 5  # different children killed in a round, each alone
PROGRAMS = {"reeved": (None, None), "s6": ("s6-svscan", "s6"), "runit": ("runsvdir", "runit"),
            "daemontools": ("svscan", "daemontools"), "supervisord": ("supervisord", "supervisor")}


def replaced(subject, count, again=False):
    """Kills the ${count} oldest, or youngest; milliseconds until as many new ones say that they run, and are ready."""
    victims = subject.pids[-count:] if again else subject.pids[:count]
    began = time.monotonic()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    new = [subject.told() for _ in victims]
    running = (time.monotonic() - began) * 1000
    subject.settle(count)
    ready = (time.monotonic() - began) * 1000
    subject.pids = [pid for pid in subject.pids if pid not in victims] + new
    return running, ready


class Peer:
    """Another supervisor with CHILDREN processes, each of which says its pid on our socket when it starts."""

    def __init__(self, name):
        self.name, self.dir, self.pids = name, scratch(), []
        self.bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(self.dir, "s")
        self.bell.bind(path)
        self.bell.settimeout(60)
        getattr(self, name)(f"{MEASURE} child {path}")

    def run(self, *words):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.proc = subprocess.Popen(words, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def services(self, command):
        folder = os.path.join(self.dir, "services")
        for i in range(CHILDREN):
            service = os.path.join(folder, str(i))
            os.makedirs(service)
            with open(os.path.join(service, "run"), "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\nexec {command}\n")
            os.chmod(os.path.join(service, "run"), 0o755)
        return folder

    def s6(self, command):
        self.run("s6-svscan", "-c", "200", self.services(command))

    def runit(self, command):
        self.run("runsvdir", self.services(command))

    def daemontools(self, command):
        self.run("svscan", self.services(command))

    def supervisord(self, command):
        with open(os.path.join(self.dir, "conf"), "w", encoding="utf-8") as f:
            f.write(f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
                    f"pidfile={self.dir}/pid\n[program:c]\ncommand={command}\nnumprocs={CHILDREN}\n"
                    f"process_name=%(process_num)d\nautorestart=true\nstartsecs=0\n"
                    f"stdout_logfile=NONE\nstderr_logfile=NONE\n")
        self.run("supervisord", "-c", os.path.join(self.dir, "conf"))

    def told(self):
        return int(self.bell.recv(64))

    def settle(self, count):
        """A child of theirs has nothing to make ready."""

    def up(self):
        while len(self.pids) < CHILDREN:
            self.pids.append(self.told())

    def close(self):
        pids = descendants(self.proc.pid)
        for how in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, how)
                except ProcessLookupError:
                    pass
        self.proc.wait()
        self.bell.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Ours:
    """reeved with as many workers: one runs when it says that it opens the store, and is ready when that is done.

    The first is what the children of others say: its own word, as soon as it can.  Both are read in
    the log as they are written: to ask the daemon again and again would cost it some of the
    milliseconds that are measured.
    """

    def __init__(self):
        self.daemon = Daemon(CHILDREN, pool="stable_after = 0s\nrestart_burst = 1000/1s\n", level="debug")
        self.pids, self.running, self.ready = [], [], 0
        path = os.path.join(self.daemon.dir, "log")
        os.mkfifo(path)
        self.log = open(os.open(path, os.O_RDWR | os.O_CLOEXEC), encoding="utf-8")

    def read(self):
        event = json.loads(self.log.readline())
        if event.get("event") == "worker.starting":
            self.running.append(event["pid"])
        elif event.get("event") == "child.ready" and event["message"].startswith("worker"):
            self.ready += 1

    def told(self):
        while not self.running:
            self.read()
        return self.running.pop(0)

    def settle(self, count):
        while self.ready < count:
            self.read()
        self.ready -= count

    def up(self):
        self.daemon.start()
        while len(self.pids) < CHILDREN:
            self.pids.append(self.told())
        self.settle(CHILDREN)

    def close(self):
        self.daemon.close()
        self.log.close()
