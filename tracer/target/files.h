/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that modules are made of, each asked of the symbolizer once per run, however many
 * processes map it.  Files stay known after their last mapping is gone: libraries closed
 * before the end keep their names.
 *
 * One thread.  Ownership: the table owns the files; they live as long as it does.
 */
#ifndef MEMTRACE_TARGET_FILES_H
#define MEMTRACE_TARGET_FILES_H

#include <sys/types.h>

#include "../../symbolizer/rules.h"
#include "../../symbolizer/symbolizer.h"

struct file {
	dev_t device;
	ino_t inode;			/* 0: the vdso, which is the same in all processes */
	struct timespec changed;	/* a file rewritten in place is another one */
	off_t bytes;
	bool known;			/* the rest is valid */
	struct elf_module elf;
	const struct rules *rules;	/* mapped read only; NULL: none */
	size_t rules_bytes;
};

struct files {
	struct file **items;
	size_t nr, room;
	struct symbolizer *symbolizer;
};

void files_init(struct files *files, struct symbolizer *symbolizer);
void files_deinit(struct files *files);

/* The file behind a descriptor, opened with the symbolizer when first seen.  A file that it
 * cannot read is returned with known == false; NULL for want of memory only. */
const struct file *files_get(struct files *files, int fd, const char *path);

#endif
