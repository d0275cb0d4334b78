#!/bin/sh
# check-bench.sh - the bench still runs: a few hundred of each, figures that mean nothing.
set -eu
exec python3 "$srcdir/tests/bench/bench.py" --quick
