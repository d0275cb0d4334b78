#!/usr/bin/env python3
"""The rig of disks that fail and logs that are damaged, whole: every request, every frame.

It takes as long as it takes, about a minute, whatever --seconds says. Nothing depends on a real
disk here, so it uses memory for one where it can. The programs are those of `make check`, told by GATHERD_TORTURE to leave nothing out.
"""

import os
import pathlib
import re
import subprocess
import sys

BUILT = pathlib.Path(os.environ.get("builddir", ".")) / "tests" / "torture"
PROGRAMS = ("test_store_faults", "test_wal_flips")
NUMBERS = {"cycles": re.compile(r"^# (?:\w+: )?(\d+) (?:of|starts)"),
           "refused": re.compile(r"^#.*?(\d+) (?:starts )?refused"),
           "in_doubt": re.compile(r"^#.*?(\d+) commits in doubt")}


def environment():
    memory = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) else {}
    return dict(os.environ, GATHERD_TORTURE="1", **memory)


def main():
    totals = dict.fromkeys(NUMBERS, 0)
    violations = 0
    for name in PROGRAMS:
        ran = subprocess.run([BUILT / name], env=environment(), text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        for line in ran.stdout.splitlines():
            for key, pattern in NUMBERS.items():
                found = pattern.match(line)
                totals[key] += int(found[1]) if found else 0
        if ran.returncode != 0:
            violations += max(ran.returncode, 1)
            print(ran.stdout)
            print(f"repeat it: GATHERD_TORTURE=1 {BUILT / name}")
    print("torture: rig=faults", " ".join(f"{key}={number}" for key, number in totals.items()),
          f"faults={totals['cycles']} violations={violations}")
    return 1 if violations else 0


sys.exit(main())
