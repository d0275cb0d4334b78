#!/bin/sh
# check-names.sh - no function of ours has the name of one in a library that we are linked with.
#
# The linker takes ours without a word, also for who means theirs: event_free() of the engine would
# be called with an event of libevent. Before it looks, it proves that it can find such a name.
set -eu

builddir=${builddir:-.}
programs="$builddir/gatherd $builddir/gatherctl $builddir/gatherd-runner"
archives="$builddir/libbase.a $builddir/libproto.a $builddir/libengine.a $builddir/libgatherd.a
	$builddir/librunner.a $builddir/libclient.a"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What the libraries of all programs offer.
for library in $(ldd $programs | awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | sort -u); do
	nm -D --defined-only "$library" | awk 'NF == 3 { sub("@.*", "", $3); print $3 }'
done | sort -u >"$scratch/theirs"

# names_check ARCHIVE...: prints what they define and a library has as well.
names_check()
{
	nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u >"$scratch/ours"
	comm -12 "$scratch/ours" "$scratch/theirs"
}

echo 'void event_free(void *at); void event_free(void *at) { (void)at; }' >"$scratch/a.c"
${CC:-cc} -c "$scratch/a.c" -o "$scratch/a.o"
ar rc "$scratch/a.a" "$scratch/a.o"
if [ "$(names_check "$scratch/a.a")" != event_free ]; then
	echo "self-test: event_free() was not found"
	exit 1
fi

found=$(names_check $archives)
if [ -n "$found" ]; then
	echo "names that a library has as well:" $found
	exit 1
fi
