/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Call frame information of a file to the form of rules.h. */
#ifndef MEMTRACE_SYMBOLIZER_RULES_BUILD_H
#define MEMTRACE_SYMBOLIZER_RULES_BUILD_H

#include <libelf.h>

/* A sealed memory file, or -errno: -ENOENT where no function has unwind data. */
int rules_build(Elf *elf);

#endif
