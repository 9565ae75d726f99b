/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of call sites while the processes run.  They come from a symbolizer of its own, asked by
 * a thread of its own, each site once: however long a file takes, neither the tracing thread nor
 * a target waits for it.  Who writes lines waits a little, since names are nearly always quick.
 *
 * Any thread, unless it says otherwise; what is returned lives until namer_destroy().
 */
#ifndef MEMTRACE_STREAM_NAMER_H
#define MEMTRACE_STREAM_NAMER_H

#include "../../symbolizer/symbolizer.h"

struct namer;

/* All inert; NULL: not known. */
struct name {
	char *function;
	char *file;		/* without its folders */
	uint32_t line;
	const char *operator;	/* "operator new" and so on, if that is what the function is */
};

/* The symbolizer stays the caller's and is nobody else's from here on.  0 or -errno. */
int namer_create(struct symbolizer *symbolizer, struct namer **out);
/* NULL is allowed. */
void namer_destroy(struct namer *namer);

/* For the symbolizer's give_up: no name is wanted any more. */
bool namer_is_over(void);

/* The file of this id, which the caller has chosen, small numbers first; fd is taken over.  Not
 * more than once. */
bool namer_has_file(struct namer *namer, uint32_t file);
void namer_add_file(struct namer *namer, uint32_t file, int fd, const char *path);

/* What is at this vaddr; NULL: nothing, or it is not known yet. */
const struct name *namer_get(struct namer *namer, uint32_t file, uint64_t vaddr, bool may_wait);

#endif
