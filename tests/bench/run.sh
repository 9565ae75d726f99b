#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh MEMTRACE FOLDER: measures, never judges.  All figures are medians of three of one run;
# compare ratios, since times drift from hour to hour.  The engine jump, and what it must reach,
# is measured by engines.py; servers under load by servers.py and postgres.py.
set -eu
memtrace=$1 bench=$2
files=$(mktemp -d)
json=$files/json
trap 'rm -rf "$files"' EXIT

median() {	# of three runs of a command that prints one number
	for _ in 1 2 3; do "$@"; done | sort -n | sed -n 2p
}

divided() { awk "BEGIN { printf \"%.${3-2}f\", $1 / $2 }"; }

row() {		# name, ns a pair
	printf '%-34s %12.0f ns %10.1f x\n' "$1" "$2" "$(divided "$2" "$native")"
}

breakpoints=
if "$memtrace" --help | grep -q -e --engine; then
	breakpoints="--engine break"
fi

traced() {	# ns a pair under memtrace, N pairs
	"$memtrace" -q $breakpoints --format "json:$json" -- "$bench/pairs" "$1"
}

per_stop() {	# what memtrace adds to the program, divided by its stops
	pair=$(traced "$1")
	stops=$(sed -n 's/.*"stops": *\([0-9]*\).*/\1/p' "$json" | head -n 1)
	awk "BEGIN { printf \"%.1f\\n\", ($pair - $native) * $1 / $stops }"
}

under_heaptrack() {
	heaptrack -o "$files/heaptrack" "$bench/pairs" "$1" 2>&1 | grep -E '^[0-9]+\.[0-9]$'
}

under_valgrind() {
	valgrind -q --leak-check=full "$bench/pairs" "$1" 2>/dev/null
}

under_ltrace() {
	ltrace -e malloc+free -o /dev/null "$bench/pairs" "$1" 2>/dev/null | grep -E '^[0-9]+\.[0-9]$'
}

compare() {	# program, name, pairs
	if command -v "$1" >/dev/null; then
		row "$2" "$(median "under_$1" "$3")"
	else
		printf '%-34s not installed (make bench-deps)\n' "$2"
	fi
}

native=$(median "$bench/pairs" 3000000)
echo "One pair of malloc and free, 16 calls deep:"
row native "$native"
row "memtrace, engine break" "$(median traced 20000)"
compare heaptrack heaptrack 1000000
compare valgrind "valgrind --leak-check=full" 300000
compare ltrace "ltrace -e malloc+free" 5000

floor=$(median "$bench/ptrace_floor" 30000)
stop=$(median per_stop 20000)
echo
echo "One stop at a breakpoint:"
printf '%-34s %12.0f ns\n' "bare ptrace loop on one core" "$floor"
printf '%-34s %12.0f ns %10.2f x (to be at most 1.50)\n' "memtrace, not pinned" "$stop" \
	"$(divided "$stop" "$floor")"

echo
/usr/bin/python3 "$(dirname "$0")/engines.py" "$memtrace" "$bench"

if [ -x "$bench/ledger_bench" ]; then
	echo
	"$bench/ledger_bench"
fi

unwound() {	# name, command...: how often rules and libunwind agree on its stacks
	name=$1
	shift
	printf '%-12s %s\n' "$name" "$("$bench/unwind_compare" "$@" 2>/dev/null | tail -n 1)"
}

if [ -x "$bench/unwind_compare" ]; then
	echo
	echo "Stacks by the rules against libunwind:"
	unwound pairs "$bench/pairs" 1000
	PYTHONMALLOC=malloc unwound python3 /usr/bin/python3 -S -c 'import json; json.dumps([1] * 99)'
	if command -v sqlite3 >/dev/null; then
		unwound sqlite3 sqlite3 :memory: 'create table t(a); insert into t values(1);
			select count(*) from t a, t b group by a.a;'
	fi
	if cc1plus=$(g++ -print-prog-name=cc1plus 2>/dev/null); then
		echo 'template <class T> T twice(T x) { return x + x; } int f() { return twice(2); }' \
			>"$files/source.cc"
		unwound cc1plus "$cc1plus" -quiet -O1 "$files/source.cc" -o "$files/source.s"
	fi
fi

echo
/usr/bin/python3 "$(dirname "$0")/servers.py" "$memtrace"

echo
/usr/bin/python3 "$(dirname "$0")/postgres.py" "$memtrace"
