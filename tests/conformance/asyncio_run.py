#!/usr/bin/python3
"""Runs jobs of the job language on CPython's asyncio, under a virtual clock.

	asyncio_run.py			runs the jobs on standard input, one a line
	asyncio_run.py --python		prints the Python program of each instead

A line: when the job is cancelled from outside, or one of its events is set, a tab, the job. The
moments are milliseconds, with a message or a value where there is one, separated by commas:
"500=go:7,1500:enough"; empty or -1: never.

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

from calls import run_function, run_request
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


class JobEvent(asyncio.Event):
    """With the value of the latest signal."""
    value = None


class Run:
    """One job from its start to its last task's end."""

    names = {**FUNCTIONS, **GROUPS, **SCOPES, "awaited": awaited, "cancelled": cancelled,
             "raised": raised, "described": described, "sleep": asyncio.sleep,
             "shield": asyncio.shield, "create_task": asyncio.create_task,
             "CancelledError": asyncio.CancelledError, "partial": functools.partial,
             "with_undos_first": with_undos_first, "run_command": run_command,
             "run_function": run_function, "run_request": run_request, "Lines": Lines,
             "JOB": {"id": 1, "title": None, "attempt": 1}}

    def __init__(self, loop):
        self.loop = loop
        self.lines = []
        self.is_cancelled = False
        self.events = {}

    def note(self, what, value):
        self.lines.append("%.0f %s %s" % (self.loop.time() * 1000, what, compact(value)))

    def cancel(self, task, message):
        """Who asks again does not want to wait for what is being stopped."""
        if self.is_cancelled or task.done():
            self.loop.runner.kill_all()
        self.is_cancelled = task.cancel(message) or self.is_cancelled

    def event(self, name):
        return self.events.setdefault(name, JobEvent())

    def signal(self, name, value):
        event = self.event(name)
        event.value = value
        event.set()

    async def wait_event(self, name):
        event = self.event(name)
        await event.wait()
        return event.value

    def story(self, program, acts):
        names = {**self.names, "emit": functools.partial(self.note, "yield"),
                 "now": lambda: EPOCH + self.loop.time(), "wait_event": self.wait_event}
        exec(program, names)
        task = self.loop.create_task(names["job"]())
        for at, event, words in acts:
            if event is None:
                self.loop.call_at(at / 1000, self.cancel, task, words)
            else:
                self.loop.call_at(at / 1000, self.signal, event, json.loads(words or "null"))
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


def read_acts(text):
    """(moment, event or None, message or value)"""
    acts = []
    for part in text.split(","):
        head, _, words = part.partition(":")
        at, _, event = head.partition("=")
        if at not in ("", "-1"):
            acts.append((int(at), event or None, words or None))
    return acts


def run_line(loop, line):
    """The story of the job on one line."""
    acts, spec = line.split("\t")
    try:
        program = compile(to_python(json.loads(spec)), "job", "exec")
    except Exception as error:  # what the loader refuses need not be understood here
        return ["0 unsaid " + compact("%s: %s" % (type(error).__name__, error))]
    loop.reset()
    run = Run(loop)
    try:
        return run.story(program, read_acts(acts))
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
