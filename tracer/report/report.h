/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a finished run to what the user reads.  model.c groups and ranks the live blocks into
 * sites, has the symbolizer name their frames and judges the verdict; one file a format
 * prints the model.  A format is a row in a table of operations:
 *
 *     text    the first line is the answer; see report/text.c
 *     json    the stable interface; see report/json.c
 *     folded  root;...;leaf BYTES, for flame graphs
 *
 * One thread.  Bytes as asked for, times in ns since the attach.  Functions return 0 or
 * -errno; nothing that comes from the target reaches a stream without inert() (base/inert.h).
 */
#ifndef MEMTRACE_REPORT_H
#define MEMTRACE_REPORT_H

#include <stdio.h>

#include "../base/inert.h"
#include "../heap/heap.h"
#include "../scan/scan.h"
#include "run_facts.h"

enum verdict {
	VERDICT_LEAK,		/* found by a scan of memory */
	VERDICT_GROWING,
	VERDICT_NO_LEAK,	/* all was freed before the end */
	VERDICT_NO_LEAK_SEEN,	/* while attached, all that was allocated was freed */
	VERDICT_UNFREED,	/* all that may be said without a scan */
	VERDICT_INCOMPLETE,
};

/* What became of blocks, in valgrind's words. */
enum site_kind {
	SITE_DEFINITE,		/* nothing points to them any more */
	SITE_INDIRECT,		/* only what is lost does */
	SITE_POSSIBLE,		/* only pointers to their inside lead to them */
	SITE_REACHABLE,
	SITE_UNFREED,		/* that is all that is known: nobody has looked */
	SITE_KINDS
};

#define SITE_KINDS_ALL ((1u << SITE_KINDS) - 1)
#define SITE_KINDS_DEFAULT (1u << SITE_DEFINITE | 1u << SITE_POSSIBLE)

struct model_frame {
	code_t code;			/* return address; the same for inlined frames */
	const char *function;		/* NULL: not known */
	const char *file;		/* NULL: not known */
	uint32_t line;
	bool inlined;
};

/* A call of an allocator's function. */
struct model_call {
	const char *function;		/* "malloc", "operator new"; NULL: the call is not known */
	const code_t *codes;		/* as they were recorded */
	uint32_t nr_codes;
	struct model_frame *stack;	/* innermost first, operator new's own frames removed; NULL:
					 * it was not looked up */
	size_t nr_frames;
	bool truncated;
};

/* One standard error of each figure that is estimated; 0: it is exact. */
struct model_errors {
	uint64_t bytes, blocks, allocs, bytes_allocated;
};

/* What was counted at a site: under sampling, the samples. */
struct model_counts {
	uint64_t allocs, frees, live_blocks;
};

struct model_sum {
	uint64_t bytes, blocks;
};

/* A block on the way to others. */
struct model_step {
	taddr_t address;
	uint64_t bytes;			/* what fits */
	taddr_t slot;			/* where the pointer to it lies; 0: not known, or no memory */
	size_t row;			/* of model.sites: one of its site; MODEL_NO_ROW: it has none */
};

#define MODEL_NO_ROW SIZE_MAX

/* What the program has that leads to a row's blocks: a shortest way to the one of them that is the
 * nearest to any root. */
struct model_keeper {
	uint64_t nr_blocks;		/* on the way, with the row's own; 0: no keeper is known */
	enum root_kind kind;
	pid_t tid;			/* of a thread's stack, registers, storage; else 0 */
	code_t place;			/* where the first pointer lies; 0: a register */
	const char *path;		/* of the mapping, "" for none; ROOT_MODULE, ROOT_OTHER */
	struct symbol_frame variable;	/* ROOT_MODULE; its function is NULL: not known */
	const struct model_step *steps;	/* the first ones, and the last, which is the row's own */
	size_t nr_steps;
};

/* Figures are the heap's own, or under sampling estimates of what they would be without. */
struct model_site {
	const struct site *site;	/* the heap's; NULL: of a report that was read */
	uint32_t id;			/* of site */
	struct model_counts counted;
	struct model_call call;		/* looked up for the first model.nr_named */
	enum site_kind kind;
	bool growing;
	uint64_t bytes, blocks;		/* live, of this kind */
	struct model_sum indirect;	/* SITE_DEFINITE: what only these lead to, of any site */
	uint64_t allocs, frees, peak_bytes;
	struct model_errors errors;
	uint64_t first_ns, last_ns;	/* of its allocations */
	uint64_t oldest_ns, newest_ns;	/* births of its live blocks */
	uint64_t lifetime_min_ns, lifetime_avg_ns, lifetime_max_ns;	/* of those freed */
	struct site_quarters quarters;	/* of one that grows; end_ns[3] == 0: not known */
	taddr_t oldest_address;
	uint64_t smallest_bytes, largest_bytes;	/* of its live blocks */
	struct model_keeper keeper;	/* SITE_REACHABLE, SITE_POSSIBLE */
};

/* Blocks of one kind, size and content that nobody saw allocated. */
struct model_group {
	enum site_kind kind;
	enum content_kind content;	/* see scan/content.h */
	unsigned type_at;		/* CONTENT_OBJECT: offset of the word that leads to its type */
	code_t table;			/* where that is */
	struct symbol_frame type;	/* what it is; its function is NULL: not known */
	uint64_t size;			/* of each, as what fits; 0: they are of several */
	uint64_t bytes, blocks;
	struct model_sum indirect;	/* SITE_DEFINITE, likewise */
	taddr_t example;		/* one of them, and what it begins with */
	unsigned char preview[GROUP_PREVIEW];
	unsigned preview_bytes;
	uint32_t site;			/* the scan's number of it; not of a report that was read */
	struct model_keeper keeper;	/* SITE_REACHABLE, SITE_POSSIBLE */
};

/* Equal wrong frees. */
struct model_wrong {
	const struct wrong_free *found;	/* the first of them, and their number */
	bool is_double;			/* else nothing was known to be there */
	/* The free; the one before it, where it is double; the allocation. */
	struct model_call free, first, alloc;
	code_t codes[2];		/* of the frees, where the caller is all that is known */
	/* Not double: the live block that the pointer lies in, of which `alloc` is; address 0: none
	 * is known. */
	struct block around;
};

struct model {
	const struct run_facts *facts;
	struct heap_totals totals;	/* as with sites */
	struct model_errors errors;	/* of them */
	struct heap_totals counted;	/* under sampling, the samples; else the same */
	const struct heap *heap;	/* what it is made of, for who makes it; or NULL */
	const struct scan *scan;	/* likewise */
	enum verdict verdict;
	/* By kinds: blocks seen allocated, as asked for; those from before, by what fits. */
	struct model_sum seen[SITE_KINDS], before[SITE_KINDS];
	struct model_sum indirect_of_before;	/* what only lost ones from before lead to */
	/* Sites with live blocks, one row for each kind that any are of: lost, possibly lost, what grows
	 * or is unfreed, reachable, indirectly lost; among them by bytes with indirect ones, then
	 * blocks (both falling), then first_ns. */
	struct model_site *sites;
	size_t nr_sites;
	size_t nr_named;		/* the first ones, which have their stacks */
	size_t *further;		/* those of others that have, since they keep the first ones */
	size_t nr_further;
	struct model_step *steps;	/* all of them; of a report that was read: NULL */
	/* Those from before the attach: lost, possibly lost or reachable, indirectly lost; among them
	 * by bytes with indirect ones, falling. */
	struct model_group *groups;
	size_t nr_groups;
	size_t nr_groups_named;		/* the first ones, whose types and keepers were looked up */
	const struct arena *arenas;	/* of glibc, where the heap was walked: the main one first */
	size_t nr_arenas;
	struct model_sum mapped;	/* blocks that are mappings of their own */
	size_t nr_growing;
	uint64_t growing_bytes, growing_blocks, growing_samples;
	uint64_t growing_bytes_error, rest_bytes_error;	/* of live bytes, those that do not grow */
	uint64_t unwatched_bytes_error;
	/* Whether anything may be said of wrong frees; else there are none here. */
	bool judges_frees;
	struct model_wrong *wrongs;	/* as they came */
	size_t nr_wrongs;
	uint64_t nr_double_frees, nr_invalid_frees;
	uint64_t nr_wrongs_lost;	/* of contexts that there was no room for */
	uint64_t own_frees;		/* the allocator's, of what was freed before: in unknown_frees */
	/* Modules without DWARF that call the allocator at sites that are named. */
	struct bare_module {
		uint32_t module;	/* index of facts->modules */
		size_t nr_sites;	/* whose stack[0] lies in it */
	} *bare_modules;
	size_t nr_bare_modules;
	bool nameless;			/* the symbolizer was not asked, or failed */
	struct {
		struct symbol_table **items;
		size_t nr, room;
	} tables;			/* own the names */
	struct symbolizer *symbolizer;	/* for source lines; NULL: none */
};

/* The calls that are to be named: of the first nr_named sites and the further ones, then of all wrong
 * frees.  Some of
 * the latter are not known, and have no codes. */
size_t model_nr_calls(const struct model *model);
struct model_call *model_call_at(const struct model *model, size_t i);

/* Of a site, by its id. */
struct model_call model_call_of(const struct model *model, uint32_t id);

/* The name of one of the run's functions. */
const char *model_function(const struct run_facts *facts, uint32_t function);

/* What a report shows. */
struct report_style {
	bool color;
	bool one_line;		/* json: one document a line */
	size_t top;		/* text: sites shown; 0 = all */
	unsigned kinds;		/* text: bits 1 << enum site_kind; see rows.h */
	unsigned error_kinds;	/* likewise: those that count as errors */
	bool summary;		/* text: no sites at all */
};

/* Settles the heap and takes it to the end of the run, so that it must not change any more
 * while the model lives.  scan: NULL, or of that heap.  symbolizer == NULL: no names, quickly (a second
 * Ctrl-C).  Stacks are resolved for the first style->top sites of style->kinds, or for all where that
 * is 0. */
int model_build(struct model *model, const struct run_facts *facts, struct heap *heap,
		const struct scan *scan, struct symbolizer *symbolizer,
		const struct report_style *style);
void model_release(struct model *model);

/* For who makes a model otherwise.  One more site, which is complete but for its stack. */
void model_count_growing(struct model *model, const struct model_site *site);
/* All stacks are there: takes operator new's own frames off, and finds the bare modules. */
int model_settle_names(struct model *model);

struct report_format {
	const char *name;
	int (*print)(const struct model *model, const struct report_style *style, FILE *out);
	bool of_top;		/* shows the stacks of the first style->top sites alone */
};

/* NULL: no such format. */
const struct report_format *report_format_find(const char *name);
/* The i-th format, NULL past the last. */
const struct report_format *report_format_at(size_t i);

#endif
