/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tracer's end: one request, one reply within a time limit.  The process behind it reads
 * hostile files, so each reply is checked in full before anything of it is believed; after the
 * first that is late or wrong the process is ended and never asked again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tracer/base/clock.h"
#include "rules.h"
#include "server.h"
#include "wire.h"

#define OPEN_LIMIT_NS (30ull * 1000000000)
#define FRAMES_LIMIT_NS (120ull * 1000000000)
#define LINE_LIMIT_NS (10ull * 1000000000)

struct symbolizer {
	pid_t pid;
	int socket;		/* -1: the process has ended */
	bool (*give_up)(void);
	uint32_t nr_names;
	uint8_t *lacks_debug_info;	/* by module */
	uint32_t nr_modules, nr_prepared;
};

struct symbol_table {
	char *reply;		/* has the strings */
	struct symbol_frame frames[];
};

static int fork_server(const struct symbolizer_config *config, const int sockets[2], pid_t *out)
{
	pid_t tracer = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		server_run(config, sockets[1], tracer);
	*out = pid;
	return 0;
}

int symbolizer_start(const struct symbolizer_config *config, struct symbolizer **out)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));
	int sockets[2], ret;

	if (!symbolizer)
		return -ENOMEM;
	symbolizer->nr_names = (uint32_t)config->nr_names;
	symbolizer->give_up = config->give_up;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets)) {
		ret = -errno;
		goto out_free;
	}
	ret = fork_server(config, sockets, &symbolizer->pid);
	close(sockets[1]);
	if (ret)
		goto out_socket;
	symbolizer->socket = sockets[0];
	*out = symbolizer;
	return 0;
out_socket:
	close(sockets[0]);
out_free:
	free(symbolizer);
	return ret;
}

static pid_t reap(pid_t pid, int flags)
{
	pid_t ret;

	do
		ret = waitpid(pid, NULL, flags);
	while (ret < 0 && errno == EINTR);
	return ret;
}

/* Once the tracer has reaped it in a waitpid(-1), its id may be another process's: only a
 * child that is still there is killed. */
static void end_process(struct symbolizer *symbolizer)
{
	if (symbolizer->socket < 0)
		return;
	close(symbolizer->socket);
	symbolizer->socket = -1;
	if (reap(symbolizer->pid, WNOHANG))
		return;
	kill(symbolizer->pid, SIGKILL);
	reap(symbolizer->pid, 0);
}

void symbolizer_stop(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	end_process(symbolizer);
	free(symbolizer->lacks_debug_info);
	free(symbolizer);
}

pid_t symbolizer_pid(const struct symbolizer *symbolizer)
{
	return symbolizer->pid;
}

static int give_up(struct symbolizer *symbolizer, int error)
{
	end_process(symbolizer);
	return error == -ETIMEDOUT ? -ETIMEDOUT : -EPIPE;
}

/* Takes the request; *reply is filled on success only. */
static int ask(struct symbolizer *symbolizer, struct wire_buffer *request, enum wire_type type,
	       int fd, uint64_t limit_ns, struct wire_message *reply)
{
	const struct wire_patience patience = {
		.deadline_ns = clock_ns() + limit_ns, .give_up = symbolizer->give_up,
	};
	struct wire_message message;
	int ret;

	ret = wire_send(symbolizer->socket, request, type, 0, fd, &patience);
	if (!ret)
		ret = wire_receive(symbolizer->socket, WIRE_REPLY_MAX, &patience, &message);
	wire_buffer_release(request);
	if (ret)
		return give_up(symbolizer, ret);
	ret = message.header.result;
	if (message.header.type != type || ret > 0 || ret < -4095) {
		wire_message_release(&message);
		return give_up(symbolizer, -EPROTO);
	}
	if (ret)
		wire_message_release(&message);
	else
		*reply = message;
	return ret;
}

static bool is_module(const struct symbolizer *symbolizer, const struct wire_message *reply)
{
	const struct wire_module *module = (const void *)reply->body;
	uint64_t bytes = reply->header.bytes;

	return bytes >= sizeof(*module) && module->id == symbolizer->nr_modules &&
	       bytes == sizeof(*module) + module->nr_segments * sizeof(struct elf_segment) +
			module->nr_symbols * sizeof(struct elf_symbol) &&
	       module->build_id_bytes <= BUILD_ID_MAX &&
	       memchr(module->version, '\0', sizeof(module->version));
}

static bool are_symbols(const struct symbolizer *symbolizer, const struct elf_symbol *symbols,
			size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (symbols[i].name >= symbolizer->nr_names || symbols[i].kind > SYMBOL_DATA)
			return false;
	return true;
}

/* Sealed, it stays what it was found to be. */
static bool is_rules_file(int fd)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int have = fcntl(fd, F_GET_SEALS);
	struct stat status;
	void *rules;
	bool valid;

	if (have < 0 || (have & seals) != seals || fstat(fd, &status) || status.st_size <= 0)
		return false;
	rules = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (rules == MAP_FAILED)
		return false;
	valid = rules_valid(rules, (size_t)status.st_size);
	munmap(rules, (size_t)status.st_size);
	return valid;
}

static void *copy(const void *data, size_t nr, size_t item_bytes)
{
	void *items = calloc(nr + 1, item_bytes);

	return items ? memcpy(items, data, nr * item_bytes) : NULL;
}

static int fill_module(const struct wire_module *module, const struct elf_segment *segments,
		       const struct elf_symbol *symbols, struct elf_module *out)
{
	struct elf_module filled = {
		.id = module->id,
		.position_independent = module->position_independent,
		.has_interpreter = module->has_interpreter,
		.has_dynamic = module->has_dynamic,
		.has_exceptions = module->has_exceptions,
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

static int add_module(struct symbolizer *symbolizer)
{
	uint8_t *grown = realloc(symbolizer->lacks_debug_info, symbolizer->nr_modules + 1);

	if (!grown)
		return -ENOMEM;
	symbolizer->lacks_debug_info = grown;
	grown[symbolizer->nr_modules++] = 0;
	return 0;
}

static int take_module(struct symbolizer *symbolizer, struct wire_message *reply,
		       struct elf_module *out)
{
	const struct wire_module *module = (const void *)reply->body;
	const struct elf_segment *segments = (const void *)(module + 1);
	const struct elf_symbol *symbols;
	int ret;

	if (!is_module(symbolizer, reply))
		return give_up(symbolizer, -EPROTO);
	symbols = (const void *)(segments + module->nr_segments);
	if (!are_symbols(symbolizer, symbols, module->nr_symbols) ||
	    (reply->fd >= 0 && !is_rules_file(reply->fd)))
		return give_up(symbolizer, -EPROTO);
	ret = add_module(symbolizer);
	if (!ret)
		ret = fill_module(module, segments, symbols, out);
	if (ret)
		return ret;
	out->rules_fd = reply->fd;
	reply->fd = -1;
	return 0;
}

int symbolizer_open_module(struct symbolizer *symbolizer, int fd, const char *path,
			   struct elf_module *out)
{
	struct wire_buffer request = { 0 };
	struct wire_message reply;
	int ret;

	if (symbolizer->socket < 0)
		return -EPIPE;
	if (wire_append(&request, path, strlen(path) + 1))
		return -ENOMEM;
	ret = ask(symbolizer, &request, WIRE_OPEN_MODULE, fd, OPEN_LIMIT_NS, &reply);
	if (ret)
		return ret;
	ret = take_module(symbolizer, &reply, out);
	wire_message_release(&reply);
	return ret;
}

int symbolizer_prepare(struct symbolizer *symbolizer)
{
	struct wire_buffer request = { 0 };
	struct wire_message reply;
	int ret;

	if (symbolizer->nr_prepared == symbolizer->nr_modules)
		return 0;
	if (symbolizer->socket < 0)
		return -EPIPE;
	symbolizer->nr_prepared = symbolizer->nr_modules;
	ret = ask(symbolizer, &request, WIRE_PREPARE, -1, OPEN_LIMIT_NS, &reply);
	if (!ret)
		wire_message_release(&reply);
	return ret;
}

void elf_module_release(struct elf_module *module)
{
	free(module->segments);
	free(module->symbols);
	if (module->rules_fd >= 0)
		close(module->rules_fd);
	*module = (struct elf_module){ .rules_fd = -1 };
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
		};
	}
	return table;
}

static int take_frames(struct symbolizer *symbolizer, uint32_t module, struct wire_message *reply,
		       size_t nr, struct symbol_frames *out_frames, struct symbol_table **out)
{
	struct frames_reply parts;
	const struct symbol_frame *at;
	struct symbol_table *table;

	if (!cut_frames(reply, nr, &parts))
		return give_up(symbolizer, -EPROTO);
	table = make_table(&parts);
	if (!table)
		return -ENOMEM;
	at = table->frames;
	for (size_t i = 0; i < nr; at += parts.counts[i++])
		out_frames[i] = (struct symbol_frames){ at, parts.counts[i] };
	symbolizer->lacks_debug_info[module] = parts.header->lacks_debug_info != 0;
	table->reply = reply->body;
	reply->body = NULL;
	*out = table;
	return 0;
}

static int ask_frames(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
		      size_t nr, struct wire_message *reply)
{
	struct wire_frames_request asked = { .module = module, .nr_vaddrs = (uint32_t)nr };
	struct wire_buffer request = { 0 };

	if (wire_append(&request, &asked, sizeof(asked)) ||
	    wire_append(&request, vaddrs, nr * sizeof(*vaddrs))) {
		wire_buffer_release(&request);
		return -ENOMEM;
	}
	return ask(symbolizer, &request, WIRE_FRAMES, -1, FRAMES_LIMIT_NS, reply);
}

int symbolizer_frames(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
		      size_t nr, struct symbol_frames *out_frames, struct symbol_table **out)
{
	struct wire_message reply;
	int ret;

	if (symbolizer->socket < 0)
		return -EPIPE;
	if (module >= symbolizer->nr_modules)
		return -EINVAL;
	if (nr > WIRE_REQUEST_MAX / sizeof(*vaddrs) - 1)
		return -E2BIG;
	ret = ask_frames(symbolizer, module, vaddrs, nr, &reply);
	if (ret)
		return ret;
	ret = take_frames(symbolizer, module, &reply, nr, out_frames, out);
	wire_message_release(&reply);
	return ret;
}

void symbol_table_release(struct symbol_table *table)
{
	if (!table)
		return;
	free(table->reply);
	free(table);
}

bool symbolizer_lacks_debug_info(const struct symbolizer *symbolizer, uint32_t module)
{
	return module < symbolizer->nr_modules && symbolizer->lacks_debug_info[module];
}

int symbolizer_source_line(struct symbolizer *symbolizer, const char *path, uint32_t line,
			   char *buffer, size_t bytes)
{
	struct wire_line_request asked = { .line = line };
	struct wire_buffer request = { 0 };
	struct wire_message reply;
	int ret;

	if (symbolizer->socket < 0)
		return -EPIPE;
	if (!bytes)
		return -EINVAL;
	if (wire_append(&request, &asked, sizeof(asked)) ||
	    wire_append(&request, path, strlen(path) + 1)) {
		wire_buffer_release(&request);
		return -ENOMEM;
	}
	ret = ask(symbolizer, &request, WIRE_SOURCE_LINE, -1, LINE_LIMIT_NS, &reply);
	if (ret)
		return ret;
	stpncpy(buffer, reply.body, bytes - 1)[0] = '\0';
	wire_message_release(&reply);
	return 0;
}
