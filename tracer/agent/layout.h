/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that entry.S needs of agent.h, which it cannot include; hooks.c compares them. */
#ifndef MEMTRACE_AGENT_LAYOUT_H
#define MEMTRACE_AGENT_LAYOUT_H

/* struct agent_literals: its words, and where some lie. */
#define AGENT_LITERALS 8
#define AGENT_LITERAL_TABLE 48
#define AGENT_LITERAL_LEAN 56

/* agent_literals.lean */
#define AGENT_LEAN_NOT 0
#define AGENT_LEAN_ALLOC 1	/* the size is the first argument */
#define AGENT_LEAN_ARRAY 2	/* it is the product of the first two */
#define AGENT_LEAN_RESIZE 3	/* it is the second argument, the block the first */
#define AGENT_LEAN_FREE 4	/* the pointer is the first argument */
#define AGENT_LEAN_HIDES 0x100	/* and what the call makes must not count */

#define AGENT_GOLDEN 0x9e3779b97f4a7c15
#define AGENT_THREADS_SHIFT 40
#define AGENT_THREADS_MASK 2047
#define AGENT_THREAD_BYTES 45056
#define AGENT_THREAD_KEY 21824
#define AGENT_THREAD_NR_CALLS 21852
#define AGENT_THREAD_SAMPLE_LEFT 21872
#define AGENT_THREAD_CALLS 21880
#define AGENT_CALLS_MAX 8
#define AGENT_NEAR_TO_THREADS 1060800
#define AGENT_LINES_SHIFT 32
#define AGENT_LINES_MASK 8191

#endif
