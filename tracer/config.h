/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of options: lines of "key = value", where every long option is a key; # and ; begin
 * comments.  Read by inih.  One thread.
 */
#ifndef MEMTRACE_CONFIG_H
#define MEMTRACE_CONFIG_H

#define CONFIG_LINE_MAX 190	/* without comment and blanks around; inih's own limit is near */

/* $XDG_CONFIG_HOME/memtrace.conf (~/.config), or where there is none /etc/memtrace.conf.  Where
 * there is neither, the first; NULL without a home.  To be freed. */
char *config_default_path(void);

/* -ENOENT: there is none.  -EFBIG: no such file is so long.  -EILSEQ: there is a NUL in it.  The
 * text is to be freed. */
int config_read(const char *path, char **out_text);

/* Valid during the call alone. */
typedef void (*config_entry)(void *owner, unsigned line, const char *key, const char *value);

/* The number of the first line that is none, 0 if all are; the others have been told then. */
unsigned config_parse(const char *text, config_entry entry, void *owner);

#endif
