/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that call frame information covers, in order of address. */
#ifndef MEMTRACE_SYMBOLIZER_CFI_H
#define MEMTRACE_SYMBOLIZER_CFI_H

#include <elfutils/libdw.h>

#include "row.h"

struct cfi_cie {		/* what many FDEs have in common */
	const uint8_t *program, *program_end;
	uint64_t code_alignment;
	int64_t data_alignment;
	struct row initial;	/* what the program makes */
	Dwarf_Off offset;
	uint8_t encoding;	/* of addresses */
	bool is_augmented;	/* FDEs say how long their data is */
	bool is_signal;
};

struct cfi_function {		/* one FDE */
	uint64_t start, end;
	const uint8_t *program, *program_end;
	uint32_t cie;
	bool is_eh_frame;
};

struct cfi {
	struct { struct cfi_cie *items; size_t nr, room; } cies;
	struct cfi_function *items;		/* disjoint */
	size_t nr, room;
};

/* .eh_frame, and .debug_frame of the same file where .eh_frame has nothing.  nr == 0 where
 * there is neither.  The programs are the ELF file's, which must stay open. */
int cfi_init(struct cfi *cfi, Elf *elf);
void cfi_deinit(struct cfi *cfi);

#endif
