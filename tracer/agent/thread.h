/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calling thread's place in agent_state.threads, known by its fs base, which costs no
 * system call; and the memory of its stack that may be read.
 *
 * The tracer frees a place at any time, also under a thread that uses it: then two threads may
 * use it for a moment.  So numbers in it are clamped wherever they lead to memory.
 */
#ifndef MEMTRACE_AGENT_THREAD_H
#define MEMTRACE_AGENT_THREAD_H

#include "state.h"

/* Words at low <= address <= high - 8 may be read. */
struct agent_bounds {
	taddr_t low, high;
};

static inline uint64_t agent_thread_key(void)
{
	uint64_t key;

	if (AGENT_LIKELY(agent_state.has_fsbase))
		__asm__ volatile("rdfsbase %0" : "=r"(key));
	else	/* System V ABI: the thread pointer's first word is its own address */
		__asm__ volatile("mov %%fs:0, %0" : "=r"(key));
	return key;
}

/* Where it is not at its first place; NULL: there is no room. */
struct agent_thread *agent_thread_search(uint64_t key);

static inline struct agent_thread *agent_thread_get(void)
{
	uint64_t key = agent_thread_key();
	struct agent_thread *first = &agent_state.threads[agent_thread_place(key, 0)];

	return AGENT_LIKELY(first->key == key && key) ? first : agent_thread_search(key);
}

/* As records have it. */
static inline uint64_t agent_thread_number(const struct agent_thread *thread)
{
	return thread ? (uint64_t)(thread - agent_state.threads) : AGENT_THREADS;
}

/* What may be read from sp up; thread may be NULL.  False: the stack is not known, and it is
 * only the rest of the page that holds sp. */
bool agent_bounds_slow(struct agent_thread *thread, taddr_t sp, struct agent_bounds *bounds);

static inline bool agent_bounds_at(struct agent_thread *thread, taddr_t sp,
				   struct agent_bounds *bounds)
{
	if (AGENT_UNLIKELY(!thread || sp < thread->low || sp >= thread->high))
		return agent_bounds_slow(thread, sp, bounds);
	*bounds = (struct agent_bounds){ .low = sp, .high = thread->high };
	return true;
}

static inline bool agent_bounds_hold(const struct agent_bounds *bounds, taddr_t address)
{
	return address >= bounds->low && address <= bounds->high - sizeof(taddr_t);
}

static inline taddr_t agent_word(taddr_t address)
{
	return *(const volatile taddr_t *)(uintptr_t)address;
}

#endif
