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


class Peer:
    """Another supervisor with CHILDREN processes, each of which says its pid on our socket when it starts."""

    def __init__(self, name):
        self.name, self.dir, self.pids = name, scratch(), set()
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

    def up(self):
        while len(self.pids) < CHILDREN:
            self.pids.add(int(self.bell.recv(64)))

    def killed(self, count):
        """Milliseconds from the kill of ${count} of them until as many new ones run."""
        victims = list(self.pids)[:count]
        began = time.monotonic()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        new = {int(self.bell.recv(64)) for _ in victims}
        took = (time.monotonic() - began) * 1000
        self.pids = (self.pids - set(victims)) | new
        return took

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
    """reeved with as many workers; one is there again when it has opened the store and said READY."""

    def __init__(self):
        self.daemon = Daemon(CHILDREN, pool="stable_after = 0s\nrestart_burst = 1000/1s\n")
        self.control = os.path.join(self.daemon.dir, "run", "control")

    def workers(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.connect(self.control)
            s.sendall(b'{"v":1,"verb":"status"}\n')
            said = b""
            while not said.endswith(b"\n"):
                said += s.recv(262144)
        return [w["pid"] for w in json.loads(said).get("workers", []) if w["state"] in ("idle", "busy")]

    def up(self):
        self.daemon.start()
        self.daemon.workers_up(CHILDREN)

    def killed(self, count):
        victims = set(self.workers()[:count])
        began = time.monotonic()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        while True:
            time.sleep(0.001)  # the daemon answers at most so many in a second
            now = set(self.workers())
            if len(now) == CHILDREN and not now & victims:
                return (time.monotonic() - began) * 1000

    def close(self):
        self.daemon.close()
