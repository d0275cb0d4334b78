#!/usr/bin/env python3
"""A short round of the crash rig: every failpoint once, and some random moments."""

import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from crash import Rig, failpoints  # noqa: E402
from harness import equal, run, test, true  # noqa: E402

# A place may be passed less often in a cycle than the rig had hoped; then it has another go.
ROUNDS = 4


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


if __name__ == "__main__":
    run()
