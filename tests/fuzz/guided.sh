#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# guided.sh FOLDER SECONDS BASE...: both ends of the socket under libFuzzer, at the same time, then
# reports for a quarter of that time.
# What reads files may crash in its libraries, and is counted; what the tracer runs may not.
set -eu

folder=$1 seconds=$2 limits="-timeout=30 -rss_limit_mb=4096 -print_final_stats=1 -max_total_time=$2"
shift 2

for end in client server; do
	mkdir -p "$folder/corpus_$end" "$folder/found_$end"
done
for base; do		# two requests, and the file
	case $base in
	*/cpp) ;;	# too long to try much
	*) { printf '\006\001\004\000\000\000\000'; cat "$base"; } >"$folder/corpus_server/${base##*/}" ;;
	esac
done

"$folder/guided_client" $limits -max_len=8192 -artifact_prefix="$folder/found_client/" \
	"$folder/corpus_client" >"$folder/client.log" 2>&1 &
client=$!
ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0 "$folder/guided_server" $limits \
	-max_len=65536 -fork=1 -ignore_crashes=1 -ignore_timeouts=1 -ignore_ooms=1 \
	-artifact_prefix="$folder/found_server/" "$folder/corpus_server" >"$folder/server.log" 2>&1 ||
	echo "the fuzzer of the server ended with $?; see $folder/server.log"
grep '^#' "$folder/server.log" | tail -n 1
ls "$folder/found_server" | sed 's/-.*//' | sort | uniq -c
wait $client || { tail -n 40 "$folder/client.log"; exit 1; }
grep stat:: "$folder/client.log"

mkdir -p "$folder/corpus_report" "$folder/found_report"
cp "$folder/report/sampled" "$folder/corpus_report/"	# the others are longer than what is tried
"$folder/guided_report" -timeout=30 -rss_limit_mb=4096 -max_total_time=$((seconds / 4 + 1)) \
	-max_len=65536 -print_final_stats=1 -artifact_prefix="$folder/found_report/" \
	"$folder/corpus_report" >"$folder/report.log" 2>&1 || { tail -n 40 "$folder/report.log"; exit 1; }
grep stat:: "$folder/report.log"
