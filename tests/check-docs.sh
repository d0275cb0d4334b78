#!/bin/sh
# check-docs.sh - proto/PROTOCOL.md lists the errors that proto/base/err.h defines, no more, no less.
#
# Both become lines "code name", which must be equal. Before that it proves that a wrong or missing
# line would be found.
set -eu

top=${srcdir:-$(dirname "$0")/..}

# From X(GD_NAME, code, "Name"). 0 is no error, and what goes out as -32603 is called Internal.
errors_of_header()
{
	sed -n 's/^[[:space:]]*X(GD_[A-Z_]*, \(-\{0,1\}[0-9]*\), "\([A-Za-z]*\)").*/\1 \2/p' "$1" |
		awk '$1 != 0 && ($1 != -32603 || $2 == "Internal")' | sort
}

# From the rows of the table headed "| code | type |": a row may hold several codes and as many names.
errors_of_document()
{
	awk -F'|' '
	{ gsub(/`/, "") }
	/^\|/ && $2 ~ /^ *code *$/ && $3 ~ /^ *type *$/ { inside = 1; next }
	!/^\|/ { inside = 0 }
	inside && $2 ~ /[0-9]/ {
		count = split($2, code, " ")
		if (split($3, name, " ") != count)
			print "uneven row:" $0
		for (i = 1; i <= count; i++)
			print code[i] " " name[i]
	}' "$1" | sort
}

# docs_compare HEADER DOCUMENT: prints what only one of them has.
docs_compare()
{
	errors_of_header "$1" >"$scratch/header"
	errors_of_document "$2" >"$scratch/document"
	[ -s "$scratch/header" ] || { echo "no error was found in $1"; return 1; }
	diff -U0 --label "$1" --label "$2" "$scratch/header" "$scratch/document"
}

# self_test ROWS WANTED: a document of these rows must be found equal (0) or not (1).
self_test()
{
	printf '\tX(GD_OK, 0, "Ok") \\\n\tX(GD_A, -1, "Aa") \\\n\tX(GD_B, -2, "Bb") \\\n\tX(GD_C, -32603, "Cc")\n' \
		>"$scratch/err.h"
	printf '| code | type | data |\n|---|---|---|\n%b\n\nnot a row\n' "$1" >"$scratch/doc.md"
	found=0
	docs_compare "$scratch/err.h" "$scratch/doc.md" >/dev/null || found=1
	if [ "$found" != "$2" ]; then
		echo "self-test: rows $1 gave $found instead of $2"
		exit 1
	fi
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
self_test '| -1 -2 | `Aa` `Bb` | |' 0
self_test '| -2 | Bb | x |\n| -1 | Aa | |' 0
self_test '| -1 | Aa | |' 1
self_test '| -1 | Aa | |\n| -3 | Bb | |' 1
self_test '| -1 -2 | Aa Bb | |\n| -3 | Dd | |' 1

if ! docs_compare "$top/proto/base/err.h" "$top/proto/PROTOCOL.md"; then
	echo "The table of errors in proto/PROTOCOL.md is not GD_ERRORS of proto/base/err.h."
	exit 1
fi
