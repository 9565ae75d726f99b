/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a victim tells the truth about itself.  It counts its own calls with the macros below,
 * which leave the call of the allocator on the victim's own line, and speaks through write(2)
 * alone: a stdio buffer would be an allocation that it knows nothing of.
 *
 *     stage("ready");  counted work;  tell_truth();  stage("done");  correct();
 *
 * stage() says a word and waits for a line of input, with no call of the allocator in flight;
 * at the end of the input it does not wait.  Counting is memtrace's: a realloc that succeeds
 * is one allocation and one free; free(NULL) counts nowhere, failed calls in `failed`, blocks
 * from before the attach in `old_frees`.
 */
#ifndef TRUTH_H
#define TRUTH_H

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct truth {
	unsigned long allocs, frees, bytes, live_blocks, live_bytes, failed, old_frees;
} truth;

#define TRUTH_ADD(field, n) __atomic_add_fetch(&truth.field, (n), __ATOMIC_RELAXED)

static inline void *truth_allocated(void *block, size_t size)
{
	if (!block) {
		TRUTH_ADD(failed, 1);
		return block;
	}
	TRUTH_ADD(allocs, 1);
	TRUTH_ADD(bytes, size);
	TRUTH_ADD(live_blocks, 1);
	TRUTH_ADD(live_bytes, size);
	return block;
}

static inline void truth_freed(size_t size)
{
	TRUTH_ADD(frees, 1);
	TRUTH_ADD(live_blocks, -1ul);
	TRUTH_ADD(live_bytes, -size);
}

/* Any call that returns a block of n bytes. */
#define T_NEW(call, n) truth_allocated((call), (n))
#define T_MALLOC(n) T_NEW(malloc(n), n)
#define T_CALLOC(a, b) T_NEW(calloc(a, b), (size_t)(a) * (b))
#define T_FREE(p, n) (truth_freed(n), free(p))

/* p, NULL or a block of `was` bytes, becomes one of n bytes. */
#define T_REALLOC(p, was, n) ({					\
	int had = (p) != NULL;					\
	void *now = realloc((p), (n));				\
	if (now && had)						\
		truth_freed(was);				\
	truth_allocated(now, (n)); })

static inline void say(const char *format, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (write(STDOUT_FILENO, line, n) != n)
		_exit(120);
}

static inline void stage(const char *name)
{
	char c = 0;

	say("%s\n", name);
	while (c != '\n' && read(STDIN_FILENO, &c, 1) == 1)
		;
}

static inline void tell_truth(void)
{
	say("truth allocs=%lu frees=%lu bytes=%lu live_blocks=%lu live_bytes=%lu failed=%lu "
	    "old_frees=%lu\n", truth.allocs, truth.frees, truth.bytes, truth.live_blocks,
	    truth.live_bytes, truth.failed, truth.old_frees);
}

/* The victim's own check: it ends at once where the trace has changed its results. */
#define MUST(condition) do {						\
	if (!(condition)) {						\
		say("WRONG %s:%d: %s\n", __FILE__, __LINE__, #condition);	\
		_exit(121);						\
	} } while (0)

static inline int correct(void)
{
	say("correct\n");
	return 0;
}

static inline void fill(void *block, size_t size, unsigned seed)
{
	memset(block, (int)(seed * 7 + size) & 0xff, size);
}

/* Whether the block still holds what fill() left in it. */
static inline int filled(const void *block, size_t size, unsigned seed)
{
	const unsigned char *byte = (const unsigned char *)block;

	for (size_t i = 0; i < size; i++)
		if (byte[i] != ((seed * 7 + size) & 0xff))
			return 0;
	return 1;
}

static inline void check_block(void *block, size_t size, unsigned seed)
{
	MUST(block);
	fill(block, size, seed);
	MUST(filled(block, size, seed));
}

#endif
