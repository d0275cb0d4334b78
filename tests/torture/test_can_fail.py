#!/usr/bin/env python3
"""The rigs can fail: a daemon, a store and a disk that break a promise are found, by its name."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
os.environ.setdefault("E2E_PATIENCE", "2")  # for a job that never ends
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from crash import Rig  # noqa: E402
from harness import run, test, true  # noqa: E402

BUILT = pathlib.Path(os.environ.get("builddir", ".")) / "tests" / "torture"
CYCLES = 12  # of an episode, at most, until it is found

# What is done (sabotage.c), and the invariants of which one must be what the rig names first.
CRASH = {
    "replies-early": ("I1", "I2", "I3"),
    "forgets-job": ("I1", "I3", "R:"),
    "ends-twice": ("I2",),
    "drops-event": ("I3",),
    "forgets-cancel": ("I5", "I2"),
    "forgets-signal": ("E:", "I1"),
    "wakes-early": ("I6",),
    "lets-all-in": ("S:",),
    "expires-early": ("R:", "I1"),  # or its key, which is free too soon
    "hides-nothing": ("I12",),
    "leaks-descriptor": ("I9",),
}
POWER = ("syncs-nothing", "syncs-no-names", "syncs-late")


def crash_rig_names(sabotage):
    """What the first violation is."""
    with tempfile.TemporaryDirectory(prefix="gd-sabotage-") as keep, \
            contextlib.redirect_stdout(io.StringIO()):
        rig = Rig(seed=1, keep=keep, points=[], sabotage=sabotage)
        rig.violations_max = 1
        for _ in range(3):
            if not rig.found:
                rig.run(20, rig.totals.cycles + CYCLES)
    return rig.found[0] if rig.found else "nothing"


@test
def given_a_daemon_that_breaks_a_promise_then_the_crash_rig_says_which():
    for sabotage, names in CRASH.items():
        found = crash_rig_names(sabotage)
        true(found.startswith(names), f"{sabotage}: the rig has found {found}")


@test
def given_a_store_that_does_not_sync_then_the_power_rig_finds_it():
    for sabotage in POWER:
        ran = subprocess.run([BUILT / "power", "--sabotage", sabotage], check=False, text=True,
                             stdout=subprocess.PIPE, timeout=300)
        true(ran.returncode == 1 and "VIOLATION" in ran.stdout, f"{sabotage}: {ran.stdout}")


@test
def given_a_log_that_nobody_audits_then_the_flips_are_found():
    ran = subprocess.run([BUILT / "test_wal_flips"], check=False, text=True, timeout=300,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=dict(os.environ, GATHERD_SABOTAGE="audits-nothing"))
    true(ran.returncode != 0 and "no word of it" in ran.stdout, f"it has found {ran.stdout}")


if __name__ == "__main__":
    run()
