#!/usr/bin/python3
"""The rules of asyncio, CPython's own tests of it, and what the language adds to it, as jobs with the
story that each must tell.

	test_rules.py [TEXT]		runs the cases with TEXT in their names; prints TAP

Every case runs in the simulator and on CPython's asyncio, and both stories must be the one that is
written down. A case, in rules/*.txt, cpython/*.txt and language/*.txt:

	## rule 57: the first exception in time is raised
	{"gather": [...]}			the job, on as many lines as it likes
	cancel 1500 enough			cancelled from outside at this millisecond, with a message
	signal 500 go 7				its event "go" is set, with this value
	only gatherd: no such thing there	why asyncio is not asked
	->
	10 yield "x"				what comes out, in this order, at these milliseconds;
	30 failed ValueError text		it ends with `completed JSON` or `failed TYPE [MESSAGE]`

`-> refused POINTER MESSAGE` in place of `->` and the story: the loader must say that, and no more.
"""
import glob
import json
import os
import re
import sys

from compare import HERE, Comparison

NAME = re.compile(r"(rule \d+|cpython \w+\.test_\w+|language \w+): .+")
ENDS_JOB = re.compile(r"(cancel \d|signal \d|only gatherd: |->)")


class Case:
    """What stands under one `##`."""

    def __init__(self, name, lines):
        self.name = name
        end = next(i for i, line in enumerate(lines) if ENDS_JOB.match(line))
        self.job = json.loads("\n".join(lines[:end]))
        self.cancels, self.is_for_asyncio, self.story = [], True, []
        for line in lines[end:]:
            word, _, rest = line.partition(" ")
            if word == "cancel":
                self.cancels.append(rest.replace(" ", ":", 1))
            elif word == "signal":
                self.cancels.append(rest.replace(" ", "=", 1).replace(" ", ":", 1))
            elif word == "only":
                self.is_for_asyncio = False
            elif word != "->":
                self.story.append(wanted(line))
            elif rest:
                self.story.append(wanted("0 " + rest))
                self.is_for_asyncio = False

    def line(self):
        """For the programs that run it."""
        return ",".join(self.cancels) + "\t" + json.dumps(self.job)

    def is_told_by(self, story):
        got = [comparable(line) for line in story]
        return len(got) == len(self.story) and all(
            (g[:len(w)] if w[1] == "failed" else g) == w for w, g in zip(self.story, got))


def wanted(line):
    """A line of a case as a tuple. The message of an error may be missing."""
    time, word, rest = line.split(" ", 2)
    if word in ("failed", "refused"):
        return (int(time), word) + tuple(rest.split(" ", 1))
    return int(time), word, json.dumps(json.loads(rest))


def comparable(line):
    """A line that a program has printed, in the shape of `wanted`."""
    time, word, value = line
    if word == "failed":
        return time, word, value["type"], value["message"]
    if word == "refused":
        return (time, word) + tuple(t for problem in value
                                    for t in (problem["pointer"], problem["message"]))
    return time, word, json.dumps(value)


def read_cases(path):
    with open(path, encoding="utf-8") as file:
        parts = re.split("^## ", file.read(), flags=re.M)
    for part in parts[1:]:
        name, *lines = [line for line in part.splitlines() if line.strip()]
        try:
            if not NAME.fullmatch(name):
                raise ValueError("the name says neither a rule nor a test")
            yield Case(name, lines)
        except (ValueError, StopIteration) as error:
            sys.exit("%s: %s: %r" % (path, name, error))


def stories(side, cases):
    return dict(zip(cases, side.stories([case.line() for case in cases])))


def main():
    paths = [path for folder in ("rules", "cpython", "language")
             for path in sorted(glob.glob(os.path.join(HERE, folder, "*.txt")))]
    cases = [case for path in paths for case in read_cases(path)
             if all(text in case.name for text in sys.argv[1:])]
    build = os.environ.get("builddir", os.path.join(HERE, "../.."))
    sides = Comparison(os.path.join(build, "tests/conformance/sim_jobs"))
    told = {"gatherd": stories(sides.gatherd, cases),
            "asyncio": stories(sides.asyncio, [case for case in cases if case.is_for_asyncio])}
    failures = 0
    print("1..%d" % len(cases))
    for number, case in enumerate(cases, 1):
        others = [who for who in told if case in told[who] and not case.is_told_by(told[who][case])]
        print("%sok %d - %s" % ("not " if others else "", number, case.name))
        for who in others:
            print("# wanted:", *case.story, sep="\n#   ")
            print("# %s:" % who, *told[who][case], sep="\n#   ")
        failures += bool(others)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
