/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See errors.h. */
#include "errors.h"

/* Of what was not looked at nobody knows whether it leaked. */
static bool counts(enum site_kind kind, unsigned kinds)
{
	return kind != SITE_UNFREED && kinds >> kind & 1;
}

static uint64_t count_leaks(const struct model *model, unsigned kinds)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < model->nr_sites; i++)
		nr += counts(model->sites[i].kind, kinds);
	for (unsigned kind = 0; kind < SITE_KINDS; kind++)
		nr += model->before[kind].blocks && counts((enum site_kind)kind, kinds);
	return nr;
}

struct errors errors_count(const struct model *model, unsigned kinds)
{
	uint64_t leaks = count_leaks(model, kinds);

	return (struct errors){
		.errors = model->nr_double_frees + model->nr_invalid_frees + leaks,
		.contexts = model->nr_wrongs + leaks,
		.leaks = leaks,
	};
}

bool errors_are_known(const struct model *model)
{
	return model->judges_frees || model->facts->scan.done;
}

const char *errors_doubt(const struct model *model)
{
	const struct run_facts *facts = model->facts;

	if (facts->incomplete)
		return facts->incomplete;
	if (model->totals.lost_events)
		return "events were lost";
	if (facts->scan.is_wanted && !facts->scan.done && model->nr_sites)
		return facts->scan.why_not;
	if ((facts->nr_gaps || facts->ended_unwatched) && !facts->scan.walked)
		return "it was not watched all the time";
	return NULL;
}
