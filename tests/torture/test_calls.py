#!/usr/bin/env python3
"""A short round of the calls rig."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from calls import Rig, Violation  # noqa: E402
from harness import at_end, equal, run, scratch, test, true  # noqa: E402


def rig(seed, calls):
    made = Rig(seed, scratch(), calls)
    at_end(made.close)
    return made


@test
def given_kill_9_in_the_middle_of_calls_then_what_was_done_is_not_done_again():
    made = rig(1, 250)
    made.run(kills=2)
    equal(made.counts["calls"], 1000)
    true(made.counts["done before a kill"] > 0, made.line())
    print("#", made.line())


@test
def given_a_call_that_is_made_twice_or_has_another_outcome_then_the_rig_finds_it():
    made = rig(2, 5)
    made.run(kills=0)
    for what in (lambda: made.server.came["/post/3"].append((0, "another key")),
                 lambda: (made.files / "write2").write_text("something else")):
        what()
        try:
            made.check_results()
        except Violation:
            made.server.came["/post/3"][1:] = []
            continue
        raise AssertionError("a wrong call was not found")
    made.done["get"][1] = made.trace("get", 1, float("inf")) - 1
    try:
        made.check_done()
    except Violation:
        return
    raise AssertionError("a request that came again was not found")


if __name__ == "__main__":
    sys.exit(run())
