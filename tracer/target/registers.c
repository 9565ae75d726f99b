/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See registers.h.  The state of the vector registers is what XSAVE writes, with everything on eight
 * bytes (Intel SDM 1, 13.4); it begins with words that are no register, which do no harm.
 */
#include "registers.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "../base/array.h"

/* With AMX's tiles some 11 KiB. */
#define STATE_BYTES_MAX 16384

static int add(struct register_words *words, const void *state, size_t bytes)
{
	const unsigned char *at = state;
	int error = 0;

	for (size_t i = 0; i + sizeof(uint64_t) <= bytes && !error; i += sizeof(uint64_t)) {
		error = ARRAY_GROW(words);
		if (!error)
			memcpy(&words->items[words->nr++], at + i, sizeof(uint64_t));
	}
	return error;
}

int registers_add(struct register_words *words, const struct thread *thread, arch_regs *regs)
{
	unsigned char state[STATE_BYTES_MAX];
	struct iovec vector = { state, sizeof(state) };
	int error = thread_get_regs(thread, regs);

	if (!error)
		error = add(words, regs, sizeof(*regs));
	if (error)
		return error;
	if (ptrace(PTRACE_GETREGSET, thread->tid, NT_X86_XSTATE, &vector))
		return errno == ESRCH ? -ESRCH : 0; /* a machine without them */
	return add(words, state, vector.iov_len);
}
