#!/usr/bin/env python3
"""Rig (c), commands: the daemon or its runner is killed while commands run, again and again.

    commands.py [--kills N] [--runner-kills N] [--cancels N] [--seed S] [--keep DIR]

Each command has a number, writes it down when it runs, and exits with a code that follows from it.
So what must be true is seen from outside, whatever was killed:

    I4  a command runs once for each start that was journaled, and its exit code is the true one;
        after the end of the runner it is interrupted, never an invented code
    I7  nothing of a job that is over is alive after SETTLE seconds: not behind setsid, a double
        fork, an ignored TERM, closed outputs

GATHERD names the daemon. The last line is the summary; exit status 1 when there was a violation.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from harness import PATIENCE, Daemon, Refused  # noqa: E402

SETTLE = 2.0
WAVE = 8  # jobs handed in before each kill
CANCEL_WAVE = 20
CODES = 100

# What must not survive: each leaves something that TERM to one process would not reach.
ESCAPES = [
    "setsid sleep 300 & sleep 300",
    "(setsid sh -c 'sleep 300 & sleep 300' &) ; sleep 300",
    "trap '' TERM; sleep 300 & while :; do sleep 0.05; done",
    "exec >&- 2>&-; (setsid sh -c 'trap \"\" TERM; sleep 300' &); sleep 300",
    "sh -c 'sh -c \"setsid sleep 300 &\" &' ; exec sleep 300",
    "for i in 1 2 3; do (setsid sleep 300 &); done; sleep 300",
]


class Violation(Exception):
    """A promise is broken."""


def runner_pid(daemon):
    """0 where there is none yet."""
    try:
        return int((daemon.state / "runner" / "lock").read_text())
    except (OSError, ValueError):
        return 0


def tagged(key):
    """Processes that have this text in their environment: pid and command line."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as environ:
                if key not in environ.read():
                    continue
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] != "Z":
                    found.append(int(entry))
        except OSError:
            pass
    return found


class Rig:
    def __init__(self, seed, home):
        self.random = random.Random(seed)
        self.home = pathlib.Path(home)
        self.daemon = Daemon("--retain", "3600", home=self.home, name=f"-{seed}")
        self.ran = self.home / "ran"
        self.ran.touch()
        self.next = 0
        self.open = {}  # number -> id
        self.counts = collections.Counter()

    # --- one command ---

    def code_of(self, number):
        return number * 7 % CODES

    def spec(self, number, then):
        pause = self.random.choice(["0", "0", "0.002", "0.01", "0.05"])
        script = f"echo {number} >>{self.ran}; sleep {pause}; echo out {number}; exit {self.code_of(number)}"
        return {"exec": ["sh", "-c", script], "check": False, "on_interrupt": then, "pool": "rig"}

    def submit(self, then="fail"):
        self.next += 1
        number = self.next
        while True:
            try:
                with self.daemon.wire() as wire:
                    self.open[number] = wire.call("job.submit", spec=self.spec_once(number, then),
                                                  key=f"n{number}")["id"]
                    return
            except (OSError, EOFError):
                self.again()

    def spec_once(self, number, then):
        """The same for every try of the same number, since the key stands for it."""
        state = self.random.getstate()
        self.random.seed(number)
        spec = self.spec(number, then)
        self.random.setstate(state)
        return spec

    def again(self):
        if self.daemon.process.poll() is not None:
            self.daemon.start()

    def check_runs(self, numbers, most):
        runs = collections.Counter(int(line) for line in self.ran.read_text().split())
        for number in numbers:
            if not 1 <= runs[number] <= most:
                raise Violation(f"command {number} ran {runs[number]} times (I4)")
        if runs and max(runs.values()) > most:
            raise Violation(f"a command ran {max(runs.values())} times (I4)")

    def finish(self, may_be_interrupted):
        """All that are open end, each as it must."""
        numbers = sorted(self.open)
        with self.daemon.wire() as wire:
            for at in range(0, len(numbers), 500):
                ids = [self.open[n] for n in numbers[at:at + 500]]
                reply = wire.call("job.wait", ids=ids, timeout=PATIENCE)
                if reply["pending"]:
                    raise Violation(f"jobs that do not end: {reply['pending'][:5]}")
            done = []
            for number in numbers:
                job = wire.call("job.get", id=self.open[number], include=["result"])
                result = job.get("result")
                if job["status"] == "completed" and result["code"] == self.code_of(number) \
                        and result["stdout"] == f"out {number}\n":
                    done.append(number)
                elif may_be_interrupted and job["status"] == "failed" and \
                        job["error"]["type"] == "InterruptedError":
                    self.counts["interrupted"] += 1
                else:
                    raise Violation(f"command {number} ended as {json.dumps(job)} (I4)")
        self.counts["commands"] += len(numbers)
        self.open = {}
        return done

    # --- the daemon is killed ---

    def kill_daemon(self):
        for _ in range(WAVE):
            self.submit()
        time.sleep(self.random.random() * 0.03)
        self.daemon.kill()
        self.daemon.start()
        self.counts["kills"] += 1

    # --- the runner is killed ---

    def kill_runner(self):
        for _ in range(WAVE):
            self.submit()
        time.sleep(self.random.random() * 0.05)
        pid = runner_pid(self.daemon)
        if pid:
            try:
                os.kill(pid, signal.SIGKILL)
                self.counts["runner kills"] += 1
            except ProcessLookupError:
                pass
        if self.random.random() < 0.3:
            self.daemon.kill()
            self.daemon.start()

    # --- cancels ---

    def nothing_is_left(self):
        with self.daemon.wire() as wire:
            key = wire.call("hello", protocol=[1], client="rig")["store"].encode()
        deadline = time.monotonic() + SETTLE
        while True:
            found = tagged(b"GATHERD_ATTEMPT_KEY=" + key)
            if not found:
                return
            if time.monotonic() > deadline:
                lines = [pathlib.Path(f"/proc/{p}/cmdline").read_bytes() for p in found[:5]]
                raise Violation(f"{len(found)} processes of jobs that are over live (I7): {lines}")
            time.sleep(0.01)

    def cancel(self):
        with self.daemon.wire() as wire:
            ids = [wire.call("job.submit", spec={"exec": ["sh", "-c", self.random.choice(ESCAPES)],
                                                 "grace": "20ms", "pool": "escape"})["id"]
                   for _ in range(CANCEL_WAVE)]
            time.sleep(self.random.random() * 0.06)
            if self.random.random() < 0.1:
                os.kill(runner_pid(self.daemon), signal.SIGKILL)
                self.counts["runner kills"] += 1
            wire.call("job.cancel", ids=ids)
            if wire.call("job.wait", ids=ids, timeout=PATIENCE)["pending"]:
                raise Violation("cancelled jobs that do not end")
            for id_ in ids:
                job = wire.call("job.get", id=id_)
                if job["status"] not in ("cancelled", "failed"):
                    raise Violation(f"a cancelled job ended as {job}")
        self.nothing_is_left()
        self.counts["cancels"] += len(ids)

    def put_pools(self):
        with self.daemon.wire() as wire:
            for name, permits in (("rig", 4), ("escape", CANCEL_WAVE)):
                try:
                    wire.call("pool.put", name=name, permits=permits)
                except Refused:
                    pass

    def run(self, kills, runner_kills, cancels):
        self.put_pools()
        for n in range(kills):
            self.kill_daemon()
            if n % 25 == 24 or n == kills - 1:
                self.check_runs(self.finish(may_be_interrupted=False), 1)
        for _ in range(runner_kills):
            self.kill_runner()
            self.check_runs(self.finish(may_be_interrupted=True), 1)
        self.nothing_is_left()
        while self.counts["cancels"] < cancels:
            self.cancel()

    def close(self):
        pid = runner_pid(self.daemon)
        self.daemon.kill()
        if pid:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass

    def line(self):
        return "commands: " + ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--runner-kills", type=int, default=0)
    parser.add_argument("--cancels", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", metavar="DIR", help="make the state directory there")
    options = parser.parse_args()
    home = tempfile.mkdtemp(prefix="gdc-", dir=options.keep or "/tmp")
    rig = Rig(options.seed, home)
    try:
        rig.run(options.kills, options.runner_kills, options.cancels)
    except Violation as violation:
        print(f"VIOLATION: {violation}; see {home}; {rig.line()}")
        rig.close()
        sys.exit(1)
    rig.close()
    shutil.rmtree(home, ignore_errors=True)
    print(f"{rig.line()}, 0 violations")


if __name__ == "__main__":
    main()
