/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One row of call frame information to one struct rule. */
#ifndef MEMTRACE_SYMBOLIZER_ROW_H
#define MEMTRACE_SYMBOLIZER_ROW_H

#include <elfutils/libdw.h>

#include "rules.h"

/* All bytes of the result are defined, so that equal rules compare equal with memcmp. */
struct rule row_rule(Dwarf_Frame *frame);

#endif
