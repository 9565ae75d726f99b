/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of the engine, the unwinder and the map, one line each. */
#include "stats.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "base/message.h"

static double per(uint64_t sum, uint64_t nr)
{
	return nr ? (double)sum / (double)nr : 0;
}

static void print_run(const struct run *run)
{
	const struct standstill_switch *usual = &run->overhead.last.usual;
	const struct overhead_sums *sums = &run->overhead.sums;
	const struct probe_stats *stats = &run->past;

	message_answer("pid %d: stops: %" PRIu64 ", each handled in %.1f us", run->facts.pid,
		       stats->stops, per(stats->handling_ns, stats->stops) / 1000);
	message_answer("pid %d: stopped for %.3f s, ran for %.3f s: %.1f %%; a stop switches in "
		       "%.1f us, of them %.1f us its own", run->facts.pid,
		       (double)sums->stopped_ns / 1e9, (double)sums->ran_ns / 1e9,
		       overhead_ppm(sums) / 1e4, (double)usual->took_ns / 1e3,
		       (double)usual->cpu_ns / 1e3);
	message_answer("pid %d: stacks: %" PRIu64 " of %.1f frames; %" PRIu64
		       " by libunwind for want of a rule, %" PRIu64 " not to the outermost frame",
		       run->facts.pid, stats->walks, per(stats->frames, stats->walks),
		       stats->complex_walks, stats->lost_walks);
	message_answer("pid %d: map: %zu KiB for %" PRIu64 " blocks; %u places, %u stacks", run->facts.pid,
		         ledger_bytes(&run->heaps[0].ledger) / 1024, run->heaps[0].ledger.nr_live,
		       sites_count(run->heaps[0].sites), stacks_count(run->heaps[0].stacks));
}

void stats_print(const struct trace *trace)
{
	struct rusage usage;

	for (size_t i = 0; i < trace->runs.nr; i++)
		print_run(trace->runs.items[i]);
	if (getrusage(RUSAGE_SELF, &usage))
		return;
	message_answer("cost: %ld.%03ld s user, %ld.%03ld s system, %ld KiB at most",
		       usage.ru_utime.tv_sec, usage.ru_utime.tv_usec / 1000, usage.ru_stime.tv_sec,
		       usage.ru_stime.tv_usec / 1000, usage.ru_maxrss);
}
