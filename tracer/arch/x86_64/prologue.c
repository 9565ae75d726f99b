/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves whole instructions.  What has its target relative to itself gets it made right; calls
 * are not moved, since their return address would lie in the copy for as long as they last.
 */
#include "prologue.h"

#include <errno.h>
#include <string.h>

/* endbr64 begins the next function. */
static bool is_padding(const struct displaced *displaced)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	if (!memcmp(displaced->bytes, endbr64, sizeof(endbr64)))
		return false;
	return displaced->kind == DISPLACED_SKIP || displaced->bytes[0] == ARCH_BREAKPOINT;
}

/* Padding in int3s is no instruction that could be moved, but nobody runs it either. */
static int decode_one(const uint8_t *code, size_t nr_bytes, taddr_t address, bool after_end,
		      struct displaced *out)
{
	if (!after_end || !nr_bytes || code[0] != ARCH_BREAKPOINT)
		return displaced_decode(code, nr_bytes, address, out);
	*out = (struct displaced){
		.kind = DISPLACED_SKIP, .address = address, .length = 1,
		.bytes = { ARCH_BREAKPOINT },
	};
	return 0;
}

static int add(struct prologue *prologue, const uint8_t *code, size_t nr_bytes)
{
	struct displaced *next = &prologue->instructions[prologue->nr];
	int error = decode_one(code + prologue->bytes, nr_bytes - prologue->bytes,
			       prologue->address + prologue->bytes, prologue->ends, next);

	if (error || next->kind == DISPLACED_CALL || (prologue->ends && !is_padding(next)))
		return -ENOTSUP;
	prologue->ends |= next->kind == DISPLACED_JUMP || next->kind == DISPLACED_RETURN ||
			  next->kind == DISPLACED_LEAVE;
	prologue->bytes += next->length;
	prologue->nr++;
	return 0;
}

int prologue_decode(const uint8_t *code, size_t nr_bytes, taddr_t address, taddr_t limit,
		    struct prologue *out)
{
	struct prologue prologue = { .address = address };
	int error = 0;

	while (!error && prologue.bytes < ARCH_JUMP_BYTES) {
		if (prologue.bytes >= nr_bytes)
			return -ENOTSUP;
		error = add(&prologue, code, nr_bytes);
	}
	if (!error && address + prologue.bytes > limit)
		error = -ENOTSUP;
	if (!error)
		*out = prologue;
	return error;
}

static bool fits_in_32_bits(int64_t distance)
{
	return distance == (int32_t)distance;
}

int arch_write_jump(uint8_t code[ARCH_JUMP_BYTES], taddr_t from, taddr_t to)
{
	int64_t distance = (int64_t)(to - (from + ARCH_JUMP_BYTES));
	int32_t displacement = (int32_t)distance;

	if (!fits_in_32_bits(distance))
		return -ERANGE;
	code[0] = 0xe9;
	memcpy(code + 1, &displacement, sizeof(displacement));
	return 0;
}

/* jcc rel32, whatever length it had. */
static ssize_t copy_branch(const struct displaced *displaced, taddr_t place, uint8_t *code)
{
	int64_t distance = (int64_t)(displaced->target - (place + 6));
	int32_t displacement = (int32_t)distance;

	if (!fits_in_32_bits(distance))
		return -ERANGE;
	code[0] = 0x0f;
	code[1] = 0x80 | displaced->condition;
	memcpy(code + 2, &displacement, sizeof(displacement));
	return 6;
}

/* displaced_copy() adds a jump back, which only the last one needs: it is written over. */
static ssize_t copy_one(const struct displaced *displaced, taddr_t place, uint8_t *code)
{
	ssize_t bytes;

	switch (displaced->kind) {
	case DISPLACED_JUMP:
		bytes = arch_write_jump(code, place, displaced->target);
		return bytes ? bytes : ARCH_JUMP_BYTES;
	case DISPLACED_BRANCH:
		return copy_branch(displaced, place, code);
	case DISPLACED_COPY:
	case DISPLACED_LEAVE:
		bytes = displaced_copy(displaced, place, code);
		return bytes < 0 ? bytes : displaced->length;
	default:
		memcpy(code, displaced->bytes, displaced->length);
		return displaced->length;
	}
}

ssize_t prologue_copy(struct prologue *prologue, taddr_t place, uint8_t *code)
{
	size_t at = 0;
	ssize_t bytes;

	for (unsigned i = 0; i < prologue->nr; i++) {
		bytes = copy_one(&prologue->instructions[i], place + at, code + at);
		if (bytes < 0)
			return bytes;
		prologue->copied_at[i] = (uint8_t)at;
		at += (size_t)bytes;
	}
	if (!prologue->ends) {
		bytes = arch_write_jump(code + at, place + at, prologue->address + prologue->bytes);
		if (bytes < 0)
			return bytes;
		at += ARCH_JUMP_BYTES;
	}
	prologue->copy_bytes = (uint8_t)at;
	return (ssize_t)at;
}

void prologue_bytes(const struct prologue *prologue, uint8_t *out)
{
	for (unsigned i = 0; i < prologue->nr; i++) {
		memcpy(out, prologue->instructions[i].bytes, prologue->instructions[i].length);
		out += prologue->instructions[i].length;
	}
}

taddr_t prologue_to_copy(const struct prologue *prologue, taddr_t place, taddr_t pc)
{
	if (pc == prologue->address)
		return pc;
	for (unsigned i = 1; i < prologue->nr; i++)
		if (pc == prologue->instructions[i].address)
			return place + prologue->copied_at[i];
	return 0;
}

taddr_t prologue_to_original(const struct prologue *prologue, taddr_t place, taddr_t pc)
{
	for (unsigned i = 0; i < prologue->nr; i++)
		if (pc == place + prologue->copied_at[i])
			return prologue->instructions[i].address;
	/* The jump back. */
	if (!prologue->ends && pc == place + prologue->copy_bytes - ARCH_JUMP_BYTES)
		return prologue->address + prologue->bytes;
	return 0;
}
