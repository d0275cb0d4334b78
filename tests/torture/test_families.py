#!/usr/bin/env python3
"""A short round of the rig of families."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from families import Rig  # noqa: E402
from harness import equal, run, scratch, test  # noqa: E402

ROUNDS = 6


@test
def given_kill_9_at_every_step_of_a_family_then_each_child_runs_once_and_nothing_is_lost():
    rig = Rig(1, scratch())
    for _ in range(ROUNDS):
        rig.run(lives=len(rig.points) * 2, per_check=len(rig.points) * 2)
        if len(rig.fired) == len(rig.points):
            break
    print("#", rig.line())
    equal(sorted(rig.fired), rig.points, "places at which the daemon ended")


if __name__ == "__main__":
    run()
