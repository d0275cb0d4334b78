#!/bin/sh
# check-layers.sh - who may include whom, read from the #include lines.
#
# Prints every line that crosses a wall and exits 1. Before it looks at the tree it proves, on a
# few files of its own, that it can find one: a check that never fails is no check.
set -eu

top=${srcdir:-$(dirname "$0")/..}

# One line for each layer: its files (a prefix of the path, the first that fits), a bar, what of the
# project it may include (prefixes), a bar, which libraries beside the C library (prefixes).
# main.c puts everything together and may see everything. net/ gets the durable records themselves
# from run/, hence store.h, and tells clients what limits.h says; nothing else below run/ is for it.
table='
proto/base/         | proto/base/ |
proto/              | proto/ | jansson.h openssl/
daemon/value/       | daemon/value/ proto/base/ | -
daemon/expr/        | daemon/expr/ daemon/value/ proto/base/ | -
daemon/engine/      | daemon/engine/ daemon/expr/ daemon/value/ proto/base/ | -
daemon/blocking/    | daemon/blocking/ daemon/value/ proto/base/ | linux/ openssl/ sqlite3.h pthread.h
daemon/load/        | daemon/load/ daemon/engine/ daemon/expr/ daemon/value/ proto/base/ | jansson.h
daemon/store/recover| daemon/store/ daemon/engine/engine.h daemon/engine/program.h daemon/expr/expr.h daemon/value/value.h daemon/load/load.h proto/base/ | sqlite3.h pthread.h jansson.h
daemon/store/       | daemon/store/ daemon/engine/engine.h daemon/engine/program.h daemon/expr/expr.h daemon/value/value.h proto/base/ | sqlite3.h pthread.h
daemon/fsck/        | daemon/fsck/ daemon/store/ daemon/load/ daemon/engine/engine.h daemon/engine/program.h daemon/value/value.h proto/base/ | sqlite3.h jansson.h
daemon/http/        | daemon/http/ daemon/value/limits.h proto/base/ | event2/ curl/ openssl/
daemon/profile/     | daemon/profile/ daemon/load/ daemon/engine/program.h daemon/expr/ daemon/value/ daemon/runner/run.h proto/ | pthread.h
daemon/run/         | daemon/run/ daemon/engine/ daemon/value/ daemon/load/ daemon/store/ daemon/log.h daemon/config.h proto/base/ | event2/ pthread.h
daemon/effect/      | daemon/effect/ daemon/blocking/blocking.h daemon/http/http.h daemon/run/ daemon/profile/ daemon/engine/engine.h daemon/value/ daemon/store/store.h daemon/runner/link.h daemon/runner/run.h daemon/runner/run_log.h daemon/log.h proto/base/ proto/base64.h | event2/ pthread.h
daemon/net/         | daemon/net/ daemon/blocking/blocking.h daemon/engine/program.h daemon/http/http.h daemon/effect/ daemon/run/ daemon/load/ daemon/profile/ daemon/store/store.h daemon/runner/run_log.h daemon/value/limits.h daemon/log.h daemon/config.h proto/ | event2/ pthread.h jansson.h openssl/
daemon/runner/      | daemon/runner/ daemon/log.h daemon/notify.h daemon/open_files.h proto/base/ | linux/
daemon/main.c       | daemon/ proto/ | event2/ pthread.h jansson.h
daemon/             | daemon/log.h daemon/config daemon/notify.h daemon/open_files.h daemon/profile/ proto/base/ | ini.h pthread.h
client/             | client/ proto/ | jansson.h
'
# What is always there: the C library. The engine ("-") gets only the part that touches no world.
pure='ctype errno float inttypes limits math stdarg stdatomic stdbool stddef stdint stdio stdlib string'
world='arpa/ assert dirent fcntl getopt grp locale malloc net netdb netinet/ poll pwd regex sched signal spawn strings sys/ syslog termios time unistd'

# layers_check TREE: prints the lines that are wrong; exit status 1 if there are any.
layers_check()
{
	(cd "$1" && find client daemon proto -name '*.[ch]' | sort | xargs grep -nH '^[[:space:]]*#[[:space:]]*include' /dev/null) |
	awk -v table="$table" -v pure="$pure" -v world="$world" '
	function fits(name, list,    part, count, i) {
		count = split(list, part, " ")
		for (i = 1; i <= count; i++)
			if (index(name, part[i]) == 1)
				return 1
		return 0
	}
	function is_libc(name, list,    part, count, i) {
		count = split(list, part, " ")
		for (i = 1; i <= count; i++)
			if (name == part[i] ".h" || (part[i] ~ /\/$/ && index(name, part[i]) == 1))
				return 1
		return 0
	}
	BEGIN {
		FS = ":"
		layers = 0
		count = split(table, row, "\n")
		for (i = 1; i <= count; i++) {
			if (split(row[i], column, "|") != 3)
				continue
			layers++
			gsub(/[ \t]/, "", column[1])
			files[layers] = column[1]
			ours[layers] = column[2]
			libraries[layers] = column[3]
		}
	}
	{
		lines++
		for (layer = 1; layer <= layers; layer++)
			if (index($1, files[layer]) == 1)
				break
		if (layer > layers) {
			print $0 "   (no layer is drawn for this file)"
			bad = 1
			next
		}
		name = $3
		gsub(/^[^<"]*[<"]|[>"].*$/, "", name)
		is_ours = $3 ~ /"/
		if (is_ours && fits(name, ours[layer]))
			next
		is_pure_layer = libraries[layer] ~ /^ *-/
		if (!is_ours && (is_libc(name, pure) || (!is_pure_layer && is_libc(name, world)) ||
		                 fits(name, libraries[layer])))
			next
		print $0 "   (" files[layer] " may not include this)"
		bad = 1
	}
	END {
		if (lines == 0) {
			print "no #include line was found"
			bad = 1
		}
		exit bad
	}'
}

# self_test_line FILE INCLUDE WANTED: a tree of that one line must be found good (0) or bad (1).
self_test_line()
{
	mkdir -p "$scratch/client" "$scratch/daemon" "$scratch/proto" "$scratch/$(dirname "$1")"
	echo "#include $2" >"$scratch/$1"
	found=0
	layers_check "$scratch" >/dev/null || found=1
	rm -r "$scratch/client" "$scratch/daemon" "$scratch/proto"
	if [ "$found" != "$3" ]; then
		echo "self-test: $1 with $2 gave $found instead of $3"
		exit 1
	fi
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
self_test_line daemon/engine/a.c '"daemon/value/value.h"' 0
self_test_line daemon/engine/a.c '<string.h>' 0
self_test_line daemon/engine/a.c '<time.h>' 1
self_test_line daemon/engine/a.c '<event2/event.h>' 1
self_test_line daemon/engine/a.c '"daemon/load/load.h"' 1
self_test_line daemon/store/a.c '"daemon/engine/engine.h"' 0
self_test_line daemon/store/a.c '"daemon/engine/coro.h"' 1
self_test_line daemon/run/a.c '"daemon/net/peer.h"' 1
self_test_line daemon/net/a.c '"daemon/run/pool.h"' 0
self_test_line daemon/net/a.c '"daemon/store/writer.h"' 1
self_test_line client/a.c '"daemon/log.h"' 1
self_test_line proto/a.c '<sqlite3.h>' 1
self_test_line daemon/fsck/a.c '"daemon/run/pool.h"' 1
self_test_line daemon/runner/a.c '"daemon/runner/wire.h"' 0
self_test_line daemon/runner/a.c '"daemon/store/store.h"' 1
self_test_line daemon/runner/a.c '<jansson.h>' 1
self_test_line daemon/run/a.c '"daemon/runner/command.h"' 1
self_test_line daemon/blocking/a.c '"daemon/value/value.h"' 0
self_test_line daemon/blocking/a.c '"daemon/engine/engine.h"' 1
self_test_line daemon/new/a.c '<sqlite3.h>' 1

if ! layers_check "$top"; then
	echo "A wall was crossed; the table at the top of tests/check-layers.sh says who may include whom."
	exit 1
fi
