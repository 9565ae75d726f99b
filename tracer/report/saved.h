/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report that json_print() has written, read back: its model, from which every format can be
 * printed again.  The file may come from anybody: what is not as it must be is an error, and what
 * is only strange is as inert as in a report of our own.
 *
 *     saved_read -> saved.model, names perhaps missing
 *                -> names_complete, variables_resolve, model_settle_names
 *
 * One thread.  A saved report owns all that its model names.
 */
#ifndef MEMTRACE_REPORT_SAVED_H
#define MEMTRACE_REPORT_SAVED_H

#include "report.h"

struct json_t;
struct saved_pool;

struct saved {
	struct model model;
	struct run_facts facts;		/* the model's */
	struct run_module *modules;	/* the facts' */
	struct json_t *root;		/* has the strings */
	struct saved_pool *pool;	/* has the rest */
};

#define SAVED_WRONG_BYTES 256

/* The first report in text[0..bytes); *used tells how much of it that was.  -EINVAL: it is none,
 * and `wrong` (SAVED_WRONG_BYTES of it) says where and why, inert; -ENOMEM; -ENODATA: nothing is
 * left. */
int saved_read(struct saved *saved, const char *text, size_t bytes, size_t *used, char *wrong);
void saved_release(struct saved *saved);

#endif
