#!/bin/sh
# check-pure.sh - the engine asks nothing of the world.
#
# Compares what libengine.a needs from outside (nm -u) with the list below: memory, bytes, text,
# arithmetic. A clock, a file, a thread or a random number would make a replay take another path,
# so the list is closed: adding a name is a decision. qsort is for keys that differ: it may swap
# equal ones. libbase.a, which the engine stands on, may also say its last words. Before it looks,
# it proves on a small archive of its own that it can find a wrong name.
set -eu

builddir=${builddir:-.}

allowed='
abort aligned_alloc calloc free malloc realloc reallocarray
memchr memcmp memcpy memmove memrchr memset memmem
strchr strcmp strcpy strcspn strlen strncmp strnlen strrchr strspn strstr
snprintf vsnprintf strtod strtol strtoll strtoul strtoull qsort
ceil fabs floor fmod frexp isfinite isnan ldexp llround log10 lround modf nearbyint nextafter pow
rint round trunc
'
last_words='fprintf fputs stderr strerror strerror_r'
# Put in by the compiler: stack protector, fortified twins (__memcpy_chk), position independence,
# sanitizers, and the classification tables behind isdigit().
compiler='^(__stack_chk_fail|__[a-z]+_chk|_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan|sanitizer)_.*|__isoc[0-9]+_.*|_?_?tls_get_addr|__ctype_b_loc|__errno_location)$'

# pure_check NAMES ARCHIVE...: prints what the first archive needs and neither NAMES, nor the other
# archives, nor itself has.
pure_check()
{
	names=$1
	shift
	{
		nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }'
		printf '%s\n' $names
	} | sort -u >"$scratch/known"
	nm -u "$1" | awk '$1 == "U" { print $2 }' | sort -u >"$scratch/needed"
	if ! [ -s "$scratch/needed" ]; then
		echo "$1 needs nothing at all: that can not be right"
		return 1
	fi
	comm -23 "$scratch/needed" "$scratch/known" | grep -Ev "$compiler" >"$scratch/impure" || return 0
	for name in $(cat "$scratch/impure"); do
		for object in $(nm -Au "$1" | awk -v name="$name" '$NF == name { split($1, at, ":"); print at[2] }'); do
			echo "$object needs $name"
		done
	done
	return 1
}

# self_test_call STATEMENT WANTED: an archive with this one call must be found pure (0) or not (1).
self_test_call()
{
	cat >"$scratch/a.c" <<-C
		#include <stdlib.h>
		#include <time.h>
		void *f(void *at) { $1; return at; }
	C
	${CC:-cc} -c "$scratch/a.c" -o "$scratch/a.o"
	ar rc "$scratch/a.a" "$scratch/a.o"
	found=0
	pure_check "$allowed" "$scratch/a.a" >/dev/null || found=1
	rm "$scratch/a.a"
	if [ "$found" != "$2" ]; then
		echo "self-test: \"$1\" gave $found instead of $2"
		exit 1
	fi
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
self_test_call 'at = malloc(1)' 0
self_test_call 'time(at)' 1
self_test_call 'srand(1); at = malloc(1)' 1

bad=0
pure_check "$allowed" "$builddir/libengine.a" "$builddir/libbase.a" || bad=1
pure_check "$allowed $last_words" "$builddir/libbase.a" || bad=1
if [ "$bad" != 0 ]; then
	echo "The engine is not pure; the list is at the top of tests/check-pure.sh."
	exit 1
fi
