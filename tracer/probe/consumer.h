/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that takes records while the tracing thread waits for stops, and that keeps the
 * agents' clock.  It holds the lock for one rings_drain() at a time; who else wants the heap or
 * the rings gets the lock after that one batch.
 *
 * It runs at a real-time priority if it may: behind on a busy machine, it would lose events or
 * hold up the target.  It sleeps whenever it finds little, and never works for long without.
 */
#ifndef MEMTRACE_PROBE_CONSUMER_H
#define MEMTRACE_PROBE_CONSUMER_H

#include "rings.h"

struct consumer;

/*
 * Rings and what they feed belong to the lock until consumer_stop().  `notify` is called in the
 * consumer's thread and without the lock (NULL: not at all), when the target's loader has asked for a look at its
 * modules; again every 10 ms until shared->loader_done says that it was done.  It must not
 * block; it may take no lock that is held around consumer_lock() or consumer_stop().
 *
 * 0 or -errno; without a consumer the caller drains by itself, and the functions below take
 * NULL and do nothing.
 */
int consumer_start(struct rings *rings, void (*notify)(void *owner), void *owner,
		   struct consumer **out);

/* Ends the thread within some ms; what it had not taken is still there.  Not to be called with
 * the lock held.  From then on nobody keeps the clock: the agents have been switched off, or the
 * caller beats. */
void consumer_stop(struct consumer *consumer);

/* Not recursive.  The clock goes on while it is held. */
void consumer_lock(struct consumer *consumer);
void consumer_unlock(struct consumer *consumer);

#endif
