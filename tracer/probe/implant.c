/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything is laid out in the shared memory before the target sees it; in the pause there is
 * only mapping to be done.  Mappings are made one by one in the order of undo: whatever fails,
 * those before it are removed again.
 */
#include "implant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../agent/blob.h"
#include "../base/array.h"
#include "../unwind/step.h"
#include "zone_rules.h"

#define PAGE_BYTES 4096ul
#define HWCAP2_FSGSBASE (1 << 1)	/* arch/x86/include/uapi/asm/hwcap2.h */

static size_t page_up(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static size_t state_bytes(void)
{
	return page_up(sizeof(struct agent_state));
}

size_t implant_bytes(void)
{
	return AGENT_TEXT_BYTES + state_bytes() + AGENT_SHARED_BYTES;
}

static const struct agent_header *header(void)
{
	return (const struct agent_header *)agent_blob;
}

size_t implant_shared_bytes(void)
{
	return AGENT_RULES_OFFSET;
}

size_t implant_private_bytes(unsigned nr_threads)
{
	return AGENT_TEXT_BYTES + offsetof(struct agent_state, threads) +
	       nr_threads * sizeof(struct agent_thread);
}

int implant_reserve(const struct implant *implant)
{
	return fallocate(implant->fd, 0, 0, AGENT_RULES_OFFSET) ? -errno : 0;
}

static int make_memory(struct implant *implant)
{
	void *view;

	implant->fd = memfd_create(IMPLANT_NAME, MFD_CLOEXEC);
	if (implant->fd < 0)
		return -errno;
	if (ftruncate(implant->fd, AGENT_SHARED_BYTES))
		return -errno;
	view = mmap(NULL, AGENT_SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		    implant->fd, 0);
	if (view == MAP_FAILED)
		return -errno;
	implant->view = view;
	implant->shared = view;
	implant->used = AGENT_RULES_OFFSET;
	return 0;
}

/*
 * Maps are many where libraries come and go all the time: they take turns in the last part.  By
 * the time that a place is used again there have been hundreds of newer maps; nobody is still in
 * a walk that began with the old one.
 */
#define MAPS_BYTES (64ul << 20)
#define MAPS_OFFSET (AGENT_SHARED_BYTES - MAPS_BYTES)

static void *take_map_bytes(struct implant *implant, size_t bytes)
{
	uint8_t *place;

	if (bytes > MAPS_BYTES / 64)
		return NULL;
	if (bytes > MAPS_BYTES - implant->maps_used)
		implant->maps_used = 0;
	place = implant->view + MAPS_OFFSET + implant->maps_used;
	implant->maps_used += (bytes + 63) & ~63ul;
	return place;
}

/* Room for rules or a map; NULL: there is none left. */
static void *take(struct implant *implant, size_t bytes)
{
	uint8_t *place = implant->view + implant->used;

	if (bytes > MAPS_OFFSET - implant->used)
		return NULL;
	implant->used = (implant->used + bytes + 63) & ~63ul;
	return place;
}

/* The copy in shared memory, once for all that are equal: a library that is opened and closed
 * in a loop gives the same zones again and again.  NULL: there is no room. */
static const struct rules *share_rules(struct implant *implant, const void *rules, size_t bytes)
{
	void *copy;

	for (size_t i = 0; i < implant->own.nr; i++)
		if (implant->own.items[i].bytes == bytes &&
		    !memcmp(implant->own.items[i].rules, rules, bytes))
			return implant->own.items[i].rules;
	if (ARRAY_GROW(&implant->own))
		return NULL;
	copy = take(implant, bytes);
	if (!copy)
		return NULL;
	memcpy(copy, rules, bytes);
	implant->own.items[implant->own.nr++] = (struct implant_own_rules){ copy, bytes };
	return copy;
}

static const struct rules *make_signal_rules(struct implant *implant)
{
	const struct rule rule = { .kind = RULE_SIGNAL };
	union {
		struct rules head;
		uint8_t bytes[64];
	} rules = { .head = { .magic = RULES_MAGIC, .nr_rows = 1, .nr_rules = 1 } };

	memcpy(rules.bytes + rules_table_offset(1), &rule, sizeof(rule));
	return share_rules(implant, &rules, rules_bytes(1, 1));
}

static int make_own_rules(struct implant *implant)
{
	size_t bytes = (size_t)(agent_rules_end - agent_rules);

	if (!rules_valid((const struct rules *)agent_rules, bytes))
		return -ENOEXEC;
	implant->agent_rules = share_rules(implant, agent_rules, bytes);
	implant->signal_rules = make_signal_rules(implant);
	return implant->agent_rules && implant->signal_rules ? 0 : -ENOSPC;
}

int implant_create(struct implant *implant)
{
	int error;

	*implant = (struct implant){ .fd = -1 };
	if (header()->magic != AGENT_MAGIC || header()->bytes > AGENT_INVENTORY_OFFSET)
		return -ENOEXEC;
	error = make_memory(implant);
	if (!error)
		error = make_own_rules(implant);
	if (error)
		implant_deinit(implant);
	return error;
}

static void set_place(struct implant *implant, taddr_t base)
{
	implant->base = base;
	implant->shared_at = base + AGENT_TEXT_BYTES + state_bytes();
	implant->rules_at = implant->shared_at + AGENT_RULES_OFFSET;
}

/* Whole, or as far as it had come: then what is left of the reservation tells. */
static taddr_t base_of(const struct mapping *mapping)
{
	const taddr_t before = AGENT_TEXT_BYTES + state_bytes();

	if (strcmp(mapping->path, "/memfd:" IMPLANT_NAME " (deleted)"))
		return 0;
	if (!mapping->readable)
		return mapping->start - mapping->offset;
	return !mapping->offset && mapping->end - mapping->start == AGENT_RULES_OFFSET
		? mapping->start - before : 0;
}

bool implant_find(struct implant *implant, const struct maps *maps)
{
	taddr_t base = 0;

	*implant = (struct implant){ .fd = -1 };
	for (size_t i = 0; i < maps->nr && !base; i++)
		base = base_of(&maps->items[i]);
	if (base)
		set_place(implant, base);
	return base;
}

static taddr_t inventory_at(const struct implant *implant, size_t offset)
{
	return implant->base + AGENT_INVENTORY_OFFSET + offset;
}

int implant_read_inventory(const struct implant *implant, const struct memory *memory,
			   struct agent_inventory *out)
{
	if (!memread_exact(&memory->read, inventory_at(implant, 0), out, sizeof(*out)))
		return -EFAULT;
	if (out->magic != AGENT_INVENTORY_MAGIC || out->nr_zones > AGENT_INVENTORY_ZONES ||
	    out->nr_detours > AGENT_INVENTORY_DETOURS)
		return -ENOEXEC;
	return 0;
}

int implant_write_inventory(const struct implant *implant, struct memory *memory,
			    const struct agent_inventory *inventory)
{
	return memory_write(memory, inventory_at(implant, 0), inventory, sizeof(*inventory));
}

void implant_deinit(struct implant *implant)
{
	if (implant->view)
		munmap(implant->view, AGENT_SHARED_BYTES);
	if (implant->fd >= 0)
		close(implant->fd);
	free(implant->rules.items);
	free(implant->own.items);
	trampolines_deinit(&implant->trampolines);
	*implant = (struct implant){ .fd = -1 };
}

static const struct implant_rules *find_rules(const struct implant *implant,
					      const struct rules *rules)
{
	for (size_t i = 0; i < implant->rules.nr; i++)
		if (implant->rules.items[i].rules == rules)
			return &implant->rules.items[i];
	return NULL;
}

int implant_add_rules(struct implant *implant, const struct rules *rules, size_t bytes)
{
	void *copy;

	if (find_rules(implant, rules))
		return 0;
	if (ARRAY_GROW(&implant->rules))
		return -ENOMEM;
	copy = take(implant, bytes);
	if (!copy)
		return -ENOSPC;
	memcpy(copy, rules, bytes);
	implant->rules.items[implant->rules.nr++] = (struct implant_rules){
		.rules = rules, .offset = (size_t)((uint8_t *)copy - implant->view),
	};
	return 0;
}

/* An address of the tracer's view, as the target has it. */
static taddr_t in_target(const struct implant *implant, const void *place)
{
	size_t offset = (size_t)((const uint8_t *)place - implant->view);

	return offset < AGENT_RULES_OFFSET ? implant->shared_at + offset
					   : implant->rules_at + (offset - AGENT_RULES_OFFSET);
}

/*
 * All of it is reserved in one piece, then filled:
 *
 *     base          + TEXT_BYTES       shared_at                  rules_at
 *     | text r-x    | state rw-        | rings, stacks rw-        | rules, maps r--   |
 */
/* From here on the place shows whose it is, should we be killed: all of it is a mapping of the
 * memfd, in itself of no use. */
static int reserve_by_file(struct implant *implant, struct inject *inject, taddr_t place, int fd)
{
	taddr_t base;
	int error = inject_map(inject, place, implant_bytes(), PROT_NONE,
			       MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0, &base);

	if (!error)
		set_place(implant, base);
	return error;
}

/* Where the descriptor cannot be had without memory of ours to have it written to. */
static int reserve(struct implant *implant, struct inject *inject, taddr_t place)
{
	taddr_t base;
	int error = inject_map(inject, place, implant_bytes(), PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
			       -1, 0, &base);

	if (!error)
		set_place(implant, base);
	return error;
}

static int map_agent(struct implant *implant, struct inject *inject)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
	taddr_t state = implant->base + AGENT_TEXT_BYTES, place;
	int error = inject_map(inject, implant->base, AGENT_TEXT_BYTES, PROT_READ | PROT_EXEC,
			       flags, -1, 0, &place);

	if (!error)
		error = inject_map(inject, state, state_bytes(), PROT_READ | PROT_WRITE, flags, -1,
				   0, &place);
	if (!error)
		error = inject_advise(inject, state, state_bytes(), MADV_WIPEONFORK);
	return error;
}

static int map_shared(struct implant *implant, struct inject *inject, int fd)
{
	const int flags = MAP_SHARED | MAP_NORESERVE | MAP_FIXED;
	taddr_t place;
	int error = inject_map(inject, implant->shared_at, AGENT_RULES_OFFSET,
			       PROT_READ | PROT_WRITE, flags, fd, 0, &place);

	if (!error)
		error = inject_map(inject, implant->rules_at, AGENT_RULES_BYTES, PROT_READ, flags,
				   fd, AGENT_RULES_OFFSET, &place);
	/* What replaced the reservation is new. */
	if (!error)
		error = inject_advise(inject, implant->base, implant_bytes(), MADV_DONTDUMP);
	return error;
}

static int map_by_stack(struct implant *implant, struct inject *inject, taddr_t place,
			taddr_t scratch)
{
	int fd, error = inject_file(inject, implant->fd, scratch, &fd);

	if (error)
		return error;
	error = reserve_by_file(implant, inject, place, fd);
	if (!error)
		error = map_agent(implant, inject);
	if (!error)
		error = map_shared(implant, inject, fd);
	(void)inject_close_file(inject, fd);
	return error;
}

static int map_by_state(struct implant *implant, struct inject *inject, taddr_t place)
{
	int fd, error = reserve(implant, inject, place);

	if (!error)
		error = map_agent(implant, inject);
	if (!error)
		error = inject_file(inject, implant->fd, implant->base + AGENT_TEXT_BYTES, &fd);
	if (error)
		return error;
	error = map_shared(implant, inject, fd);
	(void)inject_close_file(inject, fd);
	return error;
}

/* The scratch memory of inject_file() is the state's beginning: written over here. */
static int write_state(struct implant *implant, struct memory *memory,
		       const struct implant_settings *settings)
{
	/* Only its beginning is touched, of 90 MiB. */
	struct agent_state *state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t bytes = offsetof(struct agent_state, gaps);
	int error;

	if (state == MAP_FAILED)
		return -ENOMEM;
	state->has_fsbase = !!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE);
	state->shared = (void *)(uintptr_t)implant->shared_at;
	state->main_low = settings->main_low;
	state->main_high = settings->main_high;
	state->wait_cycles = settings->wait_cycles;
	state->depth = settings->depth;
	state->callers = settings->callers;
	state->free_stacks = settings->free_stacks;
	state->sample_bytes = settings->sample_bytes;
	if (settings->sample_bytes) {
		memcpy(state->gaps, settings->gaps, sizeof(state->gaps));
		bytes += sizeof(state->gaps);
	}
	error = memory_write(memory, implant->base + AGENT_TEXT_BYTES, state, bytes);
	implant->leans = state->sample_bytes && state->has_fsbase;
	munmap(state, sizeof(*state));
	return error;
}

int implant_inject(struct implant *implant, struct inject *inject, taddr_t place,
		   const struct implant_settings *settings)
{
	struct memory *memory = &inject->injection.thread->process->memory;
	taddr_t scratch = inject_scratch(inject);
	int error = scratch ? map_by_stack(implant, inject, place, scratch)
			    : map_by_state(implant, inject, place);

	if (!error)
		error = memory_write(memory, implant->base, agent_blob, header()->bytes);
	if (!error)
		error = write_state(implant, memory, settings);
	implant->whole = !error;
	if (error)
		(void)implant_remove(implant, inject);
	return error;
}

static void add_range(struct agent_map *map, const struct unwind_range *range)
{
	uint32_t i = map->nr++;

	while (i && map->ranges[i - 1].start > range->start) {
		map->ranges[i] = map->ranges[i - 1];
		i--;
	}
	map->ranges[i] = *range;
}

static const struct rules *target_rules(const struct implant *implant, const struct rules *rules)
{
	const struct implant_rules *known = rules ? find_rules(implant, rules) : NULL;

	return known ? (const struct rules *)(uintptr_t)in_target(implant,
								   implant->view + known->offset)
		     : NULL;
}

/* The tracer's map has the mappings of the agent as code of nobody's: they are replaced. */
static bool is_ours(const struct implant *implant, const struct zones *zones, taddr_t address)
{
	return implant_contains(implant, address) || zones_contain(zones, address);
}

/* Old rules stay as they are: somebody may have looked at the map that has them. */
static int renew_zone(struct implant *implant, struct zone *zone)
{
	struct rules *rules;
	size_t bytes;

	if (zone->is_described)
		return 0;
	rules = zone_rules_build(zone, &bytes);
	if (!rules)
		return -ENOMEM;
	zone->rules = share_rules(implant, rules, bytes);
	free(rules);
	zone->is_described = zone->rules;
	return zone->rules ? 0 : -ENOSPC;
}

static struct unwind_range agent_range(const struct implant *implant)
{
	return (struct unwind_range){
		.start = implant->base, .end = implant->base + AGENT_TEXT_BYTES,
		.bias = implant->base, .rules = implant->agent_rules, .module = AGENT_MODULE,
	};
}

static struct unwind_range zone_range(const struct zone *zone)
{
	return (struct unwind_range){
		.start = zone->start, .end = zone->end, .bias = zone->start,
		.rules = zone->rules, .module = AGENT_MODULE,
	};
}

int implant_add_ranges(const struct implant *implant, const struct zones *zones,
		       struct unwind_map *map)
{
	struct unwind_range range = agent_range(implant);
	int error = implant->base ? unwind_map_add(map, &range) : 0;

	for (size_t i = 0; !error && i < zones->nr; i++) {
		range = zone_range(&zones->items[i]);
		error = unwind_map_add(map, &range);
	}
	return error;
}

/* Rules of our own, as the target has them. */
static void add_own(const struct implant *implant, struct agent_map *map,
		    struct unwind_range range)
{
	range.rules = (const void *)(uintptr_t)in_target(implant, range.rules);
	add_range(map, &range);
}

/* The byte before a trampoline belongs to it: there a return address is looked up, by which it
 * is entered. */
static bool holds(const struct unwind_range *range, const struct trampoline *trampoline)
{
	return trampoline->module == range->module && trampoline->address > range->start &&
	       trampoline->address + STEP_SIGRETURN_BYTES <= range->end;
}

/* Code of a module, its trampolines cut out as ranges of their own. */
static void add_code(const struct implant *implant, struct agent_map *map,
		     struct unwind_range range)
{
	for (size_t i = 0; i < implant->trampolines.nr; i++) {
		const struct trampoline *trampoline = &implant->trampolines.items[i];
		struct unwind_range before = range, own = range;

		if (!holds(&range, trampoline))
			continue;
		before.end = own.start = own.bias = trampoline->address - 1;
		own.end = range.start = trampoline->address + STEP_SIGRETURN_BYTES;
		own.rules = implant->signal_rules;
		if (before.end > before.start)
			add_range(map, &before);
		add_own(implant, map, own);
	}
	if (range.end > range.start)
		add_range(map, &range);
}

/* Room for so many ranges at most; NULL: there is none. */
static struct agent_map *take_map(struct implant *implant, size_t most)
{
	struct agent_map *map =
		take_map_bytes(implant, sizeof(*map) + most * sizeof(map->ranges[0]));

	if (map) {
		map->generation = ++implant->generation;
		map->nr = 0;
	}
	return map;
}

int implant_publish(struct implant *implant, const struct unwind_map *map, struct zones *zones)
{
	struct agent_map *copy;
	int error = 0;

	for (size_t i = 0; !error && i < zones->nr; i++)
		error = renew_zone(implant, &zones->items[i]);
	if (error)
		return error;
	copy = take_map(implant, map->nr + 2 * implant->trampolines.nr + zones->nr + 1);
	if (!copy)
		return -ENOSPC;
	for (size_t i = 0; i < map->nr; i++) {
		struct unwind_range range = map->items[i];

		range.rules = target_rules(implant, range.rules);
		if (!is_ours(implant, zones, range.start))
			add_code(implant, copy, range);
	}
	add_own(implant, copy, agent_range(implant));
	for (size_t i = 0; i < zones->nr; i++)
		add_own(implant, copy, zone_range(&zones->items[i]));
	__atomic_store_n(&implant->shared->map, in_target(implant, copy), __ATOMIC_RELEASE);
	return 0;
}

int implant_enable(const struct implant *implant, struct memory *memory, bool enabled)
{
	uint32_t word = enabled;

	return memory_write(memory, implant->base + AGENT_TEXT_BYTES +
			    offsetof(struct agent_state, enabled), &word, sizeof(word));
}

static taddr_t slot_at(const struct implant *implant, uint32_t thread)
{
	return implant->base + AGENT_TEXT_BYTES + offsetof(struct agent_state, threads) +
	       thread * sizeof(struct agent_thread);
}

uint64_t implant_thread_key(const struct implant *implant, const struct memory *memory,
			    uint32_t thread)
{
	uint64_t key = 0;

	if (thread < AGENT_THREADS)
		(void)memread_exact(&memory->read,
				    slot_at(implant, thread) + offsetof(struct agent_thread, key),
				    &key, sizeof(key));
	return key;
}

int implant_calls(const struct implant *implant, const struct memory *memory, uint64_t fs_base,
		  struct agent_call out[AGENT_CALLS])
{
	for (unsigned i = 0; i < AGENT_THREAD_PROBES; i++) {
		uint32_t thread = agent_thread_place(fs_base, i), nr;
		taddr_t slot = slot_at(implant, thread);

		if (implant_thread_key(implant, memory, thread) != fs_base)
			continue;
		if (!memread_exact(&memory->read, slot + offsetof(struct agent_thread, nr_calls),
				   &nr, sizeof(nr)) ||
		    !memread_exact(&memory->read, slot + offsetof(struct agent_thread, calls),
				   out, AGENT_CALLS * sizeof(*out)))
			return -1;
		return nr < AGENT_CALLS ? (int)nr : AGENT_CALLS;
	}
	return -1;
}

/* The agent has copied what it was told: it must look again. */
static void free_slot(const struct implant *implant, struct memory *memory, uint64_t fs_base)
{
	const uint64_t none = 0;

	for (unsigned i = 0; i < AGENT_THREAD_PROBES; i++) {
		taddr_t slot = slot_at(implant, agent_thread_place(fs_base, i)) +
			       offsetof(struct agent_thread, key);
		uint64_t key;

		if (!memread_exact(&memory->read, slot, &key, sizeof(key)) || key != fs_base)
			continue;
		(void)memory_write(memory, slot, &none, sizeof(none));
	}
}

static struct agent_stack *stack_of(struct implant *implant, uint64_t fs_base)
{
	struct agent_stack *free_place = NULL;

	for (unsigned i = 0; i < AGENT_THREAD_PROBES; i++) {
		struct agent_stack *stack =
			&implant->shared->stacks[agent_thread_place(fs_base, i)];

		if (stack->key == fs_base)
			return stack;
		if (!stack->key && !free_place)
			free_place = stack;
	}
	return free_place;
}

void implant_tell_stack(struct implant *implant, uint64_t fs_base, taddr_t low, taddr_t high,
			pid_t tid)
{
	struct agent_stack *stack = fs_base ? stack_of(implant, fs_base) : NULL;

	if (!stack)
		return;
	__atomic_store_n(&stack->key, 0, __ATOMIC_RELEASE);
	stack->low = low;
	stack->high = high;
	stack->tid = (uint64_t)tid;
	__atomic_store_n(&stack->key, fs_base, __ATOMIC_RELEASE);
}

pid_t implant_stack_tid(const struct implant *implant, uint64_t fs_base)
{
	for (unsigned i = 0; fs_base && i < AGENT_THREAD_PROBES; i++) {
		const struct agent_stack *stack =
			&implant->shared->stacks[agent_thread_place(fs_base, i)];

		if (__atomic_load_n(&stack->key, __ATOMIC_ACQUIRE) == fs_base)
			return (pid_t)stack->tid;
	}
	return 0;
}

void implant_forget_stack(struct implant *implant, struct memory *memory, uint64_t fs_base)
{
	struct agent_stack *stack = fs_base ? stack_of(implant, fs_base) : NULL;

	if (stack)
		__atomic_store_n(&stack->key, 0, __ATOMIC_RELEASE);
	if (fs_base)
		free_slot(implant, memory, fs_base);
}

uint64_t implant_memory_bytes(const struct implant *implant)
{
	struct stat status;

	return implant->fd < 0 || fstat(implant->fd, &status) ? 0
							       : (uint64_t)status.st_blocks * 512;
}

bool implant_contains(const struct implant *implant, taddr_t pc)
{
	return implant->base && pc >= implant->base && pc < implant->base + AGENT_TEXT_BYTES;
}

int implant_remove(struct implant *implant, struct inject *inject)
{
	int error = implant->base ? inject_unmap(inject, implant->base, implant_bytes()) : 0;

	if (error)
		return error;
	implant->base = 0;
	implant->whole = false;
	return 0;
}
