/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a frame lies: the module, and the offset in it, when there is no better name. */
#ifndef MEMTRACE_REPORT_PLACES_H
#define MEMTRACE_REPORT_PLACES_H

#include "report.h"

/* NULL: in no module known. */
const struct run_module *place_module(const struct run_facts *facts, code_t code);

/* The return address as the module's file has it. */
uint64_t place_offset(const struct run_module *module, code_t code);

/* An address of data in a file that is mapped, as a code_t; of several of one path, of that whose
 * code is the nearest below, since its data lies behind it.  In no module: as module 0. */
code_t place_of_data(const struct run_facts *facts, const char *path, taddr_t address);

/* Names were asked of it, and there is no DWARF for it. */
bool place_lacks_debug_info(const struct model *model, const struct run_module *module);

/* The last component of a path. */
const char *place_base(const char *path);

/* The build id in hexadecimal digits; empty if there is none. */
const char *place_build_id(char *buffer, size_t bytes, const struct run_module *module);

/* The frame's function, or libfoo.so+0x1234, or [jit] and the address, where code is in no file and
 * so was made at run time; inert. */
const char *place_name(char *buffer, size_t bytes, const struct run_facts *facts,
		       const struct model_frame *frame);

#endif
