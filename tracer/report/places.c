/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See places.h. */
#include <inttypes.h>
#include <string.h>

#include "places.h"

/* Of a module's path; a longer one is shortened, so that the offset is still shown. */
#define MODULE_NAME_BYTES 128

const struct run_module *place_module(const struct run_facts *facts, code_t code)
{
	uint32_t id = code_module(code);

	return id && id <= facts->nr_modules ? &facts->modules[id - 1] : NULL;
}

uint64_t place_offset(const struct run_module *module, code_t code)
{
	return code_pc(code) - module->bias;
}

code_t place_of_data(const struct run_facts *facts, const char *path, taddr_t address)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < facts->nr_modules; i++) {
		const struct run_module *module = &facts->modules[i];

		if (module->start > address || strcmp(module->path, path))
			continue;
		if (!found || module->start >= facts->modules[found - 1].start)
			found = i + 1;
	}
	return code_make(found, address);
}

bool place_lacks_debug_info(const struct model *model, const struct run_module *module)
{
	if (!module->known || !model->symbolizer)
		return module->lacked_debug_info;
	return symbolizer_lacks_debug_info(model->symbolizer, module->symbolizer_id);
}

const char *place_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

const char *place_build_id(char *buffer, size_t bytes, const struct run_module *module)
{
	buffer[0] = '\0';
	for (size_t i = 0; i < module->build_id_bytes && 2 * i + 2 < bytes; i++)
		sprintf(buffer + 2 * i, "%02x", module->build_id[i]);
	return buffer;
}

const char *place_name(char *buffer, size_t bytes, const struct run_facts *facts,
		       const struct model_frame *frame)
{
	const struct run_module *module = place_module(facts, frame->code);
	char name[MODULE_NAME_BYTES];

	if (frame->function)
		return inert(buffer, bytes, frame->function);
	if (module)
		snprintf(buffer, bytes, "%s+0x%" PRIx64,
			 inert(name, sizeof(name), place_base(module->path)),
			 place_offset(module, frame->code));
	else
		snprintf(buffer, bytes, "[jit] 0x%" PRIx64, code_pc(frame->code));
	return buffer;
}
