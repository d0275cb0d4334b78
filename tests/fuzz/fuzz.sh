#!/bin/sh
# fuzz.sh SOURCE... - every fuzz target under libFuzzer for a while; `make fuzz` calls it.
#
# Compiles the sources with clang and its sanitizers below fuzz-build/ of the build folder, where
# objects and what is found stay; the source tree is only read. From make: srcdir, CPPFLAGS,
# CFLAGS, LIBS, TARGETS. From the user: FUZZ_SECONDS for each target (60), FUZZ_TARGET (one name,
# such as job), CLANG. Exit status: 1 when an input stopped a target, 77 without clang.
set -eu

CLANG=${CLANG:-clang}
seconds=${FUZZ_SECONDS:-60}
work=fuzz-build
instrument='-g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize=address,undefined'
# A leak or a slow input is a find as much as a crash is.
limits='-max_len=4096 -timeout=20 -report_slow_units=20 -rss_limit_mb=2048'

if ! command -v "$CLANG" >/dev/null 2>&1; then
	echo "make fuzz: skipped, there is no $CLANG; on Debian: apt-get install clang"
	exit 77
fi
if [ -n "${FUZZ_TARGET:-}" ]; then
	case " $TARGETS " in
	*" tests/fuzz/fuzz_$FUZZ_TARGET "*) TARGETS=tests/fuzz/fuzz_$FUZZ_TARGET ;;
	*)
		echo "make fuzz: no target \"$FUZZ_TARGET\" among: $TARGETS"
		exit 1
		;;
	esac
fi

# compile SOURCE: to an object of the same path, unless it is newer than the source already.
compile()
{
	object=$work/${1%.c}.o
	if [ -n "$(find "$object" -newer "$srcdir/$1" 2>/dev/null)" ]; then
		return 0
	fi
	mkdir -p "$(dirname "$object")"
	# eval, since make quotes what it defines (PACKAGE_VERSION) for a shell.
	eval "\"\$CLANG\" $CPPFLAGS $CFLAGS" $instrument -fsanitize=fuzzer-no-link \
		-c '"$srcdir/$1"' -o '"$object"'
}

# A header that changed may change any object.
forget_stale()
{
	mkdir -p "$work"
	if [ -e "$work/stamp" ] && [ -z "$(find "$srcdir/daemon" "$srcdir/proto" "$srcdir/tests/fuzz" \
		-name '*.h' -newer "$work/stamp" | head -n 1)" ]; then
		return 0
	fi
	find "$work" -name '*.o' -exec rm -f {} +
	touch "$work/stamp"
}

build()
{
	objects=
	forget_stale
	for source in "$@"; do
		case $source in
		*driver.c | *.h) continue ;; # libFuzzer brings its own main
		esac
		compile "$source"
		objects="$objects $work/${source%.c}.o"
	done
	rm -f "$work/libfuzzed.a"
	ar rc "$work/libfuzzed.a" $objects
	for target in $TARGETS; do
		compile "$target.c"
		"$CLANG" $instrument -fsanitize=fuzzer "$work/$target.o" "$work/libfuzzed.a" $LIBS \
			-o "$work/${target##*/}"
	done
}

# number NAME LOG: from the statistics that libFuzzer prints at its end.
number()
{
	sed -n "s/^stat::$1: *//p" "$2" | tail -n 1
}

# run NAME: a line of what came of it. What is new goes to the first corpus folder, ours.
run()
{
	log=$work/$1.log
	found=$work/found/$1
	crashes=$work/crashes/$1
	mkdir -p "$found" "$crashes"
	status=0
	"$work/fuzz_$1" $limits -max_total_time="$seconds" -print_final_stats=1 \
		-dict="$srcdir/tests/fuzz/job.dict" -artifact_prefix="$crashes/" \
		"$found" "$srcdir/tests/fuzz/corpus/$1" >"$log" 2>&1 || status=$?
	coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	inputs=$(sed -n 's/.*Test unit written to //p' "$log")
	printf '%-8s %10s runs, coverage %5s, %5s new units, %s crashes\n' "$1" \
		"$(number number_of_executed_units "$log")" "$coverage" \
		"$(number new_units_added "$log")" "$(echo "$inputs" | grep -c .)"
	for input in $inputs; do
		echo "    again: $work/fuzz_$1 $input"
	done
	if [ "$status" != 0 ]; then
		bad=1
		echo "    exit status $status; the end of $log:"
		tail -n 20 "$log" | sed 's/^/    | /'
	fi
}

bad=0
build "$@"
for target in $TARGETS; do
	run "${target##*/fuzz_}"
done
exit $bad
