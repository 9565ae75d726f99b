/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a probe: what it finds, arms, follows and takes away. */
#include "probe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/inert.h"
#include "../base/message.h"
#include "trap.h"

int probe_create(struct process *process, struct files *files,
		 const struct probe_options *options, struct probe **out)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return -ENOMEM;
	probe->options = *options;
	probe->process = process;
	probe->modules.files = files;
	walker_init(&probe->walker, &probe->map);
	window_init(&probe->window, &process->memory.read);
	*out = probe;
	return 0;
}

void probe_destroy(struct probe *probe)
{
	if (!probe)
		return;
	remote_destroy(probe->remote);
	breakpoints_deinit(&probe->breakpoints);
	functions_deinit(&probe->functions);
	unwind_map_deinit(&probe->map);
	modules_deinit(&probe->modules);
	free(probe);
}

static int map_module(struct probe *probe, const struct module *module)
{
	int error = 0;

	for (size_t i = 0; !error && i < module->code.nr; i++)
		error = unwind_map_add(&probe->map, &(struct unwind_range){
			.start = module->code.items[i].start,
			.end = module->code.items[i].end,
			.bias = module->bias,
			.rules = module->file ? module->file->rules : NULL,
			.module = module->id,
		});
	return error;
}

static int rebuild_map(struct probe *probe)
{
	int error = 0;

	unwind_map_clear(&probe->map);
	for (size_t i = 0; !error && i < probe->modules.nr; i++)
		error = map_module(probe, probe->modules.items[i]);
	for (size_t i = 0; !error && i < probe->modules.anonymous.nr; i++)
		error = unwind_map_add(&probe->map, &(struct unwind_range){
			.start = probe->modules.anonymous.items[i].start,
			.end = probe->modules.anonymous.items[i].end,
		});
	unwind_map_sort(&probe->map);
	return error;
}

static void forget_functions(struct probe *probe, const struct module *module)
{
	for (size_t i = 0; i < probe->functions.nr; i++)
		if (probe->functions.items[i].module == module)
			probe->functions.items[i].tried = probe->functions.items[i].armed = false;
}

static void forget_closed(struct probe *probe)
{
	for (size_t i = 0; i < probe->modules.nr; i++) {
		const struct module *module = probe->modules.items[i];

		if (!module->closed)
			continue;
		breakpoints_forget_module(&probe->breakpoints, module->id);
		memory_forget(&probe->process->memory, module->extent.start, module->extent.end);
		forget_functions(probe, module);
	}
}

static int learn_module(struct probe *probe, const struct module *module)
{
	size_t first = probe->functions.nr;
	int error = slots_add_module(&probe->breakpoints.slots, &probe->process->memory, module);

	if (!error)
		error = functions_find(&probe->functions, module);
	/* All of the module is explored before the first breakpoint is written into it. */
	for (size_t i = first; !error && i < probe->functions.nr; i++)
		error = function_explore(&probe->functions.items[i],
					 &probe->process->memory.read, &probe->map);
	return error;
}

int probe_prepare(struct probe *probe)
{
	struct memory *memory = &probe->process->memory;
	int error = modules_scan(&probe->modules, memory->tid, memory);

	if (error)
		return error;
	probe->maps_stale = false;
	forget_closed(probe);
	error = rebuild_map(probe);
	for (size_t i = 0; !error && i < probe->modules.nr; i++)
		if (probe->modules.items[i]->fresh)
			error = learn_module(probe, probe->modules.items[i]);
	functions_relate(&probe->functions);
	return error;
}

static int set(struct probe *probe, const struct function *function, taddr_t address,
	       enum breakpoint_role role)
{
	return breakpoint_set(&probe->breakpoints, &probe->process->memory, address, role,
			      (uint32_t)(function - probe->functions.items), function->module->id);
}

/* Where one of its returns cannot be watched, all are watched from the caller's side. */
static void arm_returns(struct probe *probe, struct function *function)
{
	if (function->kind->call == CALL_FREE)
		return;
	for (size_t i = 0; function->returns_known && i < function->returns.nr; i++)
		if (set(probe, function, function->returns.items[i], BREAKPOINT_RETURN))
			function->returns_known = false;
}

static void arm_function(struct probe *probe, struct function *function)
{
	char path[256];
	int error;

	if (function->kind->call == CALL_LOADER) {
		error = set(probe, function, function->address, BREAKPOINT_LOADER);
		probe->has_loader |= !error;
	} else {
		arm_returns(probe, function);
		error = set(probe, function, function->address, BREAKPOINT_ENTRY);
	}
	function->armed = !error;
	if (!error)
		return;
	probe->stats.unarmed++;
	message_warn("%s at 0x%" PRIx64 " in %s cannot be traced: %s", function->kind->name,
		     function->address, inert(path, sizeof(path), function->module->path),
		     strerror(-error));
}

void probe_arm(struct probe *probe)
{
	for (size_t i = 0; i < probe->functions.nr; i++) {
		struct function *function = &probe->functions.items[i];

		if (!function->module->alive || function->tried)
			continue;
		function->tried = true;
		arm_function(probe, function);
	}
}

size_t probe_nr_armed(const struct probe *probe)
{
	size_t nr = 0;

	for (size_t i = 0; i < probe->functions.nr; i++)
		nr += probe->functions.items[i].armed &&
		      probe->functions.items[i].kind->call != CALL_LOADER;
	return nr;
}

static void look_again(struct probe *probe)
{
	uint64_t began_ns = clock_ns();
	int error = probe_prepare(probe);

	if (!error)
		probe_arm(probe);
	if (error && error != -ESRCH && error != -ENOENT)
		message_warn("pid %d: modules cannot be read again: %s", probe->process->pid,
			     strerror(-error));
	probe->stats.loader_ns += clock_ns() - began_ns;
}

void probe_tick(struct probe *probe)
{
	if (probe->maps_stale || !probe->has_loader)
		look_again(probe);
}

static void handle(struct probe *probe, struct thread *thread, arch_regs *regs,
		   const struct breakpoint *breakpoint)
{
	uint64_t arrived_ns = clock_ns();

	if (breakpoint->roles & BREAKPOINT_SITE)
		trap_return(probe, thread, regs, regs->rsp - sizeof(taddr_t), arrived_ns);
	if (breakpoint->roles & BREAKPOINT_RETURN)
		trap_return(probe, thread, regs, regs->rsp, arrived_ns);
	if (breakpoint->roles & BREAKPOINT_ENTRY)
		trap_entry(probe, thread, regs, breakpoint->function, arrived_ns);
	(void)breakpoint_pass(breakpoint, thread, regs);
	probe->stats.stops++;
	probe->stats.handling_ns += clock_ns() - arrived_ns;
}

bool probe_trap(struct probe *probe, struct thread *thread)
{
	const struct breakpoint *breakpoint;
	arch_regs regs;

	if (thread_get_regs(thread, &regs))
		return true; /* killed; nothing is left to be told */
	breakpoint = breakpoint_find(&probe->breakpoints, regs.rip - ARCH_BREAKPOINT_BYTES);
	/* A SIGTRAP sent and still blocked swallows the processor's own: then the place tells, as
	 * nothing else leads behind the first byte of a longer instruction. */
	if (!breakpoint ||
	    (breakpoint->displaced.length == 1 && !thread_trap_is_breakpoint(thread)))
		return false;
	regs.rip = breakpoint->address;
	if (breakpoint->roles & BREAKPOINT_LOADER) {
		(void)breakpoint_pass(breakpoint, thread, &regs);
		look_again(probe);
	} else {
		/* Setting a breakpoint may rebuild the table. */
		struct breakpoint copy = *breakpoint;

		handle(probe, thread, &regs, &copy);
	}
	return true;
}

void probe_settle(struct probe *probe, struct thread *thread)
{
	const struct breakpoint *again;
	arch_regs regs;
	taddr_t pc;

	if (thread_get_regs(thread, &regs))
		return;
	pc = breakpoint_original_pc(&probe->breakpoints, regs.rip, &again);
	if (!pc)
		return;
	if (again && again->roles & BREAKPOINT_ENTRY)
		trap_entry_again(probe, thread, &regs, again->function);
	(void)thread_set_pc(thread, pc);
}

bool probe_trap_pending(const struct probe *probe, const struct thread *thread)
{
	arch_regs regs;

	return !thread_get_regs(thread, &regs) &&
	       breakpoint_find(&probe->breakpoints, regs.rip - ARCH_BREAKPOINT_BYTES) &&
	       thread_trap_pending(thread);
}

int probe_disarm(struct probe *probe)
{
	struct process *process = probe->process;

	for (size_t i = 0; i < process->threads.nr; i++)
		if (process->threads.items[i]->held)
			probe_settle(probe, process->threads.items[i]);
	return memory_undo(&process->memory);
}
