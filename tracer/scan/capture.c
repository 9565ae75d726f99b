/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See capture.h.  The room is made, and filled with pages of ours, before the process is held: that
 * takes as long as to copy.  Runs of pages are copied many at a time, one behind the other.
 */
#include "capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../target/cgroup.h"
#include "../target/procfs.h"

#define PAGE_BYTES 4096
#define HUGE_BYTES (2ul << 20)
#define NR_PARTS 256
/* One call, so that a signal, or who waits for us, waits no longer. */
#define CALL_BYTES (16ul << 20)

/* Devices are not memory, and what only the program's code can be is none of its data. */
static bool is_wanted(const struct mapping *mapping)
{
	return mapping->readable && strncmp(mapping->path, "[v", 2) &&
	       (strncmp(mapping->path, "/dev/", 5) || !strncmp(mapping->path, "/dev/shm/", 9) ||
		!strncmp(mapping->path, "/dev/zero", 9));
}

static int find_runs(const struct capture *capture, struct page_runs *runs)
{
	int error = 0;

	*runs = (struct page_runs){ 0 };
	for (size_t i = 0; i < capture->maps.nr && !error; i++)
		if (is_wanted(&capture->maps.items[i]))
			error = resident_find(capture->pagemap, &capture->maps.items[i], runs);
	if (error)
		page_runs_release(runs);
	return error;
}

static size_t bytes_of(const struct page_runs *runs)
{
	size_t bytes = 0;

	for (size_t i = 0; i < runs->nr; i++)
		bytes += runs->items[i].end - runs->items[i].start;
	return bytes;
}

/* Pages of ours, huge ones where the kernel has them. */
static int make_room(struct capture *capture, size_t bytes)
{
	void *room;

	bytes = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
	if (bytes <= capture->room)
		return 0;
	if (capture->room)
		munmap(capture->bytes, capture->room);
	capture->room = 0;
	room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return -ENOMEM;
	capture->bytes = room;
	capture->room = bytes;
	madvise(room, bytes, MADV_HUGEPAGE);	/* advice: no kernel has to have them */
	madvise(room, bytes, MADV_POPULATE_WRITE);	/* likewise: Linux 5.14 */
	return 0;
}

static void leave_out_ours(struct capture *capture)
{
	struct maps *maps = &capture->maps;
	size_t nr = 0;

	for (size_t i = 0; i < maps->nr; i++)
		if (maps->items[i].start >= capture->ours.start &&
		    maps->items[i].end <= capture->ours.end)
			free(maps->items[i].path);
		else
			maps->items[nr++] = maps->items[i];
	maps->nr = nr;
}

static int look(struct capture *capture, const struct memory *memory, struct page_runs *runs)
{
	int error;

	maps_release(&capture->maps);
	error = maps_of(&capture->maps, memory);
	if (error)
		return error;
	leave_out_ours(capture);
	return find_runs(capture, runs);
}

/* Half of what is left is the most to be taken away from the machine's programs. */
static bool fits(size_t bytes)
{
	int64_t room = procfs_available_bytes();
	struct cgroup_room group;

	cgroup_find_room(getpid(), &group);
	if (group.own < room)
		room = group.own;
	if (group.common < room)
		room = group.common;
	return (int64_t)bytes <= room / 2;
}

/* Some are touched until it stands. */
static size_t with_reserve(size_t bytes)
{
	return bytes + bytes / 32 + HUGE_BYTES;
}

int capture_prepare(struct capture *capture, const struct memory *memory,
		    const struct page_run *ours)
{
	struct page_runs runs;
	int error;

	*capture = (struct capture){ .pagemap = resident_open(memory->tid) };
	if (ours)
		capture->ours = *ours;
	space_init(&capture->space);
	error = capture->pagemap < 0 ? capture->pagemap : look(capture, memory, &runs);
	if (!error) {
		size_t bytes = with_reserve(bytes_of(&runs));

		error = fits(bytes) ? make_room(capture, bytes) : -EFBIG;
		page_runs_release(&runs);
	}
	if (error)
		capture_release(capture);
	return error;
}

/* As many parts as one call takes, of runs from *first on, whose first *skip bytes are done. */
static size_t gather(const struct page_runs *runs, size_t first, size_t skip, struct iovec *parts,
		     size_t *bytes)
{
	size_t nr = 0;

	*bytes = 0;
	for (; first < runs->nr && nr < NR_PARTS && *bytes < CALL_BYTES; first++, skip = 0, nr++) {
		const struct page_run *run = &runs->items[first];
		size_t size = run->end - run->start - skip;

		if (size > CALL_BYTES - *bytes)
			size = CALL_BYTES - *bytes;
		/* The target's address, for the kernel alone. */
		parts[nr] = (struct iovec){ (void *)(uintptr_t)(run->start + skip), size };
		*bytes += size;
	}
	return nr;
}

static ssize_t copy_some(const struct memory *memory, const struct iovec *parts, size_t nr,
			 void *to, size_t bytes)
{
	struct iovec local = { to, bytes };
	ssize_t got = memory->slow ? -1 : process_vm_readv(memory->tid, &local, 1, parts, nr, 0);

	if (got >= 0)
		return got;
	/* Part by part, by whatever way is left. */
	return memory->read.read(&memory->read, (uintptr_t)parts->iov_base, to, parts->iov_len);
}

/* Behind what was copied is a page that cannot be read: it is left out, as zeros. */
static size_t pass_over(struct capture *capture, size_t at)
{
	memset(capture->bytes + at, 0, PAGE_BYTES);
	capture->unread_bytes += PAGE_BYTES;
	return PAGE_BYTES;
}

static void advance(const struct page_runs *runs, size_t *first, size_t *skip, size_t bytes)
{
	*skip += bytes;
	while (*first < runs->nr &&
	       *skip >= runs->items[*first].end - runs->items[*first].start) {
		*skip -= runs->items[*first].end - runs->items[*first].start;
		++*first;
	}
}

static int copy(struct capture *capture, const struct memory *memory, const struct page_runs *runs)
{
	struct iovec parts[NR_PARTS];
	size_t first = 0, skip = 0, at = 0, bytes, nr;
	ssize_t got;

	while (first < runs->nr) {
		nr = gather(runs, first, skip, parts, &bytes);
		got = copy_some(memory, parts, nr, capture->bytes + at, bytes);
		if (!got || got == -ESRCH)
			return -ESRCH;	/* killed: its memory is gone */
		bytes = got > 0 ? (size_t)got & ~(PAGE_BYTES - 1ul) : 0;
		if (!bytes)
			bytes = pass_over(capture, at);
		advance(runs, &first, &skip, bytes);
		at += bytes;
	}
	capture->nr_bytes = at;
	return 0;
}

static int fill_space(struct capture *capture, const struct page_runs *runs)
{
	const unsigned char *bytes = capture->bytes;
	int error = 0;

	for (size_t i = 0; i < runs->nr && !error; i++) {
		const struct page_run *run = &runs->items[i];
		const struct space_range range = { run->start, run->end, bytes };

		error = space_add(&capture->space, &range);
		bytes += run->end - run->start;
	}
	return error;
}

int capture_take(struct capture *capture, const struct memory *memory)
{
	struct page_runs runs;
	int error = look(capture, memory, &runs);

	if (!error) {
		error = make_room(capture, bytes_of(&runs));
		if (!error)
			error = copy(capture, memory, &runs);
		if (!error)
			error = fill_space(capture, &runs);
		page_runs_release(&runs);
	}
	if (error)
		capture_release(capture);
	return error;
}

void capture_give_back(struct capture *capture)
{
	space_deinit(&capture->space);
	space_init(&capture->space);
	if (capture->room)
		munmap(capture->bytes, capture->room);
	capture->room = 0;
}

void capture_release(struct capture *capture)
{
	capture_give_back(capture);
	space_deinit(&capture->space);
	maps_release(&capture->maps);
	if (capture->pagemap >= 0)
		close(capture->pagemap);
	*capture = (struct capture){ .pagemap = -1 };
}
