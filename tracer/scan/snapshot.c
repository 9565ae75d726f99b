/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See snapshot.h. */
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "../base/array.h"
#include "../base/clock.h"

int snapshot_prepare(struct snapshot *snapshot, const struct memory *memory,
		     const struct page_run *ours)
{
	int error = capture_prepare(&snapshot->capture, memory, ours);

	snapshot->prepared = !error;
	return error;
}

int snapshot_add_thread(struct snapshot *snapshot, const struct thread *thread)
{
	size_t first = snapshot->words.nr;
	arch_regs regs;
	int error = ARRAY_GROW(&snapshot->threads);

	if (!error)
		error = registers_add(&snapshot->words, thread, &regs);
	if (error) {
		snapshot->words.nr = first;
		return error;
	}
	snapshot->threads.items[snapshot->threads.nr++] = (struct snapshot_thread){
		.tid = thread->tid, .sp = regs.rsp, .thread_pointer = regs.fs_base,
		.first_word = first, .nr_words = snapshot->words.nr - first,
	};
	return 0;
}

int snapshot_take(struct snapshot *snapshot, const struct memory *memory)
{
	uint64_t began_ns = clock_ns();
	int error = capture_take(&snapshot->capture, memory);

	snapshot->prepared = snapshot->taken = !error;
	snapshot->pause_ns = clock_ns() - began_ns;
	return error;
}

void snapshot_release(struct snapshot *snapshot)
{
	if (snapshot->prepared)
		capture_release(&snapshot->capture);
	free(snapshot->threads.items);
	free(snapshot->words.items);
	*snapshot = (struct snapshot){ 0 };
}
