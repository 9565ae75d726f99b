/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See reader.h. */
#include "reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/inert.h"

/* What is allocated while reading, to be freed together. */
struct saved_pool {
	struct saved_pool *next;
	max_align_t at[];
};

void reader_fail(struct reader *reader, const char *key, const char *needed)
{
	char shown[SAVED_WRONG_BYTES / 2];

	if (reader->error)
		return;
	reader->error = -EINVAL;
	snprintf(reader->wrong, SAVED_WRONG_BYTES, "%s%s: %s", reader->place,
		 inert(shown, sizeof(shown), key), needed);
}

void *reader_room(struct reader *reader, size_t nr, size_t bytes)
{
	struct saved_pool *pool = NULL;

	if (!reader->error && nr <= (SIZE_MAX - sizeof(*pool)) / bytes - 1)
		pool = calloc(1, sizeof(*pool) + (nr + 1) * bytes);
	if (!pool) {
		reader->error = reader->error ? reader->error : -ENOMEM;
		return NULL;
	}
	pool->next = reader->saved->pool;
	reader->saved->pool = pool;
	return pool->at;
}

void reader_go_to(struct reader *reader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reader->place, sizeof(reader->place), format, arguments);
	va_end(arguments);
}

uint64_t reader_whole(struct reader *reader, const json_t *object, const char *key, uint64_t most)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > most) {
		reader_fail(reader, key, "a whole number is needed, and not so large a one");
		return 0;
	}
	return (uint64_t)json_integer_value(value);
}

uint64_t reader_number(struct reader *reader, const json_t *object, const char *key)
{
	return reader_whole(reader, object, key, INT64_MAX);
}

bool reader_truth(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_boolean(value))
		reader_fail(reader, key, "true or false is needed");
	return json_is_true(value);
}

const char *reader_string_or_null(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value) && !json_is_null(value))
		reader_fail(reader, key, "a string or null is needed");
	return json_string_value(value);
}

const char *reader_string(struct reader *reader, const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (!value)
		reader_fail(reader, key, "a string is needed");
	return value ? value : "";
}

static bool parse_hex(const char *text, uint64_t *out)
{
	char *end;

	if (strncmp(text, "0x", 2) || !strchr("0123456789abcdef", text[2]) || !text[2])
		return false;
	errno = 0;
	*out = strtoull(text + 2, &end, 16);
	return !errno && !*end;
}

uint64_t reader_address(struct reader *reader, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	uint64_t value = 0;

	if (!text || !parse_hex(text, &value))
		reader_fail(reader, key, "an address is needed, as \"0x7f3a\"");
	return value;
}

const json_t *reader_array(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_array(value))
		reader_fail(reader, key, "an array is needed");
	return value;
}

const json_t *reader_object(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_object(value))
		reader_fail(reader, key, "an object is needed");
	return value;
}

void reader_errors(struct reader *reader, const json_t *object, struct model_errors *errors)
{
	errors->bytes = reader_number(reader, object, "bytes_error");
	errors->blocks = reader_number(reader, object, "blocks_error");
	errors->allocs = reader_number(reader, object, "allocs_error");
}

void reader_release_rooms(struct saved *saved)
{
	struct saved_pool *next;

	for (struct saved_pool *pool = saved->pool; pool; pool = next) {
		next = pool->next;
		free(pool);
	}
	saved->pool = NULL;
}
