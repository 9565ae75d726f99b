/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line of a log before it has words: what a call was, of a fixed size, so that whoever sees
 * the call only copies.  Plain data.
 */
#ifndef MEMTRACE_STREAM_LINE_H
#define MEMTRACE_STREAM_LINE_H

#include <sys/types.h>

#include "../base/types.h"

#define LINE_FRAMES 3		/* operator new[], operator new, and who called */

enum line_kind {
	LINE_ALLOC,		/* address, size */
	LINE_FREE,		/* address */
	LINE_RESIZED,		/* address: a realloc has taken the block; its new one is an ALLOC */
	LINE_KEPT,		/* address, size asked for: a realloc that failed */
	LINE_FAILED,		/* size asked for */
	LINE_REST,		/* nothing is watched from here on */
	LINE_WAKE,		/* ... is again */
	LINE_PAUSE,		/* as REST, since watching cost too much */
	LINE_PAUSE_END,
	LINE_EXEC,		/* another program; all blocks are gone */
};

struct line {
	uint64_t time_ns;	/* since the attach */
	taddr_t address;
	uint64_t size;
	code_t frames[LINE_FRAMES];	/* innermost first */
	uint32_t image;		/* whose modules and functions: image_now() */
	uint32_t function;
	pid_t tid;		/* 0: not known */
	uint8_t kind, nr_frames;
	bool unknown;		/* FREE: of a block that was not seen allocated */
};

#endif
