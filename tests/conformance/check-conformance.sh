#!/bin/sh
# check-conformance.sh - random jobs do the same in CPython's asyncio and in the simulator. The same
# ones each time; `make conformance SEEDS=FIRST-LAST` takes others.
set -eu
exec python3 "$srcdir/tests/conformance/compare.py" "$builddir/tests/conformance/sim_jobs" 1-2000
