/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one variable that the agent has, and how it touches what others write at the same time.
 * Every file of the agent includes this first.
 *
 * All of the agent runs in any thread of the target, also in signal handlers that interrupted
 * the agent itself; a handler may leave by longjmp.  So a word that a handler may use is
 * written in an order that makes sense at every instruction: agent_order() keeps it.
 */
#ifndef MEMTRACE_AGENT_STATE_H
#define MEMTRACE_AGENT_STATE_H

#include "agent.h"

extern struct agent_state agent_state __attribute__((visibility("hidden")));

#define AGENT_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define AGENT_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#define agent_load(place) __atomic_load_n(place, __ATOMIC_ACQUIRE)
#define agent_store(place, value) __atomic_store_n(place, value, __ATOMIC_RELEASE)
#define agent_add(place, value) __atomic_fetch_add(place, value, __ATOMIC_RELAXED)

/* *place from `from` to `to`; false if it was something else. */
#define agent_swap(place, from, to) \
	__extension__({ __typeof__(*(place)) swap_from = (from); \
		__atomic_compare_exchange_n(place, &swap_from, to, false, __ATOMIC_ACQ_REL, \
					    __ATOMIC_ACQUIRE); })

/* Between what this thread and a handler of its own see. */
static inline void agent_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline uint64_t agent_cycles(void)
{
	return __builtin_ia32_rdtsc();
}

/* One turn of a loop that waits; *last: agent_cycles() of the last one.  Returns what it took, but
 * 0 where somebody else has had the processor: no turn takes 16 us. */
static inline uint64_t agent_turn(uint64_t *last)
{
	uint64_t before = *last;

	__builtin_ia32_pause();
	*last = agent_cycles();
	return *last - before < agent_state.wait_cycles / 64 ? *last - before : 0;
}

static inline void agent_note_wait(uint64_t cycles)
{
	agent_add(&agent_state.shared->waited_cycles, cycles);
}

static inline void agent_drop(void)
{
	agent_add(&agent_state.shared->dropped, 1);
}

/* The tracer has left a wait in vain, and given no sign of life since. */
static inline bool agent_is_forsaken(void)
{
	const struct agent_shared *shared = agent_state.shared;

	return __atomic_load_n(&shared->stalled_ns, __ATOMIC_RELAXED) ==
	       __atomic_load_n(&shared->now_ns, __ATOMIC_RELAXED);
}

#endif
