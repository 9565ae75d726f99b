/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See image.h.  What was added stays where it is, so that only the tables need the lock. */
#include "image.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"

/* Since the start or an exec: where its own begin in the tables. */
struct image_part {
	size_t modules, functions;
};

struct image {
	pthread_mutex_t lock;
	struct namer *namer;
	struct {
		struct image_module **items;
		size_t nr, room;
	} modules;
	struct {
		struct image_function *items;
		size_t nr, room;
	} functions;
	struct {
		struct image_part *items;
		size_t nr, room;
	} parts;
};

int image_create(struct namer *namer, struct image **out)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image || ARRAY_GROW(&image->parts)) {
		free(image);
		return -ENOMEM;
	}
	image->parts.items[image->parts.nr++] = (struct image_part){ 0, 0 };
	image->namer = namer;
	pthread_mutex_init(&image->lock, NULL);
	*out = image;
	return 0;
}

void image_destroy(struct image *image)
{
	if (!image)
		return;
	for (size_t i = 0; i < image->modules.nr; i++) {
		free((char *)image->modules.items[i]->path);
		free(image->modules.items[i]);
	}
	free(image->modules.items);
	free(image->functions.items);
	free(image->parts.items);
	pthread_mutex_destroy(&image->lock);
	free(image);
}

static const struct image_part *last_part(const struct image *image)
{
	return &image->parts.items[image->parts.nr - 1];
}

size_t image_nr_modules(const struct image *image)
{
	return image->modules.nr - last_part(image)->modules;
}

size_t image_nr_functions(const struct image *image)
{
	return image->functions.nr - last_part(image)->functions;
}

int image_add_module(struct image *image, const struct image_module *module)
{
	struct image_module *copy = malloc(sizeof(*copy));
	char *path = strdup(module->path);
	int error = copy && path ? 0 : -ENOMEM;

	pthread_mutex_lock(&image->lock);
	if (!error)
		error = ARRAY_GROW(&image->modules);
	if (!error) {
		*copy = *module;
		copy->path = path;
		image->modules.items[image->modules.nr++] = copy;
	}
	pthread_mutex_unlock(&image->lock);
	if (error) {
		free(copy);
		free(path);
	}
	return error;
}

int image_add_function(struct image *image, const struct image_function *function)
{
	int error;

	pthread_mutex_lock(&image->lock);
	error = ARRAY_GROW(&image->functions);
	if (!error)
		image->functions.items[image->functions.nr++] = *function;
	pthread_mutex_unlock(&image->lock);
	return error;
}

void image_restart(struct image *image)
{
	pthread_mutex_lock(&image->lock);
	if (!ARRAY_GROW(&image->parts))
		image->parts.items[image->parts.nr++] =
			(struct image_part){ image->modules.nr, image->functions.nr };
	pthread_mutex_unlock(&image->lock);
}

uint32_t image_now(const struct image *image)
{
	return (uint32_t)image->parts.nr - 1;
}

static const struct image_module *find_module(struct image *image, uint32_t part, code_t code)
{
	const struct image_module *found = NULL;
	size_t i;

	pthread_mutex_lock(&image->lock);
	i = image->parts.items[part].modules + code_module(code) - 1;
	if (code_module(code) && i < image->modules.nr)
		found = image->modules.items[i];
	pthread_mutex_unlock(&image->lock);
	return found;
}

static struct image_function find_function(struct image *image, const struct line *line)
{
	struct image_function found = { .name = "?" };
	size_t i;

	pthread_mutex_lock(&image->lock);
	i = image->parts.items[line->image].functions + line->function;
	if (i < image->functions.nr)
		found = image->functions.items[i];
	pthread_mutex_unlock(&image->lock);
	return found;
}

static void look_up_frame(struct image *image, const struct line *line, uint8_t frame,
			  bool may_wait, struct image_site *site)
{
	code_t code = line->frames[frame];

	site->pc = code_pc(code) ? code_pc(code) - 1 : 0; /* the call, not what follows */
	site->name = NULL;
	site->module = find_module(image, line->image, code);
	if (image->namer && site->module && site->module->file != IMAGE_NO_FILE)
		site->name = namer_get(image->namer, site->module->file,
				       site->pc - site->module->bias, may_wait);
}

/* Who reads the log called new, whatever new calls. */
struct image_site image_look_up(struct image *image, const struct line *line, bool may_wait)
{
	struct image_function function = find_function(image, line);
	struct image_site site = { .function = function.name, .resizes = function.resizes };

	for (uint8_t i = 0; i < line->nr_frames; i++) {
		look_up_frame(image, line, i, may_wait, &site);
		if (!site.name || !site.name->operator || i + 1 == line->nr_frames)
			break;
		site.function = site.name->operator;
	}
	site.is_own = line->nr_frames && site.module && !site.module->is_program &&
		      code_module(line->frames[0]) == function.module;
	return site;
}
