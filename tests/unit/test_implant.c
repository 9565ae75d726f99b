/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent mapped into a child and out again; where that fails, the child has the mappings and
 * descriptors that it had before, no more.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../../tracer/agent/blob.h"
#include "../../tracer/probe/implant.h"
#include "held_child.h"

static const struct implant_settings settings = { .depth = 32, .wait_cycles = 1000000 };

static void let_go(struct process *process)
{
	int status;

	shared->go = 1;
	process_detach(&targets, process);
	assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	process_destroy(&targets, process);
}

/* All of /proc/PID/maps but the stack, which grows, and how many descriptors there are. */
struct picture {
	uint64_t mappings;
	unsigned files;
};

static struct picture picture_of(pid_t pid)
{
	struct picture picture = { .files = count_files(pid) };
	struct maps maps;

	assert_int_equal(maps_read(&maps, pid), 0);
	for (size_t i = 0; i < maps.nr; i++)
		if (strcmp(maps.items[i].path, "[stack]"))
			picture.mappings = picture.mappings * 31 + maps.items[i].start * 7 +
					   maps.items[i].end;
	maps_release(&maps);
	return picture;
}

static void is_as(const struct process *process, const struct picture *before)
{
	struct picture now = picture_of(process->pid);

	assert_int_equal(now.files, before->files);
	assert_true(now.mappings == before->mappings);
}

static taddr_t choose(const struct process *process)
{
	struct maps maps;
	taddr_t place;

	assert_int_equal(maps_read(&maps, process->pid), 0);
	place = zone_choose_far(&maps, implant_bytes());
	maps_release(&maps);
	assert_int_not_equal(place, 0);
	return place;
}

static int inject(struct process *process, struct implant *implant)
{
	taddr_t place = choose(process);
	struct inject by;
	int error;

	assert_int_equal(inject_open(&by, &targets, process, &code), 0);
	error = implant_inject(implant, &by, place, &settings);
	assert_int_equal(inject_close(&by), 0);
	return error;
}

static void uproot(struct process *process, struct implant *implant)
{
	struct inject by;

	assert_int_equal(inject_open(&by, &targets, process, &code), 0);
	assert_int_equal(implant_remove(implant, &by), 0);
	assert_int_equal(inject_close(&by), 0);
	assert_int_equal(implant->base, 0);
}

static void test_in_and_out(void **state)
{
	struct process *process = hold(start(waits, 1));
	struct picture before = picture_of(process->pid);
	const struct agent_header *header = (const struct agent_header *)agent_blob;
	struct implant implant;
	uint8_t text[4096];
	taddr_t shared_at;

	assert_int_equal(implant_create(&implant), 0);
	assert_int_equal(inject(process, &implant), 0);
	assert_int_equal(picture_of(process->pid).files, before.files);
	assert_true(header->bytes >= 64);
	assert_true(memread_exact(&process->memory.read, implant.base, text, 64));
	assert_memory_equal(text, agent_blob, 64);
	/* It is not enabled, and knows where the rings are. */
	assert_true(memread_exact(&process->memory.read, implant.base + AGENT_TEXT_BYTES +
				  offsetof(struct agent_state, shared), &shared_at,
				  sizeof(shared_at)));
	assert_int_equal(shared_at, implant.shared_at);
	implant.shared->dropped = 12345;
	assert_true(memread_exact(&process->memory.read, implant.shared_at +
				  offsetof(struct agent_shared, dropped), &shared_at,
				  sizeof(shared_at)));
	assert_int_equal(shared_at, 12345);
	uproot(process, &implant);
	is_as(process, &before);
	implant_deinit(&implant);
	let_go(process);
}

static int is_cramped(void)
{
	setrlimit(RLIMIT_AS, &(struct rlimit){ 200 << 20, 200 << 20 });
	return waits();
}

static int has_no_descriptors(void)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 3, 3 });
	return waits();
}

static void is_refused(int (*work)(void), int error)
{
	struct process *process = hold(start(work, 1));
	struct picture before = picture_of(process->pid);
	struct implant implant;

	assert_int_equal(implant_create(&implant), 0);
	assert_int_equal(inject(process, &implant), error);
	assert_int_equal(implant.base, 0);
	is_as(process, &before);
	implant_deinit(&implant);
	let_go(process);
}

static void test_no_address_space(void **state)
{
	is_refused(is_cramped, -ENOMEM);
}

/* Fails in the middle: memory is reserved already, and the agent there. */
static void test_no_descriptors(void **state)
{
	is_refused(has_no_descriptors, -EMFILE);
}

static void test_place_taken(void **state)
{
	struct process *process = hold(start(waits, 1));
	struct picture before = picture_of(process->pid);
	struct implant implant;
	struct inject by;

	assert_int_equal(implant_create(&implant), 0);
	assert_int_equal(inject_open(&by, &targets, process, &code), 0);
	assert_int_equal(implant_inject(&implant, &by, (taddr_t)(uintptr_t)agent_blob & ~4095ull,
					&settings), -EEXIST);
	assert_int_equal(inject_close(&by), 0);
	is_as(process, &before);
	implant_deinit(&implant);
	let_go(process);
}

/* What a later tracer sees of one that is gone. */
static void test_found_again(void **state)
{
	struct process *process = hold(start(waits, 1));
	struct picture before = picture_of(process->pid);
	struct agent_inventory *noted = calloc(1, sizeof(*noted)), *read = calloc(1, sizeof(*read));
	struct implant implant, found;
	struct maps maps;

	assert_int_equal(maps_read(&maps, process->pid), 0);
	assert_false(implant_find(&found, &maps));
	maps_release(&maps);
	assert_int_equal(implant_create(&implant), 0);
	assert_int_equal(inject(process, &implant), 0);
	assert_int_equal(maps_read(&maps, process->pid), 0);
	assert_true(implant_find(&found, &maps));
	maps_release(&maps);
	assert_int_equal(found.base, implant.base);
	/* Nothing is noted; then sense, then nonsense. */
	assert_int_equal(implant_read_inventory(&found, &process->memory, read), -ENOEXEC);
	noted->magic = AGENT_INVENTORY_MAGIC;
	noted->nr_zones = 1;
	noted->zones[0] = 0x1000;
	assert_int_equal(implant_write_inventory(&implant, &process->memory, noted), 0);
	assert_int_equal(implant_read_inventory(&found, &process->memory, read), 0);
	assert_memory_equal(noted, read, sizeof(*noted));
	noted->nr_detours = AGENT_INVENTORY_DETOURS + 1;
	assert_int_equal(implant_write_inventory(&implant, &process->memory, noted), 0);
	assert_int_equal(implant_read_inventory(&found, &process->memory, read), -ENOEXEC);
	implant_deinit(&implant);
	uproot(process, &found);
	is_as(process, &before);
	implant_deinit(&found);
	free(noted);
	free(read);
	let_go(process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_and_out),
		cmocka_unit_test(test_no_address_space),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_place_taken),
		cmocka_unit_test(test_found_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
