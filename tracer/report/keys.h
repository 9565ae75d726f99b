/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words that stand for a choice in JSON, both ways. */
#ifndef MEMTRACE_REPORT_KEYS_H
#define MEMTRACE_REPORT_KEYS_H

#include "report.h"

const char *verdict_key(enum verdict verdict);
const char *run_end_key(enum run_end end);
const char *gap_reason_key(enum run_gap_reason reason);

/* False: there is none of that name. */
bool verdict_find(const char *key, enum verdict *out);
bool run_end_find(const char *key, enum run_end *out);
bool gap_reason_find(const char *key, enum run_gap_reason *out);

const char *site_kind_key(enum site_kind kind);
bool site_kind_find(const char *key, enum site_kind *out);

const char *content_key(enum content_kind content);
bool content_find(const char *key, enum content_kind *out);

const char *root_kind_key(enum root_kind kind);
bool root_kind_find(const char *key, enum root_kind *out);

#endif
