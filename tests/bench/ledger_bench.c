/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations a second of the ledger on a map of a million live blocks, and what it holds for
 * each of them.  Addresses are as an allocator hands them out: 16-byte aligned in a few
 * arenas, blocks freed in random order, the freed ones handed out again some time later.  An
 * operation is one add or one remove; there are as many of each.  They are drawn beforehand,
 * so that only the ledger is measured: once with each known only when its turn comes, once as
 * a consumer has them that finds many in a queue.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../tracer/base/clock.h"
#include "../../tracer/base/hash.h"
#include "../../tracer/heap/ledger.h"

#define NR_LIVE 1000000u
#define NR_WAITING 4096u	/* freed and not handed out again yet */
#define NR_PAIRS 4000000u
#define NR_ARENAS 8u
#define NR_RUNS 5
#define AHEAD 8

static uint64_t random_next(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return hash_u64(state);
}

static void make_addresses(taddr_t *addresses, size_t nr)
{
	taddr_t top[NR_ARENAS];

	for (size_t i = 0; i < NR_ARENAS; i++)
		top[i] = 0x7f0000000010ULL + i * 0x4000000;
	for (size_t i = 0; i < nr; i++) {
		taddr_t *arena = &top[random_next() % NR_ARENAS];

		addresses[i] = *arena;
		*arena += 32 + random_next() % 16 * 16;
	}
}

struct pair {
	taddr_t freed, allocated;
};

/* The first NR_LIVE addresses are live; the rest wait in a ring to be handed out. */
static void draw(struct pair *pairs, taddr_t *addresses)
{
	taddr_t *waiting = addresses + NR_LIVE;

	for (size_t i = 0; i < NR_PAIRS; i++) {
		taddr_t *live = &addresses[random_next() % NR_LIVE];
		taddr_t *next = &waiting[i % NR_WAITING];

		pairs[i] = (struct pair){ .freed = *live, .allocated = *next };
		*next = *live;
		*live = pairs[i].allocated;
	}
}

static void add(struct ledger *ledger, taddr_t address, uint64_t now)
{
	struct block replaced;

	if (ledger_add(ledger, &(struct block){ address, 64, now, 1 }, &replaced) ||
	    replaced.address)
		abort();
}

static double run(struct ledger *ledger, const struct pair *pairs, size_t ahead)
{
	uint64_t start = clock_ns();
	struct block removed;

	for (size_t i = 0; i < NR_PAIRS; i++) {
		if (ahead) {
			ledger_prefetch(ledger, pairs[i + ahead].freed);
			ledger_prefetch(ledger, pairs[i + ahead].allocated);
		}
		if (!ledger_remove(ledger, pairs[i].freed, &removed))
			abort();
		add(ledger, pairs[i].allocated, i);
	}
	return 2e3 * NR_PAIRS / (double)(clock_ns() - start);
}

static double best_of_runs(struct ledger *ledger, struct pair *pairs, taddr_t *addresses,
			   size_t ahead)
{
	double best = 0;

	for (int i = 0; i < NR_RUNS; i++) {
		double rate;

		draw(pairs, addresses);
		rate = run(ledger, pairs, ahead);
		best = rate > best ? rate : best;
	}
	return best;
}

int main(void)
{
	taddr_t *addresses = malloc((NR_LIVE + NR_WAITING) * sizeof(*addresses));
	struct pair *pairs = calloc(NR_PAIRS + AHEAD, sizeof(*pairs));
	struct ledger ledger;
	double single, queued;

	if (!addresses || !pairs || ledger_init(&ledger))
		return EXIT_FAILURE;
	make_addresses(addresses, NR_LIVE + NR_WAITING);
	for (size_t i = 0; i < NR_LIVE; i++)
		add(&ledger, addresses[i], i);
	single = best_of_runs(&ledger, pairs, addresses, 0);
	queued = best_of_runs(&ledger, pairs, addresses, AHEAD);
	printf("ledger: %.1f million operations/s one at a time, %.1f from a queue (best of %d), "
	       "%.1f bytes a live block\n", single, queued, NR_RUNS,
	       (double)ledger_bytes(&ledger) / (double)ledger.nr_live);
	ledger_deinit(&ledger);
	free(addresses);
	free(pairs);
	return EXIT_SUCCESS;
}
