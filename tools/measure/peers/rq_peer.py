"""No-op jobs in rq, for tools/bench peers.

rq_peer.py SOCKET add N       enqueues them, many in one call
rq_peer.py SOCKET work fork   one worker as it comes: a process for each job; ends when the queue is empty
rq_peer.py SOCKET work simple one worker that runs the jobs itself; ends when the queue is empty
rq_peer.py SOCKET ends        prints when each job ended, seconds since 1970, as JSON
"""
import datetime
import json
import sys

import redis
import rq
from rq.job import Job
from rq.registry import FinishedJobRegistry

AT_ONCE = 1000


def noop():
    """The job: nothing, as the answer of every other handler here."""


def add(queue, count):
    for first in range(0, count, AT_ONCE):
        queue.enqueue_many([queue.prepare_data("rq_peer.noop", ()) for _ in range(min(AT_ONCE, count - first))])


def ends(queue, server):
    names = FinishedJobRegistry(queue=queue).get_job_ids()
    jobs = Job.fetch_many(names, connection=server)
    return [job.ended_at.replace(tzinfo=datetime.timezone.utc).timestamp() for job in jobs]


def main(path, verb, *words):
    server = redis.Redis(unix_socket_path=path)
    queue = rq.Queue("noop", connection=server)
    if verb == "add":
        add(queue, int(words[0]))
    elif verb == "work":
        kind = {"fork": rq.Worker, "simple": rq.SimpleWorker}[words[0]]
        kind([queue], connection=server).work(burst=True, logging_level="ERROR")
    elif verb == "ends":
        print(json.dumps(ends(queue, server)))


if __name__ == "__main__":
    main(*sys.argv[1:])
