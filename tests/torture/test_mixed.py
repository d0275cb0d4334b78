#!/usr/bin/env python3
"""A short round of the mixed rig."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
import mixed  # noqa: E402
from harness import run, scratch, test, true  # noqa: E402
from kinds import Kind  # noqa: E402

SECONDS = 2


@test
def given_clients_that_do_all_at_once_then_every_answer_is_right():
    counts, faults = mixed.Mixed(1, scratch()).run(SECONDS)
    print("#", mixed.line(counts))
    true(not faults, "\n".join(faults))


@test
def given_a_wrong_answer_then_the_rig_tells():
    rig = mixed.Mixed(2, scratch(), clients=1)
    rig.clients[0].params = lambda kind=None: (Kind(0, result=1), {"spec": {"value": 2}})
    counts, faults = rig.run(20)
    true(len(faults) == 1 and "got ('completed', 2)" in faults[0], f"{counts} {faults}")


if __name__ == "__main__":
    run()
