/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All registers of a stopped thread, those of vectors included, as words: for who looks for
 * pointers in them, whatever register they are in.  One thread; 0 or -errno.
 */
#ifndef MEMTRACE_TARGET_REGISTERS_H
#define MEMTRACE_TARGET_REGISTERS_H

#include "process.h"

struct register_words {
	uint64_t *items;
	size_t nr, room;
};

/* Adds those of one more thread, whose general ones it also returns. */
int registers_add(struct register_words *words, const struct thread *thread, arch_regs *regs);

#endif
