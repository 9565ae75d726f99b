/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compact unwind rules of one module: made by the symbolizer from .eh_frame, applied by
 * the tracer's walker.  One blob in a sealed memory file, so that it can be mapped read only
 * wherever it is needed:
 *
 *     +--------------------+  0
 *     | struct rules       |
 *     +--------------------+  sizeof(struct rules)
 *     | uint32_t pcs[]     |  nr_rows: first address of each row, minus base_vaddr; sorted,
 *     +--------------------+  no two equal
 *     | uint16_t indexes[] |  nr_rows: index into table, RULES_FUNCTION set where an FDE begins
 *     +--------------------+  (padded to 4 bytes)
 *     | struct rule table[]|  nr_rules, at most RULES_INDEX; no two equal
 *     +--------------------+
 *
 * A row holds up to the next one; where no FDE covers the code there is a row of kind
 * RULE_NONE.  The reader checks the sizes once with rules_valid() and each index on use: the
 * blob was computed from a file that nobody vouches for.
 */
#ifndef MEMTRACE_SYMBOLIZER_RULES_H
#define MEMTRACE_SYMBOLIZER_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULES_MAGIC 0x32525455u /* "UTR2" */
#define RULES_FUNCTION 0x8000u
#define RULES_INDEX 0x7fffu

enum rule_kind {
	RULE_NONE,	/* no unwind data here */
	RULE_CFA,	/* CFA = register + cfa_offset */
	RULE_CFA_DEREF,	/* CFA = *(register + cfa_offset) + deref_add */
	RULE_PLT,	/* CFA = rsp + 8 + (8 if (rip & 15) >= cfa_offset), as in every .plt */
	RULE_SIGNAL,	/* a signal frame: the context lies at rsp (x86-64 rt_sigframe) */
	RULE_END,	/* return address undefined: the outermost frame */
	RULE_COMPLEX,	/* there is a rule, but no row of this form expresses it */
};

/* Where rbp of the caller is. */
enum rule_saved {
	RULE_UNSAVED,		/* in rbp */
	RULE_SAVED_AT_CFA,	/* at CFA + rbp_offset */
	RULE_SAVED_AT_RBP,	/* at rbp + rbp_offset: code that aligns its stack */
};

/* The return address is at CFA - 8 wherever a CFA is given; rsp of the caller is the CFA. */
struct rule {
	uint8_t kind;
	uint8_t cfa_register;	/* DWARF number: RULE_RSP or RULE_RBP */
	uint8_t rbp_saved;	/* enum rule_saved */
	uint8_t unused;
	int32_t cfa_offset;
	int32_t deref_add;
	int32_t rbp_offset;
};

/* DWARF register numbers: System V ABI, AMD64 supplement, figure 3.36. */
#define RULE_RBP 6
#define RULE_RSP 7

struct rules {
	uint32_t magic;
	uint32_t nr_rows;
	uint32_t nr_rules;
	int32_t eh_frame_hdr;	/* relative to base_vaddr; 0: none.  For who unwinds otherwise */
	uint64_t base_vaddr;	/* pcs are relative to this address of the file */
};

static inline const uint32_t *rules_pcs(const struct rules *rules)
{
	return (const uint32_t *)(rules + 1);
}

static inline const uint16_t *rules_indexes(const struct rules *rules)
{
	return (const uint16_t *)(rules_pcs(rules) + rules->nr_rows);
}

static inline size_t rules_table_offset(uint32_t nr_rows)
{
	return (sizeof(struct rules) + (size_t)nr_rows * 6 + 3) & ~(size_t)3;
}

static inline const struct rule *rules_table(const struct rules *rules)
{
	return (const struct rule *)((const char *)rules + rules_table_offset(rules->nr_rows));
}

static inline size_t rules_bytes(uint32_t nr_rows, uint32_t nr_rules)
{
	return rules_table_offset(nr_rows) + (size_t)nr_rules * sizeof(struct rule);
}

static inline bool rules_valid(const struct rules *rules, size_t bytes)
{
	return bytes >= sizeof(*rules) && rules->magic == RULES_MAGIC &&
	       rules->nr_rules <= RULES_INDEX &&
	       rules_bytes(rules->nr_rows, rules->nr_rules) <= bytes;
}

#endif
