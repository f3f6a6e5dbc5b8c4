"""No-op jobs of tools/bench through each kind of handler of reeve."""
import os

from basis import Daemon, middle

PIPE_PY = """import json, sys
answers = open(3, "w")
print(json.dumps({"reeve": 1, "ahead": 64}), file=answers, flush=True)
for line in sys.stdin:
    job = json.loads(line)
    print(json.dumps({"job": job["job"], "run": job["run"], "ok": True}), file=answers, flush=True)
"""
PIPE_JS = """const fs = require('fs');
const say = (text) => fs.writeSync(3, text);
let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text) => {
  const lines = (rest + text).split('\\n');
  rest = lines.pop();
  say(lines.map((line) => {
    const { job, run } = JSON.parse(line);
    return JSON.stringify({ job, run, ok: true }) + '\\n';
  }).join(''));
});
say('{"reeve":1,"ahead":64}\\n');
"""


def handled(kind, command, jobs):
    """Runs ${jobs} no-ops of a task with this handler, 4 workers, FULL; the rate of the middle 80 %."""
    key = "module" if kind == "module" else "command"
    more = f"[task:it]\nhandler = {kind}\n" + (f"{key} = {command}\n" if command else "builtin = noop\n")
    daemon = Daemon(4, pool=more)
    try:
        for name, text in (("noop.py", PIPE_PY), ("noop.js", PIPE_JS)):
            with open(os.path.join(daemon.dir, name), "w", encoding="utf-8") as f:
                f.write(text)
        with open(daemon.ini, encoding="utf-8") as f:
            text = f.read()
        with open(daemon.ini, "w", encoding="utf-8") as f:
            f.write(text.replace("@DIR@", daemon.dir))
        daemon.add_many(jobs, "it")
        daemon.start()
        daemon.reeve("wait", "--all", "--timeout", "10m")
        daemon.stop()
        ends = sorted(r[0] for r in daemon.sql("SELECT ended_at FROM run"))
    finally:
        daemon.close()
    low, high = middle(ends)
    return 0.8 * len(ends) / max((high - low) / 1e6, 1e-6)
