/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's image as the tracer has it: struct agent_header (agent.h) and what follows, to
 * be copied to the first byte of an agent block; and its unwind rules (struct rules), right at
 * every instruction, by offsets into it.  The templates of stubs have theirs there, too.
 * Constant; any thread.
 */
#ifndef MEMTRACE_AGENT_BLOB_H
#define MEMTRACE_AGENT_BLOB_H

#include <stdint.h>

extern const uint8_t agent_blob[], agent_blob_end[];
extern const uint8_t agent_rules[], agent_rules_end[];

#endif
