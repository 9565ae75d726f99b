/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans, writes and follows one detour. */
#include "detour.h"

#include <errno.h>
#include <string.h>

#include "../agent/blob.h"
#include "../agent/layout.h"

#define STUB_ALIGN 16

/* Another function of the table that begins within the bytes. */
static bool is_shared(const struct functions *functions, const struct prologue *prologue)
{
	for (size_t i = 0; i < functions->nr; i++) {
		taddr_t other = functions->items[i].address;

		if (functions->items[i].module->alive && other > prologue->address &&
		    other < prologue->address + prologue->bytes)
			return true;
	}
	return false;
}

static enum detour_refusal plan(const struct functions *functions,
				const struct function *function, const uint8_t *code,
				size_t bytes, struct prologue *prologue)
{
	/* What is shorter than a jump may still have padding behind it. */
	taddr_t limit = function->address + PROLOGUE_BYTES_MAX;

	if (function->throws && !detour_is_left_for_good(function))
		return DETOUR_THROWS;
	if (function->undecodable)
		return DETOUR_UNDECODABLE;
	if (function->size_bytes >= ARCH_JUMP_BYTES)
		limit = function->address + function->size_bytes + STUB_ALIGN;
	if (prologue_decode(code, bytes, function->address, limit, prologue))
		return DETOUR_UNMOVABLE;
	if (function->first_target < function->address + prologue->bytes ||
	    is_shared(functions, prologue))
		return DETOUR_ENTERED;
	return DETOUR_SAFE;
}

/* What is there must be what the file has: of more than the jump takes, since that is moved. */
static enum detour_refusal compare(const struct memread *file, taddr_t address,
				   const uint8_t *now, size_t bytes)
{
	uint8_t original[PROLOGUE_BYTES_MAX];

	if (!memread_exact(file, address, original, bytes))
		return DETOUR_UNREADABLE;
	return memcmp(now, original, bytes) ? DETOUR_CHANGED : DETOUR_SAFE;
}

enum detour_refusal detour_plan(const struct functions *functions, uint32_t function,
				const struct memread *code, const struct memread *file,
				struct detour *out)
{
	const struct function *of = &functions->items[function];
	struct detour detour = { .function = function, .module = of->module->id };
	uint8_t now[PROLOGUE_BYTES_MAX];
	ssize_t bytes = code->read(code, of->address, now, sizeof(now));
	enum detour_refusal refusal;

	if (function >= AGENT_FUNCTIONS)
		return DETOUR_BEYOND;
	if (bytes < ARCH_JUMP_BYTES)
		return DETOUR_UNREADABLE;
	/* First, since what somebody else has put there may not be movable either. */
	refusal = compare(file, of->address, now, ARCH_JUMP_BYTES);
	if (!refusal)
		refusal = plan(functions, of, now, (size_t)bytes, &detour.prologue);
	if (!refusal)
		refusal = compare(file, of->address, now, detour.prologue.bytes);
	if (!refusal)
		*out = detour;
	return refusal;
}

const char *detour_words(enum detour_refusal refusal)
{
	static const char *const words[] = {
		[DETOUR_SAFE] = "",
		[DETOUR_THROWS] = "an exception may leave it",
		[DETOUR_UNDECODABLE] = "its code cannot be decoded",
		[DETOUR_UNMOVABLE] = "its first instructions cannot be moved",
		[DETOUR_ENTERED] = "its first instructions are jumped to",
		[DETOUR_UNREADABLE] = "its code or its file cannot be read",
		[DETOUR_BEYOND] = "there are too many of them",
		[DETOUR_CHANGED] = "somebody else has changed its code",
	};

	return words[refusal];
}

static const struct agent_header *header(void)
{
	return (const struct agent_header *)agent_blob;
}

/* A free is told of before it happens; what happens in it matters only if that is a call. */
bool detour_is_left_for_good(const struct function *function)
{
	return function->kind->call == CALL_LOADER ||
	       (function->kind->call == CALL_FREE && !function->may_nest);
}

static struct agent_literals literals_of(const struct detour *detour,
					 const struct function *function, taddr_t base)
{
	const struct module_range *own = &function->module->extent;
	bool loader = function->kind->call == CALL_LOADER;

	return (struct agent_literals){
		.before = base + (loader ? header()->loader : header()->before),
		.after = base + header()->after,
		.real = detour->copy,
		.function = {
			.index = (uint16_t)detour->function,
			.call = (uint8_t)function->kind->call,
			.is_pool = function->kind->is_pool,
			.size_argument = function->kind->size_argument,
			.pointer_argument = function->kind->pointer_argument,
			.may_nest = function->may_nest,
			.own_start = own->start,
			.own_bytes = function_has_own(function) ? own->end - own->start : 0,
		},
	};
}

static uint64_t lean_of_call(const struct agent_function *function)
{
	if (function->call == CALL_ALLOC && function->size_argument == 0)
		return AGENT_LEAN_ALLOC;
	if (function->call == CALL_ALLOC_ARRAY && function->size_argument == 1)
		return AGENT_LEAN_ARRAY;
	if (function->call == CALL_RESIZE && function->size_argument == 1 &&
	    function->pointer_argument == 0)
		return AGENT_LEAN_RESIZE;
	return AGENT_LEAN_NOT;
}

/* What the stub finds out by itself. */
static void make_lean(struct agent_literals *literals, bool jump, taddr_t base)
{
	const struct agent_function *function = &literals->function;
	taddr_t state = base + AGENT_TEXT_BYTES;
	uint64_t lean = jump ? AGENT_LEAN_NOT : lean_of_call(function);

	if (jump && function->call == CALL_FREE && function->pointer_argument == 0) {
		literals->lean = AGENT_LEAN_FREE;
		literals->table = state + offsetof(struct agent_state, sampled_near);
	} else if (lean) {
		literals->lean = lean | (function->may_nest ? AGENT_LEAN_HIDES : 0);
		literals->table = state + offsetof(struct agent_state, threads);
	}
}

static taddr_t align(taddr_t address)
{
	return (address + STUB_ALIGN - 1) & ~(taddr_t)(STUB_ALIGN - 1);
}

int detour_place(struct detour *detour, const struct function *function, struct memory *memory,
		 taddr_t slot, const struct implant *implant)
{
	bool jump = detour_is_left_for_good(function);
	uint32_t start = jump ? header()->jump : header()->call;
	size_t bytes = (jump ? header()->jump_end : header()->call_end) - start;
	uint8_t code[ZONE_SLOT_BYTES];
	struct agent_literals literals;
	ssize_t copied;

	detour->stub = slot;
	detour->copy = align(slot + bytes);
	if (detour->copy + PROLOGUE_COPY_MAX > slot + sizeof(code))
		return -ENOSPC;
	copied = prologue_copy(&detour->prologue, detour->copy, code + (detour->copy - detour->stub));
	if (copied < 0)
		return (int)copied;
	literals = literals_of(detour, function, implant->base);
	if (implant->leans)
		make_lean(&literals, jump, implant->base);
	memcpy(code, agent_blob + start, bytes);
	memcpy(code + bytes - sizeof(literals), &literals, sizeof(literals));
	detour->end = detour->copy + (taddr_t)copied;
	return memory_write(memory, detour->stub, code, detour->end - detour->stub);
}

int detour_arm(const struct detour *detour, struct memory *memory)
{
	uint8_t jump[ARCH_JUMP_BYTES];
	int error = arch_write_jump(jump, detour->prologue.address, detour->stub);

	return error ? error : memory_patch(memory, detour->prologue.address, jump, sizeof(jump));
}

taddr_t detour_enter(const struct detour *detour, taddr_t pc)
{
	/* Only the bytes that the jump takes are another program now. */
	if (pc <= detour->prologue.address || pc >= detour->prologue.address + ARCH_JUMP_BYTES)
		return 0;
	return prologue_to_copy(&detour->prologue, detour->copy, pc);
}

taddr_t detour_leave(const struct detour *detour, taddr_t pc)
{
	if (pc < detour->copy || pc >= detour->end)
		return 0;
	return prologue_to_original(&detour->prologue, detour->copy, pc);
}

void detour_note(const struct detour *detour, struct agent_inventory_detour *out)
{
	*out = (struct agent_inventory_detour){
		.address = detour->prologue.address, .stub = detour->stub, .copy = detour->copy,
		.end = detour->end, .bytes = detour->prologue.bytes,
	};
	prologue_bytes(&detour->prologue, out->original);
}

int detour_recall(const struct agent_inventory_detour *noted, struct detour *out)
{
	struct detour detour = { .stub = noted->stub, .copy = noted->copy, .end = noted->end };
	uint8_t code[PROLOGUE_COPY_MAX];

	if (noted->bytes > sizeof(noted->original) ||
	    prologue_decode(noted->original, noted->bytes, noted->address, UINT64_MAX,
			    &detour.prologue) ||
	    detour.prologue.bytes != noted->bytes ||
	    prologue_copy(&detour.prologue, detour.copy, code) < 0)
		return -EINVAL;
	*out = detour;
	return 0;
}

int detour_undo(const struct detour *detour, struct memory *memory)
{
	uint8_t now[ARCH_JUMP_BYTES], jump[ARCH_JUMP_BYTES], original[PROLOGUE_BYTES_MAX];
	taddr_t address = detour->prologue.address;

	prologue_bytes(&detour->prologue, original);
	if (arch_write_jump(jump, address, detour->stub) ||
	    !memread_exact(&memory->read, address, now, sizeof(now)) ||
	    memcmp(now, jump, sizeof(now)))
		return 0; /* never written, or gone with its library */
	return memory_write(memory, address, original, sizeof(jump));
}

/* Each stub begins alike; and a zone that was mapped but not filled is empty. */
bool detour_is_zone(const struct memread *code, taddr_t place)
{
	static const uint8_t empty[8];
	uint8_t bytes[sizeof(empty)];

	return memread_exact(code, place, bytes, sizeof(bytes)) &&
	       (!memcmp(bytes, agent_blob + header()->call, sizeof(bytes)) ||
		!memcmp(bytes, agent_blob + header()->jump, sizeof(bytes)) ||
		!memcmp(bytes, empty, sizeof(bytes)));
}
