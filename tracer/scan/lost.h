/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Among blocks that nothing leads to: which of them are lost by themselves, and which only with
 * others.  Tarjan's strongly connected components (1972), with a stack of its own instead of
 * recursion.  A component that no other points to is lost by itself: definite, all of it.  What it
 * leads to is indirect, and belongs to the first one that does.
 *
 * One thread.
 */
#ifndef MEMTRACE_SCAN_LOST_H
#define MEMTRACE_SCAN_LOST_H

#include "pointers.h"

/* Sets kind and leader of each block whose state is 0; work has room for as many ids as there are
 * blocks, and is left as anything.   0 or -ENOMEM. */
int lost_judge(const struct pointers *pointers, uint32_t *work);

#endif
