/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When memtrace itself crashes (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT), in any of its threads:
 * in the handler, with system calls alone, the breakpoints go out of the targets and their threads
 * are let go as if the breakpoints had not been there.  Then the signal ends memtrace.
 *
 * The agent of the jump engine stays mapped, as after a SIGKILL: threads may be in it.  Nobody
 * enters it any more; the next memtrace takes it out.  Records may be in the middle of a change
 * when the signal comes: then a thread may be overlooked.
 */
#ifndef MEMTRACE_TARGET_RESCUE_H
#define MEMTRACE_TARGET_RESCUE_H

#include "process.h"

/* Where a thread that stands in code of ours in place of its own would stand; 0: it does not.
 * Async-signal-safe. */
typedef taddr_t rescue_original_pc(const struct process *process, taddr_t pc);

/* From now on; the calling thread is the one that traces. */
void rescue_prepare(struct targets *targets, rescue_original_pc *original);
/* Before the targets go. */
void rescue_forgo(void);

/* In a child, before exec: the signals' handling as it was. */
void rescue_restore_signals(void);

#endif
