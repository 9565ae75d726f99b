/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *     variants NUMBER FIRST BASE...
 *     variants -w SEED FILE BASE...
 *
 * Hands so many variants of the base files to the symbolizer as the tracer does, and asks all that
 * it may ask.  Whatever they do to the symbolizer, this process must live, no answer may take
 * longer than its limit, and an unharmed file handed in afterwards must have its name.
 * -w writes one variant.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../symbolizer/symbolizer.h"
#include "../../tracer/base/array.h"
#include "../../tracer/base/clock.h"
#include "../../tracer/unwind/map.h"
#include "mutate.h"

#define NR_ADDRESSES 64
#define ROUND 16			/* variants to one symbolizer */
#define SLOWEST_NS (130ull * 1000000000)	/* the longest limit, and some room */
#define ENDLESS_EVERY 64

static const char *const names[] = { "malloc", "main" };

struct base {
	const char *path;
	struct bytes file;
};

struct bases {
	struct base *items;
	size_t nr, room;
};

struct tally {
	uint64_t known, with_rules, with_frames, lost, slowest_ns, slowest_seed;
};

static _Noreturn void fail(const char *what, uint64_t number)
{
	printf("FAILED: %s (%llu)\n", what, (unsigned long long)number);
	exit(1);
}

static void read_base(struct bases *bases, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *file;

	if (fd < 0 || fstat(fd, &status) || ARRAY_GROW(bases))
		fail(path, (uint64_t)errno);
	file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		fail(path, (uint64_t)errno);
	close(fd);
	bases->items[bases->nr++] = (struct base){ path, { file, (size_t)status.st_size } };
}

static int memory_file(struct bytes file, uint64_t bytes)
{
	int fd = memfd_create("variant", MFD_CLOEXEC);

	if (fd < 0 || write(fd, file.at, file.nr) != (ssize_t)file.nr ||
	    ftruncate(fd, (off_t)bytes))
		fail("no memory file", (uint64_t)errno);
	return fd;
}

static int make_variant(const struct bases *bases, uint64_t seed)
{
	const struct base *base = &bases->items[seed % bases->nr];
	struct bytes copy = { malloc(base->file.nr), base->file.nr };
	uint64_t bytes;
	int fd;

	if (!copy.at)
		fail("no memory", seed);
	memcpy(copy.at, base->file.at, copy.nr);
	mutate(&copy, seed);
	bytes = seed % ENDLESS_EVERY ? copy.nr : mutate_to_endless(copy, seed);
	fd = memory_file(copy, bytes);
	free(copy.at);
	return fd;
}

static struct symbolizer *start(void)
{
	struct symbolizer_config config = {
		.names = names, .nr_names = sizeof(names) / sizeof(names[0]),
	};
	struct symbolizer *symbolizer;

	if (symbolizer_start(&config, &symbolizer))
		fail("the symbolizer does not start", 0);
	return symbolizer;
}

/* As the walker does it; what it reads is checked by the sanitizer, if there is one. */
static void use_rules(int fd)
{
	struct unwind_range range = { .start = 0, .end = UINT64_MAX };
	struct stat status;
	taddr_t start, end;
	void *rules;

	if (fstat(fd, &status))
		fail("rules without a size", (uint64_t)errno);
	rules = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (rules == MAP_FAILED)
		fail("rules that cannot be mapped", (uint64_t)errno);
	range.rules = rules;
	for (uint64_t i = 0; i < 256; i++) {
		taddr_t pc = range.rules->base_vaddr + i * 37;

		(void)unwind_rule_at(&range, pc);
		(void)unwind_function_at(&range, pc, &start, &end);
	}
	munmap(rules, (size_t)status.st_size);
}

static void choose_addresses(const struct elf_module *module, uint64_t seed, uint64_t *vaddrs)
{
	struct random random = { seed };

	for (size_t i = 0; i < NR_ADDRESSES; i++) {
		const struct elf_segment *segment = module->nr_segments ?
			&module->segments[random_below(&random, module->nr_segments)] : NULL;

		vaddrs[i] = segment ? segment->vaddr + random_below(&random, 0x2000) :
				      random_below(&random, 0x8000);
	}
}

static void ask_frames(struct symbolizer *symbolizer, const struct elf_module *module,
		       uint64_t seed, struct tally *tally)
{
	struct symbol_frames frames[NR_ADDRESSES];
	uint64_t vaddrs[NR_ADDRESSES];
	struct symbol_table *table;
	size_t nr = 0;

	choose_addresses(module, seed, vaddrs);
	if (symbolizer_frames(symbolizer, module->id, vaddrs, NR_ADDRESSES, frames, &table)) {
		tally->lost++;
		return;
	}
	for (size_t i = 0; i < NR_ADDRESSES; i++)
		for (size_t f = 0; f < frames[i].nr; f++)
			nr += frames[i].frames[f].function && *frames[i].frames[f].function;
	tally->with_frames += nr > 0;
	symbol_table_release(table);
}

static void ask_all(struct symbolizer *symbolizer, const struct bases *bases, uint64_t seed,
		    struct tally *tally)
{
	int fd = make_variant(bases, seed);
	struct elf_module module;
	char path[64];

	snprintf(path, sizeof(path), "variant %llu", (unsigned long long)seed);
	if (!symbolizer_open_module(symbolizer, fd, path, &module)) {
		tally->known++;
		tally->with_rules += module.rules_fd >= 0;
		if (module.rules_fd >= 0)
			use_rules(module.rules_fd);
		if (seed % 2)
			(void)symbolizer_prepare(symbolizer);
		ask_frames(symbolizer, &module, seed, tally);
		elf_module_release(&module);
	}
	close(fd);
}

static void measure(struct symbolizer *symbolizer, const struct bases *bases, uint64_t seed,
		    struct tally *tally)
{
	uint64_t start_ns = clock_ns(), took_ns;

	ask_all(symbolizer, bases, seed, tally);
	took_ns = clock_ns() - start_ns;
	if (took_ns > tally->slowest_ns) {
		tally->slowest_ns = took_ns;
		tally->slowest_seed = seed;
	}
	if (took_ns > SLOWEST_NS)
		fail("over the time limit", seed);
}

/* A file that nobody has changed has its symbols still. */
static void ask_unharmed(struct symbolizer *symbolizer, const struct base *base, uint64_t seed)
{
	int fd = open(base->path, O_RDONLY | O_CLOEXEC);
	struct elf_module module;

	if (fd < 0 || symbolizer_open_module(symbolizer, fd, base->path, &module) ||
	    module.rules_fd < 0)
		fail("nothing is known of an unharmed file after variant", seed);
	elf_module_release(&module);
	close(fd);
}

static void run(const struct bases *bases, uint64_t first, uint64_t nr)
{
	struct tally tally = { 0 };
	struct rusage used;

	for (uint64_t done = 0; done < nr;) {
		struct symbolizer *symbolizer = start();

		for (size_t i = 0; i < ROUND && done < nr; i++, done++)
			measure(symbolizer, bases, first + done, &tally);
		ask_unharmed(symbolizer, &bases->items[0], first + done - 1);
		symbolizer_stop(symbolizer);
	}
	getrusage(RUSAGE_SELF, &used);
	printf("%llu variants: %llu known, %llu with rules, %llu with names, %llu without an answer; "
	       "slowest %.2f s (%llu); %ld MiB\n", (unsigned long long)nr,
	       (unsigned long long)tally.known, (unsigned long long)tally.with_rules,
	       (unsigned long long)tally.with_frames, (unsigned long long)tally.lost,
	       (double)tally.slowest_ns / 1e9, (unsigned long long)tally.slowest_seed,
	       used.ru_maxrss / 1024);
}

static void write_variant(const struct bases *bases, uint64_t seed, const char *path)
{
	int from = make_variant(bases, seed), to = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0666);
	char buffer[65536];
	off_t at = 0;
	ssize_t nr;

	while ((nr = pread(from, buffer, sizeof(buffer), at)) > 0)
		if (write(to, buffer, (size_t)nr) != nr)
			fail(path, (uint64_t)errno);
		else
			at += nr;
	close(from);
	close(to);
}

int main(int argc, char **argv)
{
	bool writes = argc > 3 && !strcmp(argv[1], "-w");
	struct bases bases = { 0 };

	if (argc < 4)
		return 2;
	for (int i = writes ? 4 : 3; i < argc; i++)
		read_base(&bases, argv[i]);
	if (!bases.nr)
		return 2;
	if (writes)
		write_variant(&bases, strtoull(argv[2], NULL, 0), argv[3]);
	else
		run(&bases, strtoull(argv[2], NULL, 0), strtoull(argv[1], NULL, 0));
	free(bases.items);
	return 0;
}
