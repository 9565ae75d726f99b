/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stop at a breakpoint means: a call begins, a call ends.  Between probe.c, which
 * knows what is patched, and calls.c, which knows what a thread has under way.  One thread.
 */
#ifndef MEMTRACE_PROBE_TRAP_H
#define MEMTRACE_PROBE_TRAP_H

#include "probe.h"

void trap_entry(struct probe *probe, struct thread *thread, const arch_regs *regs,
		uint32_t function, uint64_t now_ns);
/* slot: where the return address of the call lies, if this is the end of one. */
void trap_return(struct probe *probe, struct thread *thread, const arch_regs *regs,
		 taddr_t slot, uint64_t now_ns);
/* The thread will hit this entry once more before it runs the function. */
void trap_entry_again(struct probe *probe, struct thread *thread, const arch_regs *regs,
		      uint32_t function);

/* Whether the end of a call is to be seen, too: of an allocation, and of a free whose own calls the
 * agent would tell of. */
bool trap_wants_end(const struct probe *probe, const struct function *function);

#endif
