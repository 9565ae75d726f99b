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
#include "../../tracer/agent/hooks.h"
#include "../../tracer/base/memread.h"

#define FIXTURE_ZONE_BYTES 0x10000
#define FIXTURE_MODULES 64

struct agent_state agent_state;

static struct fixture {
	struct unwind_map map;		/* for the tracer's walker */
	struct memread read;		/* of this process */
	uint8_t *zone;			/* stubs */
	size_t zone_used;
	struct rules *zone_rules;
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

static void fixture_make_zone(void)
{
	const struct rule rule = {
		.kind = RULE_CFA, .cfa_register = RULE_RSP, .cfa_offset = AGENT_WRAP_BYTES + 8,
	};
	struct rules *rules = calloc(1, rules_bytes(1, 1));

	rules->magic = RULES_MAGIC;
	rules->nr_rows = rules->nr_rules = 1;
	memcpy((char *)rules + rules_table_offset(1), &rule, sizeof(rule));
	fixture.zone_rules = rules;
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
};

/* A stub around `real`; index is the function's number in records. */
static fixture_function *fixture_stub(const struct fixture_kind *kind, uint32_t index,
				      const void *real)
{
	const uint8_t *start = kind->is_jump ? agent_jump : agent_call;
	size_t bytes = (size_t)((kind->is_jump ? agent_jump_end : agent_call_end) - start);
	uint8_t *stub = fixture.zone + fixture.zone_used;
	const struct agent_literals literals = {
		.before = (taddr_t)(uintptr_t)agent_before,
		.after = (taddr_t)(uintptr_t)agent_after,
		.real = (taddr_t)(uintptr_t)real,
		.function = {
			.index = index, .call = (uint8_t)kind->call,
			.size_argument = kind->size_argument,
			.pointer_argument = kind->pointer_argument, .may_nest = kind->may_nest,
		},
	};

	fixture.zone_used += (bytes + 15) & ~15ul;
	fixture_require(fixture.zone_used <= FIXTURE_ZONE_BYTES, "no room for stubs");
	memcpy(stub, start, bytes);
	memcpy(stub + bytes - sizeof(literals), &literals, sizeof(literals));
	return (fixture_function *)(uintptr_t)stub;
}

#endif
