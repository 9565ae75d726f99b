/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See rings.h.  A record is copied out of the shared memory word by word, once, before it is
 * looked at.
 *
 * The stack of a record is built and hashed the first time that its node comes with a function.
 * The heap leaves the site in that pair's cell, and the next time the cell is all it needs.  As
 * a node is called from one place, it has one function nearly always: its cell is at the node's
 * own number.  Pairs without a place get no stack; that is the bound on what a target that keeps
 * changing its nodes can make us store.
 */
#include "rings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/hash.h"

#define AHEAD 8
#define HOLE_NS UINT64_C(1000000000)
#define CELL_PROBES 8
#define SIZE_MASK ((UINT64_C(1) << 48) - 1)

struct rings_cell {
	uint32_t node;		/* 0: a free cell */
	uint32_t site;		/* plus one; 0: not known yet */
	uint16_t function;
	bool truncated;
};

static void free_own(struct rings *rings);

#define FOR_EACH_RING(i, rings) \
	for (unsigned i = (rings)->options.lane; i < AGENT_RINGS; i += (rings)->options.nr_lanes)

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

int rings_init(struct rings *rings, struct agent_shared *shared,
	       const struct rings_options *options)
{
	struct rings_cell *cells = calloc(AGENT_NODE_PLACES, sizeof(*cells));

	if (!cells)
		return -ENOMEM;
	*rings = (struct rings){ .shared = shared, .options = *options, .cells = cells };
	if (rings->options.depth > RINGS_DEPTH_MAX)
		rings->options.depth = RINGS_DEPTH_MAX;
	if (!rings->options.nr_lanes)
		rings->options.nr_lanes = 1;
	return 0;
}

void rings_deinit(struct rings *rings)
{
	free_own(rings);
	free(rings->cells);
	rings->cells = NULL;
}

static uint64_t now_ns(const struct rings *rings)
{
	return clock_ns() - rings->options.epoch_ns;
}

/* Several lanes do so. */
void rings_beat(const struct rings *rings)
{
	uint64_t now = now_ns(rings);

	if (now > LOAD(rings->shared->now_ns))
		__atomic_store_n(&rings->shared->now_ns, now, __ATOMIC_RELAXED);
	else if (!LOAD(rings->shared->now_ns))
		__atomic_store_n(&rings->shared->now_ns, 1, __ATOMIC_RELAXED);
}

/* The target's threads are numbered by the agent; within a call only that they differ matters. */
static pid_t tid_of(uint32_t thread)
{
	return (pid_t)(thread < AGENT_THREADS ? thread : AGENT_THREADS) + 1;
}

/* NULL: no place for one more pair. */
static struct rings_cell *find_cell(struct rings *rings, uint32_t node, uint16_t function)
{
	uint64_t place = node;

	for (unsigned i = 0; i < CELL_PROBES; i++) {
		struct rings_cell *cell = &rings->cells[place & (AGENT_NODE_PLACES - 1)];

		if (!cell->node)
			*cell = (struct rings_cell){ .node = node, .function = function };
		if (cell->node == node && cell->function == function)
			return cell;
		place = hash_combine(place, (uint64_t)node << 12 | function);
	}
	return NULL;
}

/* The frames from a node up to its root; true if there are more. */
static bool read_frames(struct rings *rings, uint32_t node, uint32_t depth, uint32_t *nr_frames)
{
	const struct agent_node *nodes = rings->shared->nodes;
	uint32_t nr;

	for (nr = 0; nr < depth; nr++) {
		if (node < AGENT_FIRST_NODE || node >= AGENT_NODES)
			break;
		rings->frames[nr] = LOAD(nodes[node].frame);
		node = LOAD(nodes[node].parent);
	}
	*nr_frames = nr;
	return node != AGENT_ROOT;
}

static void add_stack(struct rings *rings, uint32_t node, struct event *event)
{
	bool has_frames = node >= AGENT_FIRST_NODE && node < AGENT_NODES;
	struct rings_cell *cell = NULL;

	event->stack = rings->frames;
	event->truncated = node != AGENT_ROOT;
	if (has_frames)
		cell = find_cell(rings, node, (uint16_t)event->function);
	if (!cell) {
		rings->stats.stackless += has_frames;
		return;
	}
	if (!cell->site)
		cell->truncated = read_frames(rings, node, rings->options.depth,
					      &event->nr_frames);
	event->truncated = cell->truncated;
	event->site = &cell->site;
}

static void add_frames(struct rings *rings, uint32_t node, uint32_t depth, struct event *event)
{
	event->stack = rings->frames;
	event->truncated = read_frames(rings, node, depth, &event->nr_frames);
}

/* The few innermost frames, where the agent tells of callers. */
static void add_callers(struct rings *rings, uint32_t node, struct event *event)
{
	if (rings->options.callers && node != AGENT_ROOT)
		add_frames(rings, node, RINGS_CALLERS, event);
}

/* A log wants the frames each time; so does who looks whether a call is the allocator's own. */
static void add_freer(struct rings *rings, uint32_t node, struct event *event)
{
	if (event->from_own || (rings->options.callers && rings->options.free_stacks))
		add_frames(rings, node, rings->options.depth, event);
	else if (rings->options.callers)
		add_callers(rings, node, event);
	else if (node != AGENT_ROOT)
		add_stack(rings, node, event);
}

static const enum event_kind kinds[] = {
	[AGENT_ALLOC] = EVENT_ALLOC,
	[AGENT_FREE] = EVENT_FREE,
	[AGENT_FREE_INSIDE] = EVENT_FREE_INSIDE,
	[AGENT_RESIZE_BEGIN] = EVENT_RESIZE_BEGIN,
	[AGENT_RESIZE_DONE] = EVENT_RESIZE_END, /* the new block has an ALLOC of its own */
	[AGENT_RESIZE_FAILED] = EVENT_RESIZE_END,
	[AGENT_FAILED] = EVENT_FAILED,
	[AGENT_ALLOC_INSIDE] = EVENT_ALLOC_INSIDE,
};

static void set_origin(struct event *event)
{
	event->caller = event->size & (AGENT_FROM_OWN - 1);
	event->from_own = event->size & AGENT_FROM_OWN;
	event->size = 0;
}

/* False: no agent writes that. */
static bool set_kind(struct event *event, unsigned kind, taddr_t address)
{
	if (kind < AGENT_ALLOC || kind > AGENT_ALLOC_INSIDE ||
	    (!address && kind != AGENT_FAILED && kind != AGENT_ALLOC_INSIDE))
		return false;
	event->kind = kinds[kind];
	if (kind == AGENT_ALLOC || kind == AGENT_ALLOC_INSIDE || kind == AGENT_FREE ||
	    kind == AGENT_FREE_INSIDE)
		event->address = address;
	else
		event->old_address = address;
	if (kind == AGENT_FREE || kind == AGENT_RESIZE_BEGIN)
		set_origin(event);
	if (kind == AGENT_RESIZE_DONE)
		event->size = 0;
	else if (kind == AGENT_RESIZE_FAILED && !event->size)
		event->size = 1;
	return true;
}

/* Something of the tracer's, kept here until its record's turn comes. */
enum own_kind { OWN_FREE, OWN_EVENT, OWN_MUTE, OWN_UNMUTE };

struct rings_own {
	enum own_kind kind;
	struct event event;
	code_t *frames;
	uint64_t key;
};

static void free_own(struct rings *rings)
{
	for (size_t i = 0; i < rings->own.nr; i++)
		free(rings->own.items[i].frames);
	free(rings->own.items);
}

static bool is_muted(const struct rings *rings, unsigned ring, uint32_t thread)
{
	uint64_t key = 0;

	for (unsigned i = 0; i < rings->nr_mutes; i++) {
		if (rings->mutes[i].ring != ring)
			continue;
		if (!key)
			key = rings->options.key(rings->options.key_owner, thread);
		if (rings->mutes[i].key == key)
			return true;
	}
	return false;
}

static void set_mute(struct rings *rings, unsigned ring, uint64_t key, bool mute)
{
	if (mute && rings->nr_mutes < RINGS_MUTES)
		rings->mutes[rings->nr_mutes++] = (struct rings_mute){ key, ring };
	for (unsigned i = 0; !mute && i < rings->nr_mutes; i++)
		if (rings->mutes[i].key == key && rings->mutes[i].ring == ring)
			rings->mutes[i--] = rings->mutes[--rings->nr_mutes];
}

/* The target may have written such a record, too: then nothing is there, or it comes early. */
static void deliver_own(struct rings *rings, unsigned ring, uint32_t number)
{
	struct rings_own *own = number < rings->own.nr ? &rings->own.items[number] : NULL;

	if (!own || own->kind == OWN_FREE) {
		rings->stats.refused++;
		return;
	}
	if (own->kind == OWN_EVENT)
		rings->options.event(rings->options.consumer, &own->event);
	else
		set_mute(rings, ring, own->key, own->kind == OWN_MUTE);
	free(own->frames);
	*own = (struct rings_own){ .kind = OWN_FREE };
}

/* What it would be had the agent known of the call that it is made by.  False: nothing. */
static bool make_inside(struct event *event)
{
	bool is_kept = event->kind == EVENT_RESIZE_END && event->size;

	if (event->kind == EVENT_FAILED || (event->kind == EVENT_RESIZE_END && !is_kept))
		return false;
	if (event->kind == EVENT_RESIZE_BEGIN || is_kept)
		event->address = event->old_address;
	if (event->kind == EVENT_ALLOC || is_kept)
		event->kind = EVENT_ALLOC_INSIDE;
	if (event->kind != EVENT_ALLOC_INSIDE)
		event->kind = EVENT_FREE_INSIDE;
	event->old_address = 0;
	return true;
}

static void deliver(struct rings *rings, unsigned ring, const struct agent_record *record,
		    taddr_t address)
{
	uint64_t kind_size = LOAD(record->kind_size), time_ns = LOAD(record->time_ns);
	uint64_t thread_stack = LOAD(record->thread_stack);
	struct event event = {
		.function = (uint32_t)(kind_size >> 52),
		.tid = tid_of((uint32_t)(thread_stack >> 32)),
		.size = kind_size & SIZE_MASK,
		.time_ns = time_ns < rings->now_ns ? time_ns : rings->now_ns,
	};

	rings->stats.taken++;
	if ((kind_size >> 48 & 15) == AGENT_OWN) {
		deliver_own(rings, ring, (uint32_t)thread_stack);
		return;
	}
	if (!set_kind(&event, kind_size >> 48 & 15, address)) {
		rings->stats.refused++;
		return;
	}
	if (rings->nr_mutes && is_muted(rings, ring, (uint32_t)(thread_stack >> 32)) &&
	    !make_inside(&event))
		return;
	if (event.kind == EVENT_ALLOC)
		add_stack(rings, (uint32_t)thread_stack, &event);
	else if (event.kind == EVENT_FREE || event.kind == EVENT_RESIZE_BEGIN)
		add_freer(rings, (uint32_t)thread_stack, &event);
	else
		add_callers(rings, (uint32_t)thread_stack, &event);
	if (rings->options.tid)
		event.kernel_tid = rings->options.tid(rings->options.key_owner,
						      (uint32_t)(thread_stack >> 32));
	rings->options.event(rings->options.consumer, &event);
}

/* Of a record that may not be there yet: then something is fetched in vain. */
static inline void look_ahead(const struct rings *rings, const struct agent_record *record)
{
	uint32_t node = (uint32_t)LOAD(record->thread_stack);

	if (node < AGENT_NODES)
		__builtin_prefetch(&rings->cells[node], 1);
	if (rings->options.prefetch)
		rings->options.prefetch(rings->options.consumer,
					LOAD(record->lap_address) & AGENT_ADDRESS_MASK);
}

static bool is_committed(const struct agent_record *record, uint64_t lap, taddr_t *address)
{
	uint64_t word = __atomic_load_n(&record->lap_address, __ATOMIC_ACQUIRE);

	*address = word & AGENT_ADDRESS_MASK;
	return word >> AGENT_ADDRESS_BITS == lap;
}

/* Up to this index, the end of the lap, or the first record that must be waited for; returns
 * how far it went. */
static size_t take(struct rings *rings, unsigned i, uint64_t end)
{
	struct rings_ring *ring = &rings->rings[i];
	uint64_t first = ring->next, lap = agent_lap(first), place = first % AGENT_RING_RECORDS;
	const struct agent_record *record = &rings->shared->records[i][place];
	const struct agent_record *last = record + (end - first), *ahead = record;
	taddr_t address;

	if (end - first > AGENT_RING_RECORDS - place)
		last = record + (AGENT_RING_RECORDS - place);
	for (; record < last; record++, ring->next++) {
		for (; ahead < last && ahead <= record + AHEAD; ahead++)
			look_ahead(rings, ahead);
		if (is_committed(record, lap, &address))
			deliver(rings, i, record, address);
		else if (ring->next < ring->holes_before)
			rings->stats.lost++;
		else
			break;
	}
	if (ring->next != first)
		__atomic_store_n(&rings->shared->rings[i].taken, ring->next, __ATOMIC_RELEASE);
	return ring->next - first;
}

/* Where what is claimed ends, but never more than a ring ahead. */
static uint64_t claimed_end(struct rings *rings, unsigned i)
{
	uint64_t next = rings->rings[i].next;
	uint64_t claimed = __atomic_load_n(&rings->shared->rings[i].claimed, __ATOMIC_ACQUIRE);

	if (claimed - next <= AGENT_RING_RECORDS)
		return claimed;
	rings->stats.broken = true;
	return next + (claimed < next ? 0 : AGENT_RING_RECORDS);
}

static bool any_committed(const struct rings *rings, unsigned i, uint64_t from, uint64_t end)
{
	const struct agent_record *records = rings->shared->records[i];
	taddr_t address;

	for (; from < end; from++)
		if (is_committed(&records[from % AGENT_RING_RECORDS], agent_lap(from), &address))
			return true;
	return false;
}

/*
 * A thread may be off its processor for long between claim and commit.  What it holds up is
 * given up after a second, with all that had been claimed when the waiting began; unless nothing
 * comes behind it.
 */
static void watch_hole(struct rings *rings, unsigned i, uint64_t claimed)
{
	struct rings_ring *ring = &rings->rings[i];

	if (ring->next < claimed && ring->stuck_at == ring->next) {
		if (rings->now_ns - ring->stuck_since_ns < HOLE_NS)
			return;
		if (any_committed(rings, i, ring->next + 1, claimed))
			ring->holes_before = ring->stuck_claimed;
	}
	ring->stuck_at = ring->next;
	ring->stuck_claimed = claimed;
	ring->stuck_since_ns = rings->now_ns;
}

static size_t take_share(struct rings *rings, unsigned i)
{
	uint64_t claimed = claimed_end(rings, i), next = rings->rings[i].next;
	uint64_t end = claimed - next < RINGS_SHARE ? claimed : next + RINGS_SHARE;
	size_t nr = take(rings, i, end);

	watch_hole(rings, i, claimed);
	return nr;
}

static void begin(struct rings *rings)
{
	rings_beat(rings);
	rings->now_ns = now_ns(rings);
}

size_t rings_drain(struct rings *rings)
{
	size_t nr = 0;

	begin(rings);
	FOR_EACH_RING(i, rings)
		nr += take_share(rings, i);
	return nr;
}

/* In shares, so that the agents are told of the room made, and that we live. */
static bool take_up_to(struct rings *rings, unsigned i, uint64_t end)
{
	struct rings_ring *ring = &rings->rings[i];

	while (ring->next < end) {
		begin(rings);
		if (!take(rings, i, end - ring->next < RINGS_SHARE ? end :
				    ring->next + RINGS_SHARE))
			return false;
	}
	return true;
}

static int find_own(struct rings *rings, uint32_t *number)
{
	for (size_t i = 0; i < rings->own.nr; i++) {
		if (rings->own.items[i].kind != OWN_FREE)
			continue;
		*number = (uint32_t)i;
		return 0;
	}
	if (ARRAY_GROW(&rings->own))
		return -ENOMEM;
	*number = (uint32_t)rings->own.nr++;
	return 0;
}

/* As an agent does; only that who has to make room is ourselves. */
static int put_record(struct rings *rings, unsigned i, uint32_t number)
{
	struct agent_ring *ring = &rings->shared->rings[i];
	struct agent_record *record;
	uint64_t index;

	if (claimed_end(rings, i) - rings->rings[i].next > AGENT_RING_RECORDS / 2)
		(void)rings_catch_up(rings);
	if (claimed_end(rings, i) - rings->rings[i].next >
	    AGENT_RING_RECORDS - AGENT_RING_MARGIN / 2)
		return -ENOSPC;
	index = __atomic_fetch_add(&ring->claimed, 1, __ATOMIC_ACQ_REL);
	record = &rings->shared->records[i][index % AGENT_RING_RECORDS];
	record->kind_size = (uint64_t)AGENT_OWN << 48;
	record->thread_stack = number;
	record->time_ns = now_ns(rings);
	__atomic_store_n(&record->lap_address, agent_lap(index) << AGENT_ADDRESS_BITS,
			 __ATOMIC_RELEASE);
	return 0;
}

static int insert(struct rings *rings, unsigned ring, const struct rings_own *own)
{
	uint32_t number;
	int error = find_own(rings, &number);

	if (error)
		return error;
	rings->own.items[number] = *own;
	error = put_record(rings, ring, number);
	if (error)
		rings->own.items[number].kind = OWN_FREE;
	return error;
}

static unsigned ring_of(const struct rings *rings, const struct event *event)
{
	if (rings->options.callers)
		return 0;
	return agent_ring_of(event->old_address && !event->address ? event->old_address
								   : event->address);
}

bool rings_takes(const struct rings *rings, const struct event *event)
{
	return ring_of(rings, event) % rings->options.nr_lanes == rings->options.lane;
}

int rings_insert(struct rings *rings, const struct event *event)
{
	struct rings_own own = { .kind = OWN_EVENT, .event = *event };
	size_t bytes = event->nr_frames * sizeof(*event->stack);
	int error;

	own.frames = malloc(bytes + 1);
	if (!own.frames)
		return -ENOMEM;
	if (bytes)
		memcpy(own.frames, event->stack, bytes);
	own.event.stack = own.frames;
	error = insert(rings, ring_of(rings, event), &own);
	if (error)
		free(own.frames);
	return error;
}

int rings_mute(struct rings *rings, uint64_t key, bool mute)
{
	const struct rings_own own = { .kind = mute ? OWN_MUTE : OWN_UNMUTE, .key = key };
	int error = 0;

	FOR_EACH_RING(i, rings)
		error = error ? error : insert(rings, i, &own);
	return error;
}

bool rings_catch_up(struct rings *rings)
{
	uint64_t ends[AGENT_RINGS];
	bool all = true;

	FOR_EACH_RING(i, rings)
		ends[i] = claimed_end(rings, i);
	FOR_EACH_RING(i, rings)
		all &= take_up_to(rings, i, ends[i]);
	return all;
}

void rings_finish(struct rings *rings)
{
	FOR_EACH_RING(i, rings)
		rings->rings[i].holes_before = claimed_end(rings, i);
	FOR_EACH_RING(i, rings)
		take_up_to(rings, i, rings->rings[i].holes_before);
}
