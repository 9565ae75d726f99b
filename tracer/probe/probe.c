/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a probe: what it finds, arms, follows and takes away. */
#include "probe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/inert.h"
#include "../base/message.h"
#include "trap.h"

static const char *why_not(int error)
{
	switch (error) {
	case -EACCES:
		return "its seccomp filter cannot be lifted without CAP_SYS_ADMIN";
	case -EAGAIN:
		return "none of its threads can run a system call now";
	case -ENOMEM:
	case -EPERM:
		return "it may not map more memory";
	case -ENOLCK:
		return "its memory is locked (mlockall), and rings would be, too";
	case -ENODEV:
		return "it may not read the processor's clock (PR_SET_TSC, seccomp's strict mode)";
	case -EDQUOT:
		return "its control group has no memory left for it";
	case -EMFILE:
		return "it has no file descriptor left";
	case -EADDRINUSE:
		return "its sanitizer lays out the address space when it starts";
	case -ENOSYS:
		return "this kernel lacks what it takes";
	default:
		return strerror(-error);
	}
}

/* Breakpoints will not do. */
static bool needs_jump(const struct probe *probe)
{
	return probe->options.engine == ENGINE_JUMP || probe->options.sample_bytes;
}

static void do_without_jump(struct probe *probe, int error)
{
	probe->no_jump = why_not(error);
	if (!needs_jump(probe) && probe->told != probe->no_jump)
		message_info("pid %d: breakpoints instead of jumps: %s", probe->process->pid,
			     probe->no_jump);
	probe->told = probe->no_jump;
}

static void make_jump(struct probe *probe)
{
	const struct probe_options *options = &probe->options;
	const struct jump_options jump_options = {
		.depth = options->depth, .callers = options->callers,
		.free_stacks = options->free_stacks,
		.sample_bytes = options->sample_bytes,
		.epoch_ns = options->epoch_ns, .sink = options->sink,
		.notify = options->notify, .owner = options->owner, .walker = &probe->walker,
	};
	int error;

	if (options->engine == ENGINE_BREAK)
		return;
	error = jump_create(options->targets, probe->process, &jump_options, &probe->jump);
	if (error)
		do_without_jump(probe, error);
}

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
	make_jump(probe);
	*out = probe;
	return 0;
}

void probe_destroy(struct probe *probe)
{
	if (!probe)
		return;
	jump_destroy(probe->jump);
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

/* Neighbours of the same kind are one mapping to the kernel: what is ours is cut out. */
static int map_anonymous(struct probe *probe, const struct module_range *range)
{
	if (probe->jump && jump_contains(probe->jump, range->start))
		return 0;
	return unwind_map_add(&probe->map, &(struct unwind_range){
		.start = range->start, .end = range->end,
	});
}

static int rebuild_map(struct probe *probe)
{
	int error = 0;

	unwind_map_clear(&probe->map);
	for (size_t i = 0; !error && i < probe->modules.nr; i++)
		error = map_module(probe, probe->modules.items[i]);
	for (size_t i = 0; !error && i < probe->modules.anonymous.nr; i++)
		error = map_anonymous(probe, &probe->modules.anonymous.items[i]);
	if (!error && probe->jump)
		error = jump_add_ranges(probe->jump, &probe->map);
	unwind_map_sort(&probe->map);
	return error;
}

static void forget_functions(struct probe *probe, const struct module *module)
{
	for (size_t i = 0; i < probe->functions.nr; i++)
		if (probe->functions.items[i].module == module)
			probe->functions.items[i].tried = probe->functions.items[i].armed =
				probe->functions.items[i].jumps =
				probe->functions.items[i].returns_watched = false;
}

static void forget_closed(struct probe *probe)
{
	for (size_t i = 0; i < probe->modules.nr; i++) {
		const struct module *module = probe->modules.items[i];

		if (!module->closed)
			continue;
		breakpoints_forget_module(&probe->breakpoints, module->id);
		if (probe->jump)
			jump_forget_module(probe->jump, module->id);
		memory_forget(&probe->process->memory, module->extent.start, module->extent.end);
		forget_functions(probe, module);
	}
}

static int learn_module(struct probe *probe, const struct module *module)
{
	int error = slots_add_module(&probe->breakpoints.slots, &probe->process->memory, module);

	return error ? error : functions_find(&probe->functions, module);
}

static int learn_modules(struct probe *probe)
{
	int error = 0;

	for (size_t i = 0; !error && i < probe->modules.nr; i++) {
		const struct module *module = probe->modules.items[i];

		if (module->fresh)
			error = learn_module(probe, module);
		else if (probe->slotless && module->alive)
			error = slots_add_module(&probe->breakpoints.slots,
						 &probe->process->memory, module);
	}
	probe->slotless = false;
	return error;
}

/* All of a module is explored before it is patched; again where it was closed in the middle. */
static int explore(struct probe *probe)
{
	int error = 0;

	for (size_t i = 0; !error && i < probe->functions.nr; i++) {
		struct function *function = &probe->functions.items[i];

		if (function->module->alive && !function->explored && !function->tried)
			error = function_explore(function, &probe->process->memory.read,
						 &probe->map);
	}
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
	if (!error)
		error = learn_modules(probe);
	if (!error)
		error = explore(probe);
	functions_relate(&probe->functions);
	if (probe->jump)
		jump_learn(probe->jump, &probe->modules);
	if (probe->options.learned)
		probe->options.learned(probe->options.owner);
	return error;
}

static int set(struct probe *probe, const struct function *function, taddr_t address,
	       enum breakpoint_role role)
{
	return breakpoint_set(&probe->breakpoints, &probe->process->memory, address, role,
			      (uint32_t)(function - probe->functions.items), function->module->id);
}

/* Then its caller is returned to by a stub, and not by any of its returns. */
static bool hands_on_to_jump(const struct probe *probe, const struct function *function)
{
	for (size_t i = 0; i < probe->functions.nr; i++)
		if (probe->functions.items[i].jumps &&
		    flow_has(&function->tails, probe->functions.items[i].address))
			return true;
	return false;
}

/* Where one of its returns cannot be watched, all are watched from the caller's side. */
static void arm_returns(struct probe *probe, struct function *function)
{
	if (!trap_wants_end(probe, function))
		return;
	function->returns_watched = function->returns_known &&
				    !hands_on_to_jump(probe, function);
	for (size_t i = 0; function->returns_watched && i < function->returns.nr; i++)
		if (set(probe, function, function->returns.items[i], BREAKPOINT_RETURN))
			function->returns_watched = false;
}

static bool is_sampling(const struct probe *probe)
{
	return probe->options.sample_bytes;
}

/* An exception cannot leave through a stub; a breakpoint would stop at every call. */
static bool is_left_alone(const struct probe *probe, const struct function *function)
{
	return is_sampling(probe) && function->throws && !detour_is_left_for_good(function);
}

static void leave_alone(struct probe *probe, const struct function *function)
{
	char path[256];

	probe->stats.unsampled++;
	if (!probe->told_unsampled)
		message_warn("pid %d: %s in %s is not sampled, since an exception may leave it",
			     probe->process->pid, function->kind->name,
			     inert(path, sizeof(path), function->module->path));
	probe->told_unsampled = true;
}

static void arm_function(struct probe *probe, struct function *function)
{
	char path[256];
	int error;

	if (function->jumps) {
		error = 0;
		probe->has_loader |= function->kind->call == CALL_LOADER;
	} else if (function->kind->call == CALL_LOADER) {
		error = set(probe, function, function->address, BREAKPOINT_LOADER);
		probe->has_loader |= !error;
	} else if (is_sampling(probe)) {
		error = -ENOTSUP;
	} else if (function->kind->call == CALL_CATCH) {
		error = set(probe, function, function->address, BREAKPOINT_ENTRY);
	} else {
		arm_returns(probe, function);
		error = set(probe, function, function->address, BREAKPOINT_ENTRY);
	}
	function->armed = !error;
	if (!error && function->kind->is_named)
		message_debug("pid %d: %s is at 0x%" PRIx64 " in %s", probe->process->pid,
			      function->kind->name, function->address,
			      inert(path, sizeof(path), function->module->path));
	if (!error)
		return;
	probe->stats.unarmed++;
	message_warn("%s at 0x%" PRIx64 " in %s cannot be traced: %s", function->kind->name,
		     function->address, inert(path, sizeof(path), function->module->path),
		     strerror(-error));
}

static bool jumps_somewhere(const struct probe *probe)
{
	for (size_t i = 0; i < probe->functions.nr; i++)
		if (probe->functions.items[i].jumps)
			return true;
	return false;
}

/* While a call on a breakpoint is under way, what the agent tells of the thread is taken for a part
 * of it: that an exception has left it must be seen then. */
static bool wants_catch(const struct probe *probe)
{
	if (!probe->jump || is_sampling(probe))
		return false;
	for (size_t i = 0; i < probe->functions.nr; i++) {
		const struct function *function = &probe->functions.items[i];

		if (function->throws && function->module->alive && !function->jumps)
			return true;
	}
	return false;
}

static bool is_due(const struct probe *probe, const struct function *function)
{
	return function->module->alive && !function->tried &&
	       (function->kind->call != CALL_CATCH || wants_catch(probe));
}

/* Whether nothing can be jumped from where this function cannot.  Somebody else's patch is such a
 * reason; for samples each one is that comes before the first jump. */
static bool is_against_all(const struct probe *probe, enum detour_refusal refusal)
{
	return refusal == DETOUR_CHANGED ||
	       (is_sampling(probe) && refusal != DETOUR_THROWS && !jumps_somewhere(probe));
}

static void give_reason(struct probe *probe, const struct function *function,
			enum detour_refusal refusal)
{
	char path[256];

	snprintf(probe->reason, sizeof(probe->reason), "%s in %s: %s", function->kind->name,
		 inert(path, sizeof(path), function->module->path), detour_words(refusal));
	probe->no_jump = probe->reason;
}

/* Those that cannot be moved get breakpoints. */
static int plan_jumps(struct probe *probe)
{
	char path[256];

	for (size_t i = 0; i < probe->functions.nr; i++) {
		struct function *function = &probe->functions.items[i];
		enum detour_refusal refusal;

		if (!is_due(probe, function) || function->kind->call == CALL_CATCH)
			continue;
		refusal = jump_plan(probe->jump, &probe->functions, (uint32_t)i,
				    &probe->process->memory.read);
		if (!refusal)
			continue;
		message_debug("%s at 0x%" PRIx64 " in %s cannot get a jump: %s",
			      function->kind->name, function->address,
			      inert(path, sizeof(path), function->module->path),
			      detour_words(refusal));
		if (is_against_all(probe, refusal))
			give_reason(probe, function, refusal);
	}
	return probe->no_jump && needs_jump(probe) ? -ENOTSUP : 0;
}

/* No function has been patched: from now on breakpoints alone. */
static int give_up_jump(struct probe *probe, int error)
{
	int stays = jump_leave(probe->jump);

	if (stays)
		message_warn("pid %d: some memory of ours stays mapped, unused: %s",
			     probe->process->pid, strerror(-stays));
	jump_destroy(probe->jump);
	probe->jump = NULL;
	do_without_jump(probe, error);
	return needs_jump(probe) ? -ENOTSUP : 0;
}

/* ThreadSanitizer and MemorySanitizer end a program in which anything is mapped where they are
 * about to map.  One that could not be looked at may have them. */
static bool lays_out_its_memory(const struct probe *probe)
{
	for (size_t i = 0; probe->options.unstarted && i < probe->modules.nr; i++) {
		const struct module *module = probe->modules.items[i];

		const struct file *file = module->file;

		if (module->is_program &&
		    (!file || !file->known || file->elf.runtimes & (RUNTIME_TSAN | RUNTIME_MSAN)))
			return true;
	}
	return false;
}

static int arm_jumps(struct probe *probe, bool last_try)
{
	int error;

	if (!jumps_somewhere(probe) && lays_out_its_memory(probe))
		return give_up_jump(probe, -EADDRINUSE);
	error = plan_jumps(probe);
	if (!error) {
		error = jump_arm(probe->jump, &probe->functions, &probe->map);
		if (error == -ESRCH || (error == -EAGAIN && !last_try))
			return error;
		/* Later ones may fail alone: they get breakpoints. */
		if (error && !jumps_somewhere(probe))
			return give_up_jump(probe, error);
		error = rebuild_map(probe);
	} else {
		jump_drop_plans(probe->jump);
	}
	for (size_t i = 0; i < probe->functions.nr; i++)
		if (is_due(probe, &probe->functions.items[i]))
			probe->functions.items[i].jumps = jump_is_armed(probe->jump, (uint32_t)i);
	return error;
}

/* What cannot be traced as was asked for is not tried again at every look. */
static void give_up_due(struct probe *probe)
{
	for (size_t i = 0; i < probe->functions.nr; i++) {
		if (!is_due(probe, &probe->functions.items[i]))
			continue;
		probe->functions.items[i].tried = true;
		probe->stats.unarmed++;
	}
}

int probe_arm(struct probe *probe, bool last_try)
{
	int error = probe->jump ? arm_jumps(probe, last_try) : needs_jump(probe) ? -ENOTSUP : 0;

	probe->wants_hold = false;
	if (error == -ENOTSUP)
		give_up_due(probe);
	if (error)
		return error;
	for (size_t i = 0; i < probe->functions.nr; i++) {
		struct function *function = &probe->functions.items[i];

		if (!is_due(probe, function))
			continue;
		function->tried = true;
		if (is_left_alone(probe, function))
			leave_alone(probe, function);
		else
			arm_function(probe, function);
	}
	return 0;
}

void probe_set_epoch(struct probe *probe, uint64_t epoch_ns)
{
	probe->options.epoch_ns = epoch_ns;
	if (probe->jump)
		jump_set_epoch(probe->jump, epoch_ns);
}

void probe_thread_begins(struct probe *probe, const struct thread *thread)
{
	if (probe->jump)
		jump_thread_begins(probe->jump, thread);
}

void probe_thread_ends(struct probe *probe, const struct thread *thread)
{
	if (probe->jump)
		jump_thread_ends(probe->jump, thread);
}

const char *probe_engine(const struct probe *probe)
{
	return jumps_somewhere(probe) ? ENGINE_NAME_JUMP : ENGINE_NAME_BREAK;
}

size_t probe_nr_armed(const struct probe *probe)
{
	size_t nr = 0;

	for (size_t i = 0; i < probe->functions.nr; i++)
		nr += probe->functions.items[i].armed &&
		      allocator_counts(probe->functions.items[i].kind);
	return nr;
}

static bool any_due(const struct probe *probe)
{
	for (size_t i = 0; i < probe->functions.nr; i++)
		if (is_due(probe, &probe->functions.items[i]))
			return true;
	return false;
}

/* A breakpoint can be written while other threads run; a jump cannot. */
static void rearm(struct probe *probe)
{
	if (!probe->jump)
		(void)probe_arm(probe, true);
	else if (any_due(probe))
		probe->wants_hold = true;
	else
		jump_publish(probe->jump, &probe->map);
}

static void look_again(struct probe *probe)
{
	uint64_t began_ns = clock_ns();
	int error = probe_prepare(probe);

	if (!error)
		rearm(probe);
	if (error && error != -ESRCH && error != -ENOENT)
		message_warn("pid %d: modules cannot be read again: %s", probe->process->pid,
			     strerror(-error));
	probe->stats.loader_ns += clock_ns() - began_ns;
}

bool probe_wants_look(const struct probe *probe)
{
	return probe->jump && jump_loader_waits(probe->jump);
}

void probe_look(struct probe *probe)
{
	probe->looking_at = jump_loader_requests(probe->jump);
	look_again(probe);
}

void probe_looked(struct probe *probe)
{
	if (probe->jump)
		jump_loader_done(probe->jump, probe->looking_at);
}

void probe_lock(struct probe *probe)
{
	if (probe && probe->jump)
		jump_lock(probe->jump);
}

void probe_unlock(struct probe *probe)
{
	if (probe && probe->jump)
		jump_unlock(probe->jump);
}

void probe_tick(struct probe *probe)
{
	if (probe->maps_stale || !probe->has_loader)
		look_again(probe);
}

/* Its return is the next stop, and not far. */
static bool may_measure(const struct probe *probe, uint32_t function, uint64_t now_ns)
{
	return probe->functions.items[function].kind->call == CALL_ALLOC &&
	       standstill_wants_switch(&probe->process->standstill, now_ns);
}

static void handle(struct probe *probe, struct thread *thread, arch_regs *regs,
		   const struct breakpoint *breakpoint)
{
	uint64_t arrived_ns = clock_ns();

	if (breakpoint->roles & (BREAKPOINT_SITE | BREAKPOINT_RETURN))
		thread_switch_measured(thread);
	if (breakpoint->roles & BREAKPOINT_SITE)
		trap_return(probe, thread, regs, regs->rsp - sizeof(taddr_t), arrived_ns);
	if (breakpoint->roles & BREAKPOINT_RETURN)
		trap_return(probe, thread, regs, regs->rsp, arrived_ns);
	if (breakpoint->roles & BREAKPOINT_ENTRY)
		trap_entry(probe, thread, regs, breakpoint->function, arrived_ns);
	if (breakpoint->roles & BREAKPOINT_ENTRY &&
	    may_measure(probe, breakpoint->function, arrived_ns))
		thread_measure_switch(thread);
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

taddr_t probe_original_pc(const struct probe *probe, taddr_t pc)
{
	const struct breakpoint *again;

	return breakpoint_original_pc(&probe->breakpoints, pc, &again);
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
	int error, failed;

	for (size_t i = 0; i < process->threads.nr; i++)
		if (process->threads.items[i]->held)
			probe_settle(probe, process->threads.items[i]);
	error = memory_undo(&process->memory);
	failed = probe->jump ? jump_disarm(probe->jump) : 0;
	return error ? error : failed;
}

static void forget_patches(struct probe *probe)
{
	for (size_t i = 0; i < probe->modules.nr; i++)
		forget_functions(probe, probe->modules.items[i]);
	breakpoints_deinit(&probe->breakpoints);
	probe->slotless = true;
}

/* They would be taken for calls that begin at the same depth later. */
static void forget_calls(struct process *process)
{
	for (size_t i = 0; i < process->threads.nr; i++)
		if (process->threads.items[i]->calls)
			*process->threads.items[i]->calls = (struct calls){ .nr = 0 };
}

void probe_rest(struct probe *probe)
{
	probe_finish(probe);
	if (probe->jump) {
		probe->stats.dropped += jump_dropped(probe->jump);
		probe->stats.waited_ns += jump_waited_ns(probe->jump);
	}
	jump_destroy(probe->jump);
	probe->jump = NULL;
	probe->has_loader = probe->wants_hold = false;
	forget_patches(probe);
	forget_calls(probe->process);
}

void probe_wake(struct probe *probe)
{
	probe->no_jump = NULL;
	probe->stats.unsampled = 0; /* they are found again */
	/* Where it has never been armed, that of probe_create() will do. */
	if (!probe->jump)
		make_jump(probe);
}

void probe_leave_child(const struct probe *probe, struct process *child)
{
	if (probe->jump && jump_leave_child(probe->jump, child))
		message_debug("pid %d: code that it will not use stays mapped", child->pid);
}

void probe_finish(struct probe *probe)
{
	if (probe->jump)
		jump_finish(probe->jump);
}

uint64_t probe_dropped(const struct probe *probe)
{
	return probe->stats.missed + probe->stats.dropped +
	       (probe->jump ? jump_dropped(probe->jump) : 0);
}

uint64_t probe_waited_ns(const struct probe *probe)
{
	return probe->stats.waited_ns + (probe->jump ? jump_waited_ns(probe->jump) : 0);
}

void probe_own_memory(const struct probe *probe, taddr_t *start, taddr_t *end)
{
	*start = probe->jump ? probe->jump->implant.base : 0;
	*end = *start ? *start + implant_bytes() : 0;
}

uint64_t probe_memory_bytes(const struct probe *probe)
{
	return probe->jump && probe->jump->implant.whole
		? implant_memory_bytes(&probe->jump->implant) : 0;
}
