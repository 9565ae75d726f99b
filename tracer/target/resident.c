/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See resident.h. */
#include "resident.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../base/array.h"

#define PAGE_BYTES 4096
#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)
#define OF_FILE (1ull << 61)	/* or shared */
#define NR_ENTRIES 8192
#define NR_REGIONS 1024

/* Of linux/fs.h, from Linux 6.7 on: Documentation/admin-guide/mm/pagemap.rst. */
#ifndef PAGEMAP_SCAN
#define PAGE_IS_FILE (1 << 2)
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)
#define PAGE_IS_PFNZERO (1 << 5)
struct page_region {
	uint64_t start, end, categories;
};
struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted,
		 category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif

int resident_open(pid_t tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Longer by that, if the last one ends there. */
static int add_run(struct page_runs *runs, taddr_t start, taddr_t end)
{
	if (!runs->nr || runs->items[runs->nr - 1].end != start) {
		if (ARRAY_GROW(runs))
			return -ENOMEM;
		runs->items[runs->nr++].start = start;
	}
	runs->items[runs->nr - 1].end = end;
	return 0;
}

/* As many runs of a range as there is room for: the kernel passes over what was never touched, be
 * it terabytes.  How many it were, and where it has come to; -ENOTTY before Linux 6.7. */
static long scan(int fd, const struct mapping *mapping, taddr_t *at, struct page_region *regions)
{
	const uint64_t never = PAGE_IS_PFNZERO | (mapping->shared ? 0 : PAGE_IS_FILE);
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = *at,
		.end = mapping->end,
		.vec = (uintptr_t)regions,
		.vec_len = NR_REGIONS,
		.category_inverted = never,
		.category_mask = never,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT,
	};
	long nr = ioctl(fd, PAGEMAP_SCAN, &arg);

	if (nr >= 0)
		*at = arg.walk_end;
	return nr < 0 ? -errno : nr;
}

static int find_by_scan(int fd, const struct mapping *mapping, struct page_runs *runs)
{
	struct page_region regions[NR_REGIONS];
	taddr_t at = mapping->start;
	int error = 0;

	while (at < mapping->end && !error) {
		long nr = scan(fd, mapping, &at, regions);

		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr && !error; i++)
			error = add_run(runs, regions[i].start, regions[i].end);
	}
	return error;
}

static bool is_own(uint64_t entry, const struct mapping *mapping)
{
	return entry & (PRESENT | SWAPPED) && (mapping->shared || !(entry & OF_FILE));
}

/* An entry a page, touched or not: 4 ms a gigabyte. */
int resident_find_by_pages(int fd, const struct mapping *mapping, struct page_runs *runs)
{
	uint64_t entries[NR_ENTRIES];
	taddr_t page = mapping->start;
	int error = 0;

	while (page < mapping->end && !error) {
		size_t left = (mapping->end - page) / PAGE_BYTES;
		size_t nr = left < NR_ENTRIES ? left : NR_ENTRIES;
		ssize_t got = pread(fd, entries, nr * 8, (off_t)(page / PAGE_BYTES * 8));

		if (got < 8)
			return got < 0 ? -errno : 0;	/* 0: its memory is gone */
		for (ssize_t i = 0; i < got / 8 && !error; i++, page += PAGE_BYTES)
			if (is_own(entries[i], mapping))
				error = add_run(runs, page, page + PAGE_BYTES);
	}
	return error;
}

int resident_find(int fd, const struct mapping *mapping, struct page_runs *runs)
{
	int error = find_by_scan(fd, mapping, runs);

	return error == -ENOTTY ? resident_find_by_pages(fd, mapping, runs) : error;
}

void page_runs_release(struct page_runs *runs)
{
	free(runs->items);
	*runs = (struct page_runs){ 0 };
}
