/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree of stacks in shared memory.  Any number of threads; a node never changes once its
 * number is known.
 */
#ifndef MEMTRACE_AGENT_TREE_H
#define MEMTRACE_AGENT_TREE_H

#include "state.h"

/* The node of a frame called from parent; AGENT_ROOT_CUT where the tree is full. */
uint32_t agent_tree_add(uint32_t parent, code_t frame);

#endif
