#!/usr/bin/python3
"""Runs jobs of the job language on CPython's asyncio, under a virtual clock.

	asyncio_run.py			runs the jobs on standard input, one a line
	asyncio_run.py --python		prints the Python program of each instead

A line: when the job is cancelled from outside, a tab, the job. The moments are milliseconds, with
a message where there is one, separated by commas: "500,1500:enough"; empty or -1: never.

For each job it prints a line for every value that the job yields, "TIME yield JSON", then
"TIME completed JSON" or "TIME failed ERROR", then an empty line. TIME is in milliseconds since the
start, ERROR is {type, message, data?}.
"""
import asyncio
import functools
import json
import logging
import os
import sys
import warnings

from commands import Lines, run_command
from errors import described, raised
from groups import GROUPS
from scopes import SCOPES
from to_python import to_python
from values import FUNCTIONS, awaited, cancelled, compact
from virtual_loop import Stuck, VirtualLoop

EPOCH = 1700000000  # the simulator's clock begins there


def with_undos_first(function, undos):
    """A branch with `after` gets the results of its siblings first."""
    return lambda *args: function(undos, *args)


class Run:
    """One job from its start to its last task's end."""

    names = {**FUNCTIONS, **GROUPS, **SCOPES, "awaited": awaited, "cancelled": cancelled,
             "raised": raised, "described": described, "sleep": asyncio.sleep,
             "shield": asyncio.shield, "create_task": asyncio.create_task,
             "CancelledError": asyncio.CancelledError, "partial": functools.partial,
             "with_undos_first": with_undos_first, "run_command": run_command, "Lines": Lines,
             "JOB": {"id": 1, "title": None, "attempt": 1}}

    def __init__(self, loop):
        self.loop = loop
        self.lines = []
        self.is_cancelled = False

    def note(self, what, value):
        self.lines.append("%.0f %s %s" % (self.loop.time() * 1000, what, compact(value)))

    def cancel(self, task, message):
        """Who asks again does not want to wait for what is being stopped."""
        if self.is_cancelled or task.done():
            self.loop.runner.kill_all()
        self.is_cancelled = task.cancel(message) or self.is_cancelled

    def story(self, program, cancels):
        names = {**self.names, "emit": functools.partial(self.note, "yield"),
                 "now": lambda: EPOCH + self.loop.time()}
        exec(program, names)
        task = self.loop.create_task(names["job"]())
        for at, message in cancels:
            self.loop.call_at(at / 1000, self.cancel, task, message)
        what, value = "completed", None
        try:
            value = self.loop.run_until_complete(task)
            compact(value)
        except Stuck:
            raise
        except BaseException as error:
            what, value = "failed", described(error)
        self.loop.sweep()
        self.note(what, value)
        return self.lines


def read_cancels(text):
    cancels = []
    for part in text.split(","):
        at, _, message = part.partition(":")
        if at not in ("", "-1"):
            cancels.append((int(at), message or None))
    return cancels


def run_line(loop, line):
    """The story of the job on one line."""
    cancels, spec = line.split("\t")
    try:
        program = compile(to_python(json.loads(spec)), "job", "exec")
    except Exception as error:  # what the loader refuses need not be understood here
        return ["0 unsaid " + compact("%s: %s" % (type(error).__name__, error))]
    loop.reset()
    run = Run(loop)
    try:
        return run.story(program, read_cancels(cancels))
    except Stuck:
        return run.lines + ['%.0f stuck ""' % (loop.time() * 1000)]


def main():
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")  # about coroutines that a cancel kept from beginning
    loop = VirtualLoop()
    for line in sys.stdin:
        if sys.argv[1:] == ["--python"]:
            print(to_python(json.loads(line.split("\t")[1])), flush=True)
            continue
        lines = run_line(loop, line)
        print("\n".join(lines) + "\n", flush=True)
    os._exit(0)  # generators that could not be closed would have their last words here


if __name__ == "__main__":
    main()
