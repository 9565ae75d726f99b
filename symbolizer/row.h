/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One row of call frame information, and the struct rule that says the same. */
#ifndef MEMTRACE_SYMBOLIZER_ROW_H
#define MEMTRACE_SYMBOLIZER_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "rules.h"

#define RULE_RIP 16			/* DWARF number of the return address */

enum row_how {
	ROW_UNSAID,			/* as in the frame further in */
	ROW_REGISTER,			/* the CFA: register + offset */
	ROW_AT_CFA,			/* saved at CFA + offset */
	ROW_AT_EXPRESSION,		/* saved where it says; the CFA: what it says */
	ROW_UNDEFINED,
	ROW_OTHERWISE,
};

struct row_place {
	enum row_how how;
	uint64_t number;		/* of the register */
	int64_t offset;
	const uint8_t *expression;	/* DWARF 5, 2.5; owned by the section */
	size_t bytes;
};

struct row {
	struct row_place cfa, rip, rbp;
};

/* All bytes of the result are defined, so that equal rules compare equal with memcmp. */
struct rule row_rule(const struct row *row);

#endif
