#!/usr/bin/env python3
"""Rig (a), crash: the daemon is killed under load, again and again, and must keep its promises.

    crash.py [--seconds S] [--cycles N] [--seed S] [--random-only] [--keep DIR]
    crash.py --verify DIR

A cycle starts the daemon, checks from outside all that is known (checker.py), puts load on it, and
ends it: with SIGKILL at a random moment, at a failpoint, or with SIGTERM. After some cycles the
jobs are run to their end, the daemon is stopped in an orderly way, and the next cycles have a state
directory of their own. What is checked needs no knowledge of the inside, but for SQLite's own
integrity_check at the end.

TORTURE_DAEMON names the daemon (tests/torture/gatherd_failpoints of the build folder). The last line
is the summary that torture.py adds up; exit status 1 when there was a violation, with the directory
that shows it.
"""

import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from checker import OVERLAP, Log, Model, Violation, expect, read_log  # noqa: E402
from harness import SOURCE, Wire, sanitizer_env  # noqa: E402
from kinds import kind_of  # noqa: E402
from load import Load  # noqa: E402

DAEMON = os.path.abspath(os.environ.get(
    "TORTURE_DAEMON", os.path.join(os.environ.get("builddir", "."),
                                   "tests/torture/gatherd_failpoints")))
PATIENCE = float(os.environ.get("E2E_PATIENCE", "30"))
CYCLES_PER_EPISODE = 30
SAMPLE = 12  # of what is known to be over, looked at again after each start


def failpoints():
    """Every name that stands in the source, and those of SQLite's steps."""
    names = set()
    for directory in ("daemon", "tests/torture"):
        for path in (SOURCE / directory).rglob("*.c"):
            names |= set(re.findall(r'(?:GD_FAILPOINT|gd_failpoint)\("([a-z_.]+)"\)',
                                    path.read_text()))
    return sorted(names)


# How often a place is passed before the daemon has done anything worth a crash, at most.
PASSES = {"sqlite.before_write": 400, "sqlite.before_sync": 40, "sqlite.after_sync": 40,
          "run.job_replayed": 3, "store.in_migration": 2}
# These are passed once in a life, and some of them only in a certain one.
ONCE = {"store.opened", "store.before_birth", "store.after_birth", "store.marked_clean",
        "run.all_replayed", "run.stopping", "store.before_checkpoint", "store.after_checkpoint",
        "store.vacuumed"}
AT_BIRTH = {"store.before_birth", "store.after_birth", "store.in_migration"}
AT_STOP = {"store.marked_clean", "run.stopping"}
AT_UPKEEP = {"store.before_checkpoint", "store.after_checkpoint", "store.vacuumed"}


class Ended(Exception):
    """The daemon is gone."""


class Server:
    """A daemon on a state directory, which may die at any time."""

    def __init__(self, home):
        self.home = home
        self.process = None

    def start(self, failpoint=None):
        """Ended when it did not come up; what is wrong with that is the caller's to say."""
        env = sanitizer_env()
        # A stop under load ends with requests that nobody waits for any more; they are not freed.
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        if failpoint:
            env["GATHERD_FAILPOINT"] = failpoint
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(
                [DAEMON, "--state-dir", self.home / "state", "--socket", self.home / "s",
                 "--loops", "2"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                Wire.unix(self.home / "s").close()
                return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise Ended()
            expect(time.monotonic() < deadline, "the daemon does not come up")
            time.sleep(0.001)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Violation("SIGTERM does not end it") from None


class Episode:
    """One state directory, from its birth to its orderly end."""

    def __init__(self, home, rng, totals):
        self.home = home
        self.rng = rng
        self.totals = totals
        self.server = Server(home)
        self.log = Log(home / "acknowledged.log")
        self.model = Model(self.log)

    # --- start and look ---

    def come_up(self, failpoint):
        """Until a daemon runs and all that is known was found. True: the failpoint ended one."""
        has_fired = False
        while True:
            try:
                self.server.start(failpoint)
                self.verify()
                return has_fired
            except (Ended, EOFError, ConnectionError) as error:
                code = self.server.kill()
                expect(failpoint is not None and code == -signal.SIGKILL,
                       f"the daemon ended with {code} while it started: {error!r}")
            has_fired = True
            failpoint = None

    def verify(self):
        with Wire.unix(self.home / "s") as wire:
            self.resolve(wire)
            self.read_events(wire)
            self.name_strangers(wire)
            self.resolve_cancels(wire)
            self.look_at_permits(wire)
            self.look_again(wire)
            self.count(wire)
            self.delete_some(wire)
        self.log.sync()

    def resolve(self, wire):
        """What was sent with a key and not answered is sent again: now it must be there, once."""
        waiting = {}
        for n in list(self.model.unanswered):
            waiting[wire.request("job.submit", submit_params(n))] = n
        for id_, n in waiting.items():
            reply = wire.reply(id_)
            expect("result" in reply, f"I1: sent again, {n} is refused:", reply)
            self.model.note({"fact": "accepted", "n": n, "id": reply["result"]["id"],
                             "seq": reply["result"]["seq"]})
        self.log.sync()

    def read_events(self, wire):
        """From a little behind the cursor to the newest. What was seen before is still the same."""
        model = self.model
        after = max(0, model.cursor - OVERLAP)
        again = {seq: e for seq, e in model.recent.items() if seq > after}
        while True:
            page = wire.call("events.read", after=after, limit=1000)
            for event in page["events"]:
                again.pop(event["seq"], None)
                model.note({"fact": "event", "event": event})
            after = page["next"]
            if after >= page["seq"]:
                break
        expect(page["seq"] >= model.cursor, f"I3: seq fell from {model.cursor} to", page["seq"])
        for event in again.values():
            job = model.by_id.get(event["job"])
            expect(job is not None and job.deleting, "I3: seen, and not there any more:", event)

    def name_strangers(self, wire):
        """Jobs that no reply told of: submits without a key that did happen, once each."""
        for id_, events in list(self.model.held.items()):
            job = wire.call("job.get", id=id_)
            title = job["title"] or ""
            expect(re.fullmatch(r"n\d+", title), f"I1: job {id_} was never sent:", job)
            n = int(title[1:])
            expect(n in self.model.maybe, f"I1: job {id_} ({n}) is there twice, or unasked")
            self.model.note({"fact": "accepted", "n": n, "id": id_, "seq": events[0]["seq"]})
        # What has not turned up by now never will: nobody holds its bytes any more.
        for n in list(self.model.maybe):
            self.model.note({"fact": "refused", "n": n})

    def resolve_cancels(self, wire):
        waiting = {}
        for job in self.model.by_id.values():
            if kind_of(job.n).is_cancelled and not job.is_cancel_accepted:
                self.model.note({"fact": "cancelling", "id": job.id})
                waiting[wire.request("job.cancel", {"id": job.id})] = job
        for id_, job in waiting.items():
            self.note_cancel(job, wire.reply(id_)["result"])
        self.log.sync()

    def note_cancel(self, job, result):
        self.model.note({"fact": "cancelled", "id": job.id, "accepted": result["accepted"],
                         "status": result["status"]})

    def look_at_permits(self, wire):
        found = {s["name"]: s["permits"] for s in wire.call("semaphore.list")["semaphores"]}
        for name, allowed in self.model.permits.items():
            permits = found.get(name, 1)
            expect(permits in allowed, f"semaphore {name} has {permits} of", allowed)
            self.model.note({"fact": "put", "name": name, "permits": permits})

    def look_again(self, wire):
        """A sample of what is over: the same id for the same key, the same result for ever."""
        jobs = [j for j in self.model.jobs.values() if j.id is not None and not j.deleting]
        for job in self.rng.sample(jobs, min(SAMPLE, len(jobs))):
            if job.n % 10 != 0:  # it had a key
                got = wire.call("job.submit", submit_params(job.n))
                expect((got["id"], got.get("existing")) == (job.id, True),
                       f"I1: the key of job {job.id} gives", got)
            if job.status is None:
                continue
            got = wire.call("job.get", id=job.id)
            expect(got["status"] == job.status, f"I2: job {job.id} was {job.status}:", got)
            if job.status == "completed":
                expect(got["result"] == kind_of(job.n).result, "I2: another result:", got)
            else:
                expect(got["error"]["type"] == kind_of(job.n).error, "I2: another error:", got)

    def count(self, wire):
        """As many jobs as were sent: not one more."""
        found = sum(wire.call("server.info")["jobs"].values())
        known = [j for j in self.model.by_id.values() if j.deleting != "done"]
        asked = sum(j.deleting == "asked" for j in known)
        expect(len(known) - asked <= found <= len(known),
               f"I1: {found} jobs, and {len(known)} are known, {asked} of them perhaps deleted")

    def delete_some(self, wire):
        """Bulky jobs are deleted when they are over, so that there is something to vacuum."""
        waiting = {}
        for job in self.model.by_id.values():
            if job.deleting == "done" or job.status is None or not kind_of(job.n).is_bulky:
                continue
            self.model.note({"fact": "deleting", "id": job.id})
            waiting[job] = None
        self.log.sync()
        for job in waiting:
            waiting[job] = wire.request("job.delete", {"id": job.id})
        for job, id_ in waiting.items():
            reply = wire.reply(id_)
            expect("result" in reply or reply["error"]["data"]["type"] == "NotFound",
                   f"job {job.id} cannot be deleted:", reply)
            self.model.note({"fact": "deleted", "id": job.id})

    # --- cycles ---

    def cycle(self, failpoint):
        """`failpoint`: NAME:N, or None for a random moment."""
        name = failpoint.split(":")[0] if failpoint else None
        if self.come_up(failpoint):
            self.totals.fired.add(name)
            self.come_up_again()
            return
        load = Load(self.home / "s", self.model, self.log, self.rng)
        died = self.bring_to_end(load, name)
        load.close()
        code = self.server.process.wait(PATIENCE) if died else None
        if failpoint and code == -signal.SIGKILL:
            self.totals.fired.add(name)
        expect(code in (None, -signal.SIGKILL, 0), f"the daemon ended by itself with {code}")
        self.server.kill()
        self.totals.faults += 1

    def bring_to_end(self, load, name):
        """Load until the failpoint ends it, or for a while. True: it has ended."""
        if name in AT_UPKEEP:
            return self.bring_to_upkeep(load)
        if name in AT_STOP or (name is None and self.rng.random() < 0.1):
            if load.run(self.rng.uniform(0.005, 0.05)):
                return True
            self.server.process.send_signal(signal.SIGTERM)
            return load.run(PATIENCE)
        return load.run(1.5 if name else self.rng.uniform(0.005, 0.15))

    def bring_to_upkeep(self, load):
        """The log grows, rows are deleted, and then it is quiet: a moment for checkpoints."""
        try:
            if load.run(0.3, is_bulky=True) or load.run(0.1, is_sending=False):
                return True
            with Wire.unix(self.home / "s") as wire:
                self.read_events(wire)
                self.delete_some(wire)
            return load.run(2, is_sending=False)
        except (EOFError, ConnectionError):
            return True

    def come_up_again(self):
        """The second start after a crash in the first, and a crash again."""
        self.server.kill()
        self.totals.faults += 2

    def settle(self):
        """Every job ends, the daemon stops in an orderly way, and the file is whole."""
        self.come_up(None)
        with Wire.unix(self.home / "s") as wire:
            ids = [j.id for j in self.model.by_id.values() if j.status is None and not j.deleting]
            for first in range(0, len(ids), 100):
                done = wire.call("job.wait", ids=ids[first:first + 100], timeout=PATIENCE)
                expect(not done["pending"], "I1: jobs that do not end:", done["pending"])
            self.read_events(wire)
            self.count(wire)
        for job in self.model.by_id.values():
            expect(job.status is not None, f"I2: job {job.id} ({job.n}) has no final event")
        code = self.server.stop()
        expect(code == 0, f"I9: the orderly stop gave {code}")
        with sqlite3.connect(self.home / "state" / "gatherd.db") as link:
            verdict = link.execute("pragma integrity_check").fetchall()
        link.close()
        expect(verdict == [("ok",)], "I10: integrity_check says", verdict)
        self.log.close()


def submit_params(n):
    """The same number, the same request. Every tenth job has no key, and then a title."""
    kind = kind_of(n)
    params = {"spec": kind.spec, "args": kind.args, "title": f"n{n}"}
    if n % 10 != 0:
        params["key"] = f"k{n}"
    return params


class Totals:
    def __init__(self):
        self.cycles = 0
        self.faults = 0
        self.acknowledgements = 0
        self.submits = 0
        self.violations = 0
        self.fired = set()

    def line(self):
        return (f"torture: rig=crash cycles={self.cycles} acknowledgements="
                f"{self.acknowledgements} submits={self.submits} faults={self.faults} "
                f"failpoints={len(self.fired)} violations={self.violations}")


class Rig:
    """Episode after episode, until the time or the cycles are over."""

    def __init__(self, seed, keep, points):
        if not os.access(DAEMON, os.X_OK):
            raise SystemExit(f"there is no daemon at {DAEMON}; TORTURE_DAEMON names it")
        self.rng = random.Random(seed)
        self.seed = seed
        self.keep = keep
        self.points = points  # those that no cycle had yet come first
        self.queue = list(points)
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
        episode = Episode(home, self.rng, self.totals)
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
        except (Violation, OSError, EOFError, KeyError, subprocess.SubprocessError) as error:
            self.totals.violations += 1
            episode.log.close()
            print(f"VIOLATION in cycle {self.totals.cycles} (failpoint {failpoint}): {error!r}\n"
                  f"  kept: {home} (state, the checker's log, the daemon's log)\n"
                  f"  look again: {sys.argv[0]} --verify {home}\n"
                  f"  repeat: {sys.argv[0]} --seed {self.seed} --cycles {self.totals.cycles + 1}",
                  flush=True)
        finally:
            if episode.server.process is not None:
                episode.server.kill()
            self.totals.acknowledgements += episode.model.acknowledged
            self.totals.submits += episode.model.submits

    def run(self, seconds, cycles):
        end = time.monotonic() + seconds

        def is_over():
            if self.queue:
                return False
            return time.monotonic() > end or self.totals.cycles >= cycles
        while not is_over() and self.totals.violations < 5:
            self.episode(is_over)


def verify(directory):
    """Checks a kept directory again, on a copy."""
    with tempfile.TemporaryDirectory(prefix="gd-crash-", dir="/tmp") as scratch:
        home = pathlib.Path(scratch)
        shutil.copytree(pathlib.Path(directory) / "state", home / "state")
        episode = Episode(home, random.Random(1), Totals())
        try:
            episode.model = read_log(pathlib.Path(directory) / "acknowledged.log")
            episode.come_up(None)
        except Violation as error:
            print(f"VIOLATION: {error}")
            return 1
        finally:
            if episode.server.process is not None:
                episode.server.kill()
    print("nothing is wrong")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--cycles", type=int, default=1 << 60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random-only", action="store_true", help="no failpoints")
    parser.add_argument("--keep", default=None, help="where violations are kept [the temp dir]")
    parser.add_argument("--verify", metavar="DIR")
    args = parser.parse_args()
    if args.verify:
        return verify(args.verify)
    rig = Rig(args.seed, args.keep, [] if args.random_only else failpoints())
    rig.run(args.seconds, args.cycles)
    for name in rig.points:
        if name not in rig.totals.fired:
            print(f"no cycle ended at failpoint {name}")
    print(rig.totals.line())
    return 1 if rig.totals.violations else 0


if __name__ == "__main__":
    sys.exit(main())
