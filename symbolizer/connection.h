/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the tracer to the process that reads files, and to the next one after that has died or has
 * not answered in time.  One thread.
 */
#ifndef MEMTRACE_SYMBOLIZER_CONNECTION_H
#define MEMTRACE_SYMBOLIZER_CONNECTION_H

#include "wire.h"

struct connection {
	pid_t pid;		/* of the guardian, a child of ours */
	int control;		/* to it; -1: ended for good */
	int socket;		/* to the server; -1: there is none just now */
	unsigned int nr_servers;	/* so far; tells one from the next */
	unsigned int nr_late;		/* requests that were not answered in time */
	bool (*give_up)(void);
};

int connection_start(const struct symbolizer_config *config, struct connection *out);
/* Ends both processes; may be called again. */
void connection_end(struct connection *connection);
bool connection_has_ended(const struct connection *connection);

/* Sees to it that there is a server.  -EPIPE: there is none, and none will come. */
int connection_ready(struct connection *connection);

/* What a request may take and what its answer may be. */
struct connection_limits {
	uint64_t ns;
	size_t reply_bytes;
};

/* One request to the server that is there; takes the request, fills *reply on success only.
 * -EPIPE, -ETIMEDOUT: the server was ended.  Else what it answered: 0 or -errno. */
int connection_ask(struct connection *connection, struct wire_buffer *request, enum wire_type type,
		   int fd, const struct connection_limits *limits, struct wire_message *reply);

/* Of an answer that cannot be: ends the server and returns -EPIPE. */
int connection_refuse(struct connection *connection);

#endif
