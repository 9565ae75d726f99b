/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options from a file: what the command line has not given.  One thread. */
#ifndef MEMTRACE_OPTION_FILE_H
#define MEMTRACE_OPTION_FILE_H

#include "options.h"

/* Bit i of `given`: option_table[i] is not taken.  False: something is wrong with the file, and the
 * user was told so; what is right in it is taken all the same. */
bool options_read_file(struct options *options, uint64_t given);

/* The same of a text that was read from options->config. */
bool options_read_text(struct options *options, const char *text, uint64_t given);

#endif
