/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a call to the node of its stack.  The outer part of a stack hardly changes between two
 * calls, so each thread keeps its last stack, and takes over what the words still there prove
 * to be the same.
 */
#ifndef MEMTRACE_AGENT_STACK_H
#define MEMTRACE_AGENT_STACK_H

#include "thread.h"

/* sp: where the call's return address lies.  thread may be NULL: then there is no memory to
 * note frames in, and the stack is empty and cut. */
uint32_t agent_stack_node(struct agent_thread *thread, taddr_t sp, taddr_t fp);

#endif
