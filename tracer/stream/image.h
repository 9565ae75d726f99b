/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the numbers in lines mean: modules and functions of one process.  After an exec they begin
 * anew, while lines of before may still wait to be written: image_now() tells them apart.
 *
 * The tracing thread adds; whoever writes lines looks up at the same time.
 */
#ifndef MEMTRACE_STREAM_IMAGE_H
#define MEMTRACE_STREAM_IMAGE_H

#include "line.h"
#include "namer.h"

struct image;

struct image_module {
	const char *path;
	uint64_t bias;
	uint32_t file;		/* for namer_get(); IMAGE_NO_FILE: it has no names */
	bool is_program;
};

#define IMAGE_NO_FILE UINT32_MAX

struct image_function {
	const char *name;	/* a constant */
	uint32_t module;	/* where it is, as in code_module() */
	bool resizes;
};

/* Names stay the caller's; NULL: none. */
int image_create(struct namer *namer, struct image **out);
void image_destroy(struct image *image);

/* In the order of their numbers; how many there are already.  -ENOMEM: told of as unknown. */
size_t image_nr_modules(const struct image *image);
int image_add_module(struct image *image, const struct image_module *module);
size_t image_nr_functions(const struct image *image);
int image_add_function(struct image *image, const struct image_function *function);

void image_restart(struct image *image);
uint32_t image_now(const struct image *image);

/* A line with its words; they live as long as the image. */
struct image_site {
	const char *function;	/* that was called: "malloc", "operator new" */
	bool resizes;
	bool is_own;		/* made by the library that the function is in */
	taddr_t pc;		/* of the call that led to it, no return address; 0: not known */
	const struct image_module *module;	/* where that is; NULL: not known */
	const struct name *name;		/* NULL: not known */
};

/* May wait a little for the name. */
struct image_site image_look_up(struct image *image, const struct line *line, bool may_wait);

#endif
