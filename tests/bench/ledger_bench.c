/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations a second of the ledger on a map of a million live blocks, and what it holds for
 * each of them.  Addresses are as an allocator hands them out: 16-byte aligned in a few
 * arenas, blocks freed in random order, the freed ones handed out again some time later.  An
 * operation is one add or one remove; there are as many of each.  They are drawn beforehand,
 * so that only the ledger is measured: once as a batch of events is taken, its addresses
 * announced, and once each operation alone, which waits for memory most of the time.
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

	if (ledger_add(ledger, &(struct block){ address, 64, now, 1, 0 }, &replaced) ||
	    replaced.address)
		abort();
}

/* As who drains a ring does: announces what comes, so many addresses ahead. */
static void announce(struct ledger *ledger, const struct pair *pairs, size_t i)
{
	i += LEDGER_ANNOUNCED;
	if (i < NR_PAIRS) {
		ledger_announce(ledger, pairs[i].freed);
		ledger_announce(ledger, pairs[i].allocated);
	}
}

static double run(struct ledger *ledger, const struct pair *pairs, bool announced)
{
	uint64_t start = clock_ns();
	struct block removed;

	for (size_t i = 0; i < NR_PAIRS; i++) {
		if (announced)
			announce(ledger, pairs, i);
		if (!ledger_remove(ledger, pairs[i].freed, &removed))
			abort();
		add(ledger, pairs[i].allocated, i);
	}
	return 2e3 * NR_PAIRS / (double)(clock_ns() - start);
}

static void measure(struct ledger *ledger, struct pair *pairs, taddr_t *addresses, bool announced)
{
	double best = 0;

	for (int i = 0; i < NR_RUNS; i++) {
		double rate;

		draw(pairs, addresses);
		rate = run(ledger, pairs, announced);
		best = rate > best ? rate : best;
	}
	printf("ledger: %.1f million operations/s, %s (best of %d runs)\n", best,
	       announced ? "announced" : "one at a time", NR_RUNS);
}

int main(void)
{
	taddr_t *addresses = malloc((NR_LIVE + NR_WAITING) * sizeof(*addresses));
	struct pair *pairs = malloc(NR_PAIRS * sizeof(*pairs));
	struct ledger ledger;
	uint64_t start;

	if (!addresses || !pairs || ledger_init(&ledger))
		return EXIT_FAILURE;
	make_addresses(addresses, NR_LIVE + NR_WAITING);
	start = clock_ns();
	for (size_t i = 0; i < NR_LIVE; i++)
		add(&ledger, addresses[i], i);
	printf("ledger: filled with %u blocks at %.1f million adds/s\n", NR_LIVE,
	       1e3 * NR_LIVE / (double)(clock_ns() - start));
	measure(&ledger, pairs, addresses, true);
	measure(&ledger, pairs, addresses, false);
	printf("ledger: %.1f bytes a live block\n",
	       (double)ledger_bytes(&ledger) / (double)ledger.nr_live);
	ledger_deinit(&ledger);
	free(addresses);
	free(pairs);
	return EXIT_SUCCESS;
}
