/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See keys.h. */
#include "keys.h"

#include <string.h>

#define NR(array) (sizeof(array) / sizeof(*(array)))

static const char *const verdicts[] = {
	[VERDICT_LEAK] = "leak",
	[VERDICT_GROWING] = "growing",
	[VERDICT_NO_LEAK] = "no-leak",
	[VERDICT_NO_LEAK_SEEN] = "no-leak-seen",
	[VERDICT_UNFREED] = "unfreed",
	[VERDICT_INCOMPLETE] = "incomplete",
};

static const char *const ends[] = {
	[RUN_DETACHED] = "detached",
	[RUN_EXITED] = "exited",
	[RUN_KILLED] = "killed",
	[RUN_LOST] = "unknown",
};

static const char *const site_kinds[] = {
	[SITE_DEFINITE] = "definite",
	[SITE_INDIRECT] = "indirect",
	[SITE_POSSIBLE] = "possible",
	[SITE_REACHABLE] = "reachable",
	[SITE_UNFREED] = "unfreed",
};

static const char *const contents[] = {
	[CONTENT_OTHER] = "other",
	[CONTENT_ZEROS] = "zeros",
	[CONTENT_TEXT] = "text",
	[CONTENT_POINTERS] = "pointers",
	[CONTENT_OBJECT] = "object",
};

static const char *const root_kinds[] = {
	[ROOT_MODULE] = "global",
	[ROOT_STACK] = "stack",
	[ROOT_REGISTERS] = "register",
	[ROOT_THREAD] = "thread",
	[ROOT_OTHER] = "memory",
};

static const char *const gap_reasons[] = {
	[GAP_SWITCH] = "memleak",
	[GAP_OVERHEAD] = "overhead",
};

const char *verdict_key(enum verdict verdict)
{
	return verdicts[verdict];
}

const char *run_end_key(enum run_end end)
{
	return ends[end];
}

const char *gap_reason_key(enum run_gap_reason reason)
{
	return gap_reasons[reason];
}

const char *site_kind_key(enum site_kind kind)
{
	return site_kinds[kind];
}

static bool find(const char *const *keys, size_t nr, const char *key, size_t *out)
{
	for (size_t i = 0; i < nr; i++) {
		if (strcmp(keys[i], key))
			continue;
		*out = i;
		return true;
	}
	return false;
}

bool verdict_find(const char *key, enum verdict *out)
{
	size_t i;

	if (!find(verdicts, NR(verdicts), key, &i))
		return false;
	*out = (enum verdict)i;
	return true;
}

bool run_end_find(const char *key, enum run_end *out)
{
	size_t i;

	if (!find(ends, NR(ends), key, &i))
		return false;
	*out = (enum run_end)i;
	return true;
}

bool gap_reason_find(const char *key, enum run_gap_reason *out)
{
	size_t i;

	if (!find(gap_reasons, NR(gap_reasons), key, &i))
		return false;
	*out = (enum run_gap_reason)i;
	return true;
}

bool site_kind_find(const char *key, enum site_kind *out)
{
	size_t i;

	if (!find(site_kinds, NR(site_kinds), key, &i))
		return false;
	*out = (enum site_kind)i;
	return true;
}

const char *root_kind_key(enum root_kind kind)
{
	return root_kinds[kind];
}

bool root_kind_find(const char *key, enum root_kind *out)
{
	size_t i;

	if (!find(root_kinds, NR(root_kinds), key, &i))
		return false;
	*out = (enum root_kind)i;
	return true;
}

const char *content_key(enum content_kind content)
{
	return contents[content];
}

bool content_find(const char *key, enum content_kind *out)
{
	size_t i;

	if (!find(contents, NR(contents), key, &i))
		return false;
	*out = (enum content_kind)i;
	return true;
}
