/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of mtrace(3), for glibc's script:
 *
 *     = Start
 *     @ [0x1149] + 0x55d0c8e2a2a0 0xa            an allocation of 10 bytes
 *     @ /lib/libx.so.1:[0x1f3a] - 0x55d0c8e2a2a0 a free
 *     @ [0x1180] < 0x55d0c8e2a2a0                a realloc has taken this block
 *     @ [0x1180] > 0x55d0c8e2a2c0 0x1e           and given this one
 *     @ [0x1180] ! 0x55d0c8e2a2c0 0x40           a realloc of it has failed
 *     = End
 *
 * An address without a path is one of the program that the script is given; it asks addr2line
 * about it as it is, so it is one of the file, and of the call itself.  A path goes to a shell
 * of the script's: one that a shell could misread is left out, and the address is the target's,
 * which is in no file.
 */
#include <string.h>

#include "format.h"

#define PATH_MOST 1024

static bool is_harmless(const char *path)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789/._+-";

	return path[0] == '/' && strlen(path) <= PATH_MOST && !path[strspn(path, letters)];
}

static void add_place(struct words *words, const struct image_site *site)
{
	const struct image_module *module = site->module;
	bool in_file = module && (module->is_program || is_harmless(module->path));

	if (!site->pc)
		return;
	words_add(words, "@ ");
	if (in_file && !module->is_program) {
		words_add(words, module->path);
		words_add(words, ":");
	}
	words_add(words, "[");
	words_add_hex(words, in_file ? site->pc - module->bias : site->pc);
	words_add(words, "] ");
}

static void add_block(struct words *words, char sign, const struct line *line, bool with_size)
{
	const char start[] = { sign, ' ', '\0' };

	words_add(words, start);
	if (line->address)
		words_add_hex(words, line->address);
	else
		words_add(words, "(nil)");
	if (!with_size)
		return;
	words_add(words, " ");
	words_add_hex(words, line->size);
}

/* At a thread's end glibc frees once more, by free(), what it had put aside for the thread. */
static bool is_free_of_freed(const struct line *line, const struct image_site *site)
{
	return line->kind == LINE_FREE && line->unknown && site->is_own;
}

static void mtrace_line(struct words *words, const struct line *line,
			const struct image_site *site, const struct stream_style *style)
{
	if (is_free_of_freed(line, site))
		return;
	if (line->kind <= LINE_FAILED)
		add_place(words, site);
	switch (line->kind) {
	case LINE_ALLOC:
		add_block(words, site->resizes ? '>' : '+', line, true);
		break;
	case LINE_FREE:
		add_block(words, '-', line, false);
		break;
	case LINE_RESIZED:
		add_block(words, '<', line, false);
		break;
	case LINE_KEPT:
		add_block(words, '!', line, true);
		break;
	case LINE_FAILED:
		add_block(words, '+', line, true);
		break;
	case LINE_REST:
		words_add(words, "# nothing is watched: memleak = 0");
		break;
	case LINE_WAKE:
		words_add(words, "# watched again: memleak = 1");
		break;
	case LINE_PAUSE:
		words_add(words, "# nothing is watched: --overhead");
		break;
	case LINE_PAUSE_END:
		words_add(words, "# watched again: --overhead");
		break;
	case LINE_EXEC:
		words_add(words, "= Start");
		break;
	}
	words_end(words);
}

static void mtrace_begin(struct words *words)
{
	words_add(words, "= Start");
	words_end(words);
}

static void mtrace_end(struct words *words, const struct stream_totals *totals,
		       const struct stream_style *style)
{
	if (totals->lost) {
		words_add(words, "# lines not written: ");
		words_add_number(words, totals->lost);
		words_end(words);
	}
	words_add(words, "= End");
	words_end(words);
}

const struct stream_format stream_mtrace = {
	.name = "mtrace", .renews = true, .begin = mtrace_begin, .line = mtrace_line,
	.end = mtrace_end,
};
