/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Joins the implant, its zones, the detours and the rings of one process. */
#include "jump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/message.h"
#include "evacuate.h"
#include "jump_parts.h"

#define STACK_BYTES_USUAL (8ul << 20)

int jump_create(struct targets *targets, struct process *process,
		const struct jump_options *options, struct jump **out)
{
	struct jump *jump = calloc(1, sizeof(*jump));
	int error;

	if (!jump)
		return -ENOMEM;
	jump->options = *options;
	jump->targets = targets;
	jump->process = process;
	jump->began_ns = clock_ns();
	jump->began_cycles = arch_cycles();
	jump->code = parachute_find(&process->memory);
	jump->inventory = calloc(1, sizeof(*jump->inventory));
	error = jump->inventory ? implant_create(&jump->implant) : -ENOMEM;
	if (error) {
		free(jump->inventory);
		free(jump);
		return error;
	}
	*out = jump;
	return 0;
}

void jump_destroy(struct jump *jump)
{
	if (!jump)
		return;
	jump_finish(jump);
	if (jump->has_rings)
		rings_deinit(&jump->rings);
	implant_deinit(&jump->implant);
	zones_deinit(&jump->zones);
	free(jump->retired.items);
	free(jump->detours.items);
	free(jump->inventory);
	free(jump);
}

void jump_learn(struct jump *jump, const struct modules *modules)
{
	for (size_t i = 0; i < modules->nr; i++) {
		const struct file *file = modules->items[i]->file;

		if (modules->items[i]->alive && file && file->rules)
			(void)implant_add_rules(&jump->implant, file->rules, file->rules_bytes);
	}
}

/* Reads the file of a module by addresses in the target. */
struct file_reader {
	struct memread read;
	const struct module *module;
	int fd;
};

static ssize_t read_file(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	const struct file_reader *reader = mem->owner;
	int64_t offset = module_file_offset(reader->module, address);

	return offset < 0 ? -EFAULT : pread(reader->fd, buffer, bytes, offset);
}

enum detour_refusal jump_plan(struct jump *jump, const struct functions *functions,
			      uint32_t function, const struct memread *code)
{
	const struct module *module = functions->items[function].module;
	struct file_reader reader = { .read = { .read = read_file }, .module = module };
	enum detour_refusal refusal;

	if (ARRAY_GROW(&jump->detours))
		return DETOUR_UNREADABLE;
	reader.read.owner = &reader;
	reader.fd = module_open_file(module, jump->process->memory.tid);
	if (reader.fd < 0)
		return DETOUR_UNREADABLE;
	refusal = detour_plan(functions, function, code, &reader.read,
			      &jump->detours.items[jump->detours.nr]);
	close(reader.fd);
	jump->detours.nr += refusal == DETOUR_SAFE;
	return refusal;
}

void jump_set_epoch(struct jump *jump, uint64_t epoch_ns)
{
	jump->options.epoch_ns = epoch_ns;
}

/* The first thread's stack: it grows down to where its limit is. */
static void find_main_stack(const struct maps *maps, struct implant_settings *settings)
{
	for (size_t i = 0; i < maps->nr; i++) {
		if (strcmp(maps->items[i].path, "[stack]"))
			continue;
		settings->main_high = maps->items[i].end;
		settings->main_low = maps->items[i].start;
		if (settings->main_high - settings->main_low < STACK_BYTES_USUAL)
			settings->main_low = settings->main_high - STACK_BYTES_USUAL;
	}
}

static uint64_t cycles_per_ms(const struct jump *jump)
{
	uint64_t ns = clock_ns() - jump->began_ns, cycles = arch_cycles() - jump->began_cycles;

	/* Too short to be measured: no processor is slower than this. */
	return ns < 100000 ? 1000000 : cycles * 1000000 / ns;
}

static int map_implant(struct jump *jump, struct inject *inject, const struct maps *maps)
{
	taddr_t place = zone_choose_far(maps, implant_bytes());
	struct implant_settings settings = {
		.depth = jump->options.depth,
		.wait_cycles = cycles_per_ms(jump),
		.sample_bytes = jump->options.sample_bytes,
	};
	int error;

	if (jump->implant.base)
		return 0;
	if (!place)
		return -ENOMEM;
	find_main_stack(maps, &settings);
	error = jump_start_rings(jump);
	return error ? error : implant_inject(&jump->implant, inject, place, &settings);
}

/* Written before what it tells of is done. */
static int note_zone(struct jump *jump, taddr_t place)
{
	struct agent_inventory *inventory = jump->inventory;

	if (inventory->nr_zones == AGENT_INVENTORY_ZONES)
		return -ENOSPC;
	inventory->magic = AGENT_INVENTORY_MAGIC;
	inventory->zones[inventory->nr_zones++] = place;
	return implant_write_inventory(&jump->implant, &jump->process->memory, inventory);
}

static void note_detours(struct jump *jump)
{
	struct agent_inventory *inventory = jump->inventory;

	inventory->nr_detours = 0;
	for (size_t i = 0; i < jump->detours.nr && i < AGENT_INVENTORY_DETOURS; i++)
		detour_note(&jump->detours.items[i],
			    &inventory->detours[inventory->nr_detours++]);
	(void)implant_write_inventory(&jump->implant, &jump->process->memory, inventory);
}

static int map_zone(struct jump *jump, struct inject *inject, const struct maps *maps,
		    const struct module *module)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	taddr_t place = zone_choose(maps, module), mapped;
	int error = place ? 0 : -ENOSPC;

	if (!error)
		error = note_zone(jump, place);
	if (!error)
		error = inject_map(inject, place, ZONE_BYTES, PROT_READ | PROT_EXEC, flags, -1, 0,
				   &mapped);
	if (!error)
		error = zones_add(&jump->zones, place);
	if (error)
		message_debug("pid %d: no room for code near %s: %s", jump->process->pid,
			      module->path, strerror(-error));
	return error;
}

/* Where there is no room within reach, the plan is dropped: the function gets a breakpoint. */
static int place_detours(struct jump *jump, struct inject *inject,
			 const struct functions *functions)
{
	size_t kept = jump->nr_armed;
	struct maps maps = { 0 };
	int error = maps_read(&maps, jump->process->memory.tid);

	/* Far away from where the zones may come to be. */
	if (!error)
		error = map_implant(jump, inject, &maps);
	for (size_t i = kept; !error && i < jump->detours.nr; i++) {
		struct detour *detour = &jump->detours.items[i];
		const struct function *function = &functions->items[detour->function];
		taddr_t slot = zones_take(&jump->zones, function->module);

		if (!slot && !map_zone(jump, inject, &maps, function->module))
			slot = zones_take(&jump->zones, function->module);
		if (slot && !detour_place(detour, function, &jump->process->memory, slot,
					  jump->implant.base))
			jump->detours.items[kept++] = *detour;
	}
	jump->detours.nr = kept;
	maps_release(&maps);
	return error;
}

static taddr_t into_copies(void *owner, taddr_t pc)
{
	const struct jump *jump = owner;

	for (size_t i = jump->nr_armed; i < jump->detours.nr; i++) {
		taddr_t to = detour_enter(&jump->detours.items[i], pc);

		if (to)
			return to;
	}
	return pc;
}

static bool concerns_nobody(void *owner, taddr_t pc)
{
	return false;
}

static void patch_functions(struct jump *jump)
{
	const struct evacuation evacuation = {
		.moved = into_copies, .concerns = concerns_nobody, .owner = jump,
	};

	note_detours(jump);
	evacuate(jump->process, &evacuation, NULL);
	while (jump->nr_armed < jump->detours.nr &&
	       !detour_arm(&jump->detours.items[jump->nr_armed], &jump->process->memory))
		jump->nr_armed++;
	jump->detours.nr = jump->nr_armed;
}

static void tell_stacks(struct jump *jump)
{
	for (size_t i = 0; i < jump->process->threads.nr; i++)
		jump_thread_begins(jump, jump->process->threads.items[i]);
}

static taddr_t stays(void *owner, taddr_t pc)
{
	return pc;
}

static bool is_retired(void *owner, taddr_t pc)
{
	const struct jump *jump = owner;

	for (size_t i = 0; i < jump->retired.nr; i++)
		if (pc - jump->retired.items[i] < ZONE_SLOT_BYTES)
			return true;
	return false;
}

/* A library may be closed while one thread still is on its way out of a stub. */
static void reuse_retired(struct jump *jump)
{
	const struct evacuation evacuation = {
		.moved = stays, .concerns = is_retired, .returns = jump_returns, .owner = jump,
	};
	size_t nr_inside = 0;

	if (!jump->retired.nr)
		return;
	evacuate(jump->process, &evacuation, &nr_inside);
	if (nr_inside)
		return;
	while (jump->retired.nr)
		zones_give_back(&jump->zones, jump->retired.items[--jump->retired.nr]);
}

int jump_arm(struct jump *jump, const struct functions *functions, const struct unwind_map *map)
{
	bool first = !jump->implant.base;
	struct inject inject;
	int error, closed;

	if (jump->detours.nr == jump->nr_armed) {
		jump_publish(jump, map);
		return 0;
	}
	reuse_retired(jump);
	if (!parachute_holds(&jump->process->memory, &jump->code))
		jump->code = parachute_find(&jump->process->memory);
	error = inject_open(&inject, jump->targets, jump->process, &jump->code);
	if (!error) {
		error = place_detours(jump, &inject, functions);
		closed = inject_close(&inject);
		error = error ? error : closed;
	}
	if (!error)
		error = implant_publish(&jump->implant, map, &jump->zones);
	if (!error && first)
		tell_stacks(jump);
	if (!error && first)
		error = implant_enable(&jump->implant, &jump->process->memory, true);
	if (!error)
		patch_functions(jump);
	else
		jump->detours.nr = jump->nr_armed;
	return error;
}

bool jump_is_armed(const struct jump *jump, uint32_t function)
{
	for (size_t i = 0; i < jump->nr_armed; i++)
		if (jump->detours.items[i].function == function)
			return true;
	return false;
}

void jump_publish(struct jump *jump, const struct unwind_map *map)
{
	if (jump->implant.base && implant_publish(&jump->implant, map, &jump->zones))
		message_debug("pid %d: no room for another map", jump->process->pid);
}

/* A C library's thread has its descriptor, which fs points to, at the top of its stack. */
void jump_thread_begins(struct jump *jump, const struct thread *thread)
{
	struct mapping mapping;
	arch_regs regs;

	if (!jump->implant.base || thread->guest || thread->tid == jump->process->pid ||
	    thread_get_regs(thread, &regs) || !regs.fs_base ||
	    maps_find(thread->tid, regs.fs_base, &mapping))
		return;
	implant_tell_stack(&jump->implant, &jump->process->memory, regs.fs_base, mapping.start,
			   regs.fs_base, thread->tid);
}

void jump_thread_ends(struct jump *jump, const struct thread *thread)
{
	arch_regs regs;

	if (jump->implant.base && !thread->guest && !thread_get_regs(thread, &regs))
		implant_tell_stack(&jump->implant, &jump->process->memory, regs.fs_base, 0, 0,
				   thread->tid);
}

/* Without memory for a note the slot is not used again. */
static void retire(struct jump *jump, const struct detour *detour)
{
	if (detour->stub && !ARRAY_GROW(&jump->retired))
		jump->retired.items[jump->retired.nr++] = detour->stub;
}

void jump_forget_module(struct jump *jump, uint32_t module)
{
	size_t kept = 0, armed = 0;

	for (size_t i = 0; i < jump->detours.nr; i++) {
		if (jump->detours.items[i].module == module) {
			retire(jump, &jump->detours.items[i]);
			continue;
		}
		armed += i < jump->nr_armed;
		jump->detours.items[kept++] = jump->detours.items[i];
	}
	jump->detours.nr = kept;
	jump->nr_armed = armed;
}

bool jump_contains(const struct jump *jump, taddr_t pc)
{
	return jump_concerns((void *)(uintptr_t)jump, pc);
}

int jump_add_ranges(const struct jump *jump, struct unwind_map *map)
{
	int error = 0;

	if (jump->implant.base)
		error = unwind_map_add(map, &(struct unwind_range){
			.start = jump->implant.base,
			.end = jump->implant.base + AGENT_TEXT_BYTES,
			.bias = jump->implant.base, .module = AGENT_MODULE,
		});
	for (size_t i = 0; !error && i < jump->zones.nr; i++)
		error = unwind_map_add(map, &(struct unwind_range){
			.start = jump->zones.items[i].start, .end = jump->zones.items[i].end,
			.bias = jump->zones.items[i].start, .rules = jump->implant.zone_rules,
			.module = AGENT_MODULE,
		});
	return error;
}
