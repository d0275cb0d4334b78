#!/usr/bin/python3
"""Runs random jobs on CPython's asyncio and in the simulator, and compares what they do.

	compare.py SIM_JOBS FIRST COUNT

Compared are the yields, their order and times, and how the job ends: its result, or the type of its
error. A difference prints the smallest job that shows one, and the command that repeats it.
"""
import json
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))


def reduced(value):
    """An error as a value: its type alone, since messages differ and asyncio has no paths."""
    if isinstance(value, list):
        return [reduced(v) for v in value]
    if isinstance(value, dict):
        if "type" in value and set(value) <= {"type", "message", "path", "data"}:
            return {"type": value["type"]}
        return {k: reduced(v) for k, v in value.items()}
    return value


def story(text):
    """One job's lines, comparable."""
    lines = []
    for line in text.splitlines():
        time, what, rest = line.split(" ", 2)
        lines.append((int(time), what, rest if what == "failed" else reduced(json.loads(rest))))
    return lines


def outputs(command, jobs):
    done = subprocess.run(command, input=jobs, stdout=subprocess.PIPE, text=True, check=True)
    return [story(part) for part in done.stdout.split("\n\n")[:-1]]


def main():
    sim_jobs, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    jobs = subprocess.run([sim_jobs, "make", str(first), str(count)], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    ours = outputs([sim_jobs, "run"], jobs)
    theirs = outputs(["/usr/bin/python3", os.path.join(here, "asyncio_run.py")], jobs)
    specs = jobs.splitlines()
    assert len(ours) == len(theirs) == len(specs) == count, (len(ours), len(theirs), len(specs))
    different = [i for i in range(count) if ours[i] != theirs[i]]
    for i in sorted(different, key=lambda i: len(specs[i]))[:1]:
        print("%s\ngatherd: %s\nasyncio: %s" % (specs[i], ours[i], theirs[i]))
        print("again with: %s %s %d 1" % (sys.argv[0], sim_jobs, first + i))
    print("%d jobs, %d different" % (count, len(different)))
    sys.exit(1 if different else 0)


main()
