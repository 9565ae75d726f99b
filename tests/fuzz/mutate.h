/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file made wrong: the same for the same number, on every machine. */
#ifndef MEMTRACE_TESTS_MUTATE_H
#define MEMTRACE_TESTS_MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *at;
	size_t nr;
};

struct random {
	uint64_t state;
};

uint64_t random_next(struct random *random);
/* Below `end`, which is not 0. */
uint64_t random_below(struct random *random, uint64_t end);

/* Changes an ELF file in place, and may make it shorter. */
void mutate(struct bytes *file, uint64_t seed);

/* Makes one section reach to the end of a file that is to have as many bytes as are returned. */
uint64_t mutate_to_endless(struct bytes file, uint64_t seed);

#endif
