/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One call of an allocator's function, with its stack in two columns:
 *
 *	      at malloc(20)
 *	      by make_session(int)          session.cc:19
 *	           19 |  auto *s = new Session;
 */
#include <inttypes.h>
#include <string.h>

#include "places.h"
#include "templates.h"
#include "text.h"
#include "units.h"
#include "../base/utf8.h"

#define COLUMN_MIN 24
#define COLUMN_MAX 60

/* Frames whose source is asked for: each may cost a search for a file that is not there. */
#define SOURCE_TRIES 4

/* Deeper stacks are of interpreters and recursion, and are read by nobody. */
#define FRAMES_SHOWN 32

static void put_function(const struct text *text, const struct model_call *call, uint64_t bytes)
{
	char name[TEXT_NAME_BYTES];

	fprintf(text->out, "      at %s", inert(name, sizeof(name), call->function));
	if (bytes != TEXT_NO_SIZE)
		fprintf(text->out, "(%" PRIu64 ")", bytes);
	putc('\n', text->out);
}

/* The left column; its width in characters. */
static size_t name_frame(char *buffer, size_t bytes, const struct text *text,
			 const struct model_frame *frame)
{
	static const char mark[] = " [inlined]";
	char name[16 * TEXT_NAME_BYTES];

	place_name(name, sizeof(name), text->model->facts, frame);
	if (utf8_length(name) > COLUMN_MAX)
		templates_fold(name);
	inert(buffer, bytes - sizeof(mark), name);
	if (frame->inlined)
		strcat(buffer, mark);
	return utf8_length(buffer);
}

/* What called main() is the same in every program. */
static size_t nr_frames_to_main(const struct model_call *call)
{
	for (size_t i = call->nr_frames; i-- > 0;)
		if (call->stack[i].function && !strcmp(call->stack[i].function, "main"))
			return i + 1;
	return call->nr_frames;
}

static size_t nr_frames_shown(const struct model_call *call)
{
	size_t nr = nr_frames_to_main(call);

	return nr > FRAMES_SHOWN ? FRAMES_SHOWN : nr;
}

static size_t column_width(const struct text *text, const struct model_call *call)
{
	char name[TEXT_NAME_BYTES];
	size_t width = COLUMN_MIN;

	for (size_t i = 0; i < nr_frames_shown(call); i++) {
		size_t length = name_frame(name, sizeof(name), text, &call->stack[i]);

		if (length > width && length <= COLUMN_MAX)
			width = length;
	}
	return width;
}

/* The right column: the line, or else the module where the name does not tell it. */
static void put_line(const struct text *text, const struct model_frame *frame)
{
	const struct run_module *module = place_module(text->model->facts, frame->code);
	char name[TEXT_NAME_BYTES];

	if (frame->file && frame->line)
		fprintf(text->out, "%s:%" PRIu32,
			inert(name, sizeof(name), place_base(frame->file)), frame->line);
	else if (frame->file)
		fputs(inert(name, sizeof(name), place_base(frame->file)), text->out);
	else if (module)
		fprintf(text->out, "(%s)",
			inert(name, sizeof(name), place_base(module->path)));
}

static void put_frame(const struct text *text, const struct model_frame *frame, size_t width)
{
	char name[TEXT_NAME_BYTES];
	size_t length = name_frame(name, sizeof(name), text, frame);

	fprintf(text->out, "      by %s", name);
	if (frame->function) {
		fprintf(text->out, "%*s", length < width ? (int)(width - length) + 2 : 2, "");
		put_line(text, frame);
	}
	putc('\n', text->out);
}

/* Lines of system headers are nothing that the reader wrote. */
static bool is_own_source(const struct model_frame *frame)
{
	static const char system[] = "/usr/include/";

	return frame->file && frame->line && strncmp(frame->file, system, strlen(system));
}

static bool put_source(const struct text *text, const struct model_frame *frame)
{
	char line[TEXT_NAME_BYTES], shown[TEXT_NAME_BYTES];

	if (symbolizer_source_line(text->model->symbolizer, frame->file, frame->line, line,
				   sizeof(line)))
		return false;
	for (char *c = line; *c; c++)
		if (*c == '\t')
			*c = ' ';
	fprintf(text->out, "%13" PRIu32 " |  %s\n", frame->line,
		inert(shown, sizeof(shown), line));
	return true;
}

static void put_rest(const struct text *text, const struct model_call *call)
{
	size_t hidden = nr_frames_to_main(call) - nr_frames_shown(call);

	if (!call->nr_frames)
		fputs("      (no caller could be found)\n", text->out);
	if (hidden)
		fprintf(text->out, "      ... %s; --format json shows all\n",
			units_count(hidden, "more frame").text);
	if (call->truncated)
		fputs("      ... and callers that were not kept: see -k\n", text->out);
}

static void put_stack(const struct text *text, const struct model_call *call)
{
	size_t width = column_width(text, call);
	int tries = text->model->symbolizer ? SOURCE_TRIES : 0;

	for (size_t i = 0; i < nr_frames_shown(call); i++) {
		const struct model_frame *frame = &call->stack[i];

		put_frame(text, frame, width);
		if (tries && is_own_source(frame))
			tries = put_source(text, frame) ? 0 : tries - 1;
	}
	put_rest(text, call);
}

void text_call(const struct text *text, const struct model_call *call, uint64_t bytes)
{
	put_function(text, call, bytes);
	put_stack(text, call);
}
