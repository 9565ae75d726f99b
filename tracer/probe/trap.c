/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From stops to events.  An allocation is told when its call returns, with the stack taken
 * then: at the ret the stack pointer and rbp are what they were at the entry.  Only the
 * outermost call of the allocator counts; that another one is under way is told by the stack.
 */
#include "trap.h"

#include <stdlib.h>

static void take_stack(struct probe *probe, const arch_regs *regs, uint32_t depth)
{
	struct unwinder *unwinder = probe->options.unwinder;

	if (!probe->remote &&
	    remote_create(&probe->map, &probe->remote))
		probe->remote = NULL;
	window_open(&probe->window, regs->rsp);
	unwinder->walk(unwinder, &probe->walker, probe->remote, &probe->window.read, regs, depth,
		       &probe->walk);
}

/* How many frames of the agent it took out; they come where a handler interrupted it. */
static uint32_t leave_out_agent(struct walk *walk)
{
	uint32_t nr = 0, left_out;

	for (uint32_t i = 0; i < walk->nr; i++)
		if (code_module(walk->frames[i]) != AGENT_MODULE)
			walk->frames[nr++] = walk->frames[i];
	left_out = walk->nr - nr;
	walk->nr = nr;
	return left_out;
}

/* As many frames as are to be recorded, the agent's not counted; slots are void then. */
static void take_recorded_stack(struct probe *probe, const arch_regs *regs)
{
	uint32_t left_out = 0, depth;

	do {
		depth = probe->options.depth + left_out;
		if (depth > WALK_DEPTH_MAX)
			depth = WALK_DEPTH_MAX;
		take_stack(probe, regs, depth);
		left_out = probe->jump ? leave_out_agent(&probe->walk) : 0;
	} while (probe->walk.end == WALK_DEPTH && depth < WALK_DEPTH_MAX &&
		 depth < probe->options.depth + left_out);
}

static void send(struct probe *probe, struct thread *thread, struct event *event,
		 uint64_t now_ns)
{
	event->tid = event->kernel_tid = thread->tid;
	event->time_ns = now_ns - probe->options.epoch_ns;
	if (!probe->jump || !jump_records(probe->jump))
		probe->options.sink.event(probe->options.sink.takers[0], event);
	else if (jump_insert(probe->jump, event))
		probe->stats.missed++;
}

static void send_with_stack(struct probe *probe, struct thread *thread, const arch_regs *regs,
			    struct event *event, uint64_t now_ns)
{
	const struct walk *walk = &probe->walk;

	take_recorded_stack(probe, regs);
	event->stack = walk->frames;
	event->nr_frames = walk->nr;
	event->truncated = walk->end == WALK_DEPTH;
	probe->stats.walks++;
	probe->stats.frames += walk->nr;
	probe->stats.complex_walks += walk->complex;
	if (walk->end == WALK_LOST) {
		probe->stats.lost_walks++;
		probe->maps_stale |= walk->nr && !code_module(walk->frames[walk->nr - 1]);
	}
	send(probe, thread, event, now_ns);
}

/* Tells who frees: see event/event.h. */
static void send_free(struct probe *probe, struct thread *thread, const arch_regs *regs,
		      struct event *event, uint64_t now_ns)
{
	const struct function *function = &probe->functions.items[event->function];
	const struct module_range *own = &function->module->extent;

	if (!memread_exact(&probe->process->memory.read, regs->rsp, &event->caller,
			   sizeof(event->caller)))
		event->caller = 0;
	event->from_own = function_has_own(function) && event->caller >= own->start &&
			  event->caller < own->end;
	if (event->from_own || probe->options.callers || probe->options.free_stacks)
		send_with_stack(probe, thread, regs, event, now_ns);
	else
		send(probe, thread, event, now_ns);
}

/* One whose stack the heap has no use for. */
static void send_with_caller(struct probe *probe, struct thread *thread, const arch_regs *regs,
			     struct event *event, uint64_t now_ns)
{
	if (probe->options.callers)
		send_with_stack(probe, thread, regs, event, now_ns);
	else
		send(probe, thread, event, now_ns);
}

/* What the agent sees of this thread while a call is under way here is nested in that. */
static void mute(struct probe *probe, struct calls *calls, const arch_regs *regs)
{
	if (!probe->jump || !jump_records(probe->jump) || calls->muted_fs)
		return;
	calls->muted_fs = regs->fs_base;
	if (jump_mute(probe->jump, calls->muted_fs, true))
		probe->stats.missed++;
}

static void unmute(struct probe *probe, struct calls *calls)
{
	if (!probe->jump || !calls->muted_fs || calls->nr)
		return;
	if (jump_mute(probe->jump, calls->muted_fs, false))
		probe->stats.missed++;
	calls->muted_fs = 0;
}

/* A call that will not be seen to end. */
static void drop_call(struct probe *probe, struct thread *thread, uint64_t now_ns)
{
	const struct call *call = &thread->calls->items[--thread->calls->nr];
	const struct function *function = &probe->functions.items[call->function];
	struct event event = {
		.kind = EVENT_RESIZE_LOST, .function = call->function,
		.old_address = call->pointer,
	};

	if (allocator_resizes(function->kind) && call->pointer && !call->is_nested)
		send(probe, thread, &event, now_ns);
	unmute(probe, thread->calls);
}

/*
 * An entry at the same stack pointer as the call under way: the same call, handed on by a jump,
 * or a new one after that was left.  A free is never seen to end, so it takes the same pointer.
 */
static bool is_handed_on(const struct probe *probe, const struct call *outer,
			 const struct function *function, const arch_regs *regs)
{
	const struct function *of = &probe->functions.items[outer->function];
	bool same_pointer = arch_argument(regs, function->kind->pointer_argument) ==
			    outer->pointer;

	if (!function_hands_on_to(of, function->address))
		return false;
	if (function->kind->call == CALL_FREE)
		return same_pointer;
	return of->kind->call != CALL_FREE;
}

/* The stack is looked at only where something is under way, which is rare. */
static bool is_nested(struct probe *probe, struct thread *thread, const arch_regs *regs,
		      const struct function *function, uint64_t now_ns)
{
	struct calls *calls = thread->calls;
	bool walked = false;

	while (calls->nr) {
		const struct call *inner = &calls->items[calls->nr - 1];
		enum call_relation relation = CALL_STALE;

		if (inner->sp == regs->rsp) {
			if (is_handed_on(probe, inner, function, regs))
				return true;
		} else {
			if (!walked)
				take_stack(probe, regs, WALK_DEPTH_MAX);
			walked = true;
			relation = calls_relate(&probe->functions.items[inner->function],
						inner->sp, &probe->walk);
		}
		if (relation != CALL_STALE)
			return relation == CALL_NESTED;
		drop_call(probe, thread, now_ns);
	}
	return false;
}

/* The exception may have left calls that are not seen to end. */
static void trap_catch(struct probe *probe, struct thread *thread, const arch_regs *regs,
		       uint64_t now_ns)
{
	struct calls *calls = thread->calls;

	if (!calls || !calls->nr)
		return;
	take_stack(probe, regs, WALK_DEPTH_MAX);
	while (calls->nr) {
		const struct call *inner = &calls->items[calls->nr - 1];

		if (calls_relate(&probe->functions.items[inner->function], inner->sp,
				 &probe->walk) != CALL_STALE)
			break;
		drop_call(probe, thread, now_ns);
	}
}

static taddr_t pool_bit(const struct allocator_function *kind)
{
	return kind->is_pool ? ADDRESS_POOL : 0;
}

static uint64_t product(uint64_t a, uint64_t b)
{
	uint64_t result;

	return __builtin_mul_overflow(a, b, &result) ? UINT64_MAX : result;
}

static void read_arguments(const struct allocator_function *kind, const arch_regs *regs,
			   struct call *call)
{
	call->pointer = arch_argument(regs, kind->pointer_argument);
	call->size = kind->size_argument == AGENT_NO_SIZE
		? 1 : arch_argument(regs, kind->size_argument);
	if (kind->call == CALL_ALLOC_ARRAY || kind->call == CALL_RESIZE_ARRAY)
		call->size = product(call->size, arch_argument(regs, kind->size_argument - 1));
}

bool trap_wants_end(const struct probe *probe, const struct function *function)
{
	return function->kind->call != CALL_FREE ||
	       (function->may_nest && probe->jump && jump_records(probe->jump));
}

/* The caller's side of a function whose returns are not all watched. */
static bool watch_return_site(struct probe *probe, const struct function *function,
			      const arch_regs *regs)
{
	struct memory *memory = &probe->process->memory;
	const struct unwind_range *range;
	taddr_t site;

	if (function->returns_watched || !trap_wants_end(probe, function))
		return true;
	if (!memread_exact(&memory->read, regs->rsp, &site, sizeof(site)))
		return false;
	range = unwind_map_find(&probe->map, site);
	return !breakpoint_set(&probe->breakpoints, memory, site, BREAKPOINT_SITE, 0,
			       range ? range->module : 0);
}

/* free(p) was told of, then a signal came before its first instruction. */
static bool is_told_already(struct calls *calls, const struct call *call)
{
	/* The handler may free, too: deeper in the stack or on another one. */
	if (calls->free_again_sp != call->sp)
		return false;
	calls->free_again_sp = 0;
	return calls->free_again_pointer == call->pointer;
}

static void begin(struct probe *probe, struct thread *thread, const struct function *function,
		  struct call *call, const arch_regs *regs, uint64_t now_ns)
{
	struct event event = { .function = call->function };
	bool watch = true;

	if (function->kind->call == CALL_FREE) {
		event.kind = EVENT_FREE;
		event.address = call->pointer | pool_bit(function->kind);
		if (call->pointer && !is_told_already(thread->calls, call))
			send_free(probe, thread, regs, &event, now_ns);
		watch = function->may_nest;
	} else if (allocator_resizes(function->kind) && call->pointer) {
		event.kind = EVENT_RESIZE_BEGIN;
		event.old_address = call->pointer;
		send_free(probe, thread, regs, &event, now_ns);
	}
	if (!watch)
		return;
	if (calls_push(thread->calls, call))
		mute(probe, thread->calls, regs);
	else
		probe->stats.missed++;
}

/* Made by a call that the agent watches: its stub is on the stack, before any handler. */
static bool is_in_agent(struct probe *probe, const arch_regs *regs)
{
	const struct walk *walk = &probe->walk;

	if (!probe->jump)
		return false;
	take_stack(probe, regs, WALK_DEPTH_MAX);
	for (uint32_t i = 0; i < walk->nr && i < walk->first_signal; i++)
		if (code_module(walk->frames[i]) == AGENT_MODULE)
			return true;
	return false;
}

/* It does not count, but the block that it frees or resizes may be one that does. */
static void tell_inside(struct probe *probe, struct thread *thread, const struct call *call,
			uint64_t now_ns)
{
	const struct allocator_function *kind = probe->functions.items[call->function].kind;
	struct event event = {
		.kind = EVENT_FREE_INSIDE, .function = call->function,
		.address = call->pointer | pool_bit(kind),
	};

	if (call->pointer && (kind->call == CALL_FREE || allocator_resizes(kind)))
		send(probe, thread, &event, now_ns);
}

/* What it returns may be freed by a call that does count. */
static void watch_inside(struct probe *probe, struct thread *thread, struct call *call,
			 uint64_t now_ns)
{
	struct event event = { .kind = EVENT_ALLOC_INSIDE, .function = call->function };

	/* Handed on by a jump, it is the call that is known. */
	if (probe->functions.items[call->function].kind->call == CALL_FREE ||
	    calls_find(thread->calls, call->sp) >= 0)
		return;
	call->is_nested = true;
	if (!calls_take_nested(thread->calls) || !calls_push(thread->calls, call))
		send(probe, thread, &event, now_ns);
}

void trap_entry(struct probe *probe, struct thread *thread, const arch_regs *regs,
		uint32_t index, uint64_t now_ns)
{
	const struct function *function = &probe->functions.items[index];
	struct call call = { .function = index, .sp = regs->rsp };

	if (function->kind->call == CALL_CATCH) {
		trap_catch(probe, thread, regs, now_ns);
		return;
	}
	if (!thread->calls)
		thread->calls = calloc(1, sizeof(*thread->calls));
	if (!thread->calls || !watch_return_site(probe, function, regs)) {
		probe->stats.missed++;
		return;
	}
	read_arguments(function->kind, regs, &call);
	if (is_nested(probe, thread, regs, function, now_ns) || is_in_agent(probe, regs)) {
		tell_inside(probe, thread, &call, now_ns);
		watch_inside(probe, thread, &call, now_ns);
		return;
	}
	begin(probe, thread, function, &call, regs, now_ns);
}

/* What the call gave: 0 for none.  Pools may have other words for that, which are no addresses. */
static taddr_t result_of(struct probe *probe, const struct allocator_function *kind,
			 const struct call *call, const arch_regs *regs)
{
	taddr_t block = 0, result = arch_result(regs);

	if (kind->is_pool && result)
		return result < ADDRESS_POOL ? result | ADDRESS_POOL : 0;
	if (kind->call != CALL_ALLOC_INTO)
		return result;
	if ((uint32_t)arch_result(regs) ||
	    !memread_exact(&probe->process->memory.read, call->pointer, &block, sizeof(block)))
		return 0;
	return block;
}

/* The block is where it was if the call has failed. */
static void end_inside(struct probe *probe, struct thread *thread, const arch_regs *regs,
		       const struct call *call, uint64_t now_ns)
{
	const struct allocator_function *kind = probe->functions.items[call->function].kind;
	struct event event = {
		.kind = EVENT_ALLOC_INSIDE, .function = call->function,
		.address = result_of(probe, kind, call, regs),
	};

	if (!event.address && allocator_resizes(kind) && call->size)
		event.address = call->pointer;
	if (event.address)
		send(probe, thread, &event, now_ns);
}

static void end(struct probe *probe, struct thread *thread, const arch_regs *regs,
		const struct call *call, uint64_t now_ns)
{
	const struct allocator_function *kind = probe->functions.items[call->function].kind;
	struct event event = {
		.kind = EVENT_ALLOC, .function = call->function, .size = call->size,
		.address = result_of(probe, kind, call, regs),
	};

	if (kind->call == CALL_FREE)
		return;
	if (allocator_resizes(kind) && call->pointer) {
		event.kind = EVENT_RESIZE_END;
		event.old_address = call->pointer;
	} else if (!event.address) {
		event.kind = EVENT_FAILED;
	}
	if (event.address)
		send_with_stack(probe, thread, regs, &event, now_ns);
	else
		send_with_caller(probe, thread, regs, &event, now_ns);
}

void trap_return(struct probe *probe, struct thread *thread, const arch_regs *regs,
		 taddr_t slot, uint64_t now_ns)
{
	int found = thread->calls ? calls_find(thread->calls, slot) : -1;
	arch_regs at_entry = *regs;
	struct call call;

	if (found < 0)
		return; /* of a nested call, or of one that began before the attach */
	while (thread->calls->nr > (uint32_t)found + 1)
		drop_call(probe, thread, now_ns);
	call = thread->calls->items[--thread->calls->nr];
	at_entry.rsp = slot;
	unmute(probe, thread->calls);
	if (call.is_nested)
		end_inside(probe, thread, &at_entry, &call, now_ns);
	else
		end(probe, thread, &at_entry, &call, now_ns);
}

void trap_entry_again(struct probe *probe, struct thread *thread, const arch_regs *regs,
		      uint32_t index)
{
	const struct allocator_function *kind = probe->functions.items[index].kind;

	if (kind->call != CALL_FREE || !thread->calls)
		return;
	thread->calls->free_again_sp = regs->rsp;
	thread->calls->free_again_pointer = arch_argument(regs, kind->pointer_argument);
}
