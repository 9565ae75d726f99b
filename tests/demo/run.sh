#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh MEMTRACE LEAKY: shows memtrace on a program that leaks.
set -eu
memtrace=$1 leaky=$2

echo "1. A service is running and memtrace attaches to it for three seconds: memtrace -p PID -d 3"
echo "   Below: how much was not freed meanwhile, and the line of leaky.c that allocated it."
echo
"$leaky" 60 &
pid=$!
trap 'kill $pid 2>/dev/null || :' EXIT
sleep 0.5
"$memtrace" -p $pid -d 3
if ! kill -0 $pid 2>/dev/null; then
	echo "demo: the service has not survived" >&2
	exit 1
fi
echo
echo "   The service (pid $pid) goes on as if nothing had been."
echo
echo "2. The same program started by memtrace, seen from its first call to its last: memtrace leaky 1"
echo "   Below: all that it allocated and what was left at its exit; line for line the same leak."
echo
"$memtrace" -- "$leaky" 1
