/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See wrongs.h. */
#include "wrongs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Every block is compared with each. */
#define POINTERS_SEARCHED 64

static bool judges(const struct model *model)
{
	const struct run_facts *facts = model->facts;

	if (facts->sample_bytes || facts->incomplete || facts->found_late ||
	    model->totals.lost_events || model->heap->missed_frees || model->heap->wrong.is_blind)
		return false;
	return facts->knows_allocators || model->heap->wrong.is_whole;
}

static bool is_double(const struct wrong_free *found)
{
	return found->first.free.address;
}

static bool any_named(const struct run_facts *facts)
{
	for (size_t i = 0; i < facts->nr_functions; i++)
		if (facts->functions[i].is_named)
			return true;
	return false;
}

static bool is_named(const struct run_facts *facts, uint32_t function)
{
	return function >= facts->nr_functions || facts->functions[function].is_named;
}

static bool concerns_named(const struct model *model, const struct wrong_free *found)
{
	const struct run_facts *facts = model->facts;
	struct sites *sites = model->heap->sites;

	if (is_named(facts, found->free.function))
		return true;
	if (!is_double(found))
		return any_named(facts);
	return is_named(facts, found->first.free.function) ||
	       (found->first.site &&
		is_named(facts, sites_get(sites, found->first.site - 1)->function));
}

/* By the caller's address alone.  False: of modules that have been there at different times none
 * is known to be the right one. */
static bool find_code(const struct run_facts *facts, taddr_t caller, code_t *out)
{
	uint32_t id = 0;

	for (size_t i = 0; i < facts->nr_modules; i++) {
		if (caller < facts->modules[i].start || caller >= facts->modules[i].end)
			continue;
		if (id)
			return false;
		id = (uint32_t)i + 1;
	}
	*out = code_make(id, caller);
	return true;
}

static struct model_call call_of_free(const struct model *model, const struct freeing *free,
				      code_t *code)
{
	struct model_call call = { .function = model_function(model->facts, free->function) };

	if (free->site)
		return model_call_of(model, free->site - 1);
	if (!free->caller || !find_code(model->facts, free->caller, code))
		return call;
	call.codes = code;
	call.nr_codes = 1;
	return call;
}

static void fill(const struct model *model, struct model_wrong *wrong,
		 const struct wrong_free *found)
{
	*wrong = (struct model_wrong){ .found = found, .is_double = is_double(found) };
	wrong->free = call_of_free(model, &found->free, &wrong->codes[0]);
	if (wrong->is_double)
		wrong->first = call_of_free(model, &found->first.free, &wrong->codes[1]);
	if (found->first.site)
		wrong->alloc = model_call_of(model, found->first.site - 1);
}

static int compare(const void *a, const void *b)
{
	const struct model_wrong *left = a, *right = b;
	uint64_t left_ns = left->found->free.time_ns, right_ns = right->found->free.time_ns;

	if (left_ns != right_ns)
		return left_ns < right_ns ? -1 : 1;
	return left->found < right->found ? -1 : left->found > right->found;
}

/* Codes of one's own move with it. */
static void sort(struct model *model)
{
	qsort(model->wrongs, model->nr_wrongs, sizeof(*model->wrongs), compare);
	for (size_t i = 0; i < model->nr_wrongs; i++)
		fill(model, &model->wrongs[i], model->wrongs[i].found);
}

int wrongs_collect(struct model *model)
{
	const struct wrong_frees *wrong = &model->heap->wrong;

	model->judges_frees = judges(model);
	model->nr_wrongs_lost = wrong->nr_lost;
	model->own_frees = model->heap->own_frees;
	model->wrongs = calloc(wrong->nr + 1, sizeof(*model->wrongs));
	if (!model->wrongs)
		return -ENOMEM;
	for (size_t i = 0; model->judges_frees && i < wrong->nr; i++)
		if (!concerns_named(model, &wrong->items[i]))
			model->wrongs[model->nr_wrongs++].found = &wrong->items[i];
	sort(model);
	return 0;
}

void wrongs_note_block(struct model *model, const struct block *block)
{
	size_t nr = model->nr_wrongs < POINTERS_SEARCHED ? model->nr_wrongs : POINTERS_SEARCHED;

	for (size_t i = 0; i < nr; i++) {
		struct model_wrong *wrong = &model->wrongs[i];
		const struct freeing *free = &wrong->found->free;

		if (wrong->is_double || block->address & ADDRESS_POOL ||
		    free->address - block->address >= block->size ||
		    block->time_ns > free->time_ns)
			continue;
		wrong->around = *block;
		wrong->alloc = model_call_of(model, block->site);
	}
}

/* glibc's: what a thread that ends has cached is freed once more.  Where the C library is linked
 * into the program, this is not told from the program's own calls by the module. */
static bool is_cleanup(const struct model_call *call)
{
	static const char *const names[] = {
		"tcache_thread_shutdown", "__malloc_arena_thread_freeres", "__libc_thread_freeres",
	};

	for (size_t i = 0; i < call->nr_frames; i++)
		for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++)
			if (call->stack[i].function && !strcmp(call->stack[i].function, names[n]))
				return true;
	return false;
}

static bool is_of_program(const struct model *model, const struct model_wrong *wrong)
{
	return model->facts->functions[wrong->found->free.function].of_program;
}

static void release(struct model_wrong *wrong)
{
	free(wrong->free.stack);
	free(wrong->first.stack);
	free(wrong->alloc.stack);
}

/* Only where frees come from the program itself the names have to tell. */
static bool is_none(const struct model *model, const struct model_wrong *wrong)
{
	return is_of_program(model, wrong) && (model->nameless || is_cleanup(&wrong->free));
}

static void count(struct model *model)
{
	for (size_t i = 0; i < model->nr_wrongs; i++)
		if (model->wrongs[i].is_double)
			model->nr_double_frees += model->wrongs[i].found->count;
		else
			model->nr_invalid_frees += model->wrongs[i].found->count;
}

/* A pointer that no function known has returned: where there may be others it is one of theirs, and
 * so may be blocks that seem to be freed twice. */
static bool any_unknown(const struct model *model)
{
	const struct wrong_frees *wrong = &model->heap->wrong;

	for (size_t i = 0; i < wrong->nr; i++)
		if (!is_double(&wrong->items[i]) && concerns_named(model, &wrong->items[i]))
			return true;
	for (size_t i = 0; i < model->nr_wrongs; i++)
		if (!model->wrongs[i].is_double)
			return true;
	return !wrong->is_whole || wrong->nr_lost;
}

void wrongs_check_names(struct model *model)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->nr_wrongs; i++)
		if (is_none(model, &model->wrongs[i]))
			release(&model->wrongs[i]);
		else
			model->wrongs[kept++] = model->wrongs[i];
	model->nr_wrongs = kept;
	if (!model->facts->knows_allocators && any_unknown(model))
		while (model->nr_wrongs)
			release(&model->wrongs[--model->nr_wrongs]);
	count(model);
}
