/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at the share, and puts the brake's decisions into practice. */
#include "pauses.h"

#include "attach.h"
#include "base/message.h"

#define WARN_WINDOW_NS 2000000000
#define WARN_PPM 200000
#define NAME_BYTES 80

static double percent(uint32_t ppm)
{
	return (double)ppm / 10000;
}

static double recent_percent(const struct run *run, uint64_t ns)
{
	struct overhead_sums recent;

	(void)overhead_recent(&run->overhead, ns, &recent);
	return percent(overhead_ppm(&recent));
}

/* One for all processes: who has been told of the option knows it. */
static void warn(struct trace *trace, const struct run *run)
{
	struct overhead_sums recent;
	char name[NAME_BYTES];

	if (trace->warned || !run->watching ||
	    !overhead_recent(&run->overhead, WARN_WINDOW_NS, &recent) ||
	    !overhead_is_beyond(&recent, WARN_WINDOW_NS, WARN_PPM))
		return;
	trace->warned = true;
	message_warn("overhead: %s (pid %d) was stopped for %.0f %% of its time in the last 2 s; "
		     "--overhead 10 would keep that to 10 %%, and not watch it all the time",
		     inert(name, sizeof(name), run->facts.name), run->facts.pid,
		     percent(overhead_ppm(&recent)));
}

static void tell_pause(struct trace *trace, const struct run *run, double share)
{
	char name[NAME_BYTES];

	if (trace->warned) {
		message_debug("overhead: pid %d was stopped for %.0f %% of its time: not watched for "
			      "a while", run->facts.pid, share);
		return;
	}
	trace->warned = true;
	message_info("overhead: %s (pid %d) was stopped for %.0f %% of its time: not watched for a "
		     "while, now and whenever it is more than %g %%",
		     inert(name, sizeof(name), run->facts.name), run->facts.pid, share,
		     percent(trace->options->overhead_ppm));
}

static void begin(struct trace *trace, struct run *run)
{
	double share = recent_percent(run, BRAKE_WINDOW_NS);

	(void)attach_pause(trace, run);
	if (!run->watching)
		tell_pause(trace, run, share);
	if (run->unbraked && !run->process->ended)
		message_warn("overhead: pid %d: no further pause is tried", run->facts.pid);
}

static void end(struct trace *trace, struct run *run)
{
	uint64_t paused_ns = run->overhead.last.at_ns - run->brake.began_ns;
	struct overhead_sums sums = overhead_since(&run->overhead, &run->brake.from);

	if (attach_go_on(trace, run))
		message_debug("overhead: pid %d is watched again after %.1f s: %.1f %%",
			      run->facts.pid, (double)paused_ns / 1e9,
			      percent(overhead_ppm(&sums)));
}

void pauses_tick(struct trace *trace, struct run *run)
{
	uint32_t limit_ppm = trace->options->overhead_ppm;

	if (!run->begun || !trace->memleak.on)
		return;
	if (!limit_ppm)
		warn(trace, run);
	else if (run->brake.pausing && brake_is_pause_over(&run->brake, &run->overhead, limit_ppm))
		end(trace, run);
	else if (run->watching && !run->unbraked &&
		 brake_wants_pause(&run->overhead, limit_ppm))
		begin(trace, run);
}
