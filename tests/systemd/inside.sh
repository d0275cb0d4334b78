#!/bin/bash
# Runs as root in a machine whose PID 1 is systemd, where gatherd is installed and not started yet.
# Prints a line for each check and ends with 'N passed, N failed'.

PATH=${GATHERD_PREFIX:-/usr/local}/bin:$PATH
UNIT=gatherd.service
SOCKET=/run/gatherd/gatherd.sock
SLEEP_SECONDS=3
pass=0 fail=0
patience=50
[ "${RUN_IN_SYSTEMD:-}" = qemu ] && patience=300 # emulation is slow; tenths of a second

check() { # check WHAT COMMAND...
	local what=$1
	shift
	if "$@"; then
		pass=$((pass + 1)); echo "ok   $what"
	else
		fail=$((fail + 1)); echo "FAIL $what"
	fi
}
finish() { echo "$pass passed, $fail failed"; exit $((fail > 0)); }
quietly() { "$@" >/dev/null; }
is() { [ "$1" = "$2" ] || { echo "     got '$1', wanted '$2'"; return 1; }; }
prop() { systemctl show -P "$1" "$UNIT"; }
# within TENTHS COMMAND...: tries until it succeeds
within() {
	local tenths=$1
	shift
	while ! "$@" >/dev/null 2>&1; do
		tenths=$((tenths - 1))
		[ "$tenths" -gt 0 ] || return 1
		sleep 0.1
	done
}
logged() {
	journalctl --sync
	journalctl -q -u "$UNIT" --no-pager -o cat -g "$1" | grep -q .
}
has_restarted() { [ "$(prop NRestarts)" -gt "$1" ] && [ "$(prop ActiveState)" = active ]; }
client() { timeout 30 gatherctl --socket "$SOCKET" "$@"; }
# member NAME: the number behind "NAME": in one line of compact or pretty JSON
member() { tr -d '\n' | grep -o "\"$1\": *[0-9.]*" | head -1 | grep -o '[0-9.]*$'; }
# between LOW VALUE HIGH, as decimal fractions
between() {
	awk -v l="$1" -v v="${2:-x}" -v h="$3" 'BEGIN { exit !(v + 0 == v && v >= l && v <= h) }' ||
		{ echo "     got '$2', wanted $1 to $3"; return 1; }
}
use_dropin() { # use_dropin NAME TEXT
	mkdir -p "/run/systemd/system/$UNIT.d"
	printf '%b' "$2" >"/run/systemd/system/$UNIT.d/$1.conf"
	systemctl daemon-reload
}
drop_dropin() { rm -f "/run/systemd/system/$UNIT.d/$1.conf"; systemctl daemon-reload; }

echo "# $(systemctl --version | head -1), kernel $(uname -r), $(systemd-detect-virt)"
check 'PID 1 is systemd' is "$(cat /proc/1/comm)" systemd
systemd-sysusers
systemd-tmpfiles --create >/dev/null 2>&1
check 'the user is there' quietly getent passwd gatherd

# --- start ---
check 'start returns once the daemon is ready' systemctl start "$UNIT"
[ "$(prop MainPID)" -gt 0 ] || {
	systemctl --no-pager -l status "$UNIT"
	journalctl -q -u "$UNIT" --no-pager | tail -20
	fail=$((fail + 1))
	finish
}
check 'active (running)' is "$(prop ActiveState)/$(prop SubState)" active/running
check 'it tells its status' [ -n "$(prop StatusText)" ]
check 'it runs as gatherd' is "$(ps -o user= -p "$(prop MainPID)")" gatherd
check 'the watchdog is on' is "$(prop WatchdogUSec)" 30s
check 'the socket is for user and group' is "$(stat -c '%U %a' "$SOCKET")" 'gatherd 660'
check 'its folder is not for others' is "$(stat -c '%U:%G %a' "${SOCKET%/*}")" 'gatherd:gatherd 750'
check 'the state folder is for nobody else' is "$(stat -c '%U %a' /var/lib/gatherd)" 'gatherd 700'
check 'no capabilities' is "$(sed -n 's/^CapBnd:\t//p' "/proc/$(prop MainPID)/status")" \
	0000000000000000

# --- jobs ---
check 'ping' quietly client ping
id=$(client submit '{"value": {"forty": 40}}')
check 'a job is taken' [ -n "$id" ]
check 'it ends' quietly client wait "$id" --timeout 10
check 'its result is there' is "$(client result "$id" --json | tr -d ' \n')" '{"forty":40}'
check 'a stranger is kept out' is "$(setpriv --reuid 12345 --clear-groups --regid 12345 \
	gatherctl --socket "$SOCKET" ping >/dev/null 2>&1; echo $?)" 3

# --- a crash in the middle of a sleep ---
restarts=$(prop NRestarts)
t0=$(date +%s.%N)
sleeper=$(client submit "{\"sleep\": $SLEEP_SECONDS, \"result\": \"slept\"}")
sleep 0.5
pid=$(prop MainPID)
[ "$pid" -gt 0 ] && kill -9 "$pid"
check 'kill -9: started again' within "$patience" has_restarted "$restarts"
check 'kill -9: another process' [ "$(prop MainPID)" != "$pid" ]
check 'kill -9: the old result is still there' is \
	"$(client result "$id" --json | tr -d ' \n')" '{"forty":40}'
check 'the sleeping job ends' quietly client wait "$sleeper" --timeout 20
waited=$(awk -v a="$t0" -v b="$(date +%s.%N)" 'BEGIN { printf "%.3f", b - a }')
job=$(client get "$sleeper" --json)
started=$(member started <<<"$job")
ended=$(member ended <<<"$job")
took=$(awk -v a="${started:-0}" -v b="${ended:-0}" 'BEGIN { printf "%.3f", b - a }')
check "it slept as long as it was told ($took s)" between "$SLEEP_SECONDS" "$took" \
	"$SLEEP_SECONDS.25"
# Sleeping anew after the crash would take 1.5 s more: 0.5 before it, 1 until the restart.
[ "$patience" -gt 50 ] ||
	check "and kept its old deadline ($waited s)" between "$SLEEP_SECONDS" "$waited" "$SLEEP_SECONDS.90"
check 'its result is the one it was to have' is "$(client result "$sleeper" --json)" '"slept"'

# --- reload ---
config=$(systemctl cat "$UNIT" | sed -n 's/^ExecStart=.*--config \([^ ]*\).*/\1/p')
printf '[gatherd]\nlog-level = debug\n' >"$config"
check 'reload' systemctl reload "$UNIT"
check 'reload: the journal says what changed' within "$patience" logged 'config.changed.*log-level'
check 'reload: still the same process' is "$(prop ActiveState)" active

# --- watchdog ---
systemctl reset-failed "$UNIT"
use_dropin watchdog '[Service]\nWatchdogSec=2s\n'
systemctl restart "$UNIT"
sleep 3
check 'a healthy daemon is left alone' is "$(prop NRestarts)/$(prop ActiveState)" 0/active
restarts=$(prop NRestarts)
pid=$(prop MainPID)
[ "$pid" -gt 0 ] && kill -STOP "$pid"
check 'a stuck daemon is started again' within $((patience + 100)) has_restarted "$restarts"
check 'the journal says why' logged 'Watchdog timeout|watchdog' 
check 'and it serves' within "$patience" client ping
drop_dropin watchdog

# --- what cannot start is not tried again ---
systemctl stop "$UNIT"
systemctl reset-failed "$UNIT" 2>/dev/null
printf '[gatherd]\nlisten = 192.0.2.1:7420\n' >"$config"
check 'an open address is refused' is "$(systemctl start "$UNIT" 2>/dev/null; echo $?)" 1
check 'with exit code 78' is "$(prop ExecMainStatus)" 78
check 'and not tried again' is "$(prop NRestarts)" 0
check 'in words' logged '192\.0\.2\.1:7420 is not a loopback address'
printf '[gatherd]\n' >"$config"
systemctl reset-failed "$UNIT"

# --- the runner, a unit of its own ---
RUNNER=gatherd-runner.service
runner() { systemctl show -P "$1" "$RUNNER"; }
lives() { pgrep -f "$1" >/dev/null; }
dies() { ! lives "$1"; }
runner_is() { [ "$(runner ActiveState)" = "$1" ] && [ "$(runner MainPID)" != "$pid" ]; }
printf '[gatherd]\n[exec shell]\nprogram = /bin/sh\nrest = any\non-interrupt = fail\n' >"$config"
systemctl stop "$RUNNER"
check 'gatherd brings its runner along' systemctl start "$UNIT"
check 'and it is active' is "$(runner ActiveState)" active
pid=$(runner MainPID)
check 'it is in a group below its unit, so that commands can have theirs beside it' \
	grep -q "/$RUNNER/runner\$" "/proc/$pid/cgroup"
check 'the commands do not see the database' \
	is "$(nsenter -t "$pid" -m ls /var/lib/gatherd 2>/dev/null)" runner
check 'its socket is for nobody else' is "$(stat -c '%U %a' /var/lib/gatherd/runner/sock)" 'gatherd 600'
command=$(client submit --profile shell -- -c 'cat /proc/self/cgroup; id -un; sleep 4; echo end; exit 7')
check 'a command is taken' [ -n "$command" ]
check 'it runs' within "$patience" lives 'sleep 4'
check 'gatherd restarts meanwhile' systemctl restart "$UNIT"
check 'its runner does not end with it' is "$(runner MainPID)/$(runner ActiveState)" "$pid/active"
check 'nor does the command' lives 'sleep 4'
check 'the command ends' is "$(client wait "$command" --timeout 20 >/dev/null 2>&1; client get "$command" --json |
	tr -d ' \n' | grep -o '"code":7')" '"code":7'
output=$(client log "$command")
check 'its output is kept' is "$(tail -2 <<<"$output" | tr '\n' ' ')" 'gatherd end '
check 'it had a group of its own' grep -q "/$RUNNER/cmd-[0-9]*\$" <<<"$output"
hidden=$(client submit --profile shell --grace 1s -- -c '(setsid sh -c "sleep 301 & exec sleep 302" &); sleep 303')
check 'a command that hides runs' within "$patience" lives 'sleep 301'
check 'it is cancelled' quietly client cancel "$hidden"
check 'and nothing of it is left' within 30 dies 'sleep 30[123]'
kill -9 "$pid"
check 'the runner is started again' within "$patience" runner_is active
check 'and commands run' is "$(within 100 client run --profile shell -- -c 'exit 0'; echo $?)" 0
check 'the runner stops' systemctl stop "$RUNNER"
check 'and that was a clean end' is "$(runner Result)/$(runner ExecMainStatus)" success/0
systemctl stop "$UNIT"

# --- stop ---
check 'it starts again' systemctl start "$UNIT"
check 'and knows its jobs' is "$(client result "$id" --json | tr -d ' \n')" '{"forty":40}'
check 'stop' systemctl stop "$UNIT"
check 'it was a clean end' is "$(prop Result)/$(prop ExecMainStatus)/$(prop ActiveState)" \
	success/0/inactive
check 'the socket is gone' [ ! -e "$SOCKET" ]
check 'the state stays' [ -s /var/lib/gatherd/gatherd.db ]
journalctl --sync
check 'levels reach the journal' is \
	"$(journalctl -q -u "$UNIT" -o json -p info..info _COMM=gatherd --no-pager |
		grep -o '"PRIORITY":"6"' | head -1)" '"PRIORITY":"6"'
systemd-analyze security --no-pager "$UNIT" >"$OUT/security.txt"
finish
