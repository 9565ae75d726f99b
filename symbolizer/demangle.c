/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libiberty's demangler with bounds.  Names come from hostile files, and back references let a
 * short name expand to exponential length: libiberty's recursion limit bounds the depth only, so
 * the output callback leaves by longjmp once the buffer is full.  libiberty's callback
 * interface keeps its state on the stack, hence nothing is lost by that.
 */
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

#include "demangle.h"

#define DEMANGLE_INPUT_MAX 8192
#define DEMANGLE_OUTPUT_MAX 16384

struct output {
	jmp_buf full;
	size_t nr;
	char text[DEMANGLE_OUTPUT_MAX];
};

static struct output output;

bool demangle_is_mangled(const char *name)
{
	return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
}

static void append(const char *text, size_t bytes, void *opaque)
{
	struct output *out = opaque;

	if (bytes >= sizeof(out->text) - out->nr)
		longjmp(out->full, 1);
	memcpy(out->text + out->nr, text, bytes);
	out->nr += bytes;
}

static bool expand(const char *name)
{
	int options = DMGL_PARAMS | DMGL_ANSI;

	if (setjmp(output.full))
		return false;
	output.nr = 0;
	if (rust_demangle_callback(name, options, append, &output))
		return true;
	output.nr = 0;
	return cplus_demangle_v3_callback(name, options, append, &output);
}

const char *demangle(const char *name)
{
	if (!demangle_is_mangled(name) || strnlen(name, DEMANGLE_INPUT_MAX) == DEMANGLE_INPUT_MAX)
		return name;
	if (!expand(name))
		return name;
	output.text[output.nr] = '\0';
	return output.text;
}
