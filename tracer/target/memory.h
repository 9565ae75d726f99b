/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target's memory.  Reads go by process_vm_readv where that is allowed and by
 * /proc/PID/mem otherwise; writes go by /proc/PID/mem, opened once: the descriptor keeps
 * working when the target becomes non-dumpable, and so does that of its maps (maps.h).
 *
 * Every write keeps the original bytes, so that one call undoes them all, in this process or
 * in a copy of it that fork has made.
 *
 * One thread.  Functions return 0 or -errno.  Undoing is async-signal-safe (rescue.h).
 */
#ifndef MEMTRACE_TARGET_MEMORY_H
#define MEMTRACE_TARGET_MEMORY_H

#include <sys/types.h>

#include "../base/memread.h"

#define PATCH_BYTES_MAX 32

struct patch {
	taddr_t address;
	uint8_t bytes;
	uint8_t original[PATCH_BYTES_MAX], patched[PATCH_BYTES_MAX];
};

struct memory {
	struct memread read;	/* first: a struct memory is a memread */
	pid_t tid;		/* a live thread */
	int fd;
	int maps_fd;		/* 0: none */
	bool slow;		/* process_vm_readv is refused */
	struct {
		struct patch *items;
		size_t nr, room;
	} patches;
};

/* tid is any live thread of the process: with a dead leader /proc/PID/mem does not work. */
int memory_open(struct memory *memory, pid_t tid);
void memory_close(struct memory *memory);

/* Writes at most PATCH_BYTES_MAX bytes and remembers what was there. */
int memory_patch(struct memory *memory, taddr_t address, const void *bytes, size_t nr_bytes);

/* Writes the target's own data (its stack), where an emulated instruction does. */
int memory_write(struct memory *memory, taddr_t address, const void *bytes, size_t nr_bytes);

/* Writes the original bytes of all patches back, the last one first, and forgets them.
 * Memory that is gone meanwhile (a library closed) is passed over. */
int memory_undo(struct memory *memory);

/* One of them, at once; it stays known. */
int memory_undo_one(const struct memory *memory, const struct patch *patch);

/* The same in the copy that a fork child has; the patches stay known. */
int memory_undo_in_child(const struct memory *memory, pid_t child);

/* Forgets the patches in [start, end): what was mapped there is gone. */
void memory_forget(struct memory *memory, taddr_t start, taddr_t end);

#endif
