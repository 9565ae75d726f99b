/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lengths and counts first, then each index. */
#include "replies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules.h"

#define RULES_BYTES_MAX (256 << 20)

struct symbol_table {
	char *reply;		/* has the strings */
	struct symbol_frame frames[];
};

static bool is_module(const struct wire_message *reply)
{
	const struct wire_module *module = (const void *)reply->body;
	uint64_t bytes = reply->header.bytes;

	return bytes >= sizeof(*module) &&
	       bytes == sizeof(*module) + module->nr_segments * sizeof(struct elf_segment) +
			module->nr_symbols * sizeof(struct elf_symbol) &&
	       module->build_id_bytes <= BUILD_ID_MAX &&
	       memchr(module->version, '\0', sizeof(module->version));
}

static bool are_symbols(const struct elf_symbol *symbols, size_t nr, uint32_t nr_names)
{
	for (size_t i = 0; i < nr; i++)
		if (symbols[i].name >= nr_names || symbols[i].kind > SYMBOL_DATA)
			return false;
	return true;
}

static void *copy(const void *data, size_t nr, size_t item_bytes)
{
	void *items = calloc(nr + 1, item_bytes);

	return items ? memcpy(items, data, nr * item_bytes) : NULL;
}

static int fill_module(const struct wire_module *module, uint32_t id,
		       const struct elf_segment *segments, const struct elf_symbol *symbols,
		       struct elf_module *out)
{
	struct elf_module filled = {
		.id = id,
		.position_independent = module->position_independent,
		.has_interpreter = module->has_interpreter,
		.has_dynamic = module->has_dynamic,
		.has_exceptions = module->has_exceptions,
		.runtimes = module->runtimes,
		.build_id_bytes = module->build_id_bytes,
		.segments = copy(segments, module->nr_segments, sizeof(*segments)),
		.nr_segments = module->nr_segments,
		.symbols = copy(symbols, module->nr_symbols, sizeof(*symbols)),
		.nr_symbols = module->nr_symbols,
		.rules_fd = -1,
	};

	if (!filled.segments || !filled.symbols) {
		elf_module_release(&filled);
		return -ENOMEM;
	}
	memcpy(filled.build_id, module->build_id, sizeof(filled.build_id));
	memcpy(filled.version, module->version, sizeof(filled.version));
	*out = filled;
	return 0;
}

int replies_module(const struct wire_message *reply, uint32_t id, uint32_t nr_names,
		   struct elf_module *out)
{
	const struct wire_module *module = (const void *)reply->body;
	const struct elf_segment *segments = (const void *)(module + 1);
	const struct elf_symbol *symbols;

	if (!is_module(reply))
		return -EPROTO;
	symbols = (const void *)(segments + module->nr_segments);
	if (!are_symbols(symbols, module->nr_symbols, nr_names))
		return -EPROTO;
	return fill_module(module, id, segments, symbols, out);
}

void elf_module_release(struct elf_module *module)
{
	free(module->segments);
	free(module->symbols);
	if (module->rules_fd >= 0)
		close(module->rules_fd);
	*module = (struct elf_module){ .rules_fd = -1 };
}

bool replies_are_rules(int fd)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int have = fcntl(fd, F_GET_SEALS);
	struct stat status;
	void *rules;
	bool valid;

	if (have < 0 || (have & seals) != seals || fstat(fd, &status) || status.st_size <= 0 ||
	    status.st_size > RULES_BYTES_MAX)
		return false;
	rules = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (rules == MAP_FAILED)
		return false;
	valid = rules_valid(rules, (size_t)status.st_size);
	munmap(rules, (size_t)status.st_size);
	return valid;
}

/* A reply to FRAMES, cut into its parts. */
struct frames_reply {
	const struct wire_frames_reply *header;
	const uint32_t *counts;
	const struct wire_frame *frames;
	const char *strings;
};

static bool are_frames(const struct frames_reply *parts)
{
	uint32_t bytes = parts->header->strings_bytes;

	for (uint32_t i = 0; i < parts->header->nr_frames; i++) {
		const struct wire_frame *frame = &parts->frames[i];

		/* 0 stands for none, also where there are no strings at all. */
		if ((frame->function && frame->function >= bytes) ||
		    (frame->file && frame->file >= bytes))
			return false;
	}
	return true;
}

static bool are_counts(const struct frames_reply *parts)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < parts->header->nr_vaddrs; i++)
		sum += parts->counts[i];
	return sum == parts->header->nr_frames;
}

static bool cut_frames(const struct wire_message *reply, size_t nr, struct frames_reply *out)
{
	const struct wire_frames_reply *header = (const void *)reply->body;
	uint64_t bytes = reply->header.bytes;

	if (bytes < sizeof(*header) || header->nr_vaddrs != nr ||
	    bytes != sizeof(*header) + header->nr_vaddrs * sizeof(uint32_t) +
		     header->nr_frames * sizeof(struct wire_frame) + header->strings_bytes)
		return false;
	out->header = header;
	out->counts = (const uint32_t *)(header + 1);
	out->frames = (const struct wire_frame *)(out->counts + header->nr_vaddrs);
	out->strings = (const char *)(out->frames + header->nr_frames);
	if (header->strings_bytes && out->strings[header->strings_bytes - 1])
		return false;
	return are_counts(out) && are_frames(out);
}

static struct symbol_table *make_table(const struct frames_reply *parts)
{
	uint32_t nr = parts->header->nr_frames;
	struct symbol_table *table = malloc(sizeof(*table) + nr * sizeof(table->frames[0]));

	for (uint32_t i = 0; table && i < nr; i++) {
		const struct wire_frame *frame = &parts->frames[i];

		table->frames[i] = (struct symbol_frame){
			.function = frame->function ? parts->strings + frame->function : NULL,
			.file = frame->file ? parts->strings + frame->file : NULL,
			.line = frame->line,
			.inlined = frame->inlined != 0,
			.offset = frame->offset,
		};
	}
	return table;
}

int replies_frames(struct wire_message *reply, size_t nr, struct symbol_frames *out_frames,
		   struct symbol_table **out, bool *lacks_debug_info)
{
	struct frames_reply parts;
	const struct symbol_frame *at;
	struct symbol_table *table;

	if (!cut_frames(reply, nr, &parts))
		return -EPROTO;
	table = make_table(&parts);
	if (!table)
		return -ENOMEM;
	at = table->frames;
	for (size_t i = 0; i < nr; at += parts.counts[i++])
		out_frames[i] = (struct symbol_frames){ at, parts.counts[i] };
	*lacks_debug_info = parts.header->lacks_debug_info != 0;
	table->reply = reply->body;
	reply->body = NULL;
	*out = table;
	return 0;
}

void symbol_table_release(struct symbol_table *table)
{
	if (!table)
		return;
	free(table->reply);
	free(table);
}
