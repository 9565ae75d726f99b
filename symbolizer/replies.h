/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the process that reads hostile files has answered, checked in full before anything of it
 * is believed.  -EPROTO: it cannot be an answer.
 */
#ifndef MEMTRACE_SYMBOLIZER_REPLIES_H
#define MEMTRACE_SYMBOLIZER_REPLIES_H

#include "wire.h"

/* id: of the module, as its opener calls it; nr_names: of those looked for. */
int replies_module(const struct wire_message *reply, uint32_t id, uint32_t nr_names,
		   struct elf_module *out);

/* A sealed memory file in the form of rules.h, which thus stays what it was found to be. */
bool replies_are_rules(int fd);

/* Takes the body of the reply. */
int replies_frames(struct wire_message *reply, size_t nr, struct symbol_frames *out_frames,
		   struct symbol_table **out, bool *lacks_debug_info);

#endif
