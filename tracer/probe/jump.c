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
#include "../target/cgroup.h"
#include "../target/procfs.h"
#include "detour_rules.h"
#include "evacuate.h"
#include "gaps.h"
#include "jump_parts.h"

#define STACK_BYTES_USUAL (8ul << 20)
#define MARGIN_BYTES (8l << 20)		/* page tables, and what the target may want itself */
#define AMPLE_BYTES (1l << 30)
#define RESERVED_MOST 8			/* processes: of each it is much memory */

/* Before the target is held: it takes a while. */
static int draw_gaps(struct jump *jump)
{
	if (!jump->options.sample_bytes)
		return 0;
	jump->gaps = calloc(AGENT_GAPS, sizeof(*jump->gaps));
	if (!jump->gaps)
		return -ENOMEM;
	gaps_fill(jump->gaps, jump->options.sample_bytes, gaps_seed());
	return 0;
}

/* What the target touches first is charged to its control group, and where that is out of memory
 * the kernel kills it.  So who has little room gets memory that was charged to us. */
static int mind_its_group(struct jump *jump)
{
	const struct process *process = jump->process;
	long nr_threads = procfs_status_number(process->pid, "Threads");
	int64_t needed = MARGIN_BYTES +
			 (int64_t)implant_private_bytes(nr_threads > 0 ? (unsigned)nr_threads : 1);
	struct cgroup_room room;

	cgroup_find_room(process->pid, &room);
	if (room.own < needed || room.common < needed + (int64_t)implant_shared_bytes())
		return -EDQUOT;
	if (room.own >= AMPLE_BYTES)
		return 0;
	if (jump->targets->processes.nr > RESERVED_MOST)
		return -EDQUOT;
	return implant_reserve(&jump->implant);
}

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
	error = jump->inventory ? draw_gaps(jump) : -ENOMEM;
	if (!error)
		error = implant_create(&jump->implant);
	if (!error) {
		error = mind_its_group(jump);
		if (error)
			implant_deinit(&jump->implant);
	}
	if (error) {
		free(jump->gaps);
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
	for (unsigned i = 0; i < jump->nr_lanes; i++)
		rings_deinit(&jump->lanes[i].rings);
	free(jump->lanes);
	free(jump->keys);
	free(jump->tids);
	implant_deinit(&jump->implant);
	zones_deinit(&jump->zones);
	free(jump->retired.items);
	free(jump->detours.items);
	free(jump->inventory);
	free(jump->gaps);
	free(jump);
}

void jump_learn(struct jump *jump, const struct modules *modules)
{
	for (size_t i = 0; i < modules->nr; i++) {
		const struct file *file = modules->items[i]->file;

		if (modules->items[i]->alive && file && file->rules)
			(void)implant_add_rules(&jump->implant, file->rules, file->rules_bytes);
	}
	trampolines_learn(&jump->implant.trampolines, modules, jump->process->memory.tid);
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

/* mlockall(2): all that is mapped later would be locked, too, and filled at once. */
static bool is_locked(const struct process *process)
{
	long locked = procfs_status_number(process->memory.tid, "VmLck");
	long all = procfs_status_number(process->memory.tid, "VmSize");

	return locked > 0 && locked > all / 4;
}

static int map_implant(struct jump *jump, struct inject *inject, const struct maps *maps)
{
	taddr_t place = zone_choose_far(maps, implant_bytes());
	struct implant_settings settings = {
		.depth = jump->options.depth,
		.callers = jump->options.callers,
		.free_stacks = jump->options.callers || jump->options.free_stacks,
		.wait_cycles = cycles_per_ms(jump),
		.sample_bytes = jump->options.sample_bytes,
		.gaps = jump->gaps,
	};
	int error;

	if (jump->implant.whole)
		return 0;
	jump->cycles_per_ms = settings.wait_cycles;
	/* Who carried the calls was killed, but not the process. */
	error = implant_remove(&jump->implant, inject);
	if (error)
		return error;
	if (!place)
		return -ENOMEM;
	if (is_locked(jump->process))
		return -ENOLCK;
	if (!inject_may_read_clock(inject))
		return -ENODEV;
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

static int note_detours(struct jump *jump)
{
	struct agent_inventory *inventory = jump->inventory;

	inventory->nr_detours = 0;
	if (jump->detours.nr > AGENT_INVENTORY_DETOURS)
		return -ENOSPC;
	for (size_t i = 0; i < jump->detours.nr; i++)
		detour_note(&jump->detours.items[i],
			    &inventory->detours[inventory->nr_detours++]);
	return implant_write_inventory(&jump->implant, &jump->process->memory, inventory);
}

/* The maps are read each time: with the zones that were made before. */
static int map_zone(struct jump *jump, struct inject *inject, const struct module *module)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	taddr_t place = 0, mapped;
	struct maps maps;
	int error = maps_of(&maps, &jump->process->memory);

	if (!error) {
		place = zone_choose(&maps, module);
		error = place ? 0 : -ENOSPC;
	}
	maps_release(&maps);
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
	int error = maps_of(&maps, &jump->process->memory);

	/* Far away from where the zones may come to be. */
	if (!error)
		error = map_implant(jump, inject, &maps);
	for (size_t i = kept; !error && i < jump->detours.nr; i++) {
		struct detour *detour = &jump->detours.items[i];
		const struct function *function = &functions->items[detour->function];
		taddr_t slot = zones_take(&jump->zones, function->module);

		if (!slot && !map_zone(jump, inject, function->module))
			slot = zones_take(&jump->zones, function->module);
		if (slot && !detour_place(detour, function, &jump->process->memory, slot,
					  &jump->implant) &&
		    !detour_describe(detour, function, zones_describe(&jump->zones, slot)))
			jump->detours.items[kept++] = *detour;
		else if (slot)
			zones_give_back(&jump->zones, slot);
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

/* Without memory for a note the slot is not used again. */
static void retire(struct jump *jump, const struct detour *detour)
{
	if (detour->stub && !ARRAY_GROW(&jump->retired))
		jump->retired.items[jump->retired.nr++] = detour->stub;
}

/* Threads may have been moved into their copies. */
void jump_drop_plans(struct jump *jump)
{
	while (jump->detours.nr > jump->nr_armed)
		retire(jump, &jump->detours.items[--jump->detours.nr]);
}

static void patch_functions(struct jump *jump)
{
	const struct evacuation evacuation = {
		.moved = into_copies, .concerns = concerns_nobody, .owner = jump,
	};
	int error = note_detours(jump);

	if (!error)
		error = evacuate(jump->process, &evacuation, NULL);
	while (!error && jump->nr_armed < jump->detours.nr) {
		error = detour_arm(&jump->detours.items[jump->nr_armed], &jump->process->memory);
		jump->nr_armed += !error;
	}
	jump_drop_plans(jump);
}

/* A C library's thread has its descriptor, which fs points to, at the top of its stack. */
static void tell_stack(struct jump *jump, const struct thread *thread, const struct maps *maps)
{
	const struct mapping *mapping;
	arch_regs regs;

	if (!jump->implant.base || thread->guest || thread->tid == jump->process->pid ||
	    thread_get_regs(thread, &regs) || !regs.fs_base)
		return;
	mapping = maps_find(maps, regs.fs_base);
	if (mapping)
		implant_tell_stack(&jump->implant, regs.fs_base, mapping->start, regs.fs_base,
				   thread->tid);
}

static void tell_stacks(struct jump *jump)
{
	struct maps maps;

	if (maps_of(&maps, &jump->process->memory))
		return;
	for (size_t i = 0; i < jump->process->threads.nr; i++)
		tell_stack(jump, jump->process->threads.items[i], &maps);
	maps_release(&maps);
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
	(void)evacuate(jump->process, &evacuation, &nr_inside);
	if (nr_inside)
		return;
	while (jump->retired.nr)
		zones_give_back(&jump->zones, jump->retired.items[--jump->retired.nr]);
}

int jump_arm(struct jump *jump, const struct functions *functions, const struct unwind_map *map)
{
	bool first = !jump->implant.whole;
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
		jump_drop_plans(jump);
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

void jump_thread_begins(struct jump *jump, const struct thread *thread)
{
	struct maps maps;

	if (!jump->implant.base || maps_of(&maps, &jump->process->memory))
		return;
	jump_thread_ends(jump, thread); /* whoever had its place before */
	tell_stack(jump, thread, &maps);
	maps_release(&maps);
}

void jump_thread_ends(struct jump *jump, const struct thread *thread)
{
	arch_regs regs;

	if (!jump->implant.base || thread->guest || thread_get_regs(thread, &regs))
		return;
	jump_forget_tid(jump, regs.fs_base);
	implant_forget_stack(&jump->implant, &jump->process->memory, regs.fs_base);
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
	return implant_add_ranges(&jump->implant, &jump->zones, map);
}
