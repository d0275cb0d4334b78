#!/usr/bin/env python3
"""A short round of the crash rig: every failpoint once, some random moments, and a deadly job."""

import contextlib
import os
import pathlib
import signal
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from crash import Rig, failpoints  # noqa: E402
from harness import PATIENCE, at_end, equal, run, scratch, test, true, until  # noqa: E402
from server import Ended, Server  # noqa: E402

HOLD = {"with": "db", "sleep": 3600}

# A place may be passed less often in a cycle than the rig had hoped; then it has another go.
ROUNDS = 12


def go(points, seconds, cycles):
    rig = Rig(seed=1, keep=os.environ.get("TMPDIR"), points=points)
    rig.run(seconds, cycles)
    print("#", rig.totals.line())
    true(rig.totals.cycles > 0, "cycles")
    equal(rig.totals.violations, 0, "violations; see above")
    return rig.totals


@test
def given_kill_9_at_every_failpoint_then_the_promises_hold():
    left = failpoints()
    for _ in range(ROUNDS):
        if left:
            fired = go(left, 0, 0).fired
            left = [point for point in left if point not in fired]
    equal(left, [], "failpoints at which no daemon ended")


@test
def given_kill_9_at_random_moments_then_the_promises_hold():
    go([], 60, 20)


@test
def given_a_job_that_ends_the_daemon_three_times_then_it_is_set_aside_and_the_others_go_on():
    home = scratch()
    server = Server(home)
    server.start()
    at_end(server.kill)
    with server.wire() as wire:
        done = wire.call("job.run", spec={"value": 7})["id"]
        deadly, waiting, other = (wire.call("job.submit", spec=spec)["id"] for spec in
                                  (HOLD, {"with": "db", "value": 8}, {"sleep": 3600}))
        until(lambda: wire.call("semaphore.list")["semaphores"][0]["waiting"] == 1, "the line")
        before = wire.call("events.read", after=0, limit=100)["events"]
    server.kill()
    server.sabotage = f"dies-of-job-{deadly}"
    for _ in range(3):
        with contextlib.suppress(Ended):
            server.start()
        equal(server.process.wait(PATIENCE), -signal.SIGABRT)
    server.start()
    with server.wire() as wire:
        equal(wire.call("job.wait", ids=[deadly], timeout=20)["pending"], [])
        found = wire.call("job.get", id=deadly)
        equal((found["status"], found["error"]["data"]), ("failed", {"reason": "crash"}))
        equal(wire.call("job.wait", ids=[waiting], timeout=20)["pending"], [])
        equal(wire.call("job.get", id=waiting)["result"], 8)
        equal(wire.call("job.get", id=done)["result"], 7)
        equal(wire.call("job.get", id=other)["status"], "running")
        events = wire.call("events.read", after=0, limit=100)["events"]
        equal(events[:len(before)], before, "what was seen before")
        equal([e["seq"] for e in events], list(range(1, len(events) + 1)), "numbers")
        equal([e["kind"] for e in events if e["job"] == deadly][-1], "job.failed")
    equal(server.stop(), 0)
    server.expect_files()


if __name__ == "__main__":
    run()
