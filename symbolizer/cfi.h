/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that call frame information covers, in order of address. */
#ifndef MEMTRACE_SYMBOLIZER_CFI_H
#define MEMTRACE_SYMBOLIZER_CFI_H

#include <elfutils/libdw.h>

struct cfi_function {		/* one FDE */
	uint64_t start, end;
	Dwarf_CFI *cfi;		/* whose it is */
};

struct cfi {
	Dwarf_CFI *eh_frame, *debug_frame;	/* NULL: none */
	Dwarf *dwarf;				/* owns debug_frame */
	struct cfi_function *items;		/* disjoint */
	size_t nr, room;
};

/* .eh_frame, and .debug_frame of the same file where .eh_frame has nothing.  nr == 0 where
 * there is neither. */
int cfi_init(struct cfi *cfi, Elf *elf);
void cfi_deinit(struct cfi *cfi);

#endif
