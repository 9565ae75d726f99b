/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the programs of call frame information (DWARF 5, 6.4.2) for the three registers that a walk
 * follows: the CFA, the return address and rbp.  Whatever the bytes are, nothing outside of them
 * is read, and the time is theirs.
 */
#ifndef MEMTRACE_SYMBOLIZER_CFA_H
#define MEMTRACE_SYMBOLIZER_CFA_H

#include "cfi.h"

/* row == NULL: what holds from vaddr on is said in a way that this does not know.  Returns 0 to
 * go on. */
typedef int cfa_take(void *taker, uint64_t vaddr, const struct row *row);

/* Hands out the rows of one function in the order of their addresses, which grow, the first at its
 * start; returns what the last call of take() did. */
int cfa_run(const struct cfi_cie *cie, const struct cfi_function *function, cfa_take *take,
	    void *taker);

/* The row that the programs of all functions of this CIE begin with; its return address is
 * ROW_OTHERWISE where that cannot be told. */
struct row cfa_initial(const struct cfi_cie *cie);

#endif
