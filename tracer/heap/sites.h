/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation sites: one for each distinct pair of allocation function and stack, with what was
 * counted there, in total and over time.
 *
 * Over time: a site's live bytes are kept at up to 16 instants.  The instants are the run's,
 * not the site's; when all 16 are used, every other one is dropped and the distance doubles.
 *
 * Under sampling a struct site counts the samples; what they stand for is kept beside it, and
 * instants, quarters and growth are of that.
 *
 * One thread.  Bytes as asked for, times in ns since the attach; -ENOMEM is the only failure.
 */
#ifndef MEMTRACE_HEAP_SITES_H
#define MEMTRACE_HEAP_SITES_H

#include "../base/types.h"
#include "estimate.h"

#define SITE_INSTANTS 16

/* In two cache lines, of which an allocation needs the first one. */
struct site {
	uint32_t function;
	uint32_t stack;
	uint64_t allocs, frees;		/* a successful realloc frees at the old block's site */
	uint64_t live_blocks, live_bytes, peak_bytes;
	uint64_t first_ns, last_ns;	/* of its allocations */
	/* Of its freed blocks, from allocation to free; average = sum / frees. */
	uint64_t lifetime_min_ns, lifetime_max_ns, lifetime_sum_ns;
} __attribute__((aligned(128)));

/* What the samples of a site stand for. */
struct site_estimate {
	struct estimate allocated, live;
	uint64_t peak_bytes;		/* the most that live.bytes has been */
};

struct sites;

int sites_create(struct sites **out);
void sites_destroy(struct sites *sites);
/* Before the first site: each block will be a sample, drawn at this mean distance. */
void sites_sample(struct sites *sites, uint64_t mean_bytes);

int sites_intern(struct sites *sites, uint32_t function, uint32_t stack, uint32_t *out_id);
void sites_alloc(struct sites *sites, uint32_t id, uint64_t bytes, uint64_t now_ns);
void sites_free(struct sites *sites, uint32_t id, uint64_t bytes, uint64_t born_ns,
		uint64_t now_ns);
/* A live block, which may or may not have been freed meanwhile: as if it had never been. */
void sites_disown(struct sites *sites, uint32_t id, uint64_t bytes);
/* Growth, and the instants that tell it, are of the time from here on. */
void sites_begin_anew(struct sites *sites, uint64_t now_ns);
/* Adds what was counted at a site of another table, which has been told of the same time.  The peak
 * becomes the sum of both, which is no less than the true one. */
void sites_join(struct sites *sites, uint32_t id, struct sites *others, uint32_t other);
/* To be called often (once a tick); takes an instant when one is due. */
void sites_tick(struct sites *sites, uint64_t now_ns);

/* Live bytes at the ends of the four quarters of the time since the beginning: the first three at the
 * instants nearest to them, the last one now.  False where less than four instants were
 * taken, since then nothing can be said. */
struct site_quarters {
	uint64_t end_ns[4], bytes[4];
};
bool sites_quarters(struct sites *sites, uint32_t id, struct site_quarters *out);

/* Live bytes grew in every quarter, in the first one from none; estimated ones also by more than
 * chance explains. */
bool sites_growing(struct sites *sites, uint32_t id);

/* The instants taken so far: nr of them, the i-th at (i + 1) * distance from the beginning. */
uint32_t sites_instants(const struct sites *sites, uint64_t *out_distance_ns);
/* Live bytes at each of the SITE_INSTANTS; 0 at those to come. */
const uint64_t *sites_instant_bytes(const struct sites *sites, uint32_t id);

/* Valid, and up to date, until the next call that changes anything. */
const struct site *sites_get(struct sites *sites, uint32_t id);
/* NULL: there is no sampling.  Valid as long. */
const struct site_estimate *sites_estimate(struct sites *sites, uint32_t id);
uint32_t sites_count(const struct sites *sites);

#endif
