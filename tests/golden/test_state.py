#!/usr/bin/env python3
"""What daemons of each version of the schema have left, opened by the daemon of today.

tests/golden/state holds their state directories and what they said of their jobs; make.py says how
they come to be. Each is opened a minute after it was made, when nothing is due: everything must be
as it was. And again five days later: what was due ends as it must.
"""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import harness  # noqa: E402
from harness import (PATIENCE, Daemon, Refused, equal, is_end, run, sanitizer_env,  # noqa: E402
                     scratch, test, true, until)
import kinds as jobs  # noqa: E402
import make  # noqa: E402

PROGRAM = os.path.abspath(os.environ.get("GOLDEN_GATHERD", "tests/golden/gatherd_then"))
SOON = 60
LATER = 5 * 86400
SHOWN_MAX = 20


class Golden(Daemon):
    """A daemon on a copy of golden state, so many seconds after it was made."""

    def __init__(self, directory, after):
        self.expected = json.loads((directory / "expected.json").read_text(encoding="utf-8"))
        self.title = directory.name
        os.environ["WALL_AT_START"] = str(self.expected["made"] + after)
        home = scratch()
        make.unpack(directory, home / "state")
        self.fsck(home / "state")
        super().__init__(home=home)

    def command(self):
        return [PROGRAM] + super().command()[1:]

    def _forget(self):
        super()._forget()
        self.fsck(self.state)

    def fsck(self, state):
        """Nothing is wrong with what is there."""
        done = subprocess.run([PROGRAM, "--fsck", "--state-dir", state], capture_output=True,
                              text=True, timeout=PATIENCE, check=False, env=sanitizer_env())
        true(done.returncode == 0 and "problem:" not in done.stdout,
             f"{self.title}: fsck says {done.returncode}\n{done.stdout}{done.stderr}")

    def jobs(self):
        """Those that are over, and those that were alive."""
        rows = self.expected["jobs"]
        return [r for r in rows if "then" not in r], [r for r in rows if "then" in r]

    def same(self, problems):
        """No differences; those that there are, in words."""
        if problems:
            more = len(problems) - SHOWN_MAX
            raise AssertionError(f"{self.title}, {len(problems)} differences:\n" +
                                 "\n".join(problems[:SHOWN_MAX]) +
                                 (f"\nand {more} more" if more > 0 else ""))


def name_of(row):
    return f"job {row['get']['id']} ({row['kind']})"


def differences(where, recorded, now):
    """Where `now` is not as recorded. Members that are new are none: later versions say more."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        return [found for key, value in recorded.items()
                for found in (differences(f"{where}.{key}", value, now[key]) if key in now else
                              [f"{where}.{key}: recorded {value!r:.200}, now not there"])]
    if isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        return [found for n, pair in enumerate(zip(recorded, now))
                for found in differences(f"{where}[{n}]", *pair)]
    if recorded == now and isinstance(recorded, bool) == isinstance(now, bool):
        return []
    return [f"{where}: recorded {recorded!r:.200}, now {now!r:.200}"]


def events(wire, after):
    found = []
    while True:
        page = wire.call("events.read", after=after, limit=1000)
        if not page["events"]:
            return found
        found += page["events"]
        after = page["next"]


# --- a minute later: all is as it was ---

def expect_as_it_was(daemon, wire):
    over, alive = daemon.jobs()
    found = []
    for row in over + alive:
        now = wire.call("job.get", id=row["get"]["id"], include=["spec", "result"])
        found += differences(name_of(row), row["get"], now)
    for row in alive:
        now = wire.call("job.stack", id=row["get"]["id"])["stack"]
        found += differences(f"{name_of(row)}.stack", row["stack"], now)
    recorded = daemon.expected["events"]
    now = events(wire, 0)
    for number, (one, other) in enumerate(zip(recorded, now)):
        found += differences(f"event {recorded[number]['seq']}", one, other)
    if len(now) != len(recorded):
        found.append(f"events: recorded {len(recorded)}, now {len(now)}; "
                     f"{(recorded + now)[-1]!r:.200}")
    if "semaphores" in daemon.expected:
        found += differences("semaphores", daemon.expected["semaphores"],
                             wire.call("semaphore.list")["semaphores"])
    daemon.same(found)


def expect_keys_to_hold(daemon, wire):
    """The same key gives the same job; keys belong to whoever used them."""
    for row in daemon.expected["jobs"]:
        get = row["get"]
        if "key" not in get or get["owner"] != f"uid:{os.getuid()}":
            continue
        args = {"args": get["args"]} if get["args"] else {}
        again = wire.call("job.submit", spec=get["spec"], key=get["key"], **args)
        equal((again["id"], again.get("existing")), (get["id"], True), name_of(row))


# --- how they go on ---

def story(wire, row):
    """Status, result or error type, yields and duration of a job."""
    id_ = row["get"]["id"]
    done = wire.call("job.wait", ids=[id_], timeout=PATIENCE)
    true(not done["pending"], f"{name_of(row)} is not over: {wire.call('job.stack', id=id_)}")
    get = wire.call("job.get", id=id_, include=["result"])
    seen = wire.call("events.read", after=0, job=id_, limit=1000)["events"]
    true(is_end(seen[-1]), f"{name_of(row)}: the last event is {seen[-1]}")
    told = {"how": row["then"]["how"], "status": get["status"],
            "yields": [e["data"] for e in seen if e["kind"] == "yield"],
            "takes": round(get["ended"] - (get["started"] or get["ended"]), 5)}
    if "error" in get:
        told["error"] = get["error"]["type"]
    else:
        told["result"] = get["result"]
    if told["yields"] and told.get("result") == told["yields"][0]:
        told["result_is_first_yield"] = True
    return told


def expect_stories(daemon, wire, how):
    rows = [row for row in daemon.jobs()[1] if row["then"]["how"] == how]
    found = [line for row in rows for line in differences(name_of(row), row["then"], story(wire, row))]
    daemon.same(found)
    return len(rows)


def drive(daemon, wire):
    """Cancels and permits, for those that wait for them."""
    waiting = [row["get"]["id"] for row in daemon.jobs()[1] if row["then"]["how"] == jobs.CANCEL]
    wire.call("job.cancel", ids=waiting, reason="the test")
    expect_stories(daemon, wire, jobs.CANCEL)
    if "semaphores" in daemon.expected:
        wire.call("semaphore.put", name="shut", permits=1)
        expect_stories(daemon, wire, jobs.PERMIT)


def expect_overdue(daemon, wire):
    true(expect_stories(daemon, wire, jobs.DUE) > 0, "jobs that were due")
    over, alive = daemon.jobs()
    for row in over:
        if row["is_brief"]:
            until(lambda r=row: is_gone(wire, r["get"]["id"]), f"{name_of(row)} to expire")
        else:
            now = wire.call("job.get", id=row["get"]["id"], include=["spec", "result"])
            daemon.same(differences(name_of(row), row["get"], now))
    equal({row["kind"] for row in alive if row["then"]["how"] not in (jobs.DUE, jobs.CANCEL,
                                                                      jobs.PERMIT)}, set())


def is_gone(wire, id_):
    try:
        wire.call("job.get", id=id_)
        return False
    except Refused as error:
        return error.type == "NotFound"


# --- the tests: two for each directory ---

def add(name, function, *args):
    def body():
        function(*args)
    body.__name__ = name
    test(body)


def a_minute_later(directory):
    daemon = Golden(directory, SOON)
    with daemon.wire() as wire:
        expect_as_it_was(daemon, wire)
        expect_keys_to_hold(daemon, wire)
        drive(daemon, wire)


def five_days_later(directory):
    daemon = Golden(directory, LATER)
    with daemon.wire() as wire:
        expect_overdue(daemon, wire)
        drive(daemon, wire)


def directories():
    return sorted(make.STATE.iterdir())


@test
def given_the_newest_schema_then_there_is_golden_state_of_it():
    with_it = {d.name for d in directories()}
    newest = make.newest_schema(harness.GATHERD)
    for version in range(1, newest + 1):
        for how in ("clean", "killed"):
            name = f"schema-{version}-{how}"
            true(name in with_it, f"there is no {make.STATE / name}; while {version} is the newest "
                                  "schema, `tests/golden/make.py ./gatherd` makes it")


for each in directories():
    words = each.name.replace("-", "_")
    add(f"given_{words}_when_opened_a_minute_later_then_all_is_as_it_was", a_minute_later, each)
    add(f"given_{words}_when_opened_five_days_later_then_what_was_due_ends", five_days_later, each)

if __name__ == "__main__":
    run()
