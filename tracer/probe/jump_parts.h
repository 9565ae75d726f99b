/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the jump engine share among themselves. */
#ifndef MEMTRACE_PROBE_JUMP_PARTS_H
#define MEMTRACE_PROBE_JUMP_PARTS_H

#include "jump.h"

/* jump_events.c: before the agent is injected; again where that has failed. */
int jump_start_rings(struct jump *jump);

/* jump_events.c: the thread with this fs base is about to be another one, or is gone. */
void jump_forget_tid(struct jump *jump, uint64_t fs_base);

/* jump_leave.c: for evacuate(), with the jump as owner: code of the engine in the target, and
 * whether a thread will return there. */
bool jump_concerns(void *owner, taddr_t pc);
bool jump_returns(void *owner, const struct thread *thread, const arch_regs *regs,
		  bool is_framed);

#endif
