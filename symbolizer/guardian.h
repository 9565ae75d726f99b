/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process between tracer and server.  It reads no file, so it outlives whatever a file does
 * to a server, and starts the next one.  The tracer itself could not: by then it has threads,
 * descriptors and memory of its targets, none of which a server may have.
 */
#ifndef MEMTRACE_SYMBOLIZER_GUARDIAN_H
#define MEMTRACE_SYMBOLIZER_GUARDIAN_H

#include "symbolizer.h"

/* Runs until the end of the stream of `control`, which carries, in turns, the socket of a new
 * server and the tracer's wish for another one.  tracer: the process that forked this one, which
 * neither it nor a server outlives.  Never returns. */
_Noreturn void guardian_run(const struct symbolizer_config *config, int control, pid_t tracer);

#endif
