#!/usr/bin/env python3
"""Rig (a), crash: the daemon is killed under load, again and again, and must keep its promises.

    crash.py [--seconds S] [--cycles N] [--jobs N] [--seed S] [--random-only] [--keep DIR]
    crash.py --verify DIR [--short-memory]

A cycle starts the daemon, checks from outside all that is known (look.py, checker.py), puts load on
it, and ends it: with SIGKILL at a random moment, at a failpoint, with a sync that fails, or with
SIGTERM. After some cycles the jobs are run to their end, the daemon is stopped in an orderly way,
and the next cycles have a state directory of their own. What is checked needs no knowledge of the
inside, but for SQLite's own integrity_check at the end. With --jobs several of this go on side by
side, each with a seed of its own.

TORTURE_DAEMON names the daemon (tests/torture/gatherd_failpoints of the build folder). The last line
is the summary that torture.py adds up; exit status 1 when there was a violation, with the directory
that shows it.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from checker import Violation, read_log  # noqa: E402
from episode import (AT_BIRTH, AT_STOP, AT_UPKEEP, KEEP_JOBS, PLAIN, SHORT_MEMORY,  # noqa: E402
                     Episode)
from harness import SOURCE  # noqa: E402
from server import DAEMON  # noqa: E402

CYCLES_PER_EPISODE = 30
VIOLATIONS_MAX = 5
SHORT_MEMORY_CHANCE = 0.3  # of an episode


def failpoints():
    """Every name that stands in the source, and those of SQLite's steps; families.py has its own."""
    names = set()
    for directory in ("daemon", "tests/torture"):
        for path in (SOURCE / directory).rglob("*.c"):
            names |= set(re.findall(r'(?:GD_FAILPOINT|gd_failpoint|passes)\("([a-z_.]+)"\)',
                                    path.read_text()))
    return sorted(name for name in names if not name.startswith("family."))


# How often a place is passed before the daemon has done anything worth a crash, at most.
PASSES = {"sqlite.before_write": 400, "sqlite.before_sync": 40, "sqlite.after_sync": 40,
          "sqlite.sync_fails": 40, "run.job_replayed": 3, "store.in_migration": 2}
# These are passed once in a life, and some of them only in a certain one.
ONCE = AT_STOP | AT_UPKEEP | {"store.opened", "store.before_birth", "store.after_birth",
                              "run.all_replayed"}


class Totals:
    def __init__(self):
        self.cycles = 0
        self.faults = 0
        self.acknowledgements = 0
        self.submits = 0
        self.unknown = 0
        self.backups = 0
        self.violations = 0
        self.fired = set()
        self.spent = collections.Counter()  # seconds, by what

    def line(self):
        return (f"torture: rig=crash cycles={self.cycles} acknowledgements="
                f"{self.acknowledgements} submits={self.submits} unknown={self.unknown} "
                f"backups={self.backups} faults={self.faults} failpoints={len(self.fired)} "
                f"violations={self.violations}")

    def cost(self):
        cycles = max(self.cycles, 1)
        return "a cycle costs " + ", ".join(f"{what} {1000 * seconds / cycles:.0f} ms"
                                            for what, seconds in sorted(self.spent.items()))


class Rig:
    """Episode after episode, until the time or the cycles are over."""

    def __init__(self, seed, keep, points, sabotage=None):
        if not os.access(DAEMON, os.X_OK):
            raise SystemExit(f"there is no daemon at {DAEMON}; TORTURE_DAEMON names it")
        self.rng = random.Random(seed)
        self.seed = seed
        self.keep = keep
        self.points = points  # those that no cycle had yet come first
        self.queue = list(points)
        self.sabotage = sabotage
        self.violations_max = VIOLATIONS_MAX
        self.found = []       # what the violations were
        self.totals = Totals()

    def next_point(self, is_first_cycle):
        """About half of the cycles have a failpoint. Those at birth need a first cycle."""
        if not self.points or (not self.queue and self.rng.random() < 0.5):
            return None
        due = [p for p in self.queue if is_first_cycle == (p in AT_BIRTH)]
        if due:
            self.queue.remove(due[0])
            name = due[0]
        elif self.queue:
            return None
        else:
            name = self.rng.choice([p for p in self.points if is_first_cycle or p not in AT_BIRTH])
        passes = 1 if name in ONCE else self.rng.randint(1, PASSES.get(name, 25))
        return f"{name}:{passes}"

    def episode(self, is_over):
        home = pathlib.Path(tempfile.mkdtemp(prefix="gd-crash-", dir=self.keep))
        memory = SHORT_MEMORY if self.rng.random() < SHORT_MEMORY_CHANCE else PLAIN
        episode = Episode(home, self.rng, self.totals, memory, self.sabotage)
        failpoint = None
        try:
            for i in range(CYCLES_PER_EPISODE):
                if is_over() and not (self.queue and i == 0):
                    break
                failpoint = self.next_point(i == 0)
                episode.cycle(failpoint)
                self.totals.cycles += 1
            failpoint = None
            episode.settle()
            shutil.rmtree(home)
        except (Violation, AssertionError, OSError, EOFError, KeyError,
                subprocess.SubprocessError) as error:
            self.violated(home, memory, failpoint, error)
            episode.log.close()
        finally:
            if episode.server.process is not None:
                episode.server.kill()
            self.totals.acknowledgements += episode.model.acknowledged
            self.totals.submits += episode.model.submits
            self.totals.unknown += episode.model.unknown

    def violated(self, home, memory, failpoint, error):
        self.totals.violations += 1
        self.found.append(str(error) or repr(error))
        more = " --short-memory" if memory == SHORT_MEMORY else ""
        print(f"VIOLATION in cycle {self.totals.cycles} (failpoint {failpoint}, {memory}): "
              f"{error!r:.3000}\n"
              f"  kept: {home} (state, the checker's log, the daemon's log)\n"
              f"  look again: {sys.argv[0]} --verify {home}{more}\n"
              f"  repeat: {sys.argv[0]} --seed {self.seed} --cycles {self.totals.cycles + 1}",
              flush=True)

    def run(self, seconds, cycles):
        end = time.monotonic() + seconds

        def is_over():
            if self.queue:
                return False
            return time.monotonic() > end or self.totals.cycles >= cycles
        while not is_over() and self.totals.violations < self.violations_max:
            self.episode(is_over)


def verify(directory, memory):
    """Checks a kept directory again, on a copy."""
    with tempfile.TemporaryDirectory(prefix="gd-crash-", dir="/tmp") as scratch:
        home = pathlib.Path(scratch)
        shutil.copytree(pathlib.Path(directory) / "state", home / "state")
        shutil.copy(pathlib.Path(directory) / "tokens", home / "tokens.kept")
        episode = Episode(home, random.Random(1), Totals(), memory)
        try:
            kept = pathlib.Path(directory) / "acknowledged.log"
            episode.look.model = read_log(kept, KEEP_JOBS if memory == SHORT_MEMORY else None)
            episode.come_up(None)
        except Violation as error:
            print(f"VIOLATION: {error}")
            return 1
        finally:
            if episode.server.process is not None:
                episode.server.kill()
    print("nothing is wrong")
    return 0


def pass_on(process):
    """What one of several says, as it says it; gives its numbers, or None."""
    found = None
    for line in process.stdout:
        if line.startswith("torture: rig="):
            found = collections.Counter({key: int(number) for key, number in
                                         (word.split("=", 1) for word in line.split()[2:])})
        else:
            print(line, end="", flush=True)
    process.wait()
    return found


def side_by_side(args):
    """`args.jobs` of us; their summaries, added up."""
    each = -(-args.cycles // args.jobs)
    command = [sys.executable, os.path.abspath(__file__), "--seconds", f"{args.seconds:g}",
               "--cycles", str(each)] + (["--random-only"] if args.random_only else []) + \
              (["--keep", args.keep] if args.keep else [])
    running = [subprocess.Popen(command + ["--seed", str(args.seed + 1000003 * i)],
                                stdout=subprocess.PIPE, text=True) for i in range(args.jobs)]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as readers:
        found = list(readers.map(pass_on, running))
    is_whole = all(found)
    sums = sum((one for one in found if one), collections.Counter())
    if not is_whole:
        return 1
    print("torture: rig=crash", " ".join(f"{key}={sums[key]}" for key in found[0]))
    return 1 if sums["violations"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--cycles", type=int, default=1 << 60)
    parser.add_argument("--jobs", type=int, default=1, help="so many side by side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random-only", action="store_true", help="no failpoints")
    parser.add_argument("--keep", default=None, help="where violations are kept [the temp dir]")
    parser.add_argument("--verify", metavar="DIR")
    parser.add_argument("--short-memory", action="store_true", help="of DIR, as it was said")
    args = parser.parse_args()
    if args.verify:
        return verify(args.verify, SHORT_MEMORY if args.short_memory else PLAIN)
    if args.jobs > 1:
        return side_by_side(args)
    rig = Rig(args.seed, args.keep, [] if args.random_only else failpoints())
    rig.run(args.seconds, args.cycles)
    for name in rig.points:
        if name not in rig.totals.fired:
            print(f"no cycle ended at failpoint {name}")
    print(rig.totals.cost())
    print(rig.totals.line())
    return 1 if rig.totals.violations else 0


if __name__ == "__main__":
    sys.exit(main())
