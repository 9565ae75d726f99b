/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From calls to events, with the meaning of probe/trap.c: only the outermost call of a thread
 * counts; a free is told before it happens, an allocation when it has.
 *
 * Sampling keeps an estimate unbiased by this rule: each allocation draws for itself, by its
 * own size; it counts if it is drawn and no other wrapped call made it.  A call that may make
 * others is wrapped although it was not drawn, so that theirs do not count in its stead; one
 * that makes none runs as if nothing were there.  A free draws nothing: the set knows.
 */
#include "hooks.h"

#include "calls.h"
#include "layout.h"
#include "ring.h"
#include "sampled.h"
#include "stack.h"

_Static_assert(sizeof(struct agent_thread) == AGENT_THREAD_BYTES &&
	       offsetof(struct agent_thread, key) == AGENT_THREAD_KEY &&
	       offsetof(struct agent_thread, nr_calls) == AGENT_THREAD_NR_CALLS &&
	       offsetof(struct agent_thread, sample_left) == AGENT_THREAD_SAMPLE_LEFT &&
	       offsetof(struct agent_thread, calls) == AGENT_THREAD_CALLS &&
	       sizeof(struct agent_call) == 16 && offsetof(struct agent_call, tell) == 12 &&
	       AGENT_CALLS == AGENT_CALLS_MAX &&
	       offsetof(struct agent_state, threads) - offsetof(struct agent_state, sampled_near) ==
	       AGENT_NEAR_TO_THREADS &&
	       AGENT_THREADS == AGENT_THREADS_MASK + 1 &&
	       sizeof(struct agent_literals) == AGENT_LITERALS * 8 &&
	       offsetof(struct agent_literals, table) == AGENT_LITERAL_TABLE &&
	       offsetof(struct agent_literals, lean) == AGENT_LITERAL_LEAN &&
	       AGENT_SAMPLED_LINES == AGENT_LINES_MASK + 1, "layout.h is for entry.S");

/* A call, seen from either hook. */
struct hook {
	const struct agent_function *function;
	struct agent_thread *thread;	/* NULL: no place is left */
	taddr_t sp, fp;
	uint64_t size;
	taddr_t pointer;		/* of the block to be resized or freed, or where it goes */
};

/* rax lies between the fourth and the fifth. */
static uint64_t argument(const struct agent_registers *regs, unsigned number)
{
	return number < AGENT_ARGUMENTS ? (&regs->rdi)[number + (number > 3)] : 0;
}

static bool is_resize(const struct agent_function *function)
{
	return function->call == AGENT_CALL_RESIZE || function->call == AGENT_CALL_RESIZE_ARRAY;
}

static uint64_t size_of(const struct agent_registers *regs, const struct agent_function *function)
{
	uint64_t size = argument(regs, function->size_argument), product;

	if (function->size_argument == AGENT_NO_SIZE)
		return 1;
	if (function->call != AGENT_CALL_ALLOC_ARRAY && function->call != AGENT_CALL_RESIZE_ARRAY)
		return size;
	if (__builtin_mul_overflow(size, argument(regs, function->size_argument - 1u), &product))
		return UINT64_MAX;
	return product;
}

/* Inlined, so that a hook takes registers, not stack. */
static inline __attribute__((always_inline)) void
open_hook(struct hook *hook, const struct agent_registers *regs,
	  const struct agent_function *function, uint64_t fp)
{
	hook->function = function;
	hook->sp = (taddr_t)(uintptr_t)&regs->return_address;
	hook->fp = fp;
	hook->pointer = argument(regs, function->pointer_argument);
	hook->size = size_of(regs, function);
	hook->thread = agent_thread_get();
}

static void put(const struct hook *hook, enum agent_kind kind, taddr_t address, uint32_t node)
{
	agent_put(hook->thread, hook->function, kind, address, hook->size, node);
}

/* For who wants to know whose calls they all are. */
static uint32_t caller(const struct hook *hook)
{
	if (AGENT_LIKELY(!agent_state.callers))
		return AGENT_ROOT;
	return agent_stack_node(hook->thread, hook->sp, hook->fp);
}

/* Where a free comes from; as the size of its record. */
static uint64_t origin(const struct hook *hook)
{
	taddr_t from = *(const taddr_t *)(uintptr_t)hook->sp;

	if (AGENT_UNLIKELY(from >= AGENT_FROM_OWN))
		return 0;
	return from - hook->function->own_start < hook->function->own_bytes ?
	       from | AGENT_FROM_OWN : from;
}

/* The allocator itself may free what is free already, e.g. what a thread that ends has cached:
 * that is told by the callers further out. */
static void put_free(const struct hook *hook, enum agent_kind kind, taddr_t address)
{
	uint64_t from = origin(hook);
	uint32_t node = AGENT_ROOT;

	if (AGENT_UNLIKELY(from & AGENT_FROM_OWN || agent_state.free_stacks) &&
	    !agent_state.sample_bytes)
		node = agent_stack_node(hook->thread, hook->sp, hook->fp);
	agent_put(hook->thread, hook->function, kind, address, from, node);
}

static bool is_nested(const struct hook *hook)
{
	return agent_calls_nested(hook->thread, hook->sp, hook->fp);
}

/* For agent_before(): the call is to be wrapped. */
static uint32_t wrap(const struct hook *hook, uint32_t tell)
{
	if (hook->thread)
		agent_calls_push(hook->thread, hook->sp, hook->function, tell);
	return 1;
}

/* What it returns is told of as well, since it may be freed by a call that does count. */
static uint32_t wrap_nested(const struct hook *hook)
{
	if (agent_state.sample_bytes)
		return 0;
	if (AGENT_LIKELY(agent_calls_take_nested(hook->thread)))
		return wrap(hook, AGENT_TELL_INSIDE);
	agent_put(hook->thread, hook->function, AGENT_ALLOC_INSIDE, 0, 0, AGENT_ROOT);
	return 0;
}

/* It is not drawn, but what it makes is. */
static uint32_t wrap_to_hide(const struct hook *hook)
{
	return hook->function->may_nest ? wrap(hook, 0) : 0;
}

/* A block of a pool may be freed by the allocator below, which is asked for the other one then.
 * Not the other way round: of a block of the pool's that was not drawn nobody knows that it lies
 * where one of the allocator's begins. */
static bool take_sampled(taddr_t address)
{
	return agent_sampled_take(address) ||
	       (!(address & ADDRESS_POOL) && agent_sampled_take(address | ADDRESS_POOL));
}

static bool is_forsaken(void)
{
	if (AGENT_LIKELY(!agent_is_forsaken()))
		return false;
	agent_drop();
	return true;
}

/* What is nested does not count, but the block that it frees or resizes may be one that does. */
static bool is_inside(struct hook *hook, taddr_t block)
{
	if (AGENT_LIKELY(!is_nested(hook)))
		return false;
	hook->size = 0;
	if (block)
		put(hook, AGENT_FREE_INSIDE, block, caller(hook));
	return true;
}

/* NULL is no block, but that call may make others, too. */
static uint32_t before_free(const struct agent_registers *regs,
			    const struct agent_function *function, uint64_t fp)
{
	taddr_t pointer = argument(regs, function->pointer_argument);
	bool is_sampling = agent_state.sample_bytes;
	bool wraps = function->may_nest && !is_sampling;
	struct hook hook;

	if (!pointer && !wraps)
		return 0;
	if (pointer)
		pointer |= agent_pool_bit(function);
	if ((is_sampling && !take_sampled(pointer)) || is_forsaken())
		return 0;
	open_hook(&hook, regs, function, fp);
	if (is_inside(&hook, pointer))
		return 0;
	if (pointer)
		put_free(&hook, AGENT_FREE, pointer);
	return wraps ? wrap(&hook, 0) : 0;
}

/* Without a place for the thread nobody remembers what was drawn: nothing is. */
static bool is_drawn(const struct hook *hook)
{
	return hook->thread && agent_sample(hook->thread, hook->size);
}

static uint32_t before_resize(struct hook *hook)
{
	uint32_t tell = AGENT_TELL_ALL;

	if (agent_state.sample_bytes) {
		tell = is_drawn(hook) ? AGENT_TELL_NEW : 0;
		if (take_sampled(hook->pointer))
			tell |= AGENT_TELL_OLD;
		if (!tell)
			return wrap_to_hide(hook);
	}
	if (is_forsaken())
		return 0;
	if (is_inside(hook, tell & AGENT_TELL_OLD ? hook->pointer : 0))
		return wrap_nested(hook);
	if (agent_state.sample_bytes && !hook->thread) {
		put_free(hook, AGENT_FREE, hook->pointer);
		return 0;
	}
	if (tell & AGENT_TELL_OLD)
		put_free(hook, AGENT_RESIZE_BEGIN, hook->pointer);
	return wrap(hook, tell);
}

static uint32_t before_alloc(const struct hook *hook)
{
	if (agent_state.sample_bytes && !is_drawn(hook))
		return wrap_to_hide(hook);
	if (is_forsaken())
		return 0;
	return is_nested(hook) ? wrap_nested(hook) : wrap(hook, AGENT_TELL_ALL);
}

uint32_t agent_before(const struct agent_registers *regs, const struct agent_function *function,
		      uint64_t fp)
{
	struct hook hook;

	if (AGENT_UNLIKELY(!agent_load(&agent_state.enabled)))
		return 0;
	if (function->call == AGENT_CALL_FREE)
		return before_free(regs, function, fp);
	open_hook(&hook, regs, function, fp);
	if (is_resize(function) && hook.pointer)
		return before_resize(&hook);
	return before_alloc(&hook);
}

/* 0: it has failed.  posix_memalign has just written it, and returns an int; pools may have other
 * words for a failure, which are no addresses. */
static taddr_t block_of(const struct agent_registers *regs, const struct agent_function *function,
			uint64_t result)
{
	taddr_t pointer = argument(regs, function->pointer_argument);

	if (function->call == AGENT_CALL_ALLOC_INTO)
		return (uint32_t)result ? 0 : *(const volatile taddr_t *)(uintptr_t)pointer;
	if (function->is_pool && result)
		return result < ADDRESS_POOL ? result | ADDRESS_POOL : 0;
	return result;
}

/* The block is there, or the call has failed, or it was a realloc() to nothing. */
static bool has_failed(const struct hook *hook, taddr_t block)
{
	return !block && !(is_resize(hook->function) && hook->pointer && !hook->size);
}

static void tell_old(const struct hook *hook, taddr_t block)
{
	bool is_kept = has_failed(hook, block);

	put(hook, is_kept ? AGENT_RESIZE_FAILED : AGENT_RESIZE_DONE, hook->pointer, AGENT_ROOT);
	if (is_kept && agent_state.sample_bytes && !agent_sampled_add(hook->pointer))
		agent_drop();
}

static void tell_new(const struct hook *hook, taddr_t block, uint32_t node)
{
	if (agent_state.sample_bytes && !agent_sampled_add(block))
		agent_drop();
	else
		agent_put(hook->thread, hook->function, AGENT_ALLOC, block, hook->size, node);
}

/* Not inlined: agent_after() shall need little of the stack when it walks it. */
static __attribute__((noinline)) void tell_all(const struct agent_registers *regs,
					       const struct agent_function *function,
					       uint32_t tell, taddr_t block, uint32_t node)
{
	bool is_old = is_resize(function) && argument(regs, function->pointer_argument);
	struct hook hook;

	open_hook(&hook, regs, function, 0);
	if (is_old && tell & AGENT_TELL_OLD)
		tell_old(&hook, block);
	if (!(tell & AGENT_TELL_NEW))
		return;
	if (block)
		tell_new(&hook, block, node);
	else if (has_failed(&hook, block) && !(is_old && tell & AGENT_TELL_OLD))
		put(&hook, AGENT_FAILED, 0, node);
}

/* The block is where it was if the call has failed. */
static __attribute__((noinline)) void tell_inside(const struct agent_registers *regs,
						  const struct agent_function *function,
						  taddr_t block)
{
	struct hook hook;

	open_hook(&hook, regs, function, 0);
	if (!block && is_resize(function) && hook.size)
		block = hook.pointer;
	hook.size = 0;
	if (block)
		put(&hook, AGENT_ALLOC_INSIDE, block, AGENT_ROOT);
}

/* What was to be told; all of it if the call is not known, since there was no place for it or
 * since it looked as if it were gone. */
static uint32_t pop(struct agent_thread *thread, taddr_t sp)
{
	uint32_t tell = agent_calls_pop(thread, sp);

	if (tell == AGENT_TELL_UNKNOWN)
		tell = agent_state.sample_bytes ? 0 : AGENT_TELL_ALL;
	return tell;
}

void agent_after(const struct agent_registers *regs, const struct agent_function *function,
		 uint64_t fp, uint64_t result)
{
	taddr_t sp = (taddr_t)(uintptr_t)&regs->return_address;
	struct agent_thread *thread;
	uint32_t tell, node = AGENT_ROOT;

	if (AGENT_UNLIKELY(!agent_load(&agent_state.enabled)))
		return;
	thread = agent_thread_get();
	tell = pop(thread, sp);
	if (!tell || function->call == AGENT_CALL_FREE)
		return;
	result = block_of(regs, function, result);
	if (AGENT_UNLIKELY(tell & AGENT_TELL_INSIDE)) {
		tell_inside(regs, function, result);
		return;
	}
	if ((result || AGENT_UNLIKELY(agent_state.callers)) && tell & AGENT_TELL_NEW)
		node = agent_stack_node(thread, sp, fp);
	tell_all(regs, function, tell, result, node);
}

/* Has the tracer done as many requests? */
static bool is_done(uint32_t request)
{
	return (int32_t)(agent_load(&agent_state.shared->loader_done) - request) >= 0;
}

/* In wait_cycles, of 1 ms.  A tracer whose clock stands is gone; one that lives may need long for
 * a large library on a busy machine, and what it has not seen would go on untraced. */
#define STILL_WAITS 1000
#define LONGEST_WAITS 60000

uint32_t agent_loader(const struct agent_registers *regs, const struct agent_function *function,
		      uint64_t fp)
{
	uint64_t start = agent_cycles(), moved = start, cycles = start;
	uint64_t wait = agent_state.wait_cycles, waited = 0, now;
	struct agent_shared *shared = agent_state.shared;
	uint32_t request;

	if (!agent_load(&agent_state.enabled) || agent_is_forsaken())
		return 0;
	now = agent_load(&shared->now_ns);
	request = __atomic_add_fetch(&shared->loader_requests, 1, __ATOMIC_ACQ_REL);
	/* Switched off: the tracer is leaving, and waits for us. */
	while (!is_done(request) && agent_load(&agent_state.enabled) &&
	       cycles - moved < STILL_WAITS * wait && cycles - start < LONGEST_WAITS * wait) {
		waited += agent_turn(&cycles);
		if (agent_load(&shared->now_ns) != now) {
			now = agent_load(&shared->now_ns);
			moved = cycles;
		}
	}
	agent_note_wait(waited);
	if (!is_done(request) && agent_load(&agent_state.enabled)) {
		agent_drop();
		agent_store(&shared->stalled_ns, now);
	}
	return 0;
}
