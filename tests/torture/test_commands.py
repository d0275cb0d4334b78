#!/usr/bin/env python3
"""A short round of the commands rig."""

import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from commands import Rig, Violation, tagged  # noqa: E402
from harness import at_end, equal, run, scratch, test, true, until  # noqa: E402


def rig(seed):
    made = Rig(seed, scratch())
    at_end(made.close)
    made.put_pools()
    return made


@test
def given_kill_9_of_the_daemon_then_each_command_runs_once_and_its_exit_code_is_true():
    made = rig(1)
    made.run(kills=15, runner_kills=0, cancels=0)
    equal(made.counts["kills"], 15)
    print("#", made.line())


@test
def given_kill_9_of_the_runner_then_each_command_is_done_or_interrupted():
    made = rig(2)
    made.run(kills=0, runner_kills=10, cancels=0)
    true(made.counts["runner kills"] > 0, made.line())
    print("#", made.line())


@test
def given_cancels_of_commands_that_hide_then_nothing_of_them_is_left():
    made = rig(3)
    made.run(kills=0, runner_kills=0, cancels=60)
    print("#", made.line())


@test
def given_a_wrong_code_a_second_run_and_a_survivor_then_the_rig_finds_them():
    made = rig(4)
    made.submit()
    real, made.code_of = made.code_of, lambda number: 99
    try:
        made.finish(may_be_interrupted=False)
        raise AssertionError("a wrong exit code was not found")
    except Violation:
        made.code_of = real
    with made.ran.open("a") as ran:
        ran.write("1\n")
    try:
        made.check_runs([1], 1)
        raise AssertionError("a second run was not found")
    except Violation:
        pass
    made.open = {}
    with made.daemon.wire() as wire:
        key = wire.call("hello", protocol=[1], client="rig")["store"].encode()
        id_ = wire.call("job.submit", spec={"exec": ["sleep", "60"]})["id"]
        until(lambda: tagged(b"GATHERD_ATTEMPT_KEY=" + key), "a process with its mark")
        wire.call("job.cancel", id=id_)
    made.nothing_is_left()


if __name__ == "__main__":
    sys.exit(run())
