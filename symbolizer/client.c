/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tracer's end: one request, one reply within a time limit.  A request at which the server
 * dies is put to a second one, since it may have been another file that did it, or somebody's
 * signal; a file that costs that one, too, or time, has had its share.  What a new server is to
 * tell of a file is opened there again, by the descriptor that is kept for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tracer/base/array.h"
#include "../tracer/base/inert.h"
#include "../tracer/base/message.h"
#include "connection.h"
#include "replies.h"

#define TRIES 2
#define SECOND 1000000000ull
#define ALL_FRAMES_MAX (1ull << 30)

static const struct connection_limits open_limits = { 20 * SECOND, WIRE_MODULE_MAX };
static const struct connection_limits rules_limits = { 20 * SECOND, 0 };
static const struct connection_limits find_limits = { 60 * SECOND, 0 };
static const struct connection_limits prepare_limits = { 10 * SECOND, 0 };
static const struct connection_limits line_limits = { 10 * SECOND, WIRE_LINE_MAX };

struct known {			/* a module */
	char *path;
	int fd;			/* -1: it cannot be opened again */
	uint32_t id;		/* in the server that has it open */
	unsigned int server;
	bool lacks_debug_info, is_lost;
};

struct symbolizer {
	struct connection connection;
	uint32_t nr_names;
	struct known *items;
	size_t nr, room, nr_prepared;
	unsigned int server;	/* the one that has nr_open modules */
	uint32_t nr_open;
	uint64_t frames_bytes;	/* of all replies that were handed out */
	bool is_told;		/* that there is no server any more */
};

int symbolizer_start(const struct symbolizer_config *config, struct symbolizer **out)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));
	int ret;

	if (!symbolizer)
		return -ENOMEM;
	symbolizer->nr_names = (uint32_t)config->nr_names;
	ret = connection_start(config, &symbolizer->connection);
	if (ret)
		free(symbolizer);
	else
		*out = symbolizer;
	return ret;
}

void symbolizer_stop(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	connection_end(&symbolizer->connection);
	for (size_t i = 0; i < symbolizer->nr; i++) {
		free(symbolizer->items[i].path);
		if (symbolizer->items[i].fd >= 0)
			close(symbolizer->items[i].fd);
	}
	free(symbolizer->items);
	free(symbolizer);
}

pid_t symbolizer_pid(const struct symbolizer *symbolizer)
{
	return symbolizer->connection.pid;
}

static bool is_of_server(int ret)
{
	return ret == -EPIPE || ret == -ETIMEDOUT;
}

/* The only lines that tell what a report lacks and why; none where somebody asked for that. */
static void tell(struct symbolizer *symbolizer, const char *path, int error, const char *cost)
{
	const struct connection *connection = &symbolizer->connection;
	char shown[512];

	if (!is_of_server(error) || symbolizer->is_told ||
	    (connection->give_up && connection->give_up()))
		return;
	symbolizer->is_told = connection_has_ended(connection);
	if (symbolizer->is_told)
		message_warn("the symbolizer process is gone: module+offset instead of names");
	else
		message_warn("%s: the symbolizer process %s: %s", inert(shown, sizeof(shown), path),
			     error == -ETIMEDOUT ? "hung on it" : "died of it", cost);
}

static int ready(struct symbolizer *symbolizer)
{
	int ret = connection_ready(&symbolizer->connection);

	if (symbolizer->server != symbolizer->connection.nr_servers)
		symbolizer->nr_open = 0;
	symbolizer->server = symbolizer->connection.nr_servers;
	return ret;
}

static int ask_for_file(struct symbolizer *symbolizer, enum wire_type type, int fd,
			const char *path, struct wire_message *reply)
{
	struct wire_buffer request = { 0 };
	int ret = ready(symbolizer);

	if (ret)
		return ret;
	if (wire_append(&request, path, strlen(path) + 1))
		return -ENOMEM;
	ret = connection_ask(&symbolizer->connection, &request, type, fd, &open_limits, reply);
	if (!ret)
		symbolizer->nr_open++;
	return ret;
}

static int ask_what_it_is(struct symbolizer *symbolizer, int fd, const char *path,
			  struct elf_module *out)
{
	struct wire_message reply;
	int ret = ask_for_file(symbolizer, WIRE_OPEN_MODULE, fd, path, &reply);

	if (ret)
		return ret;
	ret = replies_module(&reply, (uint32_t)symbolizer->nr, symbolizer->nr_names, out);
	wire_message_release(&reply);
	return ret == -EPROTO ? connection_refuse(&symbolizer->connection) : ret;
}

static int keep(struct symbolizer *symbolizer, int fd, const char *path)
{
	char *kept = strdup(path);

	if (!kept || ARRAY_GROW(symbolizer)) {
		free(kept);
		return -ENOMEM;
	}
	symbolizer->items[symbolizer->nr++] = (struct known){
		.path = kept, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 3), .id = symbolizer->nr_open - 1,
		.server = symbolizer->server,
	};
	return 0;
}

static int open_again(struct symbolizer *symbolizer, struct known *known)
{
	struct wire_message reply;
	int ret = known->is_lost ? -ENOENT : ready(symbolizer);

	if (ret || known->server == symbolizer->server)
		return ret;
	if (known->fd < 0)
		return -EBADF;
	ret = ask_for_file(symbolizer, WIRE_REOPEN_MODULE, known->fd, known->path, &reply);
	if (ret)
		return ret;
	wire_message_release(&reply);
	known->server = symbolizer->server;
	known->id = symbolizer->nr_open - 1;
	return 0;
}

static int ask_rules(struct symbolizer *symbolizer, struct known *known, int *rules_fd)
{
	struct wire_rules_request asked;
	struct wire_buffer request = { 0 };
	struct wire_message reply;
	int ret = open_again(symbolizer, known);

	if (ret)
		return ret;
	asked.module = known->id;
	if (wire_append(&request, &asked, sizeof(asked)))
		return -ENOMEM;
	ret = connection_ask(&symbolizer->connection, &request, WIRE_RULES, -1, &rules_limits,
			     &reply);
	if (ret)
		return ret;
	if (replies_are_rules(reply.fd)) {
		*rules_fd = reply.fd;
		reply.fd = -1;
	} else {
		ret = connection_refuse(&symbolizer->connection);
	}
	wire_message_release(&reply);
	return ret;
}

/* A file without them is one like any other: there are further ways to unwind. */
static void find_rules(struct symbolizer *symbolizer, struct known *known, int *rules_fd)
{
	int ret, tries = 0;

	do
		ret = ask_rules(symbolizer, known, rules_fd);
	while (ret == -EPIPE && ++tries < TRIES);
	tell(symbolizer, known->path, ret, "there are no unwind rules for it");
}

int symbolizer_open_module(struct symbolizer *symbolizer, int fd, const char *path,
			   struct elf_module *out)
{
	struct elf_module module;
	int ret, tries = 0;

	do
		ret = ask_what_it_is(symbolizer, fd, path, &module);
	while (ret == -EPIPE && ++tries < TRIES);
	tell(symbolizer, path, ret, "nothing is known of it");
	if (ret)
		return ret;
	ret = keep(symbolizer, fd, path);
	if (ret) {
		elf_module_release(&module);
		return ret;
	}
	find_rules(symbolizer, &symbolizer->items[symbolizer->nr - 1], &module.rules_fd);
	*out = module;
	return 0;
}

static int ask_for_build_id(struct symbolizer *symbolizer, const uint8_t *build_id, size_t bytes,
			    struct wire_message *reply)
{
	struct wire_buffer request = { 0 };
	int ret = ready(symbolizer);

	if (ret)
		return ret;
	if (wire_append(&request, build_id, bytes))
		return -ENOMEM;
	return connection_ask(&symbolizer->connection, &request, WIRE_FIND_FILE, -1, &find_limits,
			      reply);
}

int symbolizer_find_file(struct symbolizer *symbolizer, const uint8_t *build_id, size_t bytes)
{
	struct wire_message reply;
	int ret = ask_for_build_id(symbolizer, build_id, bytes, &reply);

	tell(symbolizer, "debuginfod", ret, "no file from there");
	if (ret)
		return ret;
	ret = reply.fd;
	reply.fd = -1;
	wire_message_release(&reply);
	return ret < 0 ? connection_refuse(&symbolizer->connection) : ret;
}

/* Only the first server does so: what makes one die while nobody asks is better not begun. */
int symbolizer_prepare(struct symbolizer *symbolizer)
{
	struct wire_buffer request = { 0 };
	struct wire_message reply;
	int ret;

	if (symbolizer->nr_prepared == symbolizer->nr)
		return 0;
	symbolizer->nr_prepared = symbolizer->nr;
	ret = ready(symbolizer);
	if (ret || symbolizer->server > 1)
		return ret;
	ret = connection_ask(&symbolizer->connection, &request, WIRE_PREPARE, -1, &prepare_limits,
			     &reply);
	if (!ret)
		wire_message_release(&reply);
	return ret;
}

/* A reply to `asked`, within what all of them together may take. */
static int exchange_frames(struct symbolizer *symbolizer, enum wire_type type,
			   struct wire_buffer *asked, struct wire_message *reply)
{
	uint64_t left = ALL_FRAMES_MAX - symbolizer->frames_bytes;
	const struct connection_limits limits = {
		120 * SECOND, left < WIRE_REPLY_MAX ? left : WIRE_REPLY_MAX,
	};
	int ret = connection_ask(&symbolizer->connection, asked, type, -1, &limits, reply);

	if (!ret)
		symbolizer->frames_bytes += reply->header.bytes;
	return ret;
}

/* A list of addresses, and what is wanted of each. */
struct question {
	enum wire_type type;
	const uint64_t *vaddrs;
	size_t nr;
	struct symbol_frames *out_frames;
	struct symbol_table **out;
};

static int ask_frames(struct symbolizer *symbolizer, struct known *known,
		      const struct question *question, struct wire_message *reply)
{
	struct wire_frames_request asked = { .nr_vaddrs = (uint32_t)question->nr };
	struct wire_buffer request = { 0 };
	int ret = open_again(symbolizer, known);

	if (ret)
		return ret;
	asked.module = known->id;
	if (wire_append(&request, &asked, sizeof(asked)) ||
	    wire_append(&request, question->vaddrs, question->nr * sizeof(*question->vaddrs))) {
		wire_buffer_release(&request);
		return -ENOMEM;
	}
	return exchange_frames(symbolizer, question->type, &request, reply);
}

static int find_frames(struct symbolizer *symbolizer, struct known *known,
		       const struct question *question)
{
	struct wire_message reply;
	int ret = ask_frames(symbolizer, known, question, &reply);

	if (ret)
		return ret;
	ret = replies_frames(&reply, question->nr, question->out_frames, question->out,
			     &known->lacks_debug_info);
	wire_message_release(&reply);
	return ret == -EPROTO ? connection_refuse(&symbolizer->connection) : ret;
}

static int put_question(struct symbolizer *symbolizer, uint32_t module,
			const struct question *question)
{
	struct known *known;
	int ret, tries = 0;

	if (module >= symbolizer->nr)
		return -EINVAL;
	if (question->nr > WIRE_REQUEST_MAX / sizeof(*question->vaddrs) - 1)
		return -E2BIG;
	known = &symbolizer->items[module];
	do
		ret = find_frames(symbolizer, known, question);
	while (ret == -EPIPE && ++tries < TRIES);
	known->is_lost |= is_of_server(ret);
	tell(symbolizer, known->path, ret, "module+offset instead of names");
	return ret;
}

int symbolizer_frames(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
		      size_t nr, struct symbol_frames *out_frames, struct symbol_table **out)
{
	return put_question(symbolizer, module,
			    &(struct question){ WIRE_FRAMES, vaddrs, nr, out_frames, out });
}

int symbolizer_variables(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
			 size_t nr, struct symbol_frames *out_variables,
			 struct symbol_table **out)
{
	return put_question(symbolizer, module,
			    &(struct question){ WIRE_VARIABLES, vaddrs, nr, out_variables, out });
}

bool symbolizer_lacks_debug_info(const struct symbolizer *symbolizer, uint32_t module)
{
	return module < symbolizer->nr && symbolizer->items[module].lacks_debug_info;
}

static int ask_line(struct symbolizer *symbolizer, const char *path, uint32_t line,
		    struct wire_message *reply)
{
	struct wire_line_request asked = { .line = line };
	struct wire_buffer request = { 0 };
	int ret = ready(symbolizer);

	if (ret)
		return ret;
	if (wire_append(&request, &asked, sizeof(asked)) ||
	    wire_append(&request, path, strlen(path) + 1)) {
		wire_buffer_release(&request);
		return -ENOMEM;
	}
	return connection_ask(&symbolizer->connection, &request, WIRE_SOURCE_LINE, -1,
			      &line_limits, reply);
}

int symbolizer_source_line(struct symbolizer *symbolizer, const char *path, uint32_t line,
			   char *buffer, size_t bytes)
{
	struct wire_message reply;
	int ret, tries = 0;

	if (!bytes)
		return -EINVAL;
	do
		ret = ask_line(symbolizer, path, line, &reply);
	while (ret == -EPIPE && ++tries < TRIES);
	tell(symbolizer, path, ret, "its lines are not shown");
	if (ret)
		return ret;
	stpncpy(buffer, reply.body, bytes - 1)[0] = '\0';
	wire_message_release(&reply);
	return 0;
}
