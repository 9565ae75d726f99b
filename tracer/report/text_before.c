/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that nobody saw allocated, by size and by what they look like; there are no stacks of them:
 *
 *	FROM BEFORE THE ATTACH: 41,602,448 bytes in 80,102 blocks; nobody saw where they were allocated
 *	          2,448 bytes in      102 blocks of 24       LOST       "name of a session"
 *	     41,600,000 bytes in   80,000 blocks of 520      reachable  Order
 *	                                                     kept by  g_book (book.cc:9) in orderd
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "before.h"
#include "places.h"
#include "text.h"
#include "units.h"

#define BYTES_SHOWN 16
#define COLUMN "%57s"

static const char *kind_words(enum site_kind kind)
{
	static const char *const words[SITE_KINDS] = {
		[SITE_DEFINITE] = "LOST", [SITE_INDIRECT] = "indirect", [SITE_POSSIBLE] = "possible",
		[SITE_REACHABLE] = "reachable", [SITE_UNFREED] = "unfreed",
	};

	return words[kind];
}

/* A class, where it is the table of one; else what the word leads to. */
static void put_type(const struct text *text, const struct model_group *group)
{
	static const char table[] = "vtable for ";
	const struct run_module *module = place_module(text->model->facts, group->table);
	const char *type = group->type.function;
	char name[TEXT_NAME_BYTES];

	if (type && !strncmp(type, table, strlen(table)))
		fputs(inert(name, sizeof(name), type + strlen(table)), text->out);
	else if (type)
		fprintf(text->out, "of %s", inert(name, sizeof(name), type));
	else if (module)
		fprintf(text->out, "of %s+0x%" PRIx64,
			inert(name, sizeof(name), place_base(module->path)),
			place_offset(module, group->table));
	else
		fprintf(text->out, "of 0x%" PRIx64, code_pc(group->table));
}

static void put_characters(const struct text *text, const struct model_group *group)
{
	char characters[GROUP_PREVIEW + 1] = "", shown[4 * GROUP_PREVIEW + 1];

	memcpy(characters, group->preview, group->preview_bytes);
	fprintf(text->out, "\"%s\"%s", inert(shown, sizeof(shown), characters),
		strlen(characters) == GROUP_PREVIEW ? "..." : "");
}

static void put_bytes(const struct text *text, const struct model_group *group)
{
	for (unsigned i = 0; i < BYTES_SHOWN && i < group->preview_bytes; i++)
		fprintf(text->out, "%s%02x", i ? " " : "", group->preview[i]);
}

static void put_content(const struct text *text, const struct model_group *group)
{
	switch (group->content) {
	case CONTENT_OBJECT:
		put_type(text, group);
		break;
	case CONTENT_TEXT:
		put_characters(text, group);
		break;
	case CONTENT_POINTERS:
		fputs("pointers", text->out);
		break;
	case CONTENT_ZEROS:
		fputs("zeros", text->out);
		break;
	default:
		put_bytes(text, group);
	}
}

static void put_group(const struct text *text, const struct model_group *group)
{
	const char *size = group->size ? units_number(group->size).text : "any size";

	fprintf(text->out, "%15s bytes in %9s %s", units_number(group->bytes).text,
		units_number(group->blocks).text, group->blocks == 1 ? "block " : "blocks");
	fprintf(text->out, " of %-10s %-9s  ", size, kind_words(group->kind));
	put_content(text, group);
	if (group->blocks == 1)
		fprintf(text->out, " at 0x%" PRIx64, group->example);
	putc('\n', text->out);
	if (group->indirect.blocks)
		fprintf(text->out, COLUMN "with %s bytes in %s that only they lead to\n", "",
			units_number(group->indirect.bytes).text,
			units_count(group->indirect.blocks, "block").text);
	if (!group->keeper.nr_blocks)
		return;
	fprintf(text->out, COLUMN "kept by  ", "");
	text_root(text, &group->keeper);
	putc('\n', text->out);
}

static void put_groups(const struct text *text)
{
	const struct model *model = text->model;
	size_t shown = 0, more = 0;

	for (size_t i = 0; i < model->nr_groups; i++) {
		if (!before_is_shown(model, &model->groups[i], text->style->kinds))
			continue;
		if (text->style->top && shown == text->style->top) {
			more++;
			continue;
		}
		put_group(text, &model->groups[i]);
		shown++;
	}
	if (more)
		fprintf(text->out, "(%s more: -n 0 shows all)\n", units_number(more).text);
}

static bool is_any_shown(const struct text *text)
{
	for (size_t i = 0; i < text->model->nr_groups; i++)
		if (before_is_shown(text->model, &text->model->groups[i], text->style->kinds))
			return true;
	return false;
}

void text_before(const struct text *text)
{
	const struct model *model = text->model;
	struct model_sum sum = { 0 };

	if (text->style->summary || !is_any_shown(text))
		return;
	for (size_t i = 0; i < model->nr_groups; i++) {
		sum.bytes += model->groups[i].bytes;
		sum.blocks += model->groups[i].blocks;
	}
	fprintf(text->out, "\n%s: %s bytes in %s%s\n",
		model->facts->scan.is_all ? "BLOCKS" :
		model->facts->launched ? "NOT SEEN" : "FROM BEFORE THE ATTACH",
		units_number(sum.bytes).text, units_count(sum.blocks, "block").text,
		model->facts->scan.is_all ? "" : "; nobody saw where they were allocated");
	put_groups(text);
}
