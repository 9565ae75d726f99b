/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent in a process of our own, as the tracer would set it up in a target: its state, the
 * shared memory, the map of this process with rules from the symbolizer, and stubs made from
 * the templates.  Included once a program; failures end it.
 */
#ifndef MEMTRACE_TESTS_AGENT_FIXTURE_H
#define MEMTRACE_TESTS_AGENT_FIXTURE_H

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../symbolizer/symbolizer.h"
#include "../../tracer/agent/blob.h"
#include "../../tracer/agent/hooks.h"
#include "../../tracer/agent/layout.h"
#include "../../tracer/base/memread.h"

#define FIXTURE_STUBS 256		/* of each template */
#define FIXTURE_STUB_BYTES 1024
#define FIXTURE_ZONE_BYTES (2 * FIXTURE_STUBS * FIXTURE_STUB_BYTES)
#define FIXTURE_MODULES 64

struct agent_state agent_state;

static struct fixture {
	struct unwind_map map;		/* for the tracer's walker */
	struct memread read;		/* of this process */
	uint8_t *zone;			/* stubs: those that call, then those that jump */
	size_t nr_stubs[2];
	uint64_t lean;			/* of the stubs made from now on (layout.h) */
	struct rules *zone_rules;
	uint32_t nr_rows;		/* of them */
	struct agent_map *maps[16];	/* published last */
	uint32_t generation;
	struct symbolizer *symbolizer;
	struct { char path[512]; const struct rules *rules; struct elf_module elf; }
		modules[FIXTURE_MODULES];
	uint32_t nr_modules;
} fixture;

static void fixture_require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "fixture: %s\n", what);
	exit(99);
}

static ssize_t fixture_read(const struct memread *mem, taddr_t address, void *buffer,
			    size_t bytes)
{
	struct iovec here = { buffer, bytes }, there = { (void *)(uintptr_t)address, bytes };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0);
}

static const struct rules *fixture_map_rules(int fd)
{
	struct stat status;
	void *rules;

	if (fd < 0 || fstat(fd, &status))
		return NULL;
	rules = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	return rules == MAP_FAILED ? NULL : rules;
}

/* Index of the module, opened at its first mapping. */
static uint32_t fixture_module(const char *path)
{
	uint32_t i = 0;
	int fd;

	while (i < fixture.nr_modules && strcmp(fixture.modules[i].path, path))
		i++;
	if (i < fixture.nr_modules)
		return i;
	fixture_require(i < FIXTURE_MODULES, "too many modules");
	snprintf(fixture.modules[i].path, sizeof(fixture.modules[i].path), "%s", path);
	fixture.nr_modules++;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	fixture_require(fd >= 0, path);
	fixture_require(!symbolizer_open_module(fixture.symbolizer, fd, path,
						&fixture.modules[i].elf), path);
	fixture.modules[i].rules = fixture_map_rules(fixture.modules[i].elf.rules_fd);
	close(fd);
	return i;
}

static uint64_t fixture_bias(const struct elf_module *elf, taddr_t start, uint64_t offset)
{
	for (size_t i = 0; i < elf->nr_segments; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (segment->flags & 1 && offset >= (segment->offset & ~0xfffull) &&
		    offset < segment->offset + segment->file_bytes)
			return start - (segment->vaddr - segment->offset + offset);
	}
	return 0;
}

static void fixture_add_range(taddr_t start, taddr_t end, uint64_t offset, const char *path)
{
	struct unwind_range range = { .start = start, .end = end };

	if (path[0] == '/') {
		uint32_t module = fixture_module(path);

		range.module = module + 1;
		range.rules = fixture.modules[module].rules;
		range.bias = fixture_bias(&fixture.modules[module].elf, start, offset);
	}
	if (start == (taddr_t)(uintptr_t)fixture.zone) {
		range.module = AGENT_MODULE;
		range.rules = fixture.zone_rules;
		range.bias = start;
	}
	fixture_require(!unwind_map_add(&fixture.map, &range), "no memory");
}

static void fixture_read_maps(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[1024], mode[8], path[512];
	uint64_t start, end, offset, here = (uintptr_t)__builtin_frame_address(0);

	fixture_require(file, "/proc/self/maps");
	unwind_map_clear(&fixture.map);
	while (fgets(line, sizeof(line), file)) {
		path[0] = 0;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %511s", &start,
			   &end, mode, &offset, path) < 4)
			continue;
		if (mode[2] == 'x' && strcmp(path, "[vsyscall]"))
			fixture_add_range(start, end, offset, path);
		if (start <= here && here < end) {
			agent_state.main_high = end;
			agent_state.main_low = end - (7 << 20);
		}
	}
	fclose(file);
	unwind_map_sort(&fixture.map);
}

/* A new map from fixture.map. */
static void fixture_publish(void)
{
	size_t bytes = fixture.map.nr * sizeof(fixture.map.items[0]);
	struct agent_map *map = malloc(sizeof(*map) + bytes);

	fixture_require(map, "no memory");
	map->generation = ++fixture.generation;
	map->nr = (uint32_t)fixture.map.nr;
	memcpy(map->ranges, fixture.map.items, bytes);
	agent_state.shared->map = (taddr_t)(uintptr_t)map;
	free(fixture.maps[fixture.generation % 16]);
	fixture.maps[fixture.generation % 16] = map;
}

/* Where a template is, in the image that agent_rules are of. */
static void fixture_template(bool is_jump, uint32_t *start, uint32_t *end)
{
	const struct agent_header *header = (const struct agent_header *)agent_blob;

	*start = is_jump ? header->jump : header->call;
	*end = is_jump ? header->jump_end : header->call_end;
}

/* The rows of one stub, at this offset in the zone. */
static void fixture_describe_stub(struct rules *rules, bool is_jump, uint32_t offset)
{
	const struct rules *of = (const struct rules *)agent_rules;
	uint32_t start, end;

	fixture_template(is_jump, &start, &end);
	for (uint32_t row = 0; row < of->nr_rows; row++) {
		uint64_t at = of->base_vaddr + rules_pcs(of)[row];

		if (at < start || at >= end)
			continue;
		((uint32_t *)(uintptr_t)rules_pcs(rules))[fixture.nr_rows] =
			(uint32_t)(at - start) + offset;
		((uint16_t *)(uintptr_t)rules_indexes(rules))[fixture.nr_rows++] =
			rules_indexes(of)[row];
	}
}

/* Rules for as many stubs as there may be: they are never changed. */
static void fixture_make_zone_rules(void)
{
	const struct rules *of = (const struct rules *)agent_rules;
	const uint32_t most = 2 * FIXTURE_STUBS * 40;
	struct rules *rules = calloc(1, rules_bytes(most, of->nr_rules));

	*rules = (struct rules){
		.magic = RULES_MAGIC, .nr_rows = most, .nr_rules = of->nr_rules,
	};
	for (uint32_t i = 0; i < 2 * FIXTURE_STUBS; i++)
		fixture_describe_stub(rules, i >= FIXTURE_STUBS, i * FIXTURE_STUB_BYTES);
	fixture_require(fixture.nr_rows <= most, "too many rows");
	/* rows that are not used come last */
	memset((uint32_t *)(uintptr_t)rules_pcs(rules) + fixture.nr_rows, 0xff,
	       (most - fixture.nr_rows) * sizeof(uint32_t));
	memcpy((void *)(uintptr_t)rules_table(rules), rules_table(of),
	       of->nr_rules * sizeof(struct rule));
	fixture.zone_rules = rules;
}

static void fixture_make_zone(void)
{
	fixture_make_zone_rules();
	fixture.zone = mmap(NULL, FIXTURE_ZONE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fixture_require(fixture.zone != MAP_FAILED, "no memory for stubs");
}

static void fixture_make_shared(void)
{
	void *shared = mmap(NULL, AGENT_RULES_OFFSET, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	fixture_require(shared != MAP_FAILED, "no shared memory");
	agent_state.shared = shared;
	agent_state.shared->now_ns = 1;
}

static void fixture_start(void)
{
	static const char *const names[] = { "malloc" };
	const struct symbolizer_config config = { .names = names, .nr_names = 1 };

	fixture_require(!symbolizer_start(&config, &fixture.symbolizer), "no symbolizer");
	fixture.read.read = fixture_read;
	agent_state.has_fsbase = getauxval(AT_HWCAP2) >> 1 & 1;
	agent_state.wait_cycles = 3000000;
	agent_state.depth = 64;
	fixture_make_shared();
	fixture_make_zone();
	fixture_read_maps();
	fixture_publish();
	agent_state.enabled = 1;
}

static void fixture_stop(void)
{
	agent_state.enabled = 0;
	for (unsigned i = 0; i < 16; i++)
		free(fixture.maps[i]);
	for (uint32_t i = 0; i < fixture.nr_modules; i++)
		elf_module_release(&fixture.modules[i].elf);
	unwind_map_deinit(&fixture.map);
	free(fixture.zone_rules);
	symbolizer_stop(fixture.symbolizer);
}

typedef uint64_t fixture_function(uint64_t, uint64_t, uint64_t, uint64_t);

struct fixture_kind {
	enum agent_function_call call;
	uint8_t size_argument, pointer_argument, may_nest;
	bool is_jump;
	bool is_own;		/* called from its own module, wherever that is */
};

/* A stub around `real`; index is the function's number in records. */
__attribute__((unused))
static fixture_function *fixture_stub(const struct fixture_kind *kind, uint32_t index,
				      const void *real)
{
	const uint8_t *start = kind->is_jump ? agent_jump : agent_call;
	size_t bytes = (size_t)((kind->is_jump ? agent_jump_end : agent_call_end) - start);
	size_t nr = fixture.nr_stubs[kind->is_jump]++;
	uint8_t *stub = fixture.zone +
			(nr + (kind->is_jump ? FIXTURE_STUBS : 0)) * FIXTURE_STUB_BYTES;
	const struct agent_literals literals = {
		.before = (taddr_t)(uintptr_t)agent_before,
		.after = (taddr_t)(uintptr_t)agent_after,
		.real = (taddr_t)(uintptr_t)real,
		.function = {
			.index = index, .call = (uint8_t)kind->call,
			.size_argument = kind->size_argument,
			.pointer_argument = kind->pointer_argument, .may_nest = kind->may_nest,
			.own_bytes = kind->is_own ? UINT64_MAX : 0,
		},
		.table = fixture.lean == AGENT_LEAN_FREE ?
			 (taddr_t)(uintptr_t)agent_state.sampled_near :
			 (taddr_t)(uintptr_t)agent_state.threads,
		.lean = fixture.lean,
	};

	fixture_require(nr < FIXTURE_STUBS && bytes <= FIXTURE_STUB_BYTES, "no room for stubs");
	memcpy(stub, start, bytes);
	memcpy(stub + bytes - sizeof(literals), &literals, sizeof(literals));
	return (fixture_function *)(uintptr_t)stub;
}

#endif
