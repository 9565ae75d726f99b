/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the stubs call (entry.S), and the stubs' templates.  In the target only offsets into
 * the blob are known of these; unit tests link them by name and define agent_state themselves.
 *
 * regs: the registers at the function's first instruction, the return address of the call
 * behind them.  fp: rbp.  Any thread; nothing fails.
 */
#ifndef MEMTRACE_AGENT_HOOKS_H
#define MEMTRACE_AGENT_HOOKS_H

#include "agent.h"

#define AGENT_HOOK __attribute__((visibility("hidden")))

/* enum allocator_call of the probe, which lies above. */
enum agent_function_call {
	AGENT_CALL_ALLOC,
	AGENT_CALL_ALLOC_ARRAY,
	AGENT_CALL_ALLOC_INTO,
	AGENT_CALL_RESIZE,
	AGENT_CALL_RESIZE_ARRAY,
	AGENT_CALL_FREE,
};

/* 1: agent_after() is to be called when the real function has returned. */
AGENT_HOOK uint32_t agent_before(const struct agent_registers *regs,
				 const struct agent_function *function, uint64_t fp);

/* result: what the real function left in rax. */
AGENT_HOOK void agent_after(const struct agent_registers *regs,
			    const struct agent_function *function, uint64_t fp, uint64_t result);

/* For _dl_debug_state: returns 0 when the tracer has seen the new modules, or is gone. */
AGENT_HOOK uint32_t agent_loader(const struct agent_registers *regs,
				 const struct agent_function *function, uint64_t fp);

AGENT_HOOK extern const uint8_t agent_call[], agent_call_return[], agent_call_end[];
AGENT_HOOK extern const uint8_t agent_jump[], agent_jump_end[];

#endif
