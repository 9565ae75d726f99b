/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What --alloc and --free name and a process does not have: told to the user.  One thread. */
#ifndef MEMTRACE_MISSING_H
#define MEMTRACE_MISSING_H

#include "run.h"

/* The modules have been looked at.  `is_over`: no library will come any more. */
void missing_tell(const struct run *run, bool is_over);

#endif
