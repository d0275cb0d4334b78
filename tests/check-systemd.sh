#!/bin/bash
# Boots a small machine with systemd as PID 1, installs gatherd in it and runs tests/systemd/inside.sh
# there. Before that the unit is checked without booting.
#
# Needs root and a systemd lab: a folder with the tools make-rootfs, check-units and run-in-systemd,
# named by GATHERD_SYSTEMD_LAB or found beside the source tree. Skipped (77) where they are missing.
# The tree that is booted (about 165 MB) is kept in GATHERD_SYSTEMD_ROOT, by default in the build
# folder, so that only the first run has to make it.
set -euo pipefail

EXPOSURE_MAX=0.6
RUNNER_EXPOSURE_MAX=1.7 # any program may run in it, with a network

skip() { echo "check-systemd: skipped: $*"; exit 77; }
step() { printf '# %s\n' "$*"; }

srcdir=$(cd "${srcdir:-$(dirname "$0")/..}" && pwd)
builddir=$(pwd)
lab=${GATHERD_SYSTEMD_LAB:-$srcdir/../shared/systemd-lab}
root=${GATHERD_SYSTEMD_ROOT:-$builddir/systemd-root}

for tool in make-rootfs check-units run-in-systemd; do
	[ -x "$lab/$tool" ] || skip "no $tool in $lab (set GATHERD_SYSTEMD_LAB)"
done
[ "$(id -u)" = 0 ] || skip 'needs root'
[ -x "$builddir/gatherd" ] && [ -x "$builddir/gatherctl" ] && [ -x "$builddir/gatherd-runner" ] || skip 'gatherd is not built here'
grep -q '^systemdsystemunitdir = no$' "$builddir/Makefile" && skip 'configured without systemd'
if ldd "$builddir/gatherd" | grep -Eq 'lib(a|t|ub)san'; then
	skip 'built with sanitizers, which the sandbox of the unit does not let run'
fi

work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT

# The packages that hold the libraries of our programs.
packages() {
	local library found

	ldd "$builddir/gatherd" "$builddir/gatherctl" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | sort -u |
	while read -r library; do
		found=$(dpkg -S "$library" 2>/dev/null || dpkg -S "/usr$library" 2>/dev/null ||
			dpkg -S "${library#/usr}" 2>/dev/null) || continue
		printf '%s\n' "${found%%:*}"
	done | sort -u | paste -sd,
}

step 'install'
"${MAKE:-make}" -s -C "$builddir" install DESTDIR="$work/dest" >"$work/install.log" 2>&1 || {
	cat "$work/install.log"
	exit 1
}

step 'the tree to boot'
"$lab/make-rootfs" -p "$(packages)" "$root"

step 'the units, without booting'
"$lab/check-units" -x "$EXPOSURE_MAX" "$root" "$work/dest" gatherd.service
"$lab/check-units" -x "$RUNNER_EXPOSURE_MAX" "$root" "$work/dest" gatherd-runner.service

step 'a real systemd'
prefix=$(sed -n 's/^bindir = //p; s/^exec_prefix = //p; s/^prefix = //p' "$builddir/Makefile" |
	sed -n 's|^/|/|p' | head -1)
rc=0
"$lab/run-in-systemd" -d "$work/dest" -e "GATHERD_PREFIX=$prefix" -o "$work/results" "$root" \
	"$srcdir/tests/systemd/inside.sh" || rc=$?
if [ "$rc" != 0 ]; then
	echo '# the journal of gatherd:'
	grep -E 'gatherd|systemd\[1\]' "$work/results/journal.txt" 2>/dev/null | tail -80 || true
fi
exit "$rc"
