#!/usr/bin/env python3
"""`make torture`: every rig in turn, as long as asked, and one summary.

TORTURE_SECONDS (300) is shared by the rigs, TORTURE_RIGS names some of them (all), TORTURE_SEED (the
time of day) begins their random numbers. A rig is a program that takes --seconds and --seed and
whose last line is "torture: rig=NAME key=number ... violations=number". Exit status 1 when one
found a violation or did not get to its summary.
"""

import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILT = pathlib.Path(os.environ.get("builddir", ".")) / "tests" / "torture"

# Name -> command. A new rig is a line here and a part of torture.am.
RIGS = {
    "crash": [sys.executable, HERE / "crash.py", "--jobs", str(os.cpu_count() or 1)],
    "power": [BUILT / "power"],
    "oom": [BUILT / "oom"],
    "mixed": [sys.executable, HERE / "mixed.py"],
    "families": [sys.executable, HERE / "families.py"],
    "faults": [sys.executable, HERE / "faults.py"],
}


def run_rig(name, seconds, seed):
    """The rig's numbers, or None."""
    command = [str(w) for w in RIGS[name]] + ["--seconds", f"{seconds:g}", "--seed", str(seed)]
    print("torture:", " ".join(command), flush=True)
    found = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(" ", line, end="", flush=True)
            if line.startswith("torture: rig="):
                words = dict(word.split("=", 1) for word in line.split()[1:])
                words.pop("rig")
                found = {key: int(number) for key, number in words.items()}
    if found is None:
        print(f"torture: rig {name} ended with {process.returncode}, without a summary")
    elif process.returncode != 0 and found["violations"] == 0:
        print(f"torture: rig {name} ended with {process.returncode}")
        return None
    return found


def main():
    seconds = float(os.environ.get("TORTURE_SECONDS") or 300)
    names = (os.environ.get("TORTURE_RIGS") or " ".join(RIGS)).split()
    seed = int(os.environ.get("TORTURE_SEED") or time.time())
    totals, is_whole = {}, True
    for name in names:
        found = run_rig(name, seconds / len(names), seed)
        is_whole = is_whole and found is not None
        for key, number in (found or {}).items():
            totals[key] = totals.get(key, 0) + number
    print("torture: all rigs:", " ".join(f"{key}={number}" for key, number in totals.items()),
          f"seed={seed}")
    if totals.get("violations", 0) or not is_whole:
        print("torture: BROKEN; each violation says above how to repeat it")
        return 1
    print("torture: nothing that is promised was broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
