#!/usr/bin/env python3
"""The rig of families: jobs with child jobs on several loops, and a daemon that is killed all the time.

It is killed at the places where a family is in two minds (the failpoints named family.*), and at random
moments. Whatever happens: each child is there once, has done what it does once, and its parent has its
result; what was cancelled has no child that goes on.

    tests/torture/families.py --seconds 60 --seed 1
"""

import argparse
import collections
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
from harness import PATIENCE, SOURCE, Daemon, Refused, until  # noqa: E402

DAEMON = os.path.abspath(os.environ.get(
    "TORTURE_DAEMON", os.path.join(os.environ.get("builddir", "."),
                                   "tests/torture/gatherd_failpoints")))
LOOPS = 3
AT_ONCE = 4      # families handed in for each life
LIFE_MAX = 0.08  # seconds before a kill at random
ENDED = ("completed", "failed", "cancelled")


class Violation(Exception):
    """Something that is promised does not hold."""


def expect(condition, *words):
    if not condition:
        raise Violation(" ".join(str(word) for word in words))


def failpoints():
    names = set()
    for path in (SOURCE / "daemon" / "run").glob("*.c"):
        names |= set(re.findall(r'GD_FAILPOINT\("(family\.[a-z_]+)"\)', path.read_text()))
    return sorted(names)


Kind = collections.namedtuple("Kind", "spec result children yields status")


def flat(n):
    """All at once, on loops by name."""
    body = [{"sleep": "${i * 3 % 5 / 1000}"}, {"yield": "${i}"}, {"value": "${i + " + str(n) + "}"}]
    return Kind({"do": [
        {"do": {"create_task": body, "loop": "${'loop' + str(i % 4)}", "name": "${i}"}, "for": "i",
         "in": "${range(8)}", "as": "all"}, {"await": "${all}"}]},
        [i + n for i in range(8)], 8, lambda title: [int(title)], "completed")


def by_timer(n):
    """The journal of the parent says nothing of when it made them."""
    return Kind({"do": [
        {"do": [{"sleep": 0.002}, {"create_task": [{"yield": "${i}"}, {"value": "${i}"}], "loop": n % LOOPS,
                                   "name": "${i}"}], "for": "i", "in": "${range(6)}", "as": "all"},
        {"sleep": 0.002}, {"await": "${all}"}]},
        list(range(6)), 6, lambda title: [int(title)], "completed")


def tree(n):
    inner = [{"do": {"create_task": [{"sleep": 0.001}, {"yield": "leaf"}, {"value": 1}], "loop": "${(i + k) % 3}",
                     "name": "leaf"}, "for": "k", "in": [0, 1], "as": "both"},
             {"await": "${both}", "as": "r"}, {"value": "${r[0] + r[1] + i}"}]
    return Kind({"do": [
        {"do": {"create_task": inner, "loop": "${i}", "name": "branch"}, "for": "i", "in": "${range(3)}",
         "as": "all"}, {"await": "${all}", "as": "r"}, {"return": ["${r}", n]}]},
        [[2, 3, 4], n], 3, lambda title: [], "completed")


def failing(n):
    body = [{"sleep": 0.001}, {"raise": {"type": "Planned", "message": str(n)}}]
    return Kind({"try": [{"create_task": body, "loop": "${1}", "name": "bad", "as": "t"}, {"await": "${t}"}],
                 "except": {"Planned": {"value": "${error.message}"}}}, str(n), 1, lambda title: [], "completed")


def cancelled(_):
    """By the rig, in the middle of its making or later."""
    body = {"try": {"sleep": 3600}, "finally": {"yield": "cleanup"}}
    return Kind({"do": [
        {"do": [{"sleep": 0.001}, {"create_task": body, "loop": "${i % 3}", "name": "${i}"}], "for": "i",
         "in": "${range(5)}", "as": "all"}, {"await": "${all}"}]},
        None, None, lambda title: ["cleanup"], "cancelled")


KINDS = (flat, by_timer, tree, failing, cancelled)


class Rig:
    def __init__(self, seed, home):
        self.random = random.Random(seed)
        self.daemon = Daemon("--loops", str(LOOPS), home=pathlib.Path(home), name=f"-{seed}", program=DAEMON)
        self.points = failpoints()
        self.fired = collections.Counter()
        self.next = 0
        self.ids = {}  # number -> id
        self.cancels = set()
        self.kills = 0
        self.checked = 0

    def kind(self, number):
        return KINDS[number % len(KINDS)](number)

    # --- one life ---

    def hand_in(self, wire):
        """What was not answered is handed in again by its key."""
        for number in range(max(0, self.next - AT_ONCE), self.next + AT_ONCE):
            if number not in self.ids:
                self.ids[number] = wire.call("job.submit", spec=self.kind(number).spec, key=f"n{number}")["id"]
        self.next += AT_ONCE

    def cancel_some(self, wire):
        for number, job in self.ids.items():
            if number % len(KINDS) != KINDS.index(cancelled) or job in self.cancels:
                continue
            if self.random.random() < 0.6:
                wire.call("job.cancel", id=job)
                self.cancels.add(job)

    def live(self, point):
        """Until the daemon ends at the failpoint, or somewhere; it is started again then."""
        self.daemon.env = {} if point is None else {
            "GATHERD_FAILPOINT": f"{point}:{self.random.choice((1, 1, 2, 5, 12))}"}
        try:
            self.daemon.start()
            with self.daemon.wire() as wire:
                self.hand_in(wire)
                self.cancel_some(wire)
            self.wait(self.random.random() * LIFE_MAX if point is None else 1)
        except (OSError, EOFError, AssertionError):
            self.wait(PATIENCE)  # it ends: its connections are closed before it is gone
        if self.daemon.process.poll() is None:
            self.daemon.kill()
        elif point is not None:
            self.fired[point] += 1
        self.kills += 1

    def wait(self, seconds):
        try:
            self.daemon.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    # --- what must be ---

    def settle(self):
        self.daemon.env = {}
        self.daemon.start()
        with self.daemon.wire() as wire:
            self.hand_in(wire)
            for number, job in self.ids.items():
                if self.kind(number).status == "cancelled" and job not in self.cancels:
                    wire.call("job.cancel", id=job)
            self.cancels |= set(self.ids.values())
            until(lambda: not any(wire.call("server.info")["jobs"][s] for s in ("queued", "running")),
                  "the end of all families")
            for number, job in self.ids.items():
                self.check(wire, number, job)
            known = set(self.ids.values())
            roots = self.list(wire)
            expect({row["id"] for row in roots} == known, "roots that nobody handed in")
        self.ids = {}
        self.next += AT_ONCE
        self.daemon.stop()
        fsck = subprocess.run([DAEMON, "--state-dir", self.daemon.state, "--fsck"], capture_output=True, text=True,
                              check=False)
        expect(fsck.returncode == 0, fsck.stdout)
        self.daemon.start()
        with self.daemon.wire() as wire:
            for row in self.list(wire):
                wire.call("job.delete", id=row["id"])
            expect(sum(wire.call("server.info")["jobs"].values()) == 0, "a child has outlived its parent")
        self.daemon.kill()

    def list(self, wire, **filters):
        rows, after = [], 0
        while True:
            page = wire.call("job.list", order="oldest", limit=200, after=after, **filters)
            rows += page["jobs"]
            after = page["next"]
            if after is None:
                return rows

    def check(self, wire, number, job):
        kind = self.kind(number)
        told = wire.call("job.get", id=job)
        words = f"family {number} ({KINDS[number % len(KINDS)].__name__}, job {job}):"
        expect(told["status"] == kind.status, words, told)
        if kind.status == "completed":
            expect(told["result"] == kind.result, words, told["result"], "is not", kind.result)
        rows = self.list(wire, parent=job)
        if kind.children is not None:
            expect(len(rows) == kind.children, words, len(rows), "children:", rows)
        titles = [row["title"] for row in rows if row["title"].isdigit()]
        expect(len(titles) == len(set(titles)), words, "a child is there twice:", rows)
        for row in rows:
            expect(row["status"] in ENDED, words, "goes on:", row)
            expect(row["ended"] <= told["ended"] + 1e-6, words, "ended behind its parent:", row)
            if kind.status == "cancelled":
                expect(row["status"] == "cancelled", words, row)
            self.check_yields(wire, words, row, kind.yields(row["title"]))
        self.checked += 1

    @staticmethod
    def check_yields(wire, words, row, wanted):
        events = wire.call("events.read", job=row["id"], after=0, limit=100)["events"]
        said = [e["data"] for e in events if e["kind"] == "yield"]
        # A child that is cancelled before its first step has nothing to clean up.
        if row["status"] == "cancelled" and not any(e["kind"] == "job.started" for e in events):
            wanted = []
        expect(said == wanted or (row["status"] == "cancelled" and said == []), words, row, "said", said)

    # --- all of it ---

    def run(self, seconds=0, lives=0, per_check=10):
        deadline = time.monotonic() + seconds
        self.daemon.kill()
        while lives > 0 or time.monotonic() < deadline:
            for i in range(per_check):
                point = self.points[(self.kills // 2) % len(self.points)] if i % 2 else None
                self.live(point)
            self.settle()
            lives -= per_check

    def line(self, violations=0):
        return (f"torture: rig=families cycles={self.kills} families={self.checked} "
                f"failpoints={len(self.fired)} faults={self.kills} violations={violations}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    home = tempfile.mkdtemp(prefix="gd-")
    rig = Rig(args.seed, home)
    try:
        rig.run(seconds=args.seconds)
    except (Violation, Refused, AssertionError) as error:
        print(f"VIOLATION: {error}\nleft in {home}; repeat it: {sys.argv[0]} --seed {args.seed}")
        print(rig.line(1))
        return 1
    finally:
        if rig.daemon.process.poll() is None:
            rig.daemon.kill()
    shutil.rmtree(home, ignore_errors=True)
    print(rig.line())
    return 0


if __name__ == "__main__":
    sys.exit(main())
