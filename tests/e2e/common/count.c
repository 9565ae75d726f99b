/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * count [THREADS [ROUNDS]]: each thread allocates, resizes and frees blocks of changing sizes,
 * checks what is in them, and keeps some.  The threads live from before "ready" to the end.
 */
#include "crew.h"

#define SLOTS 16

static int nr_threads = 1, nr_rounds = 100;

static void worker_round(void **slot, size_t *size, unsigned i)
{
	unsigned k = i * 7 % SLOTS;
	size_t n = (i * 97u + k) % 3000 + 1;

	if (slot[k]) {
		MUST(filled(slot[k], size[k], k));
		if (i % 3 == 0) {
			slot[k] = T_REALLOC(slot[k], size[k], n);
		} else {
			T_FREE(slot[k], size[k]);
			slot[k] = NULL;
		}
	} else {
		slot[k] = i % 2 ? T_CALLOC(1, n) : T_MALLOC(n);
	}
	size[k] = n;
	if (slot[k])
		fill(slot[k], n, k);
}

static void *worker(void *unused)
{
	void *slot[SLOTS] = { NULL };
	size_t size[SLOTS];

	crew_begin();
	for (int i = 0; i < nr_rounds; i++)
		worker_round(slot, size, i);
	crew_rest();
	for (int k = 0; k < SLOTS; k++)
		MUST(!slot[k] || filled(slot[k], size[k], k));
	return unused;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		nr_threads = atoi(argv[1]);
	if (argc > 2)
		nr_rounds = atoi(argv[2]);
	crew_gather(nr_threads, worker);
	stage("ready");
	crew_work();
	tell_truth();
	stage("done");
	crew_leave();
	return correct();
}
