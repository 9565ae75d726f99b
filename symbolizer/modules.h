/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files handed in, as the symbolizer process knows them: one libdwfl session each, at load
 * bias 0, so that every address is the file's.  The file itself is read by its descriptor alone;
 * libdwfl looks for what lies elsewhere: separate debug files by build id and debug link,
 * dwz's common files, mini debug information, debuginfod.
 */
#ifndef MEMTRACE_SYMBOLIZER_MODULES_H
#define MEMTRACE_SYMBOLIZER_MODULES_H

#include <elfutils/libdwfl.h>

#include "wire.h"

struct dwarf_index;
struct symbol_index;
struct variables;

struct module {
	Dwfl *session;
	Dwfl_Module *dwfl;
	Elf *elf;			/* the session's */
	struct dwarf_index *dwarf;	/* made when first asked for frames */
	struct symbol_index *symbols;
	struct variables *variables;	/* made when first asked for some */
	bool lacks_debug_info;
	bool is_common;			/* a program or a C library: in nearly every stack */
};

struct segments {
	struct elf_segment *items;
	size_t nr, room;
};

/* Where separate debug files are looked for besides the usual places; once, before the first
 * module.  Asks no server unless DEBUGINFOD_URLS is set, and none for long. */
int modules_init(const char *const *debug_dirs, size_t nr_debug_dirs);

/* Takes the descriptor.  -ENOEXEC for what is no x86-64 program or library. */
int module_open(int fd, const char *path, struct module **out);
void module_close(struct module *module);

/* No server is known: files are only looked for here. */
bool modules_never_download(void);

/* May debuginfod be asked for files from now on?  Off at first. */
void modules_allow_download(bool allowed);

/* The debug file that a server has for a build id, by its descriptor; -ENOENT: none has, or none
 * may be asked. */
int module_download(const uint8_t *build_id, size_t bytes);

/* Type, flags, build id and C library of the module; its PT_LOADs in file order. */
int module_describe(const struct module *module, struct wire_module *out,
		    struct segments *segments);

#endif
