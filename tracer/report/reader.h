/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of JSON objects, each of the kind that it must be.  The first thing that is wrong is kept
 * as the error, and everything after it reads as nothing, so that only the end has to be checked.
 *
 * One thread.  Strings belong to the document.
 */
#ifndef MEMTRACE_REPORT_READER_H
#define MEMTRACE_REPORT_READER_H

#include <jansson.h>

#include "saved.h"

#define READER_PLACE_BYTES 64

struct reader {
	struct saved *saved;		/* what is read goes there */
	char *wrong;			/* SAVED_WRONG_BYTES of it; empty: nothing is */
	int error;			/* -EINVAL, -ENOMEM or 0 */
	char place[READER_PLACE_BYTES];	/* "sites[3]." */
	size_t nr_rows;			/* that "sites" has */
};

/* The member `key` of what is read now is not what is `needed`. */
void reader_fail(struct reader *reader, const char *key, const char *needed);
__attribute__((format(printf, 2, 3)))
void reader_go_to(struct reader *reader, const char *format, ...);

/* Zeroed room for nr + 1 things, which the saved report owns.  NULL: that, or something before, has
 * failed. */
void *reader_room(struct reader *reader, size_t nr, size_t bytes);

uint64_t reader_whole(struct reader *reader, const json_t *object, const char *key, uint64_t most);
uint64_t reader_number(struct reader *reader, const json_t *object, const char *key);
bool reader_truth(struct reader *reader, const json_t *object, const char *key);
const char *reader_string(struct reader *reader, const json_t *object, const char *key);
const char *reader_string_or_null(struct reader *reader, const json_t *object, const char *key);
uint64_t reader_address(struct reader *reader, const json_t *object, const char *key);
const json_t *reader_array(struct reader *reader, const json_t *object, const char *key);
const json_t *reader_object(struct reader *reader, const json_t *object, const char *key);
/* Members that sampling adds. */
void reader_errors(struct reader *reader, const json_t *object, struct model_errors *errors);

/* Frees what reader_room() has given. */
void reader_release_rooms(struct saved *saved);

/* saved_places.c: what has stacks, once the facts and totals are there. */
void reader_places(struct reader *reader);

#endif
