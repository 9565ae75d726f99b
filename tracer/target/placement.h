/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On which processor the tracer runs.  A stop costs two switches; when tracer and target are
 * on different processors each of them wakes an idle one, which makes a stop four to five
 * times dearer.  Neither pinning the tracer nor pinning both will do: the kernel moves the
 * target to an idle processor when it is woken, and a target's affinity is not ours to touch.
 *
 * What does: the kernel counts a processor that runs nothing but SCHED_IDLE tasks as idle
 * (sched_idle_cpu() in kernel/sched/fair.c, since 5.4).  So while one thread makes stop after
 * stop, the tracer follows it to its processor and runs there as SCHED_IDLE: the target,
 * woken, finds its own processor "idle", stays, and takes it from the tracer at once.
 *
 * Were that processor busy with something else, the tracer would starve, and the target with
 * it.  So a watchdog thread puts everything back as soon as 4 ms pass without a stop.
 *
 * Called by the tracing thread.  Nothing here fails: without the right to come back from
 * SCHED_IDLE (CAP_SYS_NICE or RLIMIT_NICE) it simply does nothing.
 */
#ifndef MEMTRACE_TARGET_PLACEMENT_H
#define MEMTRACE_TARGET_PLACEMENT_H

#include <sys/types.h>

struct placement;

/* NULL where it cannot be had; the other two take that. */
struct placement *placement_start(void);
void placement_stop(struct placement *placement);

/* A stop of this thread has been handled; call before letting it go on. */
void placement_note(struct placement *placement, pid_t pid, pid_t tid);

#endif
