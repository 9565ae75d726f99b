/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places of threads, claimed at a thread's first event. */
#include "thread.h"

static const struct agent_stack *find_stack(uint64_t key)
{
	const struct agent_stack *stacks = agent_state.shared->stacks;

	for (unsigned i = 0; key && i < AGENT_THREAD_PROBES; i++)
		if (agent_load(&stacks[agent_thread_place(key, i)].key) == key)
			return &stacks[agent_thread_place(key, i)];
	return NULL;
}

/* The stack that the tracer knows the thread to have; its key is read again, since it is
 * written first and last. */
static void learn_stack(struct agent_thread *thread)
{
	uint64_t key = agent_load(&thread->key);
	const struct agent_stack *stack = find_stack(key);
	taddr_t low, high;

	if (!stack)
		return;
	low = agent_load(&stack->low);
	high = agent_load(&stack->high);
	if (agent_load(&stack->key) != key)
		return;
	thread->high = 0;
	agent_order();
	thread->low = low;
	agent_order();
	thread->high = high;
}

static int64_t random_gap(struct agent_thread *thread)
{
	return agent_state.gaps[thread->random >> 32 & (AGENT_GAPS - 1)];
}

/* Without the time-stamp counter, which a thread may be forbidden to read: PR_SET_TSC, and seccomp's
 * strict mode.  What the last owner left makes each start another one. */
static uint64_t seed(const struct agent_thread *thread, uint64_t key)
{
	uint64_t now_ns = agent_load(&agent_state.shared->now_ns);

	return ((thread->random ^ key ^ now_ns) * 0x9e3779b97f4a7c15ull) | 1;
}

/* What the last owner left. */
static void start(struct agent_thread *thread, uint64_t key)
{
	thread->high = 0;
	thread->nr_calls = 0;
	thread->nr_frames = 0;
	thread->level = 0;
	thread->random = seed(thread, key);
	thread->sample_left = random_gap(thread);
	learn_stack(thread);
}

struct agent_thread *agent_thread_search(uint64_t key)
{
	struct agent_thread *threads = agent_state.threads;

	/* A free place may lie before the one that it has. */
	for (unsigned i = 0; key && i < AGENT_THREAD_PROBES; i++)
		if (threads[agent_thread_place(key, i)].key == key)
			return &threads[agent_thread_place(key, i)];
	for (unsigned i = 0; key && i < AGENT_THREAD_PROBES; i++) {
		struct agent_thread *thread = &threads[agent_thread_place(key, i)];

		if (agent_swap(&thread->key, 0, key)) {
			start(thread, key);
			return thread;
		}
		/* A handler was faster. */
		if (thread->key == key)
			return thread;
	}
	return NULL;
}

static bool is_between(taddr_t low, taddr_t address, taddr_t high)
{
	return low <= address && address < high;
}

bool agent_bounds_slow(struct agent_thread *thread, taddr_t sp, struct agent_bounds *bounds)
{
	*bounds = (struct agent_bounds){ .low = sp, .high = agent_state.main_high };
	if (is_between(agent_state.main_low, sp, agent_state.main_high))
		return true;
	if (thread && !thread->high)
		learn_stack(thread);
	if (thread && is_between(thread->low, sp, thread->high)) {
		bounds->high = thread->high;
		return true;
	}
	bounds->high = (sp | (AGENT_PAGE - 1)) + 1;
	return false;
}
