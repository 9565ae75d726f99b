/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process at one moment, as far as a scan needs it: its memory and the registers of its threads.
 *
 *     snapshot_prepare()      while it still runs
 *     snapshot_add_thread()   of each thread; they stand
 *     snapshot_take()         all stand
 *     snapshot_release()      also where any of them failed, or none was called
 *
 * At the end of a process its threads stop one after the other, the memory goes with the last one.
 *
 * One thread.  Begins as all zero.  Functions return 0 or -errno; -EFBIG: there is not memory
 * enough for a copy.
 */
#ifndef MEMTRACE_SCAN_SNAPSHOT_H
#define MEMTRACE_SCAN_SNAPSHOT_H

#include "../target/registers.h"
#include "capture.h"

struct snapshot_thread {
	pid_t tid;
	taddr_t sp, thread_pointer;
	size_t first_word, nr_words;	/* of words.items */
};

struct snapshot {
	bool prepared, taken;
	struct capture capture;
	struct {
		struct snapshot_thread *items;
		size_t nr, room;
	} threads;
	struct register_words words;
	uint64_t pause_ns;		/* what it took while the process stood */
};

/* ours: memory that is not the process's own; none where its end is 0. */
int snapshot_prepare(struct snapshot *snapshot, const struct memory *memory,
		     const struct page_run *ours);
int snapshot_add_thread(struct snapshot *snapshot, const struct thread *thread);
int snapshot_take(struct snapshot *snapshot, const struct memory *memory);
void snapshot_release(struct snapshot *snapshot);

#endif
