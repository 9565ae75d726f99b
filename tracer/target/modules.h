/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The modules loaded in one process: program, libraries, loader, vdso.  A module is a file
 * mapped at a load bias; the bias comes from the program headers, not from the place of the
 * first executable mapping.  Ids count from 1 and stand for one file at one place, so that
 * addresses in a closed library never match another one loaded there.
 *
 * One thread.  Ownership: modules_deinit() frees them all; files belong to struct files.
 */
#ifndef MEMTRACE_TARGET_MODULES_H
#define MEMTRACE_TARGET_MODULES_H

#include "files.h"
#include "memory.h"

struct module_range {
	taddr_t start, end;
};

struct module {
	uint32_t id;
	char *path;
	dev_t device;		/* as in maps: with overlays not what stat says */
	ino_t inode;
	uint64_t bias;		/* vaddr + bias = address */
	const struct file *file;
	bool is_program;	/* what /proc/PID/exe is */
	bool alive;		/* mapped, at the last look */
	bool fresh;		/* was not there at the look before */
	bool closed;		/* gone since the last look */
	struct module_range extent;	/* around its code; kept when it is gone */
	struct {
		struct module_range *items;
		size_t nr, room;
	} code;			/* its executable mappings */
};

struct modules {
	struct module **items;
	size_t nr, room;
	/* Executable memory without a file: generated code. */
	struct {
		struct module_range *items;
		size_t nr, room;
	} anonymous;
	struct files *files;
};

/* Begins as { .files = ... }, all else zero. */
void modules_deinit(struct modules *modules);

/* The file that it was made of, opened for reading; -errno where it cannot be found any more. */
int module_open_file(const struct module *module, pid_t tid);

/* Offset in the file of an address of the module; -1: it comes from no file. */
int64_t module_file_offset(const struct module *module, taddr_t address);

/* Looks at /proc again and updates all of it. */
int modules_scan(struct modules *modules, pid_t tid, const struct memory *memory);

#endif
