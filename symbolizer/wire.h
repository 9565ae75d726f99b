/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between the tracer and its symbolizer process, over one stream socket.  Both ends are
 * the same program, so bodies are the structs below, in memory order:
 *
 *     OPEN_MODULE   path, descriptor -> wire_module, segments[], symbols[]
 *     REOPEN_MODULE path, descriptor -> nothing
 *     RULES         wire_rules_request -> descriptor
 *     PREPARE       nothing -> nothing
 *     FRAMES        wire_frames_request, vaddrs[] ->
 *                   wire_frames_reply, counts[], frames[], strings
 *     VARIABLES     the same, of data
 *     SOURCE_LINE   wire_line_request, path -> the line
 *     FIND_FILE     build id -> descriptor
 *
 * Modules have numbers, in the order in which this server has opened them.  Between tracer and
 * guardian: SERVER, with the socket of one; and back, without it, to be given another one.
 *
 * Lengths are bounded by the reader.  The tracer believes nothing in a reply before it has
 * checked it: the process has read hostile files.
 */
#ifndef MEMTRACE_SYMBOLIZER_WIRE_H
#define MEMTRACE_SYMBOLIZER_WIRE_H

#include "symbolizer.h"

/* For how long one waits; a NULL pointer: for ever. */
struct wire_patience {
	uint64_t deadline_ns;		/* of clock_ns() */
	bool (*give_up)(void);		/* asked before each wait, so after each signal; or NULL */
};

#define WIRE_FOREVER ((const struct wire_patience *)NULL)
#define WIRE_REQUEST_MAX (64u << 20)
#define WIRE_REPLY_MAX (256u << 20)
#define WIRE_MODULE_MAX (1u << 20)
#define WIRE_LINE_MAX 4096
#define WIRE_FRAMES_MAX (4u << 20)
#define WIRE_STRINGS_MAX (128u << 20)

enum wire_type {
	WIRE_OPEN_MODULE, WIRE_REOPEN_MODULE, WIRE_RULES, WIRE_PREPARE, WIRE_FRAMES,
	WIRE_VARIABLES, WIRE_SOURCE_LINE, WIRE_FIND_FILE, WIRE_SERVER,
};

struct wire_header {
	uint32_t type;
	int32_t result;		/* of a reply: 0 or -errno */
	uint32_t bytes;		/* of the body that follows */
};

/* A message while it is put together: the header's place, then the body. */
struct wire_buffer {
	char *items;
	size_t nr, room;
};

struct wire_message {
	struct wire_header header;
	char *body;		/* malloc'ed and followed by a 0 byte */
	int fd;			/* -1: none */
};

struct wire_module {
	uint32_t nr_segments, nr_symbols, build_id_bytes, runtimes;
	uint32_t unused;	/* what follows the struct wants multiples of 8 */
	uint8_t position_independent, has_interpreter, has_dynamic, has_exceptions;
	uint8_t build_id[BUILD_ID_MAX];
	char version[32];
};

struct wire_rules_request {
	uint32_t module;
};

struct wire_frames_request {
	uint32_t module, nr_vaddrs;
};

struct wire_frames_reply {
	uint32_t nr_vaddrs, nr_frames, strings_bytes, lacks_debug_info;
};

struct wire_frame {
	uint32_t function, file;	/* offsets into the strings; 0: none */
	uint32_t line, inlined;
	uint32_t offset;		/* of variables */
};

struct wire_line_request {
	uint32_t line;
};

/* 0 or -ENOMEM. */
int wire_append(struct wire_buffer *buffer, const void *data, size_t bytes);
void wire_buffer_release(struct wire_buffer *buffer);

/* -EPIPE at the end of the stream, -ETIMEDOUT, -ECANCELED where the patience gave up,
 * -EPROTO for a body longer than max_bytes; after a failure the stream is out of step. */
int wire_send(int socket, struct wire_buffer *buffer, uint32_t type, int result, int fd,
	      const struct wire_patience *patience);
int wire_receive(int socket, size_t max_bytes, const struct wire_patience *patience,
		 struct wire_message *out);
void wire_message_release(struct wire_message *message);

#endif
