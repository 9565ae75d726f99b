/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request at a time: receive, answer, until the tracer closes its end. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tracer/base/array.h"
#include "background.h"
#include "frames.h"
#include "rules_build.h"
#include "runtimes.h"
#include "sandbox.h"
#include "server.h"
#include "source.h"
#include "symbols.h"
#include "variables.h"

/* For what the process does of its own accord after an answer, too.  The tracer waits less long
 * in most cases, so this ends what nobody waits for. */
#define CPU_SECONDS 120
#define IDLE_MS 20

struct server {
	const struct wanted *wanted;
	struct module **items;	/* by id */
	size_t nr, room;
	size_t nr_prepared;	/* of those, the first ones */
	size_t nr_to_prepare;	/* so many */
};

struct reply {
	struct wire_buffer body;
	int fd;
};

static int append_module(const struct module *module, const struct wanted *wanted,
			 struct wire_module *described, struct wire_buffer *body)
{
	struct segments segments = { 0 };
	struct symbols symbols = { 0 };
	int ret = module_describe(module, described, &segments);

	if (!ret) {
		modules_allow_download(!described->has_dynamic);
		ret = symbols_find(module, wanted, &symbols);
		modules_allow_download(false);
	}
	described->nr_segments = (uint32_t)segments.nr;
	described->nr_symbols = (uint32_t)symbols.nr;
	described->has_exceptions = symbols.has_exceptions;
	described->runtimes = runtimes_settle(module->elf, symbols.runtimes);
	if (!ret && (wire_append(body, described, sizeof(*described)) ||
		     wire_append(body, segments.items, segments.nr * sizeof(*segments.items)) ||
		     wire_append(body, symbols.items, symbols.nr * sizeof(*symbols.items))))
		ret = -ENOMEM;
	free(segments.items);
	free(symbols.items);
	return ret;
}

static int keep(struct server *server, struct module *module)
{
	if (ARRAY_GROW(server))
		return -ENOMEM;
	server->items[server->nr++] = module;
	return 0;
}

/* described: whether the tracer wants to know all of it, or opens it once more for its names. */
static int open_module(struct server *server, struct wire_message *request, bool is_described,
		       struct reply *reply)
{
	struct wire_module described = { 0 };
	struct module *module;
	int ret, fd = request->fd;

	if (fd < 0)
		return -EBADF;
	request->fd = -1;
	ret = module_open(fd, request->body, &module);
	if (ret)
		return ret;
	if (is_described)
		ret = append_module(module, server->wanted, &described, &reply->body);
	if (!ret)
		ret = keep(server, module);
	if (ret)
		module_close(module);
	else
		module->is_common = described.has_interpreter || *described.version;
	return ret;
}

static int make_rules(struct server *server, const struct wire_message *request,
		      struct reply *reply)
{
	const struct wire_rules_request *asked = (const void *)request->body;

	if (request->header.bytes != sizeof(*asked) || asked->module >= server->nr)
		return -EINVAL;
	reply->fd = rules_build(server->items[asked->module]->elf);
	return reply->fd < 0 ? reply->fd : 0;
}

static int prepare_soon(struct server *server)
{
	if (modules_never_download())
		server->nr_to_prepare = server->nr;
	return 0;
}

/* Where requests follow one another the target waits for the answers, and processors may be few. */
static bool is_idle(int socket)
{
	struct pollfd asked = { .fd = socket, .events = POLLIN };

	return !poll(&asked, 1, IDLE_MS);
}

static void prepare(struct server *server, int socket)
{
	if (server->nr_prepared >= server->nr_to_prepare || !is_idle(socket))
		return;
	for (; server->nr_prepared < server->nr_to_prepare; server->nr_prepared++)
		if (server->items[server->nr_prepared]->is_common)
			background_prepare(server->items[server->nr_prepared]);
}

static int append_frames(struct module *module, const struct frames *frames,
			 const uint32_t *counts, uint32_t nr_vaddrs, struct wire_buffer *body)
{
	struct wire_frames_reply header = {
		.nr_vaddrs = nr_vaddrs,
		.nr_frames = (uint32_t)frames->nr,
		.strings_bytes = (uint32_t)frames->strings.nr,
		.lacks_debug_info = module->lacks_debug_info,
	};

	if (wire_append(body, &header, sizeof(header)) ||
	    wire_append(body, counts, nr_vaddrs * sizeof(*counts)) ||
	    wire_append(body, frames->items, frames->nr * sizeof(*frames->items)) ||
	    wire_append(body, frames->strings.items, frames->strings.nr))
		return -ENOMEM;
	return 0;
}

/* How an address of code, or of data, becomes what is known of it. */
struct lookup {
	int (*prepare)(struct module *module);
	int (*add)(struct module *module, uint64_t vaddr, struct frames *frames);
};

static int find_frames(struct module *module, const struct lookup *lookup, const uint64_t *vaddrs,
		       uint32_t nr, struct reply *reply)
{
	uint32_t *counts = calloc((size_t)nr + 1, sizeof(*counts));
	struct frames frames = { 0 };
	int ret;

	background_wait();
	ret = counts ? lookup->prepare(module) : -ENOMEM;
	for (uint32_t i = 0; !ret && i < nr; i++) {
		size_t before = frames.nr;

		ret = lookup->add(module, vaddrs[i], &frames);
		counts[i] = (uint32_t)(frames.nr - before);
	}
	if (!ret)
		ret = append_frames(module, &frames, counts, nr, &reply->body);
	strings_release(&frames.strings);
	free(frames.items);
	free(counts);
	return ret;
}

static int answer_frames(struct server *server, const struct wire_message *request,
			 struct reply *reply)
{
	static const struct lookup code = { frames_prepare, frames_add };
	static const struct lookup data = { variables_prepare, variables_add };
	const struct wire_frames_request *asked = (const void *)request->body;
	size_t bytes = request->header.bytes;

	if (bytes < sizeof(*asked) || asked->module >= server->nr ||
	    bytes != sizeof(*asked) + (size_t)asked->nr_vaddrs * sizeof(uint64_t))
		return -EINVAL;
	return find_frames(server->items[asked->module],
			   request->header.type == WIRE_VARIABLES ? &data : &code,
			   (const uint64_t *)(asked + 1), asked->nr_vaddrs, reply);
}

static int answer_line(const struct wire_message *request, struct reply *reply)
{
	const struct wire_line_request *asked = (const void *)request->body;
	struct source_line line;
	int ret;

	if (request->header.bytes < sizeof(*asked))
		return -EINVAL;
	ret = source_line((const char *)(asked + 1), asked->line, &line);
	return ret ? ret : wire_append(&reply->body, line.text, line.bytes);
}

static int find_file(const struct wire_message *request, struct reply *reply)
{
	if (!request->header.bytes || request->header.bytes > BUILD_ID_MAX)
		return -EINVAL;
	modules_allow_download(true);
	reply->fd = module_download((const uint8_t *)request->body, request->header.bytes);
	modules_allow_download(false);
	return reply->fd < 0 ? reply->fd : 0;
}

static int dispatch(struct server *server, struct wire_message *request, struct reply *reply)
{
	switch (request->header.type) {
	case WIRE_OPEN_MODULE:
	case WIRE_REOPEN_MODULE:
		return open_module(server, request, request->header.type == WIRE_OPEN_MODULE,
				   reply);
	case WIRE_RULES:
		return make_rules(server, request, reply);
	case WIRE_PREPARE:
		return prepare_soon(server);
	case WIRE_FRAMES:
	case WIRE_VARIABLES:
		return answer_frames(server, request, reply);
	case WIRE_SOURCE_LINE:
		return answer_line(request, reply);
	case WIRE_FIND_FILE:
		return find_file(request, reply);
	}
	return -EINVAL;
}

static int serve_one(struct server *server, int socket)
{
	struct wire_message request;
	struct reply reply = { .fd = -1 };
	int ret, result;

	prepare(server, socket);
	ret = wire_receive(socket, WIRE_REQUEST_MAX, WIRE_FOREVER, &request);
	if (ret)
		return ret;
	sandbox_allow_cpu(CPU_SECONDS);
	result = dispatch(server, &request, &reply);
	if (result)
		wire_buffer_release(&reply.body);
	ret = wire_send(socket, &reply.body, request.header.type, result, reply.fd, WIRE_FOREVER);
	if (reply.fd >= 0)
		close(reply.fd);
	wire_buffer_release(&reply.body);
	wire_message_release(&request);
	return ret;
}

void server_run(const struct wanted *wanted, int socket)
{
	struct server server = { .wanted = wanted };

	while (!serve_one(&server, socket))
		;
	_exit(0);
}
