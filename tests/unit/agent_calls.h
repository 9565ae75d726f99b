/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls under the agent, run in this process: its stubs around functions of ours that do what
 * the test at hand wants an allocator to do, and the events that they are recorded as.
 */
#ifndef MEMTRACE_TESTS_AGENT_CALLS_H
#define MEMTRACE_TESTS_AGENT_CALLS_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tracer/probe/allocators.h"
#include "agent_fixture.h"

/* No program uses all of it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"

#define NOINLINE __attribute__((noinline, noclone))

_Static_assert((int)AGENT_CALL_ALLOC == CALL_ALLOC, "");
_Static_assert((int)AGENT_CALL_ALLOC_ARRAY == CALL_ALLOC_ARRAY, "");
_Static_assert((int)AGENT_CALL_ALLOC_INTO == CALL_ALLOC_INTO, "");
_Static_assert((int)AGENT_CALL_RESIZE == CALL_RESIZE, "");
_Static_assert((int)AGENT_CALL_RESIZE_ARRAY == CALL_RESIZE_ARRAY, "");
_Static_assert((int)AGENT_CALL_FREE == CALL_FREE, "");

#define DEAD_BLOCK 0x7f1234560010ull
#define MAX_SEEN 4096

struct seen {
	enum agent_kind kind;
	uint32_t function, thread, node;
	taddr_t address;
	uint64_t size, time_ns;
};

static struct seen seen[MAX_SEEN];
static uint32_t nr_seen;
static uint32_t nr_inside;		/* what nested calls free, left out of seen */
static uint32_t nr_new_inside;		/* what they return, likewise */
static uint32_t nr_blind;		/* ... of which is not known where */

/* One pass over the rings: the events of each come in its order. */
static void drain(void)
{
	struct agent_shared *shared = agent_state.shared;

	nr_seen = nr_inside = nr_new_inside = nr_blind = 0;
	for (unsigned i = 0; i < AGENT_RINGS; i++) {
		struct agent_ring *ring = &shared->rings[i];

		for (; ring->taken < ring->claimed; ring->taken++) {
			const struct agent_record *record =
				&shared->records[i][ring->taken % AGENT_RING_RECORDS];

			assert_int_equal(record->lap_address >> 48, agent_lap(ring->taken));
			assert_true(nr_seen < MAX_SEEN);
			seen[nr_seen++] = (struct seen){
				.kind = record->kind_size >> 48 & 15,
				.function = (uint32_t)(record->kind_size >> 52),
				.thread = (uint32_t)(record->thread_stack >> 32),
				.node = (uint32_t)record->thread_stack,
				.address = record->lap_address & AGENT_ADDRESS_MASK,
				.size = record->kind_size & ((1ull << 48) - 1),
				.time_ns = record->time_ns,
			};
			if (seen[nr_seen - 1].address)
				assert_int_equal(agent_state.callers ? 0 :
						 agent_ring_of(seen[nr_seen - 1].address), i);
			if (seen[nr_seen - 1].kind == AGENT_FREE_INSIDE ||
			    seen[nr_seen - 1].kind == AGENT_ALLOC_INSIDE) {
				nr_inside += seen[nr_seen - 1].kind == AGENT_FREE_INSIDE;
				nr_blind += !seen[nr_seen - 1].address;
				nr_new_inside += seen[nr_seen - 1].kind == AGENT_ALLOC_INSIDE;
				nr_seen--;
			}
		}
	}
}

static void check_seen(uint32_t i, enum agent_kind kind, taddr_t address, uint64_t size)
{
	assert_true(i < nr_seen);
	assert_int_equal(seen[i].kind, kind);
	assert_int_equal(seen[i].address, address);
	if (kind == AGENT_ALLOC)
		assert_int_equal(seen[i].size, size);
}

/* Kinds of what was seen, as letters, in order. */
static const char *kinds_seen(void)
{
	static const char letters[] = "-AF-BDXN";
	static char text[MAX_SEEN + 1];

	drain();
	for (uint32_t i = 0; i < nr_seen; i++)
		text[i] = letters[seen[i].kind];
	text[nr_seen] = 0;
	return text;
}

static struct agent_thread *own_thread(void)
{
	uint64_t key;

	__asm__("mov %%fs:0, %0" : "=r"(key));
	for (unsigned i = 0; i < AGENT_THREAD_PROBES; i++)
		if (agent_state.threads[agent_thread_place(key, i)].key == key)
			return &agent_state.threads[agent_thread_place(key, i)];
	return NULL;
}
#define RING agent_ring_of(DEAD_BLOCK)

static uint64_t result;			/* what the next call gives */
static void (*inside)(void);		/* done within the next call, once */

NOINLINE static uint64_t real(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	void (*body)(void) = inside;
	uint64_t value = result;

	inside = NULL;
	if (body)
		body();
	return value;
}

NOINLINE static uint64_t real_into(uint64_t pointer, uint64_t b, uint64_t c, uint64_t d)
{
	*(uint64_t *)(uintptr_t)pointer = DEAD_BLOCK;
	return result;
}

enum { MALLOC = 1, CALLOC, INTO, REALLOC, REALLOCARRAY, FREE, FREE_NESTS, OTHER, NR_STUBS };

static fixture_function *stubs[NR_STUBS];

static const struct fixture_kind kinds[NR_STUBS] = {
	[MALLOC] = { .call = AGENT_CALL_ALLOC },
	[CALLOC] = { .call = AGENT_CALL_ALLOC_ARRAY, .size_argument = 1 },
	[INTO] = { .call = AGENT_CALL_ALLOC_INTO, .size_argument = 2 },
	[REALLOC] = { .call = AGENT_CALL_RESIZE, .size_argument = 1, .may_nest = 1 },
	[REALLOCARRAY] = { .call = AGENT_CALL_RESIZE_ARRAY, .size_argument = 2 },
	[FREE] = { .call = AGENT_CALL_FREE, .is_jump = true },
	[FREE_NESTS] = { .call = AGENT_CALL_FREE, .may_nest = 1 },
	[OTHER] = { .call = AGENT_CALL_ALLOC, .may_nest = 1 },
};

static void reset_threads(void)
{
	for (unsigned i = 0; i < AGENT_THREADS; i++)
		agent_state.threads[i].key = 0;
}

static int setup(void **state)
{
	agent_state.enabled = 1;
	agent_state.depth = 64;
	agent_state.sample_bytes = 0;
	agent_state.shared->stalled_ns = 0;
	agent_state.shared->dropped = 0;
	agent_state.shared->unread = 0;
	inside = NULL;
	result = DEAD_BLOCK;
	reset_threads();
	drain();
	return 0;
}

static uint64_t real_identity(uint64_t size, uint64_t address, uint64_t c, uint64_t d)
{
	return address;
}

static void call_malloc(void)
{
	stubs[MALLOC](5, 0, 0, 0);
}

static void call_many(void)
{
	stubs[MALLOC](5, 0, 0, 0);
	stubs[FREE](DEAD_BLOCK, 0, 0, 0);
	stubs[REALLOC](DEAD_BLOCK, 5, 0, 0);
	stubs[FREE_NESTS](DEAD_BLOCK, 0, 0, 0);
}

static void call_other(void)
{
	inside = call_many;
	stubs[OTHER](6, 0, 0, 0);
}

static void (*in_handler)(void);

static void handle(int signal)
{
	in_handler();
}

static void install(void (*body)(void), bool own_stack)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = own_stack ? SA_ONSTACK : 0 };

	in_handler = body;
	sigaction(SIGUSR1, &action, NULL);
}

static uint64_t random_state = 88172645463325252ull;

static uint32_t next_random(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % below;
}

/* Of the group of tests. */

static int calls_start(void **state)
{
	fixture_start();
	for (uint32_t i = MALLOC; i < NR_STUBS; i++)
		stubs[i] = fixture_stub(&kinds[i], i, i == INTO ? (void *)real_into : (void *)real);
	return 0;
}

static int calls_stop(void **state)
{
	fixture_stop();
	return 0;
}

#pragma GCC diagnostic pop

#define TEST(name) cmocka_unit_test_setup(name, setup)

#endif
