/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symbolizer process itself, from the fork on. */
#ifndef MEMTRACE_SYMBOLIZER_SERVER_H
#define MEMTRACE_SYMBOLIZER_SERVER_H

#include "symbolizer.h"

/* Serves until the end of the socket's stream.  tracer: the process that forked it, so that
 * it does not outlive it.  Never returns. */
_Noreturn void server_run(const struct symbolizer_config *config, int socket, pid_t tracer);

#endif
