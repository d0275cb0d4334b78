#!/bin/sh
# check-conformance.sh - random jobs do the same in CPython's asyncio and in the simulator. The same
# ones each time; `make conformance SEEDS=FIRST-LAST` takes others.
set -eu
compare="$srcdir/tests/conformance/compare.py"
python3 "$compare" "$builddir/tests/conformance/sim_jobs" 1-2000
python3 "$compare" "$builddir/tests/conformance/sim_jobs" 1-1000 commands
exec python3 "$compare" "$builddir/tests/conformance/sim_jobs" 1-1000 events
