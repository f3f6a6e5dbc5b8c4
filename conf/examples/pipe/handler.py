#!/usr/bin/env python3
"""A pipe handler in Python: counts the words of a text, and of one that arrives as the payload.

    [task:words]
    handler = pipe
    command = python3 /usr/share/doc/reeve/examples/pipe/handler.py

    reeve add words text="one two three"

Jobs come on stdin and answers go to descriptor 3, a line of JSON each (docs/PROTOCOL.md, Pipe handlers).
With "ahead" several jobs are on their way at once: "log" says whose output a line is, print() would not.
"""
import json
import os
import sys


def words(job, log):
    """What one job does; what it returns is the result of the job."""
    text = job["args"].get("text", job.get("payload", ""))
    if not text:
        raise ValueError("there is no text to count")
    log(f"counting {len(text)} characters")
    return {"words": len(text.split())}


def main():
    answers = os.fdopen(int(os.environ["REEVE_ANSWER_FD"]), "w", encoding="utf-8")

    def say(**line):
        answers.write(json.dumps(line) + "\n")

    say(reeve=1, ahead=32, health=True)
    answers.flush()
    for line in sys.stdin:
        job = json.loads(line)
        if "health" in job:  # "are you well?": yes is the line sent back
            say(**job)
            answers.flush()
            continue
        about = {"job": job["job"], "run": job["run"]}

        def log(text, about=about):
            say(**about, log=text)

        try:
            say(**about, ok=True, result=words(job, log))
        except ValueError as error:  # it would be no better the next time
            say(**about, ok=False, error=str(error), permanent=True)
        except Exception as error:  # pylint: disable=broad-except
            say(**about, ok=False, error=f"{type(error).__name__}: {error}")
        answers.flush()


if __name__ == "__main__":
    main()
