#!/usr/bin/env python3
"""Makes golden state: what a daemon of today leaves, for the daemons of tomorrow.

    tests/golden/make.py path/to/gatherd

starts that daemon, gives it every kind of job that it knows, waits until all are over or at rest,
and keeps its state directory, byte for byte, and what it said of it, in tests/golden/state:
schema-N-clean, after an orderly stop, and schema-N-killed, after SIGKILL, with its write-ahead log.
N is the version of its schema. What is there already is never replaced. Then run
`make check TESTS=tests/golden/test_state.py`.

    tests/golden/make.py --between N path/to/tests/torture/gatherd_failpoints

makes schema-N from schema-(N-1) for a version that never was the newest: what a daemon leaves that
was killed between the step to N and the next one.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
from harness import PATIENCE, Wire, clean_env, true, until  # noqa: E402
import kinds as jobs  # noqa: E402

STATE = HERE / "state"
KEPT = ("gatherd.db", "gatherd.db-wal", "gatherd.last")
BYTES_MAX = 150_000
SOON = 600  # what is due earlier would not be at rest any more when it is opened a minute later


def schema_of(directory):
    """The version that the first page of the database says (user_version, at byte 60)."""
    return int.from_bytes((directory / "gatherd.db").read_bytes()[60:64], "big")


def newest_schema(program):
    """The version of a database that `program` has just made."""
    with tempfile.TemporaryDirectory(prefix="gd-") as home:
        daemon = Maker(program, pathlib.Path(home))
        daemon.end(signal.SIGTERM)
        return schema_of(daemon.state)


class Maker:
    """The daemon that leaves the state."""

    def __init__(self, program, home):
        self.state = home / "state"
        self.socket = home / "s"
        with open(home / "log", "ab") as log:
            self.process = subprocess.Popen(
                [program, "--state-dir", self.state, "--socket", self.socket], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=clean_env())
        self.wire = until(self._connected, f"a daemon; see {home / 'log'}")

    def _connected(self):
        true(self.process.poll() is None, f"the daemon ended with {self.process.returncode}")
        try:
            return Wire.unix(self.socket)
        except OSError:
            return None

    def end(self, number):
        self.wire.close()
        self.process.send_signal(number)
        self.process.wait(PATIENCE)

    # --- what it is given ---

    def submit(self, kinds):
        """All at once, so that few commits suffice. Gives the ids."""
        now = int(time.time())
        calls = []
        for number, kind in enumerate(kinds):
            more = dict(kind.submit, loop=number % 2)
            if kind.start_in is not None:
                more["start_at"] = now + kind.start_in
            calls.append(self.wire.request("job.submit", spec=kind.spec, **more))
        replies = [self.wire.reply(call) for call in calls]
        for kind, reply in zip(kinds, replies):
            true("result" in reply, f"{kind.name}: {reply}")
        return [reply["result"]["id"] for reply in replies]

    def cancel(self, ids):
        self.wire.call("job.cancel", ids=ids, reason="golden")

    # --- what it says ---

    def is_at_rest(self, ids):
        """Twice the same, 100 ms apart, and nothing due soon."""
        first = [self.wire.call("job.stack", id=id_)["stack"] for id_ in ids]
        time.sleep(0.1)
        second = [self.wire.call("job.stack", id=id_)["stack"] for id_ in ids]
        soon = time.time() + SOON
        return first == second and all(row.get("until", soon) >= soon
                                       for stack in first for row in stack)

    def describe(self, id_, kind):
        said = self.wire.call("job.get", id=id_, include=["spec", "result"])
        if kind.then == jobs.OVER:
            return {"kind": kind.name, "is_brief": kind.is_brief, "get": said}
        # How many loops there are is the machine's.
        stack = [{key: value for key, value in row.items() if key != "loop"}
                 for row in self.wire.call("job.stack", id=id_)["stack"]]
        return {"kind": kind.name, "get": said, "stack": stack, "then": outcome(kind)}

    def events(self):
        found, after = [], 0
        while True:
            page = self.wire.call("events.read", after=after, limit=1000)
            if not page["events"]:
                return found
            found += page["events"]
            after = page["next"]


def outcome(kind):
    """How the job is to go on, for test_state.py."""
    then = {"how": kind.then, "status": kind.status, "yields": list(kind.yields)}
    if kind.takes is not None:
        then["takes"] = kind.takes
    if kind.error is not None:
        then["error"] = kind.error
    elif kind.result is not jobs.YIELDED:
        then["result"] = kind.result
    else:
        then["result_is_first_yield"] = True
        del then["yields"]
    return then


def fill(daemon, schema):
    """Hands in everything; gives what the daemon then says."""
    first, second = jobs.kinds(schema)
    if schema >= 2:
        for name, permits in jobs.SEMAPHORES.items():
            daemon.wire.call("semaphore.put", name=name, permits=permits)
    ids = daemon.submit(first)
    over = [id_ for id_, kind in zip(ids, first) if kind.then == jobs.OVER]
    alive = [id_ for id_ in ids if id_ not in over]
    until(lambda: daemon.is_at_rest(alive), "jobs at rest")
    daemon.cancel([id_ for id_, kind in zip(ids, first) if kind.is_cancelled])
    done = daemon.wire.call("job.wait", ids=over, timeout=PATIENCE)
    true(not done["pending"], f"not over: {done['pending']}")
    more = daemon.submit(second)
    until(lambda: daemon.is_at_rest(alive + more), "all at rest")
    said = {"schema": schema, "made": int(time.time()),
            "jobs": [daemon.describe(id_, kind) for id_, kind in zip(ids + more, first + second)],
            "events": daemon.events()}
    if schema >= 2:
        said["semaphores"] = daemon.wire.call("semaphore.list")["semaphores"]
    return said


def lines(said):
    """JSON with a line for each job and event, so that a person finds one and git compares them."""
    def text(value):
        return json.dumps(value, ensure_ascii=False)
    members = []
    for key, value in said.items():
        if isinstance(value, list):
            members.append(f"{text(key)}: [\n" + ",\n".join(f" {text(v)}" for v in value) + "\n]")
        else:
            members.append(f"{text(key)}: {text(value)}")
    return "{" + ",\n".join(members) + "}\n"


def new_directory(version, how):
    directory = STATE / f"schema-{version}-{how}"
    true(not directory.exists(), f"{directory} is there already; golden state is never replaced")
    return directory


def unpack(directory, state):
    """A copy of what lies in `directory`, in the new directory `state`."""
    state.mkdir(mode=0o700)
    with tarfile.open(directory / "state.tar.gz") as archive:
        archive.extractall(state)


def keep(state, said, directory):
    directory.mkdir(parents=True)
    with tarfile.open(directory / "state.tar.gz", "w:gz") as archive:
        for name in KEPT:
            path = state / name
            if path.exists() and path.stat().st_size > 0:
                info = tarfile.TarInfo(name)
                info.size = path.stat().st_size
                info.mode = 0o600
                with open(path, "rb") as file:
                    archive.addfile(info, file)
    (directory / "expected.json").write_text(lines(said), encoding="utf-8")
    size = sum(p.stat().st_size for p in directory.iterdir())
    true(size <= BYTES_MAX, f"{directory}: {size} bytes, at most {BYTES_MAX} are wanted")
    print(f"{directory.name}: {len(said['jobs'])} jobs, {len(said['events'])} events, {size} bytes")


def make(program):
    schema = newest_schema(program)
    for how, number in (("clean", signal.SIGTERM), ("killed", signal.SIGKILL)):
        directory = new_directory(schema, how)
        with tempfile.TemporaryDirectory(prefix="gd-") as home:
            daemon = Maker(program, pathlib.Path(home))
            said = fill(daemon, schema)
            daemon.end(number)
            keep(daemon.state, said, directory)


def make_between(version, program):
    for how in ("clean", "killed"):
        directory = new_directory(version, how)
        source = STATE / f"schema-{version - 1}-{how}"
        with tempfile.TemporaryDirectory(prefix="gd-") as home:
            state = pathlib.Path(home) / "state"
            unpack(source, state)
            ended = subprocess.run(
                [program, "--state-dir", state, "--socket", state.parent / "s"], check=False,
                stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
                env=clean_env({"GATHERD_FAILPOINT": "store.in_migration:2"}))
            true(ended.returncode == -signal.SIGKILL, f"not killed in a migration: {ended}")
            said = json.loads((source / "expected.json").read_text(encoding="utf-8"))
            keep(state, dict(said, schema=version), directory)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        make(os.path.abspath(sys.argv[1]))
    elif len(sys.argv) == 4 and sys.argv[1] == "--between":
        make_between(int(sys.argv[2]), os.path.abspath(sys.argv[3]))
    else:
        sys.exit(__doc__.strip())
