/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What answers the tracer's questions: the process that reads the files. */
#ifndef MEMTRACE_SYMBOLIZER_SERVER_H
#define MEMTRACE_SYMBOLIZER_SERVER_H

#include "symbols.h"

/* Serves until the end of the socket's stream.  Never returns. */
_Noreturn void server_run(const struct wanted *wanted, int socket);

#endif
