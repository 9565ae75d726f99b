/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text report's parts, in the order in which they are read.  Words must not mislead:
 * "unfreed" is all that may be said without a scan of memory; "growing" is what gained bytes
 * in every quarter of the trace.
 */
#ifndef MEMTRACE_REPORT_TEXT_H
#define MEMTRACE_REPORT_TEXT_H

#include "report.h"
#include "units.h"

struct text {
	const struct model *model;
	const struct report_style *style;
	FILE *out;
	/* Those of the model's sites that are shown, as far as style->kinds goes; by their numbers. */
	const struct model_site **rows;
	size_t nr_rows;
};

/* Longest text of the target's that is shown in one piece. */
#define TEXT_NAME_BYTES 256

/* Rates and ages of shorter runs would say nothing. */
#define TEXT_RATE_NS 1000000000

enum text_color {
	TEXT_PLAIN,
	TEXT_BOLD,
	TEXT_RED,	/* both bold as well */
	TEXT_YELLOW,
};

void text_color(const struct text *text, enum text_color color);

/* "PREPOSITION its exit (status 0)", "CONJUNCTION signal 9 (Killed) ended it"; nothing for a
 * process that runs on. */
void text_end(const struct text *text, const char *preposition, const char *conjunction);

/* Figures that may be estimates; without sampling, as they are. */
bool text_is_sampled(const struct text *text);
const char *text_about(const struct text *text);	/* "about ", or nothing */
struct words text_number(const struct text *text, uint64_t number);
struct words text_rate(const struct text *text, uint64_t bytes);	/* since it is watched */

/* "20 bytes in 1 block", "about 1.20 GiB (+- 3 %) in about 2,400 blocks (212 sampled)". */
struct text_amount {
	uint64_t bytes, bytes_error, blocks, samples;
};
void text_bytes(const struct text *text, const struct text_amount *amount);
void text_amount(const struct text *text, const struct text_amount *amount);

/* How many rows are shown. */
size_t text_shown(const struct text *text);

void text_verdict(const struct text *text);	/* the answer */
void text_look(const struct text *text);		/* both, of one look without a trace */
void text_run(const struct text *text);		/* what was traced, at what cost; the totals */
void text_leaks(const struct text *text);	/* the sums by kinds */
void text_site(const struct text *text, size_t i);	/* of rows */
/* A call and its stack; the size it asked for. */
#define TEXT_NO_SIZE UINT64_MAX
void text_call(const struct text *text, const struct model_call *call, uint64_t bytes);
/* What keeps a row's blocks; nothing where that is not known. */
void text_keeper(const struct text *text, const struct model_keeper *keeper);
void text_root(const struct text *text, const struct model_keeper *keeper);	/* its first words */
void text_before(const struct text *text);	/* blocks that nobody saw allocated */
void text_wrongs(const struct text *text);	/* wrong frees */
void text_errors(const struct text *text);	/* their number, and that of leaks */
void text_notes(const struct text *text);	/* what is not shown, and why; what to do next */

#endif
