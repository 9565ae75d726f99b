/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See before.h. */
#include "before.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"

static void set_type(const struct model *model, const struct content *content,
		     struct model_group *out)
{
	const struct maps *maps = &model->scan->snapshot->capture.maps;
	const struct mapping *mapping = maps_find(maps, content->table);

	if (content->kind != CONTENT_OBJECT || !mapping)
		return;
	while (!*mapping->path && mapping > maps->items)	/* .bss */
		mapping--;
	out->type_at = content->at;
	out->table = place_of_data(model->facts, mapping->path, content->table);
}

static void add_part(struct model *model, const struct group *group, enum reach_kind kind)
{
	const struct group_part *part = &group->parts[kind];
	struct model_group *out = &model->groups[model->nr_groups];
	size_t id = (size_t)(group - model->scan->groups.items);

	if (!part->blocks)
		return;
	model->nr_groups++;
	*out = (struct model_group){
		.kind = (enum site_kind)kind, .content = group->content.kind, .size = group->size,
		.bytes = part->bytes, .blocks = part->blocks,
		.indirect = { part->indirect_bytes, part->indirect_blocks },
		.example = part->example, .preview_bytes = part->preview_bytes,
		.site = (uint32_t)(model->scan->groups.first_site + id),
	};
	memcpy(out->preview, part->preview, sizeof(out->preview));
	set_type(model, &group->content, out);
}

/* What is lost is the answer; of the rest, what there is most of. */
static unsigned rank(const struct model_group *group)
{
	static const unsigned ranks[SITE_KINDS] = {
		[SITE_DEFINITE] = 0, [SITE_POSSIBLE] = 1, [SITE_REACHABLE] = 1, [SITE_INDIRECT] = 2,
	};

	return ranks[group->kind];
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* The last only makes the order the same for the same heap. */
static int compare_groups(const void *a, const void *b)
{
	const struct model_group *left = a, *right = b;
	int order = compare(rank(left), rank(right));

	if (!order)
		order = compare(right->bytes + right->indirect.bytes,
				left->bytes + left->indirect.bytes);
	return order ? order : compare(left->example, right->example);
}

bool before_is_shown(const struct model *model, const struct model_group *group, unsigned kinds)
{
	if (!model->facts->launched && group->kind == SITE_REACHABLE)
		return true;
	return kinds >> group->kind & 1;
}

static size_t count_named(const struct model *model, const struct report_style *style)
{
	size_t nr = 0, shown = 0;

	if (!style->top)
		return model->nr_groups;
	while (nr < model->nr_groups && shown < style->top)
		shown += before_is_shown(model, &model->groups[nr++], style->kinds);
	return nr;
}

int before_collect(struct model *model, const struct report_style *style)
{
	const struct groups *groups = model->scan ? &model->scan->groups : NULL;

	if (!groups)
		return 0;
	model->groups = calloc(groups->nr * REACH_KINDS + 1, sizeof(*model->groups));
	if (!model->groups)
		return -ENOMEM;
	for (size_t i = 0; i < groups->nr; i++)
		for (unsigned kind = 0; kind < REACH_KINDS; kind++)
			add_part(model, &groups->items[i], (enum reach_kind)kind);
	qsort(model->groups, model->nr_groups, sizeof(*model->groups), compare_groups);
	model->nr_groups_named = count_named(model, style);
	return 0;
}
