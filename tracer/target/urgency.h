/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While threads of a target are held, the tracing thread goes before all others, where it may
 * (CAP_SYS_NICE or RLIMIT_RTPRIO): on a busy machine it would wait for its turn again and again,
 * and a target of many threads, let go one by one, would keep it from the rest.
 *
 * Called by the tracing thread; nests.  Nothing here fails.
 */
#ifndef MEMTRACE_TARGET_URGENCY_H
#define MEMTRACE_TARGET_URGENCY_H

void urgency_begin(void);
void urgency_end(void);

#endif
