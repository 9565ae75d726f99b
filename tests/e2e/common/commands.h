/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For victims that do what they are told, a line at a time, and answer "done" to each. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "truth.h"

static inline int read_line(char *line, int room)
{
	int n = 0;

	while (n + 1 < room && read(STDIN_FILENO, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	return n;
}

/* Up to an empty line, or the end of the input; `word` is what follows the first blank, or "". */
static inline void obey_lines(void (*obey)(const char *what, const char *word))
{
	char line[4096], *word;

	while (read_line(line, sizeof(line))) {
		word = strchr(line, ' ');
		if (word)
			*word++ = '\0';
		obey(line, word ? word : "");
		say("done\n");
	}
}

#endif
