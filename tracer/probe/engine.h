/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ways to catch calls, and the choice between them. */
#ifndef MEMTRACE_PROBE_ENGINE_H
#define MEMTRACE_PROBE_ENGINE_H

enum engine {
	ENGINE_AUTO,	/* jump where that is safe, else break */
	ENGINE_JUMP,	/* jumps to an agent in the target: no stop */
	ENGINE_BREAK,	/* breakpoints: two stops an allocation, one a free */
};

/* As reports name them. */
#define ENGINE_NAME_JUMP "jump"
#define ENGINE_NAME_BREAK "break"

#endif
