/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/PID/maps as an array.  One thread; functions return 0 or -errno. */
#ifndef MEMTRACE_TARGET_MAPS_H
#define MEMTRACE_TARGET_MAPS_H

#include <sys/types.h>

#include "memory.h"

struct mapping {
	taddr_t start, end;
	bool readable, writable, executable, shared;
	uint64_t offset;	/* in the file */
	dev_t device;
	ino_t inode;		/* 0: no file */
	char *path;		/* as the kernel shows it; "" for none */
};

struct maps {
	struct mapping *items;
	size_t nr, room;
};

/* Any live thread's id will do, and has to: a dead leader has no maps. */
int maps_read(struct maps *maps, pid_t tid);
/* The same by memory->tid; where the target is not dumpable any more, as the memory was opened. */
int maps_of(struct maps *maps, const struct memory *memory);
/* The mapping that an address lies in; NULL: none.  By halves: maps are sorted. */
const struct mapping *maps_find(const struct maps *maps, taddr_t address);
/* The one that ends where it begins; NULL: there is a gap. */
const struct mapping *maps_before(const struct maps *maps, const struct mapping *mapping);
/* Data of a file that is mapped privately, or the memory right behind it (.bss). */
bool maps_is_of_file(const struct maps *maps, const struct mapping *mapping);
void maps_release(struct maps *maps);

#endif
